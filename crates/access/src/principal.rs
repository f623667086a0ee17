//! Who can be named in an ACL?
//!
//! `[ISSUER|]KIND:ID` with the kinds `user` and `group`, or the words `everyone` and `public`. Ids are verbatim and
//! byte-exact: no case folding, no trimming. No issuer means the local issuer, never "any issuer".

use std::fmt;
use std::str::FromStr;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The two kinds of named principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One person or service.
    User,
    /// A set of people; who is in it arrives with the identity.
    Group,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::User => "user:",
            Self::Group => "group:",
        }
    }
}

/// Somebody an ACL allows or denies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// Anybody at all, signed in or not.
    Public,
    /// Any authenticated identity of the tenant.
    Everyone,
    /// A user or a group of one issuer.
    Named {
        /// Who vouches for the id; `None` is the local issuer.
        issuer: Option<Box<str>>,
        /// User or group.
        kind: Kind,
        /// The stable id, verbatim.
        id: Box<str>,
    },
}

impl Principal {
    /// A user of the local issuer.
    #[must_use]
    pub fn user(id: &str) -> Self {
        Self::Named { issuer: None, kind: Kind::User, id: id.into() }
    }

    /// A group of the local issuer.
    #[must_use]
    pub fn group(id: &str) -> Self {
        Self::Named { issuer: None, kind: Kind::Group, id: id.into() }
    }

    /// Whether it is read back as what it is when written as text.
    ///
    /// # Errors
    /// `Invalid` if its id is empty, or its issuer cannot be one.
    pub fn check(&self) -> Result<()> {
        let Self::Named { issuer, id, .. } = self else { return Ok(()) };
        if id.is_empty() {
            return Err(Error::invalid("read principal", format!("`{self}` has an empty id")));
        }
        issuer.as_deref().map_or(Ok(()), check_issuer)
    }

    /// Whether this is a group of any issuer.
    #[must_use]
    pub fn is_group(&self) -> bool {
        matches!(self, Self::Named { kind: Kind::Group, .. })
    }
}

/// Whether `issuer` can stand before the last `|` without changing how the text splits.
pub(crate) fn check_issuer(issuer: &str) -> Result<()> {
    if issuer.is_empty() {
        return Err(Error::invalid("read issuer", "the issuer is empty; leave it out for the local issuer"));
    }
    if issuer.contains("user:") || issuer.contains("group:") {
        return Err(Error::invalid("read issuer", format!("the issuer `{issuer}` contains `user:` or `group:`")));
    }
    Ok(())
}

impl FromStr for Principal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "public" => return Ok(Self::Public),
            "everyone" => return Ok(Self::Everyone),
            _ => {}
        }
        let unknown = || {
            Error::invalid(
                "read principal",
                format!(
                    "`{text}` is not `user:ID`, `group:ID`, `ISSUER|user:ID`, `ISSUER|group:ID`, `everyone` or `public`"
                ),
            )
        };
        let first = [Kind::User, Kind::Group]
            .into_iter()
            .filter_map(|kind| Some((text.find(kind.prefix())?, kind)))
            .min_by_key(|(at, _)| *at);
        let (at, kind) = first.ok_or_else(unknown)?;
        let (before, rest) = text.split_at(at);
        let issuer = match before.strip_suffix('|') {
            Some(issuer) => Some(issuer.into()),
            None if before.is_empty() => None,
            None => return Err(unknown()),
        };
        let principal = Self::Named { issuer, kind, id: rest[kind.prefix().len()..].into() };
        principal.check()?;
        Ok(principal)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Everyone => f.write_str("everyone"),
            Self::Named { issuer, kind, id } => {
                if let Some(issuer) = issuer {
                    write!(f, "{issuer}|")?;
                }
                write!(f, "{}{id}", kind.prefix())
            }
        }
    }
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Principal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|e: Error| serde::de::Error::custom(e.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(issuer: Option<&str>, kind: Kind, id: &str) -> Principal {
        Principal::Named { issuer: issuer.map(Into::into), kind, id: id.into() }
    }

    #[test]
    fn an_issuer_does_not_change_how_a_principal_splits() {
        for issuer in ["", "https://a/user:", "https://a/group:"] {
            assert!(check_issuer(issuer).is_err(), "{issuer}");
        }
        assert!(check_issuer("https://a|b/users").is_ok());
    }

    #[test]
    fn the_contract_by_example() {
        for (text, want) in [
            ("public", Principal::Public),
            ("everyone", Principal::Everyone),
            ("user:alice", named(None, Kind::User, "alice")),
            ("group:user:x", named(None, Kind::Group, "user:x")),
            ("user:a|b", named(None, Kind::User, "a|b")),
            ("https://idp|x|group:Hr ", named(Some("https://idp|x"), Kind::Group, "Hr ")),
        ] {
            assert_eq!(text.parse::<Principal>().unwrap(), want, "{text}");
        }
        for text in ["", "alice", "grup:hr", "User:alice", "superuser:a", "user:", "|user:a", "a|b:user:c", "Public"] {
            assert!(text.parse::<Principal>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(issuer in proptest::option::of("[a-z:/|.]{1,9}"), user in any::<bool>(), id in ".{1,9}") {
            let kind = if user { Kind::User } else { Kind::Group };
            let principal = named(issuer.as_deref(), kind, &id);
            if issuer.as_deref().is_none_or(|i| check_issuer(i).is_ok()) {
                prop_assert_eq!(principal.to_string().parse::<Principal>().unwrap(), principal);
            }
        }
    }
}
