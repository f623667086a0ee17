//! Here is a secret: is it the one that was made?
//!
//! Only a salted SHA-256 of it is stored. It is 32 bytes of chance, so nothing slower than SHA-256 is needed to keep it
//! from being guessed.

use std::fmt;

use safepassage_error::Result;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::chance;
use crate::digest::Digest;

/// What a secret looks like, so that scanners for leaked ones find it.
const PREFIX: &str = "safepassage-break-glass-";

/// A secret, as the operator is shown it once.
#[derive(Clone)]
pub struct Secret(String);

/// What is stored of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretDigest {
    salt: Digest,
    sha256: Digest,
}

impl Secret {
    /// A new one, with what is stored of it.
    ///
    /// # Errors
    /// `Unavailable` if the system gives no chance.
    pub fn make() -> Result<(Self, SecretDigest)> {
        let secret = Self(format!("{PREFIX}{}", Digest(chance::bytes()?)));
        let salt = Digest(chance::bytes()?);
        let sha256 = Digest::of(&[&salt.0, secret.0.as_bytes()]);
        Ok((secret, SecretDigest { salt, sha256 }))
    }

    /// A secret that somebody shows.
    #[must_use]
    pub fn shown(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text to be kept by the operator.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `stored` is of this secret. Takes as long for a wrong one, and as long if there is none.
    #[must_use]
    pub fn opens(&self, stored: Option<&SecretDigest>) -> bool {
        let none = SecretDigest { salt: Digest::default(), sha256: Digest::default() };
        let against = stored.unwrap_or(&none);
        let given = Digest::of(&[&against.salt.0, self.0.as_bytes()]);
        bool::from(given.0.ct_eq(&against.sha256.0)) && stored.is_some()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_that_was_made_opens() {
        let (secret, stored) = Secret::make().unwrap();
        let (other, other_stored) = Secret::make().unwrap();
        assert!(secret.opens(Some(&stored)) && other.opens(Some(&other_stored)));
        assert!(Secret::shown(&format!(" {}\n", secret.reveal())).opens(Some(&stored)));
        assert!(!other.opens(Some(&stored)) && !secret.opens(Some(&other_stored)) && !secret.opens(None));
        assert!(!Secret::shown("").opens(Some(&stored)) && !Secret::shown("").opens(None));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!(!serde_json::to_string(&stored).unwrap().contains(&secret.reveal()[PREFIX.len()..]));
    }
}
