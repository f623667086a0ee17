//! Here is a class of documents: what is it among the entities?

use std::collections::{BTreeMap, HashSet};

use cedar_policy::{Entity, EntityUid};
use safepassage_access::{Attribute, Resource};

use super::names::uid;
use super::rules::Rules;
use super::shape::{self, Misfit, Value};

/// The attribute that says what the index itself knows; nobody else sets it.
pub(super) const TENANT: &str = "tenant";

/// A class that fits the schema.
pub(super) struct Class {
    pub values: BTreeMap<String, Value>,
    /// What it is in, by the plane and by the entities.
    pub objects: HashSet<EntityUid>,
    pub entity: Entity,
}

impl Class {
    /// The class `resource` under an id that no policy can see.
    pub fn new(rules: &Rules, i: usize, resource: &Resource<'_>) -> Result<Self, Misfit> {
        if resource.attributes.contains_key(TENANT) {
            return Err(Misfit(format!("a document has an attribute `{TENANT}`, which is not for it to say")));
        }
        let given = resource.attributes.iter().map(|(name, value)| (name.as_str(), value));
        let tenant = rules.document.declares(TENANT).then(|| Attribute::Text(resource.tenant.0.to_string()));
        let values = rules.document.values(&rules.names, given.chain(tenant.as_ref().map(|value| (TENANT, value))))?;
        let objects = objects(rules, resource);
        let expressions = values.iter().map(|(name, value)| (name.clone(), value.expression())).collect();
        let uid = uid(&rules.names.document, &i.to_string());
        let entity = shape::entity(&rules.schema, uid, expressions, objects.clone())?;
        Ok(Self { values, objects, entity })
    }
}

fn objects(rules: &Rules, resource: &Resource<'_>) -> HashSet<EntityUid> {
    if !rules.document.can_be_in(&rules.names.object) {
        return HashSet::new();
    }
    let mut objects: HashSet<EntityUid> = resource.objects.iter().map(|name| uid(&rules.names.object, name)).collect();
    let above: Vec<EntityUid> =
        objects.iter().filter_map(|object| rules.entities.ancestors(object)).flatten().cloned().collect();
    objects.extend(above);
    objects
}
