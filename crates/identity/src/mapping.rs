//! Which claim says what?
//!
//! A [`ClaimMapping`] names the claims for user, tenant, groups, clearance and attributes, with a preset for each of the
//! common providers. Reading the claims by it is left to `claims`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a claim is: the names from the outermost object inwards.
///
/// Written as a list of names, or as one text: `/a/b` is a JSON pointer (RFC 6901), a text with a `:` is one name
/// (`cognito:groups`, `https://example.com/groups`), any other is cut at its dots (`realm_access.roles`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// The claim that is reached by `names`.
    ///
    /// # Errors
    /// `Invalid` for no names or an empty one.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(Error::invalid("read claim path", "the path of a claim needs names that are not empty"));
        }
        Ok(Self(names))
    }

    pub(crate) fn one(name: &str) -> Self {
        Self(vec![name.into()])
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }
}

impl FromStr for ClaimPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(pointer) = text.strip_prefix('/') {
            return Self::new(pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")));
        }
        if text.contains(':') { Self::new([text]) } else { Self::new(text.split('.')) }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" > "))
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ClaimPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a claim is a text or a list of names")]
        enum Written {
            Text(String),
            Names(Vec<String>),
        }
        let path = match Written::deserialize(deserializer)? {
            Written::Text(text) => text.parse(),
            Written::Names(names) => Self::new(names),
        };
        path.map_err(|e: Error| serde::de::Error::custom(e.message()))
    }
}

/// A claim that must have one certain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredClaim {
    /// The claim.
    pub claim: ClaimPath,
    /// What it must be, byte for byte.
    pub value: String,
}

/// What a missing claim of groups means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingGroups {
    /// The groups are not known: nothing that denies a group is visible.
    #[default]
    Incomplete,
    /// The user is in no group. Only for providers that leave the claim out exactly then.
    None,
}

/// Which claims say who somebody is.
///
/// In JSON the name of a preset, or an object: `preset` (`oidc` unless said) and the fields that differ from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClaimMapping {
    /// The user's stable id: the first of these that is there. At least one must be.
    pub user: Vec<ClaimPath>,
    /// For whom the token is: a text or a list of texts.
    pub audience: ClaimPath,
    /// The tenant; must be there if it is named here.
    pub tenant: Option<ClaimPath>,
    /// Lists of group ids; all of them together.
    pub groups: Vec<ClaimPath>,
    /// What it means if one of `groups` is not there.
    pub missing_groups: MissingGroups,
    /// The name of the highest label; without it the identity has the lowest.
    pub clearance: Option<ClaimPath>,
    /// Attributes for policies; those that are not there are left out.
    pub attributes: BTreeMap<String, ClaimPath>,
    /// Claims that must have one certain text, for the provider's sake.
    pub require: Vec<RequiredClaim>,
    /// A claim whose text must be a part of the issuer's path, such as Entra's directory.
    pub in_issuer: Option<ClaimPath>,
}

impl Default for ClaimMapping {
    fn default() -> Self {
        Self::oidc()
    }
}

impl ClaimMapping {
    /// Plain OpenID Connect: `sub`, and `groups` if the provider was told to add them.
    #[must_use]
    pub fn oidc() -> Self {
        Self {
            user: vec![ClaimPath::one("sub")],
            audience: ClaimPath::one("aud"),
            tenant: None,
            groups: vec![ClaimPath::one("groups")],
            missing_groups: MissingGroups::Incomplete,
            clearance: None,
            attributes: BTreeMap::new(),
            require: Vec::new(),
            in_issuer: None,
        }
    }

    /// Microsoft Entra: `oid` (`sub` is another one for each application), and `tid` must be the issuer's directory.
    #[must_use]
    pub fn entra() -> Self {
        Self { user: vec![ClaimPath::one("oid")], in_issuer: Some(ClaimPath::one("tid")), ..Self::oidc() }
    }

    /// Amazon Cognito, ID tokens. `cognito:groups` is left out for a user without groups.
    #[must_use]
    pub fn cognito() -> Self {
        Self {
            groups: vec![ClaimPath::one("cognito:groups")],
            missing_groups: MissingGroups::None,
            require: vec![RequiredClaim { claim: ClaimPath::one("token_use"), value: "id".into() }],
            ..Self::oidc()
        }
    }

