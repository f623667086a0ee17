//! A call failed: what had its attempts cost by then?

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Usage;

/// What failed calls have cost, as far as their backends say. Clones are one.
#[derive(Clone, Default)]
pub struct Lost(Arc<Mutex<Usage>>);

impl Lost {
    /// A call that fails has cost so much more.
    pub fn add(&self, usage: Usage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += usage;
    }

    /// What was added since the last time that it was taken.
    #[must_use]
    pub fn take(&self) -> Usage {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PartialEq for Lost {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lost").field(&*self.0.lock().unwrap_or_else(PoisonError::into_inner)).finish()
    }
}
