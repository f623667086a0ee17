//! With which keys does the issuer sign?
//!
//! A [`KeySet`] is read from a JWKS (RFC 7517); a [`KeySource`] says which set is the newest. A set of public keys can
//! never verify a shared secret's signature, nor the other way round.

mod cached;
mod set;
#[cfg(feature = "jwks-url")]
mod url;

pub use cached::{CacheSettings, CachedKeys};
pub use set::KeySet;
#[cfg(feature = "jwks-url")]
pub use url::from_url;

use safepassage_error::Result;
use safepassage_error::system::Timestamp;

/// Where the issuer's keys come from.
pub trait KeySource: Send + Sync {
    /// The keys, at `now` by the clock that tokens are held against.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be had.
    fn keys(&self, now: Timestamp) -> Result<KeySet>;

    /// Newer keys than [`KeySource::keys`] gave, if there may be any: asked for when a token names an unknown key.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be had.
    fn newer(&self, now: Timestamp) -> Result<Option<KeySet>> {
        let _ = now;
        Ok(None)
    }
}

impl KeySource for KeySet {
    fn keys(&self, _: Timestamp) -> Result<KeySet> {
        Ok(self.clone())
    }
}
