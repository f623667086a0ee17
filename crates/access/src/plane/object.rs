//! What stands written about an ACL object?

use std::collections::BTreeSet;
use std::sync::Arc;

use super::AccessPlane;
use super::objects::Object;
use crate::document::Tenant;
use crate::event::{AccessEvent, ObjectStatement};
use crate::policy::{PolicyCompiler, PolicySource};
use crate::principal::Principal;

/// What stands written about one ACL object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAccess {
    /// Its name.
    pub name: Box<str>,
    /// What it says; `None` if it is only named, or was removed: then it denies.
    pub statement: Option<ObjectStatement>,
    /// Who lost everything under it until restored.
    pub revoked: BTreeSet<Principal>,
}

impl AccessPlane {
    fn object_access(&self, object: &Object) -> ObjectAccess {
        let revoked: Vec<u32> = object.revoked.iter().copied().collect();
        let statement = object.stated.map(|stated| ObjectStatement {
            acl: self.table.stated_acl(stated.rule),
            source_acl: stated.source_rule.map(|rule| self.table.stated_acl(rule)),
            origin: stated.origin,
        });
        ObjectAccess { name: (*object.name).into(), statement, revoked: self.table.principals.named(&revoked) }
    }

    /// What stands written about the object `name`; `None` if nothing ever named it.
    #[must_use]
    pub fn object(&self, tenant: &Tenant, name: &str) -> Option<ObjectAccess> {
        let id = self.table.objects.find(tenant, name)?;
        self.table.objects.get(id).map(|object| self.object_access(object))
    }

    /// Every object of `tenant` that was ever named, in the order of their first mention.
    pub fn objects(&self, tenant: &Tenant) -> impl Iterator<Item = ObjectAccess> {
        self.table.objects.all().iter().filter(move |object| object.tenant == *tenant).map(|o| self.object_access(o))
    }

    /// The names of an object and of those above it, nearest first; empty if nothing ever named it.
    #[must_use]
    pub fn upwards(&self, tenant: &Tenant, name: &str) -> Vec<&str> {
        let chain = self.table.objects.find(tenant, name).map(|id| self.table.objects.upwards(id)).unwrap_or_default();
        chain.into_iter().filter_map(|id| self.table.objects.get(id)).map(|object| &*object.name).collect()
    }

    pub(super) fn objects_as_events(&self) -> Vec<AccessEvent> {
        let mut events = Vec::new();
        for object in self.table.objects.all() {
            let ObjectAccess { name, statement, revoked } = self.object_access(object);
            let tenant = &object.tenant;
            let lost = revoked.into_iter().map(|principal| {
                let (tenant, name) = (tenant.clone(), name.clone());
                AccessEvent::ObjectRevoked { tenant, name, principal }
            });
            events.push(AccessEvent::ObjectStated { tenant: tenant.clone(), name: name.clone(), statement });
            events.extend(lost);
        }
        events
    }

    /// The policies in force.
    #[must_use]
    pub fn policies(&self) -> Option<&PolicySource> {
        self.policies.source()
    }

    /// Gives the plane somebody who knows the language of its policies, now and later.
    pub fn set_policy_compiler(&mut self, compiler: Arc<dyn PolicyCompiler>) {
        self.remembered.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).forget();
        self.policies.set_compiler(compiler);
    }
}
