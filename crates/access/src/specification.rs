//! The rules of permission as plain loops: slow, obvious, and the judge of everything else.
//!
//! Nothing here shares code with the plane: no interning, no inverted map, no bitmaps, no caches. Only the types that
//! state ACLs and identities are the same.

use safepassage_error::system::Timestamp;

use crate::acl::Acl;
use crate::document::{DocumentNumber, Tenant, Version};
use crate::event::AccessEvent;
use crate::identity::Identity;
use crate::principal::Principal;

/// Everything ever said about permissions, in order.
#[derive(Debug, Default, Clone)]
pub struct World {
    events: Vec<AccessEvent>,
}

impl World {
    /// Remembers one more event.
    pub fn push(&mut self, event: AccessEvent) {
        self.events.push(event);
    }

    /// Whether `identity` may at `now` read a row of `version` of the document `id` of `tenant`.
    #[must_use]
    pub fn may_read(&self, identity: &Identity, tenant: &Tenant, id: &str, version: Version, now: Timestamp) -> bool {
        if now >= identity.expires_at() || tenant != identity.tenant() {
            return false;
        }
        let Some(number) = self.number(tenant, id) else { return false };
        let bound = self.bound_to(number, version);
        if bound.is_empty() {
            return false;
        }
        for (acl, label) in bound {
            if !self.cleared_for(identity, label) || !self.acl_permits(identity, number, &acl) {
                return false;
            }
        }
        true
    }

    fn number(&self, in_tenant: &Tenant, of: &str) -> Option<DocumentNumber> {
        for event in &self.events {
            if let AccessEvent::Numbered { tenant, id, number } = event
                && tenant == in_tenant
                && **id == *of
            {
                return Some(*number);
            }
        }
        None
    }

    /// What was said from the last time this version was spoken of on; everything if it never was. Of what was said
    /// about one version without another in between, only the last counts; of a run of versions under one ACL only the
    /// last two are remembered (an older one of the run counts as never spoken of).
    fn bound_to(&self, of: DocumentNumber, version: Version) -> Vec<(Acl, u8)> {
        let mut said: Vec<(Version, Acl, u8)> = Vec::new();
        for event in &self.events {
            if let AccessEvent::Bound { number, binding } = event
                && *number == of
            {
                if said.last().is_some_and(|(last, _, _)| *last == binding.version) {
                    said.pop();
                }
                said.push((binding.version, binding.acl.clone(), binding.label.0));
                let n = said.len();
                if n >= 3
                    && said[n - 3..].iter().all(|(_, acl, label)| *acl == binding.acl && *label == binding.label.0)
                {
                    said.remove(n - 3);
                }
            }
        }
        let mut from = 0;
        for (i, (spoken_of, _, _)) in said.iter().enumerate() {
            if *spoken_of == version {
                from = i;
            }
        }
        said[from..].iter().map(|(_, acl, label)| (acl.clone(), *label)).collect()
    }

    fn cleared_for(&self, identity: &Identity, label: u8) -> bool {
        let mut clearance = 0;
        for event in &self.events {
            if let (AccessEvent::Created { labels }, Some(name)) = (event, identity.clearance()) {
                match labels.rank(name) {
                    Ok(rank) => clearance = rank.0,
                    Err(_) => return false,
                }
            }
        }
        label <= clearance
    }

    fn acl_permits(&self, identity: &Identity, number: DocumentNumber, acl: &Acl) -> bool {
        let mut denied: Vec<Principal> = acl.deny.iter().cloned().collect();
        for event in &self.events {
            match event {
                AccessEvent::Revoked { number: n, principal } if *n == number => denied.push(principal.clone()),
                AccessEvent::Restored { number: n, principal, .. } if *n == number => {
                    // A restore lifts revocations only; what the ACL itself denies stays.
                    denied.retain(|p| p != principal || acl.deny.contains(p));
                }
                _ => {}
            }
        }
        let mut allowed = false;
        for principal in identity.principals() {
            for deny in &denied {
                if *deny == principal {
                    return false;
                }
            }
            for allow in &acl.allow {
                if *allow == principal {
                    allowed = true;
                }
            }
        }
        if !identity.groups_complete() {
            for deny in &denied {
                if deny.is_group() {
                    return false;
                }
            }
        }
        allowed
    }
}
