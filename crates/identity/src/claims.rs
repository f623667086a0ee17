//! Here are the claims of a token whose signature holds: do they hold, and who is it?
//!
//! A claim of the wrong type is refused, never skipped and never converted.

use std::collections::BTreeSet;

use safepassage_access::{AssertedIdentity, Attribute, Identity};
use safepassage_error::Result;
use safepassage_error::system::Timestamp;
use serde_json::{Map, Value};

use crate::mapping::{ClaimMapping, ClaimPath, MissingGroups};
use crate::refusal::Refusal;
use crate::settings::VerifierSettings;

/// How far `iat` may be ahead of us, beyond the leeway.
const ISSUED_AHEAD_SECONDS: u64 = 60;
/// The end of the year 9999: no surface can write a later time.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The claims of one token.
pub(crate) struct Claims(pub Map<String, Value>);

impl Claims {
    /// The identity that the claims describe, before issue.
    ///
    /// # Errors
    /// `Denied`, with a [`Refusal`].
    pub(crate) fn identity(&self, settings: &VerifierSettings, now: Timestamp) -> Result<AssertedIdentity> {
        let mapping = &settings.mapping;
        self.check_origin(settings)?;
        let expires_at = self.check_time(settings, now)?;
        let user = self.user(mapping)?;
        let tenant = match &mapping.tenant {
            Some(claim) => text(claim, self.needed(claim)?)?,
            None => &settings.tenant,
        };
        let (groups, complete) = self.groups(mapping, settings.max_groups)?;
        let mut identity =
            Identity::asserted(user).tenant(tenant).groups(groups).groups_complete(complete).expires_at(expires_at);
        if !settings.local_issuer {
            identity = identity.issuer(&settings.issuer);
        }
        if let Some(claim) = &mapping.clearance
            && let Some(value) = self.get(claim)?
        {
            identity = identity.clearance(text(claim, value)?);
        }
        for (name, claim) in &mapping.attributes {
            if let Some(value) = self.get(claim)? {
                identity = identity.attribute(name, attribute(claim, value)?);
            }
        }
        Ok(identity)
    }

    /// Issuer, audience, and whatever else must have one certain value.
    fn check_origin(&self, settings: &VerifierSettings) -> Result<()> {
        let issuer = top("iss");
        if text(&issuer, self.needed(&issuer)?)? != settings.issuer {
            return Err(Refusal::Issuer.error());
        }
        let claim = &settings.mapping.audience;
        let audience = match self.needed(claim)? {
            Value::String(one) => vec![one.as_str()],
            several => texts(claim, several)?,
        };
        if !audience.iter().any(|one| settings.audiences.iter().any(|ours| ours == one)) {
            return Err(Refusal::Audience.error());
        }
        for required in settings.require.iter().chain(&settings.mapping.require) {
            if text(&required.claim, self.needed(&required.claim)?)? != required.value {
                return Err(Refusal::ClaimValue.of(&required.claim));
            }
        }
        if let Some(claim) = &settings.mapping.in_issuer {
            let part = text(claim, self.needed(claim)?)?;
            if !settings.issuer.split('/').skip(3).any(|known| known == part) {
                return Err(Refusal::ClaimValue.of(claim));
            }
        }
        Ok(())
    }

    /// When the identity ends.
    fn check_time(&self, settings: &VerifierSettings, now: Timestamp) -> Result<Timestamp> {
        let expires = top("exp");
        let expires = time(&expires, self.needed(&expires)?)?;
        let (not_before, issued) = (self.time("nbf")?, self.time("iat")?);
        let ends = expires.plus_seconds(settings.leeway_seconds);
        let latest = now.plus_seconds(settings.leeway_seconds);
        if now >= ends {
            return Err(Refusal::Expired.error());
        }
        if not_before.is_some_and(|at| at > latest) {
            return Err(Refusal::NotYet.error());
        }
        if issued.is_some_and(|at| at > latest.plus_seconds(ISSUED_AHEAD_SECONDS)) {
            return Err(Refusal::IssuedLater.error());
        }
        if let Some(longest) = settings.max_lifetime_seconds {
            let issued = issued.ok_or_else(|| Refusal::ClaimMissing.of(&top("iat")))?;
            if expires > issued.plus_seconds(longest) {
                return Err(Refusal::Lifetime.error());
            }
        }
        Ok(ends)
    }

