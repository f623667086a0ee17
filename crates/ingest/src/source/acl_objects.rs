//! Which ACL objects does a file state?
//!
//! A line `{"name": NAME, "tenant": …, "parent": NAME, "inherit": …, "allow": […], "all_of": […], "deny": […]}` for each. A
//! line that cannot be read refuses the whole file, because it might have been a deny.

use std::collections::HashMap;
use std::path::Path;

use safepassage_access::{Acl, Inherit, Principal, Tenant, WrittenAllOf, all_of};
use safepassage_error::{Error, Result};
use serde::Deserialize;

use super::lines::each_line;
use super::object::parse;

/// An ACL object as a source states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclObject {
    /// Where it lives.
    pub tenant: Tenant,
    /// Its name within the tenant.
    pub name: Box<str>,
    /// What it says, with the object above it.
    pub acl: Acl,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: Box<str>,
    #[serde(default)]
    tenant: Tenant,
    parent: Option<Box<str>>,
    #[serde(default)]
    inherit: Inherit,
    #[serde(default)]
    allow: std::collections::BTreeSet<Principal>,
    #[serde(default, deserialize_with = "all_of")]
    all_of: WrittenAllOf,
    #[serde(default)]
    deny: std::collections::BTreeSet<Principal>,
}

/// The ACL objects of the file `path`, in its order.
///
/// # Errors
/// `Invalid`, naming the line, if one cannot be read or an object is stated twice; `NotFound`, `Unavailable`.
pub fn read_acl_objects(path: &Path) -> Result<Vec<AclObject>> {
    let (mut objects, mut lines) = (Vec::new(), HashMap::new());
    each_line(path, &mut |line| {
        let number = line.number;
        let refused =
            |what: String| Error::invalid("read ACL objects", what).with("file", path.display()).with("line", number);
        let bytes = line.bytes.ok_or_else(|| refused("the line is too long".into()))?;
        let Line { name, tenant, parent, inherit, allow, all_of, deny } = parse(bytes).map_err(refused)?;
        let all_of = all_of.beside(&allow).map_err(|e| refused(e.message().to_owned()))?;
        let acl = Acl { allow, all_of, deny, parent, inherit };
        acl.check().map_err(|e| refused(e.message().to_owned()))?;
        if let Some(first) = lines.insert((tenant.clone(), name.clone()), number) {
            return Err(refused(format!("`{name}` stands on line {first} too; say it once")));
        }
        objects.push(AclObject { tenant, name, acl });
        Ok(())
    })?;
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_read_refuses_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("objects.jsonl");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_acl_objects(&path)
        };
        let good = r#"{"name": "a", "parent": "b", "inherit": "child-overrides", "allow": ["group:x"], "deny": []}"#;
        let [object] = read(good).unwrap().try_into().unwrap();
        assert_eq!((&*object.name, object.acl.inherit), ("a", Inherit::ChildOverrides));
        for bad in [
            good,
            "{",
            r#"{"name": "c", "denies": ["user:x"]}"#,
            r#"{"name": "c", "inherit": "both"}"#,
            r#"{"name": "c", "inherit": "both-permit"}"#,
            r#"{"name": "c", "deny": ["x"]}"#,
            r#"["c"]"#,
        ] {
            let error = read(&format!("{good}\n{bad}")).unwrap_err();
            assert!(error.context().contains(&("line", "2".into())), "{bad}: {error}");
        }
    }
}
