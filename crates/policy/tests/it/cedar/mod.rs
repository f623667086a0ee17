//! Policies in Cedar.

mod decisions;
mod refused;

use std::collections::BTreeMap;

use safepassage_access::{AssertedIdentity, Attribute, Identity, Policy, PolicySource, Resource, Tenant};
use safepassage_error::Result;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_policy::{CedarCompiler, CedarPolicy};

/// A schema with every kind of attribute that a class can have.
pub const SCHEMA: &str = r#"
entity Group in [Group];
entity Department;
entity User in [Group] = { tenant: String, clearance?: Long, department?: Department, regions?: Set<String>, manager?: User };
entity Object in [Object] = { frozen?: Bool };
entity Document in [Object] = {
    tenant?: String,
    classification?: Long,
    kind?: String,
    draft?: Bool,
    owner?: User,
    readers?: Set<User>,
    teams?: Set<Group>,
    regions?: Set<String>,
    department?: Department,
    price?: decimal,
};
action read appliesTo { principal: [User], resource: [Document] };
"#;

pub fn source(policies: &str) -> PolicySource {
    let (language, schema) = ("cedar".to_owned(), SCHEMA.to_owned());
    PolicySource { language, policies: policies.to_owned(), schema, entities: String::new(), attributes: Vec::new() }
}

pub fn read(source: &PolicySource) -> CedarPolicy {
    CedarCompiler.read(source).unwrap_or_else(|error| panic!("{error:?}"))
}

pub fn issue(identity: AssertedIdentity) -> Identity {
    identity.issue(&Clock::fixed(Timestamp(0))).unwrap()
}

pub fn user(id: &str) -> Identity {
    issue(Identity::asserted(id))
}

pub fn text(text: &str) -> Attribute {
    Attribute::Text(text.to_owned())
}

pub fn list(texts: &[&str]) -> Attribute {
    Attribute::List(texts.iter().map(ToString::to_string).collect())
}

/// A class of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    pub tenant: Tenant,
    pub objects: Vec<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

impl Class {
    pub fn resource(&self) -> Resource<'_> {
        let objects = self.objects.iter().map(String::as_str).collect();
        Resource { tenant: &self.tenant, objects, attributes: &self.attributes }
    }
}

pub fn class<const N: usize>(attributes: [(&str, Attribute); N]) -> Class {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Class { attributes, ..Class::default() }
}

pub fn under(objects: &[&str]) -> Class {
    Class { objects: objects.iter().map(ToString::to_string).collect(), ..Class::default() }
}

pub fn resources(classes: &[Class]) -> Vec<Resource<'_>> {
    classes.iter().map(Class::resource).collect()
}

pub fn ask(policy: &dyn Policy, identity: &Identity, classes: &[Class]) -> Result<Vec<bool>> {
    policy.permits(identity, &resources(classes))
}

pub fn ask_one(policy: &dyn Policy, identity: &Identity, class: &Class) -> bool {
    ask(policy, identity, std::slice::from_ref(class)).unwrap()[0]
}
