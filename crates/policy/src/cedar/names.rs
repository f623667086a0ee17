//! What are principals and documents called in policies?
//!
//! `User`, `Group`, `Document`, `Object` and `Action::"read"`; ids as `principals` has them.

use std::str::FromStr;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use safepassage_access::{Principal, PrincipalKind};
use safepassage_error::{Error, Kind, Result};

use crate::principals::id_of;

/// The types and the action that policies speak of.
#[derive(Debug)]
pub(super) struct Names {
    pub user: EntityTypeName,
    pub group: EntityTypeName,
    pub document: EntityTypeName,
    pub object: EntityTypeName,
    pub read: EntityUid,
}

impl Names {
    pub fn new() -> Result<Self> {
        Ok(Self {
            user: type_name("User")?,
            group: type_name("Group")?,
            document: type_name("Document")?,
            object: type_name("Object")?,
            read: uid(&type_name("Action")?, "read"),
        })
    }

    /// The entity that a text in an attribute of the type `name` stands for; `None` for a principal of another kind.
    pub fn written(&self, name: &EntityTypeName, text: &str) -> Option<EntityUid> {
        let kind = match name {
            name if *name == self.user => PrincipalKind::User,
            name if *name == self.group => PrincipalKind::Group,
            _ => return Some(uid(name, text)),
        };
        let id = match text.parse::<Principal>() {
            Err(_) => text.to_owned(),
            Ok(principal @ Principal::Named { kind: named, .. }) if named == kind => id_of(&principal),
            Ok(principal @ Principal::Everyone) if kind == PrincipalKind::Group => id_of(&principal),
            Ok(principal @ Principal::Public) => id_of(&principal),
            Ok(_) => return None,
        };
        Some(uid(name, &id))
    }
}

fn type_name(name: &str) -> Result<EntityTypeName> {
    EntityTypeName::from_str(name)
        .map_err(|e| Error::new(Kind::Internal, "read policies", format!("`{name}` is no type name")).because(e))
}

pub(super) fn uid(name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_an_attribute_is_a_local_id_or_a_principal_of_its_kind() {
        let names = Names::new().unwrap();
        for (name, text, want) in [
            (&names.user, "alice", Some("alice")),
            (&names.user, "user:alice", Some("alice")),
            (&names.user, "idp|user:alice", Some("idp|user:alice")),
            (&names.user, "group:hr", None),
            (&names.user, "everyone", None),
            (&names.group, "everyone", Some("everyone")),
            (&names.group, "group:everyone", Some("group:everyone")),
            (&names.object, "group:hr", Some("group:hr")),
        ] {
            assert_eq!(names.written(name, text), want.map(|id| uid(name, id)), "{text}");
        }
    }
}
