//! Which tokens are taken?

use safepassage_access::{GroupLimits, Principal, PrincipalKind};
use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::mapping::{ClaimMapping, RequiredClaim};

const MAX_LEEWAY_SECONDS: u64 = 300;
const MAX_TOKEN_BYTES: usize = 1 << 20;

/// Which tokens of one issuer are taken, and how their claims are read.
///
/// As JSON, with every field but the first three left out if it is the default:
/// ```
/// let settings = safepassage_identity::VerifierSettings::from_json(br#"{
///     "issuer": "https://login.example.com/", "audiences": ["search"], "algorithms": ["RS256"],
///     "mapping": {"preset": "oidc", "groups": ["realm_access.roles", ["https://example.com/groups"]]},
///     "max_lifetime_seconds": 3600}"#)?;
/// assert_eq!(settings.leeway_seconds, 0);
/// # Ok::<(), safepassage_error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierSettings {
    /// What `iss` must be, byte for byte; also the issuer of the identity's principals (`ISSUER|group:hr`).
    pub issuer: String,
    /// For whom tokens are made: one of `aud` must be one of these.
    pub audiences: Vec<String>,
    /// How tokens may be signed; all of one family.
    pub algorithms: Vec<Algorithm>,
    /// Says that this issuer is the local one: its principals are written without it (`group:hr`).
    #[serde(default)]
    pub local_issuer: bool,
    /// Which claim says what: `"oidc"`, `"entra"`, `"cognito"`, `"cognito-access"`, `"okta"`, or an object.
    #[serde(default)]
    pub mapping: ClaimMapping,
    /// The tenant of every identity, when no claim says it; empty for the only one.
    #[serde(default)]
    pub tenant: String,
    /// Claims that must have one certain text.
    #[serde(default)]
    pub require: Vec<RequiredClaim>,
    /// How far the issuer's clock and ours may differ, up to 300; an identity ends at the token's `exp` plus this.
    #[serde(default)]
    pub leeway_seconds: u64,
    /// The longest token that is looked at.
    #[serde(default = "default_token_bytes")]
    pub max_token_bytes: usize,
    /// The longest time from `iat`, which is then needed, to `exp`; no limit unless set.
    #[serde(default)]
    pub max_lifetime_seconds: Option<u64>,
    /// The most groups of an identity, those that a resolver adds included.
    #[serde(default = "default_groups")]
    pub max_groups: usize,
    /// The most steps a resolver is followed.
    #[serde(default = "default_depth")]
    pub max_group_depth: usize,
}

const fn default_token_bytes() -> usize {
    32 << 10
}

fn default_groups() -> usize {
    GroupLimits::default().max_groups
}

fn default_depth() -> usize {
    GroupLimits::default().max_depth
}

impl VerifierSettings {
    /// Tokens that `issuer` made for `audience`, signed by one of `algorithms`; everything else as by default.
    #[must_use]
    pub fn new(issuer: &str, audience: &str, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            algorithms: algorithms.into_iter().collect(),
            local_issuer: false,
            mapping: ClaimMapping::default(),
            tenant: String::new(),
            require: Vec::new(),
            leeway_seconds: 0,
            max_token_bytes: default_token_bytes(),
            max_lifetime_seconds: None,
            max_groups: default_groups(),
            max_group_depth: default_depth(),
        }
    }

    /// Reads settings from JSON.
    ///
    /// # Errors
    /// `Invalid` if it is no such JSON.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        // A list would be taken too, its values by their place.
        if json.trim_ascii_start().first().is_some_and(|&first| first != b'{') {
            return Err(Error::invalid("read verifier", "the settings of a verifier are a JSON object"));
        }
        serde_json::from_slice(json).map_err(|e| Error::invalid("read verifier", e.to_string()))
    }

    /// Whether the settings can be used at all.
    ///
    /// # Errors
    /// `Invalid`, saying which of them cannot.
    pub fn check(&self) -> Result<()> {
        let invalid = |what: &str| Err(Error::invalid("set up verifier", what));
        let issuer = Some(self.issuer.as_str().into());
        Principal::Named { issuer, kind: PrincipalKind::User, id: "any".into() }.check()?;
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return invalid("`audiences` must name for whom tokens are made");
        }
        let Some(first) = self.algorithms.first() else {
            return invalid("`algorithms` must name how tokens may be signed");
        };
        if self.algorithms.iter().any(|algorithm| algorithm.family() != first.family()) {
            return invalid("`algorithms` must be of one family: a token must not choose between kinds of keys");
        }
        if self.leeway_seconds > MAX_LEEWAY_SECONDS {
            return invalid("`leeway_seconds` is at most 300");
        }
        if self.max_token_bytes > MAX_TOKEN_BYTES {
            return invalid("`max_token_bytes` is at most 1048576");
        }
        if self.mapping.tenant.is_some() && !self.tenant.is_empty() {
            return invalid("the tenant is either `tenant` or a claim of `mapping`, not both");
        }
        if self.mapping.user.is_empty() {
            return invalid("`mapping` must name a claim for the user");
        }
        Ok(())
    }

    pub(crate) fn group_limits(&self) -> GroupLimits {
        GroupLimits { max_groups: self.max_groups, max_depth: self.max_group_depth }
    }
}
