//! Here is a directory written down: which groups is somebody directly in?
//!
//! [`GroupFile`] reads `{"group": ["parent", …]}`, [`ScimGroups`] the groups of a SCIM server. Both belong to one
//! issuer; asked for a member of another they fail, because an answer would be about somebody else.

use std::collections::{BTreeMap, BTreeSet};

use safepassage_access::{GroupResolver, Principal, PrincipalKind};
use safepassage_error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::json;

/// Who is directly in which groups, all of one issuer.
#[derive(Debug)]
struct Directory {
    issuer: Option<Box<str>>,
    parents: BTreeMap<Principal, BTreeSet<String>>,
}

impl Directory {
    fn new(issuer: Option<&str>) -> Result<Self> {
        let directory = Self { issuer: issuer.map(Into::into), parents: BTreeMap::new() };
        directory.member(PrincipalKind::Group, "any").check()?;
        Ok(directory)
    }

    fn member(&self, kind: PrincipalKind, id: &str) -> Principal {
        Principal::Named { issuer: self.issuer.clone(), kind, id: id.into() }
    }

    fn add(&mut self, kind: PrincipalKind, member: &str, group: &str) -> Result<()> {
        if member.is_empty() || group.is_empty() {
            return Err(invalid("it has a member or a group without an id"));
        }
        self.parents.entry(self.member(kind, member)).or_default().insert(group.into());
        Ok(())
    }

    fn parents(&self, member: &Principal) -> Result<Vec<String>> {
        match member {
            Principal::Named { issuer, .. } if *issuer == self.issuer => {
                Ok(self.parents.get(member).into_iter().flatten().cloned().collect())
            }
            _ => Err(invalid("it is of another issuer than the member asked for")),
        }
    }
}

fn invalid(what: &str) -> Error {
    Error::invalid("read directory", format!("the directory cannot be used: {what}"))
}

/// Groups within groups from a JSON file: `{"payroll": ["hr"], "hr": ["staff"]}`. Users are not in it.
#[derive(Debug)]
pub struct GroupFile(Directory);

impl GroupFile {
    /// The groups of `issuer`; `None` is the local one.
    ///
    /// # Errors
    /// `Invalid` for other JSON, a group that stands twice, or an empty id.
    pub fn from_json(issuer: Option<&str>, json: &[u8]) -> Result<Self> {
        let mut directory = Directory::new(issuer)?;
        let written = json::object(json).map_err(|_| invalid("it is no JSON object without repeated names"))?;
        for (group, parents) in &written {
            let parents = parents.as_array().ok_or_else(|| invalid("a group has no list of groups"))?;
            for parent in parents {
                let parent = parent.as_str().ok_or_else(|| invalid("a group is not written as text"))?;
                directory.add(PrincipalKind::Group, group, parent)?;
            }
        }
        Ok(Self(directory))
    }
}

impl GroupResolver for GroupFile {
    fn parents(&self, member: &Principal) -> Result<Vec<String>> {
        self.0.parents(member)
    }
}

/// Groups and their members as a SCIM server lists them (RFC 7644, section 3.4.2): users and nested groups.
///
/// Groups are named by their `id`, users by the `value` of their membership.
#[derive(Debug)]
pub struct ScimGroups {
    directory: Directory,
    knows_users: bool,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "totalResults")]
    total: Option<usize>,
    #[serde(rename = "Resources")]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    id: String,
    #[serde(default)]
    schemas: Vec<String>,
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    value: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "$ref")]
    reference: Option<String>,
}

impl Resource {
    fn is_group(&self) -> bool {
        self.schemas.is_empty() || self.schemas.iter().any(|schema| schema.ends_with(":Group"))
    }
}

impl ScimGroups {
    /// The groups of `issuer`; `None` is the local one.
    ///
    /// # Errors
    /// `Invalid` for other JSON, for one page of several, for a member that is neither a user nor a group, or an empty
    /// id.
    pub fn from_json(issuer: Option<&str>, json: &[u8]) -> Result<Self> {
        let mut directory = Directory::new(issuer)?;
        let object = json::object(json).map_err(|_| invalid("it is no JSON object without repeated names"))?;
        let listed: Listed = serde_json::from_value(Value::Object(object))
            .map_err(|_| invalid("it is no list of SCIM resources with `Resources`, `id` and `members`"))?;
        if listed.total.is_some_and(|total| total != listed.resources.len()) {
            return Err(invalid("it is one page of several: `totalResults` is not the number of `Resources`"));
        }
        let groups: Vec<&Resource> = listed.resources.iter().filter(|resource| resource.is_group()).collect();
        let ids: BTreeSet<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        for group in groups {
            for member in &group.members {
                directory.add(member.kind(&ids)?, &member.value, &group.id)?;
            }
        }
        Ok(Self { directory, knows_users: false })
    }

