//! Many wait for a provider in trouble at once: may one of them ask it again?

use std::sync::{Mutex, PoisonError};

/// So many further attempts are kept for when they are needed.
const MOST: f64 = 10.0;

/// Attempts after the first that calls have earned together.
#[derive(Debug)]
pub(super) struct Earned {
    share: Option<f64>,
    kept: Mutex<f64>,
}

impl Earned {
    /// Each call earns `share` of an attempt; no limit if there is none.
    pub fn new(share: Option<f64>) -> Self {
        Self { share, kept: Mutex::new(MOST) }
    }

    /// A call begins.
    pub fn begun(&self) {
        if let Some(share) = self.share {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            *kept = (*kept + share).min(MOST);
        }
    }

    /// Takes an attempt, if there is one.
    pub fn take(&self) -> bool {
        if self.share.is_none() {
            return true;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = *kept >= 1.0;
        *kept -= if enough { 1.0 } else { 0.0 };
        enough
    }
}
