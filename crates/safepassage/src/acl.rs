//! Who may read this document, and how is that changed?
//!
//! Every change is durable when the call returns, holds for every search that starts after it, in every process, and
//! writes no chunk and no vector.

use std::collections::BTreeSet;

use safepassage_access::{
    AccessEvent, AccessPlane, Acl, AllOf, Binding, DocumentAccess, Inherit, Origin, Principal, Tenant,
};
use safepassage_error::{Error, Kind, Result};
use serde::Serialize;

use crate::decision::{AclChange, Subject};
use crate::engine::Engine;

/// What stands written about a document: for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentAcl {
    /// Its id.
    pub document: String,
    /// Who may read.
    pub allow: BTreeSet<Principal>,
    /// Who may read together: all principals of one of these.
    pub all_of: BTreeSet<AllOf>,
    /// Who may not, whatever else allows them.
    pub deny: BTreeSet<Principal>,
    /// The ACL object it inherits from.
    pub parent: Option<Box<str>>,
    /// How it inherits.
    pub inherit: Inherit,
    /// Who lost it until restored.
    pub revoked: BTreeSet<Principal>,
    /// Its label.
    pub label: String,
    /// Who stated the ACL: the source or a person.
    pub origin: Origin,
    /// The epoch this was read at.
    pub acl_epoch: u64,
}

fn known(plane: &AccessPlane, tenant: &Tenant, id: &str) -> Result<DocumentAccess> {
    let access = plane.number(tenant, id).and_then(|number| plane.document(number));
    access.ok_or_else(|| Error::new(Kind::NotFound, "look up document", format!("no document `{id}`")))
}

impl Engine {
    /// What stands written about the document `id`.
    ///
    /// # Errors
    /// `NotFound` if there never was such a document.
    pub fn acl(&self, tenant: &Tenant, id: &str) -> Result<DocumentAcl> {
        self.index().with_plane(|plane| {
            let access = known(plane, tenant, id)?;
            let binding = access.current().clone();
            Ok(DocumentAcl {
                document: id.to_owned(),
                allow: binding.acl.allow,
                all_of: binding.acl.all_of,
                deny: binding.acl.deny,
                parent: binding.acl.parent,
                inherit: binding.acl.inherit,
                revoked: access.revoked,
                label: plane.labels().name(binding.label).to_owned(),
                origin: binding.origin,
                acl_epoch: plane.epoch(),
            })
        })
    }

    /// Replaces the ACL of a document. It holds against later syncs until the source states another ACL than it did.
    /// Revocations stay in force. Returns the epoch from which it holds.
    ///
    /// # Errors
    /// `NotFound` if there never was such a document; `Invalid` for an ACL that makes no sense or names an ACL object that is
    /// not stated; `Unavailable` if it cannot be written.
    pub fn set_acl(&self, tenant: &Tenant, id: &str, acl: Acl) -> Result<u64> {
        self.noted_change(AclChange::Set(&acl).begun(), Subject::Document(tenant, id), || {
            self.index().commit_access(&mut |plane| {
                let access = known(plane, tenant, id)?;
                if let Some(parent) = acl.parent.as_deref().filter(|parent| !plane.is_stated(tenant, parent)) {
                    // It would close the document, and is mistyped more often than meant so.
                    let message = format!("the ACL names the ACL object `{parent}`, which is not stated");
                    return Err(Error::invalid("set ACL", message));
                }
                let binding = Binding { acl: acl.clone(), origin: Origin::Set, ..access.current().clone() };
                Ok(vec![AccessEvent::Bound { number: access.number, binding }])
            })
        })
    }

    /// Takes a document from a principal, whatever its ACL says now or later, until [`Engine::restore`].
    ///
    /// # Errors
    /// `NotFound` if there never was such a document; `Unavailable` if it cannot be written.
    pub fn revoke(&self, tenant: &Tenant, id: &str, principal: &Principal) -> Result<u64> {
        self.noted_narrowing(AclChange::Revoke(principal).begun(), Subject::Document(tenant, id), || {
            self.index().commit_access(&mut |plane| {
                let access = known(plane, tenant, id)?;
                if access.revoked.contains(principal) {
                    return Ok(Vec::new());
                }
                Ok(vec![AccessEvent::Revoked { number: access.number, principal: principal.clone() }])
            })
        })
    }

    /// Lifts a revocation; the ACL alone decides again. The reason is kept in the access log.
    ///
    /// # Errors
    /// `NotFound` if there is no such revocation; `Invalid` without a reason; `Unavailable`.
    pub fn restore(&self, tenant: &Tenant, id: &str, principal: &Principal, reason: &str) -> Result<u64> {
        if reason.trim().is_empty() {
            return Err(Error::invalid("restore", "a reason is needed"));
        }
        self.noted_change(AclChange::Restore(principal, reason).begun(), Subject::Document(tenant, id), || {
            self.index().commit_access(&mut |plane| {
                let access = known(plane, tenant, id)?;
                if !access.revoked.contains(principal) {
                    let message = format!("`{principal}` was not revoked from `{id}`");
                    return Err(Error::new(Kind::NotFound, "restore", message));
                }
                let (number, principal) = (access.number, principal.clone());
                Ok(vec![AccessEvent::Restored { number, principal, reason: reason.to_owned() }])
            })
        })
    }
}
