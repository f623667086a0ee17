//! Here is a token: who asks?
//!
//! In go a JWT, the issuer's keys and the [`VerifierSettings`]; out comes an [`Identity`](safepassage_access::Identity)
//! or a refusal. Which rows that identity opens is left to `access`. One [`Verifier`] trusts one issuer. Whatever is not
//! understood is refused: nothing in a token chooses its algorithm family, its key's origin or the rules it is held to.

#![forbid(unsafe_code)]

mod algorithm;
mod claims;
mod directory;
mod header;
mod json;
mod keys;
mod mapping;
mod refusal;
mod settings;
mod verifier;

pub use algorithm::{Algorithm, Family};
pub use directory::{GroupFile, ScimGroups};
#[cfg(feature = "jwks-url")]
pub use keys::from_url;
pub use keys::{CacheSettings, CachedKeys, KeySet, KeySource};
pub use mapping::{ClaimMapping, ClaimPath, MissingGroups, RequiredClaim};
pub use refusal::Refusal;
pub use settings::VerifierSettings;
pub use verifier::Verifier;
