//! Here is somebody who asks again and again: has anything changed since the last time?
//!
//! An [`Asker`] keeps what its identity was last seen to see. It is used again only for the same snapshot at the same
//! epoch, after the index has looked for newer ones; it holds no content, so a merge can remove what is old.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use safepassage_access::Identity;

use crate::snapshot::{Snapshot, VisibleRows};

/// An identity and what it was last seen to see.
#[derive(Debug)]
pub struct Asker {
    identity: Identity,
    last: Mutex<Option<(Weak<Snapshot>, Arc<VisibleRows>)>>,
}

impl Asker {
    /// Starts with nothing seen.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity, last: Mutex::default() }
    }

    /// Who asks.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What was seen in this very snapshot at `epoch`, if that was the last.
    pub(crate) fn seen(&self, snapshot: &Arc<Snapshot>, epoch: u64) -> Option<Arc<VisibleRows>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, rows) = last.as_ref()?;
        // The weak pointer keeps the address from being given to another snapshot.
        let same = std::ptr::eq(of.as_ptr(), Arc::as_ptr(snapshot)) && rows.epoch() == epoch;
        same.then(|| Arc::clone(rows))
    }

    pub(crate) fn saw(&self, snapshot: &Arc<Snapshot>, rows: &Arc<VisibleRows>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Arc::downgrade(snapshot), Arc::clone(rows)));
    }
}