    fn user(&self, mapping: &ClaimMapping) -> Result<&str> {
        for claim in &mapping.user {
            if let Some(value) = self.get(claim)? {
                return text(claim, value);
            }
        }
        let last = mapping.user.last().cloned().unwrap_or_else(|| top("sub"));
        Err(Refusal::ClaimMissing.of(&last))
    }

    /// Every group that is listed, and whether these are all.
    fn groups(&self, mapping: &ClaimMapping, most: usize) -> Result<(BTreeSet<&str>, bool)> {
        let none = mapping.missing_groups == MissingGroups::None;
        let mut complete = (none || !mapping.groups.is_empty()) && !self.truncated(mapping)?;
        let mut groups = BTreeSet::new();
        for claim in &mapping.groups {
            match self.get(claim)? {
                Some(listed) => groups.extend(texts(claim, listed)?),
                None => complete &= none,
            }
        }
        if groups.len() > most {
            return Err(Refusal::GroupsTooMany.error());
        }
        Ok((groups, complete))
    }

    /// Whether the provider says that there are groups it did not list: Entra's overage, and any claim that OpenID
    /// Connect calls distributed or aggregated.
    fn truncated(&self, mapping: &ClaimMapping) -> Result<bool> {
        let elsewhere = match self.0.get("_claim_names") {
            None => false,
            Some(Value::Object(names)) => {
                names.contains_key("groups") || mapping.groups.iter().any(|claim| names.contains_key(&claim.names()[0]))
            }
            Some(_) => return Err(Refusal::ClaimType.of(&top("_claim_names"))),
        };
        Ok(elsewhere || self.0.get("hasgroups").is_some_and(|has| *has != Value::Bool(false)))
    }

    fn get(&self, claim: &ClaimPath) -> Result<Option<&Value>> {
        let (first, rest) = claim.names().split_first().ok_or_else(|| Refusal::ClaimMissing.of(claim))?;
        let mut value = self.0.get(first);
        for name in rest {
            value = match value {
                None => return Ok(None),
                Some(Value::Object(object)) => object.get(name),
                Some(_) => return Err(Refusal::ClaimType.of(claim)),
            };
        }
        Ok(value)
    }

    fn needed(&self, claim: &ClaimPath) -> Result<&Value> {
        self.get(claim)?.ok_or_else(|| Refusal::ClaimMissing.of(claim))
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>> {
        let claim = top(name);
        self.get(&claim)?.map(|value| time(&claim, value)).transpose()
    }
}

fn top(name: &str) -> ClaimPath {
    ClaimPath::one(name)
}

/// A text that is not empty.
fn text<'a>(claim: &ClaimPath, value: &'a Value) -> Result<&'a str> {
    match value.as_str() {
        None => Err(Refusal::ClaimType.of(claim)),
        Some("") => Err(Refusal::ClaimValue.of(claim)),
        Some(text) => Ok(text),
    }
}

/// A list of texts, none of them empty.
fn texts<'a>(claim: &ClaimPath, value: &'a Value) -> Result<Vec<&'a str>> {
    value.as_array().ok_or_else(|| Refusal::ClaimType.of(claim))?.iter().map(|value| text(claim, value)).collect()
}

/// Seconds since 1970 (RFC 7519, section 2), fractions allowed.
fn time(claim: &ClaimPath, value: &Value) -> Result<Timestamp> {
    let seconds = value.as_f64().filter(|_| value.is_number()).ok_or_else(|| Refusal::ClaimType.of(claim))?;
    if !(0.0..=LAST_SECOND).contains(&seconds) {
        return Err(Refusal::ClaimValue.of(claim));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked above")]
    Ok(Timestamp((seconds * 1000.0).floor() as u64))
}

fn attribute(claim: &ClaimPath, value: &Value) -> Result<Attribute> {
    Ok(match value {
        Value::Bool(value) => Attribute::Bool(*value),
        Value::String(value) => Attribute::Text(value.clone()),
        Value::Number(value) => Attribute::Integer(value.as_i64().ok_or_else(|| Refusal::ClaimType.of(claim))?),
        Value::Array(values) => {
            let texts = values.iter().map(|value| value.as_str().map(String::from)).collect::<Option<_>>();
            Attribute::List(texts.ok_or_else(|| Refusal::ClaimType.of(claim))?)
        }
        Value::Null | Value::Object(_) => return Err(Refusal::ClaimType.of(claim)),
    })
}
