//! The rules of permission as plain loops: slow, obvious, and the judge of everything else.
//!
//! Nothing here shares code with the plane: no interning, no inverted map, no bitmaps, no caches. Only the types that
//! state ACLs and identities are the same. Policies are left out: they are only asked about what passes here.

use safepassage_error::system::Timestamp;

use crate::acl::{Acl, Inherit};
use crate::document::{DocumentNumber, Tenant, Version};
use crate::event::{AccessEvent, Input};
use crate::identity::Identity;
use crate::principal::Principal;

/// Everything ever said about permissions, in order.
#[derive(Debug, Default, Clone)]
pub struct World {
    events: Vec<AccessEvent>,
}

/// What an ACL, or a chain of them, says of somebody.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    Allow,
    Deny,
    Nothing,
    /// A deny that nothing below overrides.
    Lost,
}

impl World {
    /// Remembers one more event.
    pub fn push(&mut self, event: AccessEvent) {
        self.events.push(event);
    }

    /// Whether `identity` may at `now` read a row of `version` of the document `id` of `tenant`, outside its narrower
    /// sections.
    #[must_use]
    pub fn may_read(&self, identity: &Identity, tenant: &Tenant, id: &str, version: Version, now: Timestamp) -> bool {
        self.may_read_section(identity, tenant, id, version, 0, now)
    }

    /// Whether `identity` may at `now` read a row of `section` of `version` of the document `id` of `tenant`.
    #[must_use]
    pub fn may_read_section(
        &self,
        identity: &Identity,
        tenant: &Tenant,
        id: &str,
        version: Version,
        section: u16,
        now: Timestamp,
    ) -> bool {
        if now >= identity.expires_at() || tenant != identity.tenant() {
            return false;
        }
        let Some(number) = self.number(tenant, id) else { return false };
        self.passes(identity, number, version, Some(section), 0)
    }

