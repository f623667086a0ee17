//! Which principals does one ACL allow and deny, and what does it inherit?

use std::collections::BTreeSet;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};

use crate::principal::Principal;

/// All of these principals at once: somebody who is each of them.
pub type AllOf = BTreeSet<Principal>;

/// The most principals that can be wanted at once.
const MOST_AT_ONCE: usize = 64;

/// Principals under allow and deny, and the ACL object it inherits from. The empty ACL permits nobody.
///
/// It allows whoever is one of `allow` or all of one of `all_of`, and says nothing of others; it denies whoever is one
/// of `deny`, allowed or not. What the parent says is then combined with that as [`Inherit`] states.
///
/// JSON: `{"allow": ["group:hr"], "all_of": [["group:apollo", "group:cleared"]], "deny": ["user:bob"], "parent":
/// "space/hr", "inherit": "both-permit"}`; every key may be left out, no others are accepted. One list of principals
/// stands for one such group of them where nothing else is allowed: `{"all_of": ["group:apollo", "group:cleared"]}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Written")]
pub struct Acl {
    /// Who may read.
    pub allow: BTreeSet<Principal>,
    /// Who may read together: all principals of one of these.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub all_of: BTreeSet<AllOf>,
    /// Who may not, whatever else allows them.
    pub deny: BTreeSet<Principal>,
    /// The ACL object of the same tenant that it inherits from, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Box<str>>,
    /// How it inherits; nothing without a parent.
    #[serde(skip_serializing_if = "Inherit::is_default")]
    pub inherit: Inherit,
}

/// How what an ACL says and what its parent says become one.
///
/// Each says of somebody that they are allowed, denied, or nothing. The three that override or need both are the ones
/// that Google's Cloud Search published; the default is what SharePoint's sites have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inherit {
    /// Whom either denies is denied; of the others, whom either allows is allowed.
    #[default]
    DenyWins,
    /// What the child says; where it says nothing, what the parent says.
    ChildOverrides,
    /// What the parent says; where it says nothing, what the child says.
    ParentOverrides,
    /// Allowed is whom both allow; everybody else is denied.
    BothPermit,
}

impl Inherit {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Acl {
    /// An ACL from lists of principals.
    #[must_use]
    pub fn new(allow: impl IntoIterator<Item = Principal>, deny: impl IntoIterator<Item = Principal>) -> Self {
        Self { allow: allow.into_iter().collect(), deny: deny.into_iter().collect(), ..Self::default() }
    }

    /// An ACL that says nothing itself and inherits everything from the ACL object `parent`.
    #[must_use]
    pub fn under(parent: &str) -> Self {
        Self { parent: Some(parent.into()), ..Self::default() }
    }

    /// Whether every principal is read back as what it is and every part makes sense.
    ///
    /// # Errors
    /// `Invalid`, as [`Principal::check`]; for an empty list or more than 64 principals in `all_of`; for a parent
    /// without a name or with control characters in it, and for `inherit` without a parent.
    pub fn check(&self) -> Result<()> {
        let invalid = |what: String| Err(Error::invalid("read ACL", what));
        self.all_named().try_for_each(Principal::check)?;
        if let Some(all_of) = self.all_of.iter().find(|all_of| all_of.is_empty() || all_of.len() > MOST_AT_ONCE) {
            return invalid(format!("a list in `all_of` has {} principals; 1 to {MOST_AT_ONCE} can be", all_of.len()));
        }
        match &self.parent {
            Some(parent) => check_object_name(parent),
            None if self.inherit != Inherit::default() => invalid("`inherit` needs a `parent`".into()),
            None => Ok(()),
        }
    }

    /// Every principal it names.
    pub(crate) fn all_named(&self) -> impl Iterator<Item = &Principal> {
        self.allow.iter().chain(self.all_of.iter().flatten()).chain(&self.deny)
    }

