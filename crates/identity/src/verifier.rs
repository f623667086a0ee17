//! Here is a token: whose is it?

use std::sync::Arc;

use safepassage_access::{GroupResolver, Identity};
use safepassage_error::system::{Clock, Timestamp};
use safepassage_error::{Error, Result};

use crate::algorithm::Family;
use crate::claims::Claims;
use crate::header::Parts;
use crate::keys::{KeySet, KeySource};
use crate::refusal::Refusal;
use crate::settings::VerifierSettings;

/// Turns the tokens of one issuer into identities. Cheap to clone; may be used from any thread.
///
/// ```
/// use safepassage_identity::{Algorithm, KeySet, Verifier, VerifierSettings};
/// use safepassage_error::system::{Clock, Timestamp};
///
/// let settings = VerifierSettings::new("https://login.example.com/", "search", [Algorithm::EdDSA]);
/// let keys = KeySet::from_jwks(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1",
///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let verifier = Verifier::new(settings, keys)?;
/// let refused = verifier.verify("no token", &Clock::fixed(Timestamp(0))).unwrap_err();
/// assert_eq!(refused.context()[0], ("reason", "token_form".to_owned()));
/// # Ok::<(), safepassage_error::Error>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    settings: Arc<VerifierSettings>,
    keys: Arc<dyn KeySource>,
    groups: Option<Arc<dyn GroupResolver>>,
}

impl Verifier {
    /// A verifier of tokens that are signed by public keys.
    ///
    /// # Errors
    /// `Invalid` for settings that cannot be used, or algorithms of a shared secret.
    pub fn new(settings: VerifierSettings, keys: impl KeySource + 'static) -> Result<Self> {
        settings.check()?;
        if settings.algorithms.iter().any(|algorithm| algorithm.family() == Family::Hmac) {
            let message = "HS256, HS384 and HS512 need a shared secret, not public keys";
            return Err(Error::invalid("set up verifier", message));
        }
        Ok(Self { settings: Arc::new(settings), keys: Arc::new(keys), groups: None })
    }

    /// A verifier of tokens that are signed by a secret of at least 32 bytes, which the issuer and we know.
    ///
    /// # Errors
    /// `Invalid` for settings that cannot be used, algorithms of public keys, or a short secret.
    pub fn with_secret(settings: VerifierSettings, secret: &[u8]) -> Result<Self> {
        settings.check()?;
        if settings.algorithms.iter().any(|algorithm| algorithm.family() != Family::Hmac) {
            return Err(Error::invalid("set up verifier", "a shared secret needs HS256, HS384 or HS512"));
        }
        Ok(Self { settings: Arc::new(settings), keys: Arc::new(KeySet::from_secret(secret)?), groups: None })
    }

    /// The same verifier, adding the groups that `resolver` knows to every identity.
    #[must_use]
    pub fn with_groups(mut self, resolver: impl GroupResolver + 'static) -> Self {
        self.groups = Some(Arc::new(resolver));
        self
    }

    /// Which tokens it takes.
    #[must_use]
    pub fn settings(&self) -> &VerifierSettings {
        &self.settings
    }

    /// The identity that `token` (compact JWS, nothing before or after it) stands for; it ends with the token.
    ///
    /// # Errors
    /// `Denied` for a token that is refused, with the fact `reason` (a code of [`Refusal`]) and where one claim is at
    /// fault the fact `claim`; `Unavailable` if the keys cannot be had; whatever the group resolver fails with.
    pub fn verify(&self, token: impl AsRef<[u8]>, clock: &Clock) -> Result<Identity> {
        let token = token.as_ref();
        if token.len() > self.settings.max_token_bytes {
            return Err(Refusal::Size.error());
        }
        let now = clock.now();
        let parts = Parts::of(token, &self.settings.algorithms)?;
        let kid = parts.kid.as_deref();
        self.keys_with(kid, now)?.verify(kid, parts.algorithm, parts.signed, &parts.signature)?;
        let mut identity = Claims(parts.claims()?).identity(&self.settings, now)?;
        if let Some(resolver) = &self.groups {
            identity = identity.resolve_groups(&**resolver, self.settings.group_limits())?;
        }
        identity.issue(clock)
    }

    /// The keys, newer ones if the first do not know `kid`.
    fn keys_with(&self, kid: Option<&str>, now: Timestamp) -> Result<KeySet> {
        let keys = self.keys.keys(now)?;
        if keys.knows(kid) {
            return Ok(keys);
        }
        Ok(self.keys.newer(now)?.unwrap_or(keys))
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("settings", &self.settings).finish_non_exhaustive()
    }
}
