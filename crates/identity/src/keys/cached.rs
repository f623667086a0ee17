//! The keys are somewhere else and change: which are they now?
//!
//! Fetched when needed and kept. Old keys hold while the source does not answer, but not for ever; a token that names an
//! unknown key leads to one fetch, and many such tokens to no more than one fetch an interval. Threads that have keys
//! never wait for another's fetch.

use std::sync::{Mutex, MutexGuard, PoisonError};

use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};

use super::{KeySet, KeySource};

/// How long fetched keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// From this age on newer keys are looked for.
    pub refresh_after_seconds: u64,
    /// From this age on keys are not used any more.
    pub max_age_seconds: u64,
    /// Between two fetches, failed ones included.
    pub min_interval_seconds: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { refresh_after_seconds: 3600, max_age_seconds: 24 * 3600, min_interval_seconds: 30 }
    }
}

type Fetch = Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>;

/// Keys that are fetched and kept for a while.
pub struct CachedKeys {
    fetch: Fetch,
    settings: CacheSettings,
    /// Held while fetching.
    fetching: Mutex<()>,
    kept: Mutex<Kept>,
}

#[derive(Default, Clone)]
struct Kept {
    keys: Option<(KeySet, Timestamp)>,
    tried_at: Option<Timestamp>,
}

impl CachedKeys {
    /// Keys that `fetch` gets as a JWKS.
    ///
    /// # Errors
    /// `Invalid` if keys would end before newer ones are looked for.
    pub fn new(fetch: impl Fn() -> Result<Vec<u8>> + Send + Sync + 'static, settings: CacheSettings) -> Result<Self> {
        if settings.max_age_seconds < settings.refresh_after_seconds {
            let message = "keys cannot end before newer ones are looked for";
            return Err(Error::invalid("set up keys", message));
        }
        Ok(Self { fetch: Box::new(fetch), settings, fetching: Mutex::new(()), kept: Mutex::default() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whatever panicked, `Kept` is replaced whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys that may still be used.
    fn usable(&self, now: Timestamp) -> Option<KeySet> {
        let (keys, at) = self.kept().keys.clone()?;
        (now < at.plus_seconds(self.settings.max_age_seconds)).then_some(keys)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let fresh_until = |(_, at): &(KeySet, Timestamp)| at.plus_seconds(self.settings.refresh_after_seconds);
        self.kept().keys.as_ref().is_some_and(|keys| now < fresh_until(keys))
    }

    /// Fetches unless that was tried just now. To be called while `fetching` is held.
    fn fetch(&self, now: Timestamp) -> Result<()> {
        let interval = self.settings.min_interval_seconds;
        if self.kept().tried_at.is_some_and(|at| now >= at && now < at.plus_seconds(interval)) {
            return Ok(());
        }
        self.kept().tried_at = Some(now);
        let keys = (self.fetch)().and_then(|json| KeySet::from_jwks(&json));
        let keys = keys.map_err(|error| unavailable().because(error))?;
        self.kept().keys = Some((keys, now));
        Ok(())
    }
}

fn unavailable() -> Error {
    Error::new(Kind::Unavailable, "fetch keys", "the issuer's keys cannot be had now")
}

impl KeySource for CachedKeys {
    fn keys(&self, now: Timestamp) -> Result<KeySet> {
        if self.is_fresh(now)
            && let Some(keys) = self.usable(now)
        {
            return Ok(keys);
        }
        let Some(old) = self.usable(now) else {
            let _turn = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have fetched meanwhile.
            if let Some(keys) = self.usable(now) {
                return Ok(keys);
            }
            self.fetch(now)?;
            return self.usable(now).ok_or_else(unavailable);
        };
        if let Ok(_turn) = self.fetching.try_lock()
            && self.fetch(now).is_ok()
        {
            return self.usable(now).ok_or_else(unavailable);
        }
        Ok(old)
    }

    fn newer(&self, now: Timestamp) -> Result<Option<KeySet>> {
        let _turn = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        self.fetch(now)?;
        Ok(self.usable(now))
    }
}

impl std::fmt::Debug for CachedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedKeys").field("settings", &self.settings).finish_non_exhaustive()
    }
}