    /// Whether it names nobody and no parent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether this can name an ACL object.
///
/// # Errors
/// `Invalid` for an empty name, one longer than 1,024 bytes, or control characters.
pub(crate) fn check_object_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 1024 || name.chars().any(char::is_control) {
        let message = "the name of an ACL object has 1 to 1,024 bytes and no control characters";
        return Err(Error::invalid("read ACL object", message));
    }
    Ok(())
}

/// An ACL as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    allow: BTreeSet<Principal>,
    #[serde(default, deserialize_with = "all_of")]
    all_of: WrittenAllOf,
    #[serde(default)]
    deny: BTreeSet<Principal>,
    #[serde(default)]
    parent: Option<Box<str>>,
    #[serde(default)]
    inherit: Inherit,
}

/// `all_of` as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenAllOf {
    lists: BTreeSet<AllOf>,
    /// Whether it was one list of principals and not a list of lists.
    flat: bool,
}

impl WrittenAllOf {
    /// The lists, if what else is allowed leaves no doubt about what was meant.
    ///
    /// # Errors
    /// `Invalid` for one list beside an `allow`: "and" or "or"?
    pub fn beside(self, allow: &BTreeSet<Principal>) -> Result<BTreeSet<AllOf>> {
        if self.flat && !allow.is_empty() {
            let message = "`all_of` beside `allow` must be a list of lists; each list is another way to be allowed";
            return Err(Error::invalid("read ACL", message));
        }
        Ok(self.lists)
    }
}

/// Reads a list of lists of principals, or one list of them.
///
/// # Errors
/// Whatever the deserializer has for anything else.
pub fn all_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WrittenAllOf, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Lists(BTreeSet<AllOf>),
        Flat(AllOf),
    }
    let flat = |list: AllOf| WrittenAllOf { lists: BTreeSet::from([list]), flat: true };
    match Either::deserialize(deserializer) {
        Ok(Either::Lists(lists)) => Ok(WrittenAllOf { lists, flat: false }),
        Ok(Either::Flat(list)) => Ok(flat(list)),
        Err(_) => Err(serde::de::Error::custom("`all_of` is neither a list of lists of principals nor one such list")),
    }
}

impl TryFrom<Written> for Acl {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { allow, all_of, deny, parent, inherit } = written;
        let all_of = all_of.beside(&allow).map_err(|e| e.message().to_owned())?;
        let acl = Self { allow, all_of, deny, parent, inherit };
        acl.check().map_err(|e| e.message().to_owned())?;
        Ok(acl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let read = |text: &str| serde_json::from_str::<Acl>(text);
        let [a, b] = ["a", "b"].map(Principal::group);
        assert_eq!(read(r#"{"allow": ["group:a"]}"#).unwrap(), Acl::new([a.clone()], []));
        let both = BTreeSet::from([BTreeSet::from([a.clone(), b.clone()])]);
        assert_eq!(read(r#"{"all_of": ["group:a", "group:b"]}"#).unwrap().all_of, both);
        assert_eq!(read(r#"{"all_of": [["group:a", "group:b"]], "allow": ["group:a"]}"#).unwrap().all_of, both);
        assert_eq!(read(r#"{"all_of": []}"#).unwrap(), Acl::default());
        let under = read(r#"{"parent": "x", "inherit": "both-permit"}"#).unwrap();
        assert_eq!(under, Acl { inherit: Inherit::BothPermit, ..Acl::under("x") });
        for acl in [under, Acl { all_of: both, ..Acl::new([a], [b]) }] {
            assert_eq!(read(&serde_json::to_string(&acl).unwrap()).unwrap(), acl);
        }
        for bad in [
            r#"{"all_of": ["group:a", "group:b"], "allow": ["group:a"]}"#,
            r#"{"all_of": [[]]}"#,
            r#"{"all_of": [["group:a"], "group:b"]}"#,
            r#"{"all_of": "group:a"}"#,
            r#"{"inherit": "both-permit"}"#,
            r#"{"parent": ""}"#,
            r#"{"parent": "x", "inherit": "both"}"#,
            r#"{"allows": ["group:a"]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