    /// Amazon Cognito, access tokens: the audience is `client_id`.
    #[must_use]
    pub fn cognito_access() -> Self {
        Self {
            audience: ClaimPath::one("client_id"),
            require: vec![RequiredClaim { claim: ClaimPath::one("token_use"), value: "access".into() }],
            ..Self::cognito()
        }
    }

    /// Okta: `uid` of access tokens, whose `sub` is a login name, else `sub`, which is the same id in ID tokens.
    #[must_use]
    pub fn okta() -> Self {
        Self { user: vec![ClaimPath::one("uid"), ClaimPath::one("sub")], ..Self::oidc() }
    }

    /// The preset `name`: `oidc`, `entra`, `cognito`, `cognito-access` or `okta`.
    ///
    /// # Errors
    /// `Invalid` for any other name.
    pub fn preset(name: &str) -> Result<Self> {
        Ok(match name {
            "oidc" => Self::oidc(),
            "entra" => Self::entra(),
            "cognito" => Self::cognito(),
            "cognito-access" => Self::cognito_access(),
            "okta" => Self::okta(),
            _ => {
                let message = format!("`{name}` is none of oidc, entra, cognito, cognito-access, okta");
                return Err(Error::invalid("read claim mapping", message));
            }
        })
    }
}

/// As [`ClaimMapping`] is written: whatever is not said is the preset's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    preset: Option<String>,
    user: Option<Vec<ClaimPath>>,
    audience: Option<ClaimPath>,
    tenant: Option<ClaimPath>,
    groups: Option<Vec<ClaimPath>>,
    missing_groups: Option<MissingGroups>,
    clearance: Option<ClaimPath>,
    attributes: Option<BTreeMap<String, ClaimPath>>,
    require: Option<Vec<RequiredClaim>>,
    in_issuer: Option<ClaimPath>,
}

impl<'de> Deserialize<'de> for ClaimMapping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = ClaimMapping;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a claim mapping, or an object")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ClaimMapping, E> {
                ClaimMapping::preset(name).map_err(|e| E::custom(e.message()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, names: A) -> Result<ClaimMapping, A::Error> {
                let written = Written::deserialize(serde::de::value::MapAccessDeserializer::new(names))?;
                let base = self.visit_str(written.preset.as_deref().unwrap_or("oidc"))?;
                Ok(ClaimMapping {
                    user: written.user.unwrap_or(base.user),
                    audience: written.audience.unwrap_or(base.audience),
                    tenant: written.tenant.or(base.tenant),
                    groups: written.groups.unwrap_or(base.groups),
                    missing_groups: written.missing_groups.unwrap_or(base.missing_groups),
                    clearance: written.clearance.or(base.clearance),
                    attributes: written.attributes.unwrap_or(base.attributes),
                    require: written.require.unwrap_or(base.require),
                    in_issuer: written.in_issuer.or(base.in_issuer),
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_by_example() {
        for (text, names) in [
            ("groups", vec!["groups"]),
            ("realm_access.roles", vec!["realm_access", "roles"]),
            ("/realm_access/roles", vec!["realm_access", "roles"]),
            ("/a~1b/c~0d.e", vec!["a/b", "c~d.e"]),
            ("cognito:groups", vec!["cognito:groups"]),
            ("https://example.com/groups", vec!["https://example.com/groups"]),
        ] {
            assert_eq!(text.parse::<ClaimPath>().unwrap().names(), names, "{text}");
        }
        for text in ["", "/", ".", "a..b", "a.", "/a//b"] {
            assert!(text.parse::<ClaimPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn mappings_are_read_back_and_unknown_fields_refused() {
        for name in ["oidc", "entra", "cognito", "cognito-access", "okta"] {
            let preset: ClaimMapping = serde_json::from_value(name.into()).unwrap();
            assert_eq!(preset, ClaimMapping::preset(name).unwrap());
            let again: ClaimMapping = serde_json::from_str(&serde_json::to_string(&preset).unwrap()).unwrap();
            assert_eq!(again, preset, "{name}");
        }
        let changed: ClaimMapping = serde_json::from_str(r#"{"preset": "entra", "clearance": "ext.level"}"#).unwrap();
        assert_eq!(changed.user, ClaimMapping::entra().user);
        assert_eq!(changed.clearance, Some("ext.level".parse().unwrap()));
        for bad in [r#""keycloak""#, r#"{"group": ["x"]}"#, r#"{"groups": "x"}"#, r#"{"user": [""]}"#, "[]", "3"] {
            assert!(serde_json::from_str::<ClaimMapping>(bad).is_err(), "{bad}");
        }
    }
}
