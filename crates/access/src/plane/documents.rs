//! Which documents have a number, and what was said about them?

use std::collections::HashMap;

use safepassage_error::{Error, Result};

use super::AclTable;
use super::state::{Bound, State};
use super::table::{Effective, NOBODY};
use crate::document::{DocumentNumber, Tenant, Version};
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
    id: Box<str>,
}

/// All documents by number, by (tenant, id), and in the order of their last change. A document is never removed, so that
/// a rollback or a re-used id finds what was said before.
#[derive(Debug, Default)]
pub(super) struct Documents {
    names: Vec<Name>,
    states: Vec<State>,
    numbers: HashMap<Tenant, HashMap<Box<str>, DocumentNumber>>,
    changes: Vec<(u64, DocumentNumber)>,
}

impl Documents {
    pub fn len(&self) -> u32 {
        u32::try_from(self.names.len()).expect("numbers are u32 and given one by one")
    }

    pub fn state(&self, number: DocumentNumber) -> Option<&State> {
        self.states.get(number.0 as usize)
    }

    pub fn name(&self, number: DocumentNumber) -> Option<(&Tenant, &str)> {
        self.names.get(number.0 as usize).map(|name| (&name.tenant, &*name.id))
    }

    pub fn number(&self, tenant: &Tenant, id: &str) -> Option<DocumentNumber> {
        self.numbers.get(tenant)?.get(id).copied()
    }

    pub fn add(&mut self, tenant: &Tenant, id: &str, number: DocumentNumber) -> Result<()> {
        if number.0 as usize != self.names.len() {
            return Err(Error::corrupted("apply access log", "a document number is out of order"));
        }
        let known = self.numbers.entry(tenant.clone()).or_default().insert(id.into(), number);
        if known.is_some() {
            return Err(Error::corrupted("apply access log", "a document is numbered twice"));
        }
        self.names.push(Name { tenant: tenant.clone(), id: id.into() });
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
        let unknown = || Error::corrupted("apply access log", "an event names a document without a number");
        let state = self.states.get_mut(number.0 as usize).ok_or_else(unknown)?;
        change(state, table);
        state.settle(table);
        self.changes.push((epoch, number));
        Ok(())
    }

    /// The label of the newest version of a document.
    pub fn label(&self, number: DocumentNumber) -> Option<LabelRank> {
        self.state(number)?.newest().map(|bound| bound.label)
    }

    /// What rows of `version` of a document need.
    ///
    /// The newest version has its effective ACL ready. Rows of an older or unknown version need every ACL stated since,
    /// so theirs is put together on the spot.
    #[inline]
    pub fn row_permission(&self, number: DocumentNumber, version: Version) -> RowPermission {
        let Some(state) = self.state(number) else { return RowPermission::Nobody };
        match state.newest() {
            None => RowPermission::Nobody,
            Some(Bound { version: newest, .. }) if *newest == version => match state.effective() {
                NOBODY => RowPermission::Nobody,
                effective => RowPermission::Interned(effective),
            },
            Some(_) => state.effective_of(Some(version)).map_or(RowPermission::Nobody, RowPermission::Own),
        }
    }

    pub fn changed_since(&self, epoch: u64) -> &[(u64, DocumentNumber)] {
        &self.changes[self.changes.partition_point(|(at, _)| *at <= epoch)..]
    }
}
