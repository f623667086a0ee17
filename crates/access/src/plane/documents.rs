//! Which documents have a number, and what are their versions bound to?

use std::collections::{BTreeSet, HashMap};

use safepassage_error::{Error, Result};

use super::{Effective, with_revocations};
use crate::document::{DocumentNumber, Tenant, Version};
use crate::event::Binding;
use crate::principal::Principal;

/// One document: never removed, so that a rollback or a re-used id finds what was said before.
#[derive(Debug)]
pub(super) struct Entry {
    pub tenant: Tenant,
    pub id: Box<str>,
    pub bindings: Vec<Binding>,
    pub revoked: BTreeSet<Principal>,
    pub effective: u32,
}

impl Entry {
    /// The bindings that rows of `version` need (of the newest for `None`): every one stated from the last binding of
    /// that version on; for an unknown version every one ever stated.
    pub fn bound(&self, version: Option<Version>) -> &[Binding] {
        let newest = self.bindings.len().saturating_sub(1);
        let from = match version {
            None => newest,
            Some(version) => self.bindings.iter().rposition(|b| b.version == version).unwrap_or(0),
        };
        &self.bindings[from.min(self.bindings.len())..]
    }

    /// The effective ACL for rows of `version`, or of the newest for `None`.
    pub fn effective_of(&self, version: Option<Version>) -> Effective {
        let bound = self.bound(version);
        let label = bound.iter().map(|b| b.label).max().unwrap_or(crate::label::LabelRank(u8::MAX));
        Effective::new(bound.iter().map(|b| with_revocations(&b.acl, &self.revoked)), label)
    }
}

/// All documents by number, by (tenant, id), and in the order of their last change.
#[derive(Debug, Default)]
pub(super) struct Documents {
    entries: Vec<Entry>,
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
            revoked: BTreeSet::new(),
            effective: u32::MAX,
        });
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

    pub fn set_effective(&mut self, number: DocumentNumber, effective: u32, epoch: u64) {
        if let Some(entry) = self.entries.get_mut(number.0 as usize) {
            entry.effective = effective;
            self.changes.push((epoch, number));
        }
    }

    pub fn changed_since(&self, epoch: u64) -> &[(u64, DocumentNumber)] {
        &self.changes[self.changes.partition_point(|(at, _)| *at <= epoch)..]
    }
}
