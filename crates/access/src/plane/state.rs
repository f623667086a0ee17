//! What was said about one document, and what do its rows need?

use std::collections::BTreeSet;

use super::AclTable;
use super::effective::Effective;
use super::table::NOBODY;
use crate::document::{Tenant, Version};
use crate::event::{Binding, Origin, WHOLE};
use crate::label::LabelRank;
use crate::principal::Principal;

/// A [`Binding`] by numbers of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    pub version: Version,
    /// The ACL with attributes and sections.
    pub acl: u32,
    /// `acl` with the revocations written in.
    pub base: u32,
    pub source_acl: u32,
    pub label: LabelRank,
    pub origin: Origin,
}

impl Bound {
    pub fn new(binding: &Binding, tenant: &Tenant, table: &mut AclTable) -> Self {
        let Binding { version, label, origin, .. } = *binding;
        let acl = table.intern_document(binding, tenant);
        let source_acl = table.intern_acl(&binding.source_acl, tenant);
        Self { version, acl, base: acl, source_acl, label, origin }
    }

    fn stated(&self, table: &AclTable) -> Binding {
        let Self { version, label, origin, .. } = *self;
        let [acl, source_acl] = [self.acl, self.source_acl].map(|id| table.stated_acl(id));
        let attributes = table.rules.attributes.get(table.rules.get(self.acl).attributes).cloned().unwrap_or_default();
        let sections = table.rules.sections_of(self.acl).iter().map(|rule| table.stated_acl(*rule)).collect();
        let derived_from = table.rules.inputs_of(self.acl).to_vec();
        Binding { version, acl, label, source_acl, origin, attributes, sections, derived_from }
    }
}

/// What stands written about one document. Most have one binding and no revocation, so that these take little memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    newest: Option<Bound>,
    /// The number of the effective ACL of rows of the newest version, or [`NOBODY`].
    effective: u32,
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Rest {
    /// Oldest first.
    earlier: Vec<Bound>,
    /// By number of the principal.
    revoked: BTreeSet<u32>,
}

impl State {
    /// Of a document of which nothing was ever said.
    pub const NOTHING: Self = Self { newest: None, effective: NOBODY, rest: None };

    /// From what a snapshot holds: every binding, oldest first.
    pub fn stored(mut bindings: Vec<Bound>, effective: u32, revoked: BTreeSet<u32>) -> Self {
        let newest = bindings.pop();
        let rest = (!bindings.is_empty() || !revoked.is_empty()).then(|| Box::new(Rest { earlier: bindings, revoked }));
        Self { newest, effective, rest }
    }

    pub fn newest(&self) -> Option<&Bound> {
        self.newest.as_ref()
    }

    pub fn effective(&self) -> u32 {
        self.effective
    }

    /// Every binding, oldest first.
    pub fn bindings(&self) -> impl DoubleEndedIterator<Item = &Bound> {
        self.rest.iter().flat_map(|rest| &rest.earlier).chain(&self.newest)
    }

    pub fn revoked(&self) -> impl Iterator<Item = u32> + '_ {
        self.rest.iter().flat_map(|rest| &rest.revoked).copied()
    }

    /// A statement about the newest version replaces what stood there; one about another version comes after it,
    /// because an ACL only binds the content it came with. Of a run of versions under one ACL the last two stay: the
    /// one being published and the one still live.
    pub fn bind(&mut self, bound: Bound) {
        let Some(last) = self.newest.replace(bound).filter(|last| last.version != bound.version) else {
            return self.shorten();
        };
        self.rest.get_or_insert_default().earlier.push(last);
        self.shorten();
    }

    fn shorten(&mut self) {
        let (Some(newest), Some(rest)) = (&self.newest, &mut self.rest) else { return };
        let same = |older: &Bound| older.acl == newest.acl && older.label == newest.label;
        if let [.., a, b] = &rest.earlier[..]
            && same(a)
            && same(b)
        {
            rest.earlier.remove(rest.earlier.len() - 2);
        }
    }

    pub fn revoke(&mut self, principal: u32) {
        self.rest.get_or_insert_default().revoked.insert(principal);
    }

    pub fn restore(&mut self, principal: u32) {
        if let Some(rest) = &mut self.rest {
            rest.revoked.remove(&principal);
        }
    }

    /// Finds what the rows need after something was said.
    pub fn settle(&mut self, table: &mut AclTable) {
        let nothing = BTreeSet::new();
        let (revoked, earlier) = match self.rest.as_deref_mut() {
            Some(rest) => (&rest.revoked, &mut rest.earlier[..]),
            None => (&nothing, &mut [][..]),
        };
        for bound in earlier.iter_mut().chain(&mut self.newest) {
            bound.base = table.with_revocations(bound.acl, revoked);
        }
        let effective = self.effective_of(None, 0, table);
        self.effective = effective.map_or(NOBODY, |effective| table.effectives.intern(effective));
    }

    /// The bindings that rows of `version` need (of the newest for `None`): every one stated from the last binding of
    /// that version on; for an unknown version every one ever stated.
    fn bound_to(&self, version: Option<Version>) -> impl Iterator<Item = &Bound> {
        let all = self.bindings().count();
        let from = match version {
            None => all.saturating_sub(1),
            Some(version) => {
                self.bindings().rev().position(|b| b.version == version).map_or(0, |after| all - 1 - after)
            }
        };
        self.bindings().skip(from)
    }

    /// The effective ACL for rows of `section` of `version` ([`WHOLE`]: of all of it), or of the newest version for `None`;
    /// none if nothing was ever stated, or nothing of that section.
    ///
    /// What later versions say of their sections may be meant for any part of an earlier one, so its rows need all of it.
    pub fn effective_of(&self, version: Option<Version>, section: u16, table: &AclTable) -> Option<Effective> {
        let mut bound = self.bound_to(version);
        let own = bound.next()?;
        let known = version.is_none_or(|version| own.version == version);
        let sections = table.rules.sections_of(own.acl);
        let mut bases = vec![own.base];
        match section.checked_sub(1) {
            _ if !known || section == WHOLE => bases.extend(sections),
            Some(at) => bases.push(*sections.get(usize::from(at))?),
            None => {}
        }
        for later in bound {
            bases.push(later.base);
            bases.extend(table.rules.sections_of(later.acl));
        }
        let label = self.bound_to(version).map(|bound| bound.label).max()?;
        Effective::new(bases, label)
    }

    /// The highest label that rows of `version` were given since; none if nothing was ever stated.
    pub fn label_of(&self, version: Version) -> Option<LabelRank> {
        self.bound_to(Some(version)).map(|bound| bound.label).max()
    }

    /// The bindings that rows of `version` need, as they were stated.
    pub fn stated_for(&self, version: Option<Version>, table: &AclTable) -> Vec<Binding> {
        self.bound_to(version).map(|bound| bound.stated(table)).collect()
    }

    /// Every binding as it was stated, oldest first.
    pub fn stated(&self, table: &AclTable) -> Vec<Binding> {
        self.bindings().map(|bound| bound.stated(table)).collect()
    }

    /// Who lost the document.
    pub fn stated_revoked(&self, table: &AclTable) -> BTreeSet<Principal> {
        table.principals.named(&self.revoked().collect::<Vec<_>>())
    }
}
