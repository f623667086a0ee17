//! Which documents have a number, and what was said about them?
//!
//! The first documents may lie in a snapshot of the log and are used there until something is said about them; the
//! others are kept here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use safepassage_error::{Error, Result};

use super::AclTable;
use super::effective::Effective;
use super::state::State;
use super::stored::{Newest, Stored};
use super::table::NOBODY;
use crate::bits::Bits;
use crate::document::{DocumentNumber, Tenant, Version};
use crate::event::WHOLE;
use crate::label::LabelRank;

/// How the permission of a row is looked up.
#[derive(Debug, Clone)]
pub(crate) enum RowPermission {
    Nobody,
    Interned(u32),
    Own(Effective),
}

/// The name of a document.
#[derive(Debug)]
struct Name {
    tenant: Tenant,
    id: Arc<str>,
}

/// All documents by number, by (tenant, id), and in the order of their last change. A document is never removed, so that
/// a rollback or a re-used id finds what was said before.
#[derive(Debug, Default)]
pub(super) struct Documents {
    stored: Stored,
    /// Stored documents of which something was said since, one bit each, and what stands written about them now.
    touched: Bits,
    changed: HashMap<u32, State>,
    /// Documents that are not stored.
    names: Vec<Name>,
    states: Vec<State>,
    numbers: HashMap<Tenant, HashMap<Arc<str>, DocumentNumber>>,
    /// What changed after `changes_since`, by epoch.
    changes: Vec<(u64, DocumentNumber)>,
    changes_since: u64,
}

impl Documents {
    /// The documents of a snapshot of `epoch`.
    pub fn stored(stored: Stored, epoch: u64) -> Self {
        Self { touched: Bits::none(stored.len() as usize), stored, changes_since: epoch, ..Self::default() }
    }

    pub fn len(&self) -> u32 {
        let all = u32::try_from(self.names.len()).ok().and_then(|new| self.stored.len().checked_add(new));
        all.expect("numbers are u32 and given one by one")
    }

    /// Where a document that is not stored is kept.
    fn place(&self, number: DocumentNumber) -> Option<usize> {
        Some(number.0.checked_sub(self.stored.len())? as usize)
    }

    pub fn state(&self, number: DocumentNumber) -> Option<Cow<'_, State>> {
        match self.place(number) {
            Some(place) => self.states.get(place).map(Cow::Borrowed),
            None if self.touched.contains(number.0) => self.changed.get(&number.0).map(Cow::Borrowed),
            None => self.stored.state(number.0).map(Cow::Owned),
        }
    }

    pub fn name(&self, number: DocumentNumber) -> Option<(&Tenant, &str)> {
        match self.place(number) {
            Some(place) => self.names.get(place).map(|name| (&name.tenant, &*name.id)),
            None => self.stored.name(number.0),
        }
    }

    pub fn number(&self, tenant: &Tenant, id: &str) -> Option<DocumentNumber> {
        let known = self.numbers.get(tenant).and_then(|known| known.get(id).copied());
        known.or_else(|| self.stored.find(tenant, id))
    }

    pub fn add(&mut self, tenant: &Tenant, id: &str, number: DocumentNumber) -> Result<()> {
        if number.0 != self.len() {
            return Err(Error::corrupted("apply access log", "a document number is out of order"));
        }
        let stored = self.stored.find(tenant, id);
        let name = Name { tenant: tenant.clone(), id: id.into() };
        let known = self.numbers.entry(tenant.clone()).or_default().insert(Arc::clone(&name.id), number);
        if stored.or(known).is_some() {
            return Err(Error::corrupted("apply access log", "a document is numbered twice"));
        }
        self.names.push(name);
        self.states.push(State::NOTHING);
        Ok(())
    }

    /// Changes what was said about a document at `epoch` and finds what its rows need now.
    pub fn change(
        &mut self,
        number: DocumentNumber,
        epoch: u64,
        table: &mut AclTable,
        change: impl FnOnce(&mut State, &mut AclTable),
    ) -> Result<()> {
        let place = self.place(number);
        if place.is_none() && !self.touched.contains(number.0) {
            let state = self.stored.state(number.0);
            let state = state.ok_or_else(|| Error::corrupted("apply access log", "a document cannot be read"))?;
            self.changed.insert(number.0, state);
            self.touched.insert(number.0);
        }
        let state = match place {
            Some(place) => self.states.get_mut(place),
            None => self.changed.get_mut(&number.0),
        };
        let unknown = || Error::corrupted("apply access log", "an event names a document without a number");
        let state = state.ok_or_else(unknown)?;
        change(state, table);
        state.settle(table);
        self.changes.push((epoch, number));
        Ok(())
    }

    /// The label of `version` of a document.
    pub fn label_of(&self, number: DocumentNumber, version: Version) -> Option<LabelRank> {
        let stored = self.place(number).is_none() && !self.touched.contains(number.0);
        if stored && self.stored.newest().of(number.0).is_some_and(|(newest, _)| newest == version) {
            return self.stored.label(number.0);
        }
        self.state(number)?.label_of(version)
    }

    /// For looking up many permissions.
    pub fn permissions<'a>(&'a self, table: &'a AclTable) -> Permissions<'a> {
        Permissions { documents: self, table, stored: self.stored.newest() }
    }

    /// Documents that changed after `epoch`, newest last; may repeat. All of them if nobody remembers that far back.
    pub fn changed_since(&self, epoch: u64) -> impl Iterator<Item = DocumentNumber> + '_ {
        let all = if epoch < self.changes_since { 0..self.len() } else { 0..0 };
        let known = &self.changes[self.changes.partition_point(|(at, _)| *at <= epoch)..];
        all.map(DocumentNumber).chain(known.iter().map(|(_, number)| *number))
    }
}

/// What rows of documents need.
#[derive(Clone, Copy)]
pub(crate) struct Permissions<'a> {
    documents: &'a Documents,
    table: &'a AclTable,
    stored: Newest<'a>,
}

impl Permissions<'_> {
    /// The newest version of a document and its effective ACL; `None` if nothing was ever stated.
    #[inline]
    fn newest(&self, number: DocumentNumber) -> Option<(Version, u32)> {
        let documents = self.documents;
        let state = match documents.place(number) {
            Some(place) => documents.states.get(place)?,
            None if documents.touched.contains(number.0) => documents.changed.get(&number.0)?,
            None => return self.stored.of(number.0),
        };
        state.newest().map(|bound| (bound.version, state.effective()))
    }

    /// What somebody needs who reads all of `version` of a document of `tenant`.
    pub fn of_whole(&self, tenant: &Tenant, number: DocumentNumber, version: Version) -> Option<Effective> {
        let (of, _) = self.documents.name(number)?;
        let state = self.documents.state(number).filter(|_| of == tenant)?;
        state.effective_of(Some(version), WHOLE, self.table)
    }

    /// What rows of `section` of `version` of a document need.
    ///
    /// The newest version has its effective ACL ready. Rows of an older or unknown version need every ACL stated since,
    /// and rows of narrower sections one more, so theirs is put together on the spot.
    #[inline]
    pub fn of(&self, number: DocumentNumber, version: Version, section: u16) -> RowPermission {
        match self.newest(number) {
            None | Some((_, NOBODY)) => RowPermission::Nobody,
            Some((newest, effective)) if newest == version && section == 0 => RowPermission::Interned(effective),
            Some(_) => {
                let state = self.documents.state(number);
                let effective = state.and_then(|state| state.effective_of(Some(version), section, self.table));
                effective.map_or(RowPermission::Nobody, RowPermission::Own)
            }
        }
    }
}
