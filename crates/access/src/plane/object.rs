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
    /// What is stated of it; `None` if it is only named: then it denies.
    pub statement: Option<ObjectStatement>,
    /// Who lost everything under it until restored.
    pub revoked: BTreeSet<Principal>,
}

impl AccessPlane {
    fn object_access(&self, object: &Object) -> ObjectAccess {
        let revoked: Vec<u32> = object.revoked.iter().copied().collect();
        let statement = object.stated.map(|stated| ObjectStatement {
            acl: stated.rule.map(|rule| self.table.stated_acl(rule)),
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

    /// Whether something is stated of the object `name`; what is under one of which nothing is stated is denied by it.
    #[must_use]
    pub fn is_stated(&self, tenant: &Tenant, name: &str) -> bool {
        let object = self.table.objects.find(tenant, name).and_then(|id| self.table.objects.get(id));
        object.is_some_and(Object::is_stated)
    }

    /// Every object of which something is stated.
    pub fn stated_objects(&self) -> impl Iterator<Item = (&Tenant, &str)> {
        let stated = self.table.objects.all().iter().filter(|object| object.is_stated());
        stated.map(|object| (&object.tenant, &*object.name))
    }

    /// Every object of `tenant` that was ever named, in the order of their first mention.
    pub fn objects(&self, tenant: &Tenant) -> impl Iterator<Item = ObjectAccess> {
        self.table.objects.all().iter().filter(move |object| object.tenant == *tenant).map(|o| self.object_access(o))
    }

    /// Every object that was ever named, with its tenant, in the order of their first mention.
    pub fn all_objects(&self) -> impl Iterator<Item = (&Tenant, ObjectAccess)> {
        self.table.objects.all().iter().map(|object| (&object.tenant, self.object_access(object)))
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
            let stated = statement.map(|statement| AccessEvent::ObjectStated {
                tenant: tenant.clone(),
                name: name.clone(),
                statement,
            });
            events.extend(stated);
            events.extend(lost);
        }
        events
    }

    /// Everybody whom any ACL ever named.
    pub fn principals(&self) -> impl Iterator<Item = &Principal> {
        self.table.principals.all().iter()
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

    /// Who knows the language of its policies.
    #[must_use]
    pub fn policy_compiler(&self) -> Option<Arc<dyn PolicyCompiler>> {
        self.policies.compiler()
    }
}