    /// Says that it lists every group of every user, under the ids that tokens have: a token's truncated groups are
    /// complete again.
    #[must_use]
    pub fn knowing_users(self) -> Self {
        Self { knows_users: true, ..self }
    }
}

impl Member {
    /// What it says it is, or where it is, or what has its id.
    fn kind(&self, groups: &BTreeSet<&str>) -> Result<PrincipalKind> {
        let within = |folder: &str| self.reference.as_deref().is_some_and(|reference| reference.contains(folder));
        match self.kind.as_deref() {
            Some(kind) if kind.eq_ignore_ascii_case("group") => Ok(PrincipalKind::Group),
            Some(kind) if kind.eq_ignore_ascii_case("user") => Ok(PrincipalKind::User),
            Some(_) => Err(invalid("a member is neither a user nor a group")),
            None if within("/Groups/") || groups.contains(self.value.as_str()) => Ok(PrincipalKind::Group),
            None => Ok(PrincipalKind::User),
        }
    }
}

impl GroupResolver for ScimGroups {
    fn parents(&self, member: &Principal) -> Result<Vec<String>> {
        self.directory.parents(member)
    }

    fn knows_users(&self) -> bool {
        self.knows_users
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safepassage_error::Kind;

    #[test]
    fn a_file_says_parents_and_refuses_doubt() {
        let file = GroupFile::from_json(None, br#"{"payroll": ["hr", "finance"], "hr": ["payroll"], "alone": []}"#);
        let file = file.unwrap();
        assert_eq!(file.parents(&Principal::group("payroll")).unwrap(), ["finance", "hr"]);
        assert!(file.parents(&Principal::group("unknown")).unwrap().is_empty());
        assert!(file.parents(&Principal::user("payroll")).unwrap().is_empty());
        let foreign = "idp|group:payroll".parse().unwrap();
        assert_eq!(file.parents(&foreign).unwrap_err().kind(), Kind::Invalid);
        for bad in
            ["", "[]", r#"{"a": "b"}"#, r#"{"a": [1]}"#, r#"{"a": [""]}"#, r#"{"": ["a"]}"#, r#"{"a": [], "a": ["b"]}"#]
        {
            assert_eq!(GroupFile::from_json(None, bad.as_bytes()).unwrap_err().kind(), Kind::Invalid, "{bad}");
        }
        assert!(GroupFile::from_json(Some("a user:b"), b"{}").is_err());
    }

    #[test]
    fn scim_tells_users_from_groups() {
        let scim = ScimGroups::from_json(
            Some("idp"),
            br#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 4, "Resources": [
                {"id": "g1", "displayName": "HR", "members": [
                    {"value": "u1", "type": "User", "$ref": "https://idp/v2/Users/u1", "display": "A"}, {"value": "g2"},
                    {"value": "g9", "$ref": "https://idp/v2/Groups/g9"}, {"value": "u2"}]},
                {"id": "g2", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "members": [{"value": "g1", "type": "Group"}]},
                {"id": "g3"},
                {"id": "u1", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}]}"#,
        )
        .unwrap();
        let parents = |member: &str| scim.parents(&member.parse().unwrap()).unwrap();
        for member in ["user:u1", "user:u2", "group:g2", "group:g9"] {
            assert_eq!(parents(&format!("idp|{member}")), ["g1"], "{member}");
        }
        assert_eq!(parents("idp|group:g1"), ["g2"]);
        assert!(parents("idp|group:g3").is_empty() && parents("idp|group:u1").is_empty());
        assert!(!scim.knows_users() && scim.knowing_users().knows_users());
        for bad in [
            "{}",
            r#"{"Resources": [{"members": []}]}"#,
            r#"{"totalResults": 2, "Resources": [{"id": "g"}]}"#,
            r#"{"Resources": [{"id": "g", "members": [{"value": "x", "type": "Device"}]}]}"#,
            r#"{"Resources": [{"id": "g", "members": [{"value": ""}]}]}"#,
            r#"{"Resources": [{"id": "g", "members": [{"display": "x"}]}]}"#,
            r#"{"Resources": [{"id": "g", "members": ["x"]}]}"#,
        ] {
            assert_eq!(ScimGroups::from_json(None, bad.as_bytes()).unwrap_err().kind(), Kind::Invalid, "{bad}");
        }
    }
}
