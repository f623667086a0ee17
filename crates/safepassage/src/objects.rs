//! What does an ACL object (a folder, a site, a space) say, and how is that changed?
//!
//! A change writes the object and nothing else, however many documents are under it. It is durable when the call
//! returns and holds for every search that starts after it, in every process.

use std::collections::BTreeSet;

use safepassage_access::{AccessEvent, Acl, AllOf, Inherit, ObjectAccess, ObjectStatement, Origin, Principal, Tenant};
use safepassage_error::{Error, Kind, Result};
use serde::Serialize;

use crate::decision::{AclChange, Subject};
use crate::engine::Engine;

/// What stands written about an ACL object: for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AclObjectState {
    /// Its name.
    pub name: String,
    /// Whether anything is stated; an object that is only named, or was removed, denies.
    pub stated: bool,
    /// The object above it.
    pub parent: Option<Box<str>>,
    /// How it inherits.
    pub inherit: Inherit,
    /// Who may read.
    pub allow: BTreeSet<Principal>,
    /// Who may read together: all principals of one of these.
    pub all_of: BTreeSet<AllOf>,
    /// Who may not.
    pub deny: BTreeSet<Principal>,
    /// Who lost everything under it until restored.
    pub revoked: BTreeSet<Principal>,
    /// Who stated it: the source or a person.
    pub origin: Option<Origin>,
    /// The epoch this was read at.
    pub acl_epoch: u64,
}

fn state(object: ObjectAccess, acl_epoch: u64) -> AclObjectState {
    let ObjectAccess { name, statement, revoked } = object;
    let origin = statement.as_ref().map(|statement| statement.origin);
    let acl = statement.and_then(|statement| statement.acl);
    let stated = acl.is_some();
    let Acl { allow, all_of, deny, parent, inherit } = acl.unwrap_or_default();
    AclObjectState { name: name.into(), stated, parent, inherit, allow, all_of, deny, revoked, origin, acl_epoch }
}

fn not_found(name: &str) -> Error {
    Error::new(Kind::NotFound, "look up ACL object", format!("no ACL object `{name}`"))
}

impl Engine {
    /// What stands written about the ACL object `name`.
    ///
    /// # Errors
    /// `NotFound` if nothing ever named it.
    pub fn acl_object(&self, tenant: &Tenant, name: &str) -> Result<AclObjectState> {
        self.index().with_plane(|plane| {
            let object = plane.object(tenant, name).ok_or_else(|| not_found(name))?;
            Ok(state(object, plane.epoch()))
        })
    }

    /// Every ACL object of `tenant`, in the order of their first mention.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn acl_objects(&self, tenant: &Tenant) -> Result<Vec<AclObjectState>> {
        self.index().with_plane(|plane| Ok(plane.objects(tenant).map(|o| state(o, plane.epoch())).collect()))
    }

    /// States an ACL object, or moves it, by stating its parent. It holds against later syncs until the source states
    /// something else than it did. Revocations stay in force. Returns the epoch from which it holds.
    ///
    /// # Errors
    /// `Invalid` for a name or an ACL that makes no sense, or an object that would be above itself; `Unavailable` if it
    /// cannot be written.
    pub fn set_acl_object(&self, tenant: &Tenant, name: &str, acl: Acl) -> Result<u64> {
        self.noted_change(AclChange::Set(&acl).begun(), Subject::Object(tenant, name), || {
            self.change_object(tenant, name, Some(&acl))
        })
    }

    /// Takes back what was stated of an ACL object: what is under it is denied by it until it is stated again.
    ///
    /// # Errors
    /// `NotFound` if nothing is stated of it; `Unavailable` if it cannot be written.
    pub fn remove_acl_object(&self, tenant: &Tenant, name: &str) -> Result<u64> {
        self.noted_narrowing(AclChange::Remove.begun(), Subject::Object(tenant, name), || {
            self.change_object(tenant, name, None)
        })
    }

    fn change_object(&self, tenant: &Tenant, name: &str, acl: Option<&Acl>) -> Result<u64> {
        self.index().commit_access(&mut |plane| {
            let known = plane.object(tenant, name).and_then(|object| object.statement);
            if acl.is_none() && !plane.is_stated(tenant, name) {
                return Err(not_found(name));
            }
            let source_acl = known.and_then(|known| known.source_acl);
            let statement = ObjectStatement { acl: acl.cloned(), source_acl, origin: Origin::Set };
            Ok(vec![AccessEvent::ObjectStated { tenant: tenant.clone(), name: name.into(), statement }])
        })
    }

    /// Takes everything under an ACL object from a principal, whatever is said below or above it now or later, until
    /// [`Engine::restore_acl_object`].
    ///
    /// # Errors
    /// `NotFound` if nothing ever named it; `Unavailable` if it cannot be written.
    pub fn revoke_acl_object(&self, tenant: &Tenant, name: &str, principal: &Principal) -> Result<u64> {
        self.noted_narrowing(AclChange::Revoke(principal).begun(), Subject::Object(tenant, name), || {
            self.index().commit_access(&mut |plane| {
                let object = plane.object(tenant, name).ok_or_else(|| not_found(name))?;
                if object.revoked.contains(principal) {
                    return Ok(Vec::new());
                }
                let (tenant, principal) = (tenant.clone(), principal.clone());
                Ok(vec![AccessEvent::ObjectRevoked { tenant, name: name.into(), principal }])
            })
        })
    }

    /// Lifts the revocation of an ACL object; the ACLs alone decide again. The reason is kept in the access log.
    ///
    /// # Errors
    /// `NotFound` if there is no such revocation; `Invalid` without a reason; `Unavailable`.
    pub fn restore_acl_object(&self, tenant: &Tenant, name: &str, principal: &Principal, reason: &str) -> Result<u64> {
        if reason.trim().is_empty() {
            return Err(Error::invalid("restore", "a reason is needed"));
        }
        self.noted_change(AclChange::Restore(principal, reason).begun(), Subject::Object(tenant, name), || {
            self.index().commit_access(&mut |plane| {
                let object = plane.object(tenant, name).ok_or_else(|| not_found(name))?;
                if !object.revoked.contains(principal) {
                    let message = format!("`{principal}` was not revoked from the ACL object `{name}`");
                    return Err(Error::new(Kind::NotFound, "restore", message));
                }
                let (tenant, principal, reason) = (tenant.clone(), principal.clone(), reason.to_owned());
                Ok(vec![AccessEvent::ObjectRestored { tenant, name: name.into(), principal, reason }])
            })
        })
    }
}