    /// Whether `identity` passes what `section` of `version` of a document needs, or for `None` all of it.
    fn passes(
        &self,
        identity: &Identity,
        number: DocumentNumber,
        version: Version,
        section: Option<u16>,
        steps: usize,
    ) -> bool {
        let bound = self.bound_to(number, version);
        if bound.is_empty() {
            return false;
        }
        let revoked = self.revoked(number);
        for (i, said) in bound.iter().enumerate() {
            let lost = self.own(identity, &Acl { deny: revoked.clone(), ..Acl::default() }) == Says::Deny;
            if lost || !self.cleared_for(identity, said.label) || self.says(identity, &said.acl, 0) != Says::Allow {
                return false;
            }
            // The section's own ACL for rows of the version that was spoken of; every section's for other rows.
            let own = i == 0 && said.version == version;
            if own && section.is_some_and(|section| said.sections.len() < usize::from(section)) {
                return false;
            }
            for (acl, number) in said.sections.iter().zip(1..) {
                if (!own || section.is_none() || section == Some(number)) && self.says(identity, acl, 0) != Says::Allow
                {
                    return false;
                }
            }
            // Whoever reads what was derived from something may read all of that. What is derived through very many
            // steps, or from itself, is nobody's.
            for input in &said.derived_from {
                let own_tenant = self.events.iter().any(|event| {
                    matches!(event, AccessEvent::Numbered { tenant, number, .. }
                        if *number == input.number && tenant == identity.tenant())
                });
                if steps == 32 || !own_tenant || !self.passes(identity, input.number, input.version, None, steps + 1) {
                    return false;
                }
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
    /// about one version without another in between, only the last counts; of a run of versions of which the same is
    /// said only the last two are remembered (an older one of the run counts as never spoken of).
    fn bound_to(&self, of: DocumentNumber, version: Version) -> Vec<Said> {
        let mut said: Vec<Said> = Vec::new();
        for event in &self.events {
            if let AccessEvent::Bound { number, binding } = event
                && *number == of
            {
                if said.last().is_some_and(|last| last.version == binding.version) {
                    said.pop();
                }
                said.push(Said {
                    version: binding.version,
                    acl: binding.acl.clone(),
                    label: binding.label.0,
                    sections: binding.sections.clone(),
                    attributes: format!("{:?}", binding.attributes),
                    derived_from: binding.derived_from.clone(),
                });
                let n = said.len();
                if n >= 3 && said[n - 3..].iter().all(|one| one.says_the_same_as(&said[n - 1])) {
                    said.remove(n - 3);
                }
            }
        }
        let mut from = 0;
        for (i, one) in said.iter().enumerate() {
            if one.version == version {
                from = i;
            }
        }
        said.split_off(from)
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

    /// Who lost a document and did not get it back.
    fn revoked(&self, of: DocumentNumber) -> std::collections::BTreeSet<Principal> {
        let mut lost = std::collections::BTreeSet::new();
        for event in &self.events {
            match event {
                AccessEvent::Revoked { number, principal } if *number == of => drop(lost.insert(principal.clone())),
                AccessEvent::Restored { number, principal, .. } if *number == of => drop(lost.remove(principal)),
                _ => {}
            }
        }
        lost
    }

    /// What an ACL says by itself.
    fn own(&self, identity: &Identity, acl: &Acl) -> Says {
        let principals = identity.principals();
        for deny in &acl.deny {
            if principals.contains(deny) || (deny.is_group() && !identity.groups_complete()) {
                return Says::Deny;
            }
        }
        for allow in &acl.allow {
            if principals.contains(allow) {
                return Says::Allow;
            }
        }
        for all_of in &acl.all_of {
            if !all_of.is_empty() && all_of.iter().all(|wanted| principals.contains(wanted)) {
                return Says::Allow;
            }
        }
        Says::Nothing
    }

    /// What an ACL says with what it inherits. A chain longer than there are events is a circle: it denies.
    fn says(&self, identity: &Identity, acl: &Acl, depth: usize) -> Says {
        let own = self.own(identity, acl);
        let Some(parent) = acl.parent.as_deref() else { return own };
        let above = if depth > self.events.len() { Says::Deny } else { self.object(identity, parent, depth + 1) };
        if above == Says::Lost {
            return Says::Lost;
        }
        match acl.inherit {
            Inherit::ChildOverrides if own != Says::Nothing => own,
            Inherit::ChildOverrides => above,
            Inherit::ParentOverrides if above != Says::Nothing => above,
            Inherit::ParentOverrides => own,
            Inherit::BothPermit if own == Says::Allow && above == Says::Allow => Says::Allow,
            Inherit::BothPermit => Says::Deny,
            Inherit::DenyWins if own == Says::Deny || above == Says::Deny => Says::Deny,
            Inherit::DenyWins if own == Says::Allow || above == Says::Allow => Says::Allow,
            Inherit::DenyWins => Says::Nothing,
        }
    }

    /// What an ACL object says: the last that was stated of it, unless it was taken from somebody.
    fn object(&self, identity: &Identity, of: &str, depth: usize) -> Says {
        let mut stated = None;
        let mut lost = std::collections::BTreeSet::new();
        for event in &self.events {
            match event {
                AccessEvent::ObjectStated { tenant, name, statement }
                    if tenant == identity.tenant() && **name == *of =>
                {
                    stated = statement.acl.clone();
                }
                AccessEvent::ObjectRevoked { tenant, name, principal }
                    if tenant == identity.tenant() && **name == *of =>
                {
                    lost.insert(principal.clone());
                }
                AccessEvent::ObjectRestored { tenant, name, principal, .. }
                    if tenant == identity.tenant() && **name == *of =>
                {
                    lost.remove(principal);
                }
                _ => {}
            }
        }
        if self.own(identity, &Acl { deny: lost, ..Acl::default() }) == Says::Deny {
            return Says::Lost;
        }
        stated.map_or(Says::Deny, |acl| self.says(identity, &acl, depth))
    }
}

/// What was said about one version of a document.
struct Said {
    version: Version,
    acl: Acl,
    label: u8,
    sections: Vec<Acl>,
    attributes: String,
    derived_from: Vec<Input>,
}

impl Said {
    fn says_the_same_as(&self, other: &Self) -> bool {
        self.acl == other.acl
            && self.label == other.label
            && self.sections == other.sections
            && self.attributes == other.attributes
            && self.derived_from == other.derived_from
    }
}
