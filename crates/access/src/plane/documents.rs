//! Which documents have a number, and what are their versions bound to?

use std::collections::{BTreeSet, HashMap};

use safepassage_error::{Error, Result};

use super::{Effective, EffectiveTable, NOBODY, with_revocations};
use crate::document::{DocumentNumber, Tenant, Version};
use crate::event::Binding;
use crate::label::LabelRank;
use crate::principal::Principal;

/// One document: never removed, so that a rollback or a re-used id finds what was said before.
#[derive(Debug)]
pub(super) struct Entry {
    pub tenant: Tenant,
    pub id: Box<str>,
    pub bindings: Vec<Binding>,
    /// The base ACL of every binding, revocations written in.
    bases: Vec<u32>,
    pub revoked: BTreeSet<Principal>,
}

impl Entry {
    /// The bindings that rows of `version` need (of the newest for `None`): every one stated from the last binding of
    /// that version on; for an unknown version every one ever stated.
    pub fn bound(&self, version: Option<Version>) -> &[Binding] {
        &self.bindings[self.bound_from(version)..]
    }

    fn bound_from(&self, version: Option<Version>) -> usize {
        match version {
            None => self.bindings.len().saturating_sub(1),
            Some(version) => self.bindings.iter().rposition(|b| b.version == version).unwrap_or(0),
        }
    }

    /// The effective ACL for rows of `version`, or of the newest for `None`; none if nothing was ever stated.
    fn effective_of(&self, version: Option<Version>) -> Option<Effective> {
        let from = self.bound_from(version);
        let label = self.bindings[from..].iter().map(|b| b.label).max()?;
        Effective::new(&self.bases[from..], label)
    }
}

/// How the permission of a row is looked up.
#[derive(Debug, Clone)]
pub(crate) enum RowPermission {
    Nobody,
    Interned(u32),
    Own(Effective),
}

/// The newest version of a document, and of its rows the number of the effective ACL, or [`NOBODY`], and the label.
#[derive(Debug, Clone, Copy)]
struct Newest {
    version: Version,
    effective: u32,
    label: LabelRank,
}

impl Newest {
    /// Of a document of which nothing was ever stated.
    const NOTHING: Self = Self { version: Version(0), effective: NOBODY, label: LabelRank(u8::MAX) };
}

/// All documents by number, by (tenant, id), and in the order of their last change.
#[derive(Debug, Default)]
pub(super) struct Documents {
    entries: Vec<Entry>,
    /// Beside the entries, so that the permissions of a whole segment are one pass over little memory.
    newest: Vec<Newest>,
    numbers: HashMap<Tenant, HashMap<Box<str>, DocumentNumber>>,
    changes: Vec<(u64, DocumentNumber)>,
}

impl Documents {
    pub fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).expect("numbers are u32 and given one by one")
    }

    pub fn get(&self, number: DocumentNumber) -> Option<&Entry> {
        self.entries.get(number.0 as usize)
    }

    pub fn number(&self, tenant: &Tenant, id: &str) -> Option<DocumentNumber> {
        self.numbers.get(tenant)?.get(id).copied()
    }

    pub fn add(&mut self, tenant: &Tenant, id: &str, number: DocumentNumber) -> Result<()> {
        if number.0 as usize != self.entries.len() {
            return Err(Error::corrupted("apply access log", "a document number is out of order"));
        }
        let known = self.numbers.entry(tenant.clone()).or_default().insert(id.into(), number);
        if known.is_some() {
            return Err(Error::corrupted("apply access log", "a document is numbered twice"));
        }
        self.entries.push(Entry {
            tenant: tenant.clone(),
            id: id.into(),
            bindings: Vec::new(),
            bases: Vec::new(),
            revoked: BTreeSet::new(),
        });
        self.newest.push(Newest::NOTHING);
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (DocumentNumber, &Tenant, &Entry)> {
        self.entries.iter().zip(0..).map(|(entry, n)| (DocumentNumber(n), &entry.tenant, entry))
    }

    fn entry(&mut self, number: DocumentNumber) -> Result<&mut Entry> {
        self.entries
            .get_mut(number.0 as usize)
            .ok_or_else(|| Error::corrupted("apply access log", "an event names a document without a number"))
    }

    /// A statement about the newest version replaces what stood there; one about another version comes after it,
    /// because an ACL only binds the content it came with. Of a run of versions under one ACL the last two stay: the
    /// one being published and the one still live.
    pub fn bind(&mut self, number: DocumentNumber, binding: &Binding) -> Result<()> {
        let bindings = &mut self.entry(number)?.bindings;
        match bindings.last_mut() {
            Some(last) if last.version == binding.version => *last = binding.clone(),
            _ => bindings.push(binding.clone()),
        }
        if let [.., a, b, c] = &bindings[..]
            && [a, b].iter().all(|older| older.acl == c.acl && older.label == c.label)
        {
            bindings.remove(bindings.len() - 3);
        }
        Ok(())
    }

    pub fn revoke(&mut self, number: DocumentNumber, principal: &Principal) -> Result<()> {
        self.entry(number)?.revoked.insert(principal.clone());
        Ok(())
    }

    pub fn restore(&mut self, number: DocumentNumber, principal: &Principal) -> Result<()> {
        self.entry(number)?.revoked.remove(principal);
        Ok(())
    }

    /// Finds what the rows of a document need after something was said about it at `epoch`.
    pub fn settle(&mut self, number: DocumentNumber, table: &mut EffectiveTable, epoch: u64) -> Result<()> {
        let entry = self.entry(number)?;
        let base = |binding: &Binding| match entry.revoked.is_empty() {
            true => table.intern_base(&binding.acl),
            false => table.intern_base(&with_revocations(&binding.acl, &entry.revoked)),
        };
        entry.bases = entry.bindings.iter().map(base).collect();
        let newest = entry.effective_of(None).zip(entry.bindings.last()).map(|(effective, binding)| {
            let (version, label) = (binding.version, binding.label);
            Newest { version, effective: table.intern(effective), label }
        });
        self.newest[number.0 as usize] = newest.unwrap_or(Newest::NOTHING);
        self.changes.push((epoch, number));
        Ok(())
    }

    /// The label of the newest version of a document.
    pub fn label(&self, number: DocumentNumber) -> Option<LabelRank> {
        let newest = self.newest.get(number.0 as usize)?;
        (newest.effective != NOBODY).then_some(newest.label)
    }

    /// What rows of `version` of a document need.
    ///
    /// The newest version has its effective ACL ready. Rows of an older or unknown version need every ACL stated since,
    /// so theirs is put together on the spot.
    #[inline]
    pub fn row_permission(&self, number: DocumentNumber, version: Version) -> RowPermission {
        match self.newest.get(number.0 as usize) {
            None | Some(Newest { effective: NOBODY, .. }) => RowPermission::Nobody,
            Some(newest) if newest.version == version => RowPermission::Interned(newest.effective),
            Some(_) => {
                let effective = self.get(number).and_then(|entry| entry.effective_of(Some(version)));
                effective.map_or(RowPermission::Nobody, RowPermission::Own)
            }
        }
    }

    pub fn changed_since(&self, epoch: u64) -> &[(u64, DocumentNumber)] {
        &self.changes[self.changes.partition_point(|(at, _)| *at <= epoch)..]
    }
}
