//! Who may read what is under which key, by the access control file of Amazon Kendra and Q?
//!
//! `[{"keyPrefix": P, "aclEntries": [{"Name", "Type": "USER"|"GROUP", "Access": "ALLOW"|"DENY"}]}]`. Prefixes of one
//! document are prefixes of each other, so each is an ACL object below the next shorter one, and all of them must permit.
//! A prefix without entries, and a document without a prefix, are open there and closed here.

use std::collections::{BTreeMap, BTreeSet};

use safepassage_access::{Acl, Inherit, Principal};
use safepassage_error::{Error, Result};
use serde::Deserialize;

use super::Imported;
use crate::source::Object;

/// More prefixes above each other are refused.
const MOST_ABOVE: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Prefix {
    key_prefix: String,
    acl_entries: Vec<Object<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Entry {
    name: String,
    r#type: Type,
    access: Access,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Type {
    User,
    Group,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Access {
    Allow,
    Deny,
}

/// What the file `bytes` says of the documents `paths`, whose keys there have `strip` in front.
pub(super) fn import(bytes: &[u8], paths: &BTreeSet<String>, strip: &str) -> Result<Imported> {
    let invalid = |what: String| Error::invalid("read access control file", what);
    let written: Vec<Object<Prefix>> = serde_json::from_slice(bytes).map_err(|e| {
        let line = e.line();
        invalid(crate::source::describe(&e)).with("line", line)
    })?;
    let (mut prefixes, mut imported) = (BTreeMap::new(), Imported::default());
    for Object(Prefix { key_prefix, acl_entries }) in written {
        let mut acl = Acl::default();
        if acl_entries.is_empty() {
            imported.warnings.push(format!("`{key_prefix}` has no entries: open to all there, closed here"));
        }
        for Object(Entry { name, r#type, access }) in acl_entries {
            let principal = match r#type {
                Type::User => Principal::user(&name),
                Type::Group => Principal::group(&name),
            };
            principal.check().map_err(|_| invalid(format!("an entry of `{key_prefix}` has an empty name")))?;
            match access {
                Access::Allow => acl.allow.insert(principal),
                Access::Deny => acl.deny.insert(principal),
            };
        }
        if acl.allow.is_empty() && !acl.deny.is_empty() {
            imported
                .warnings
                .push(format!("`{key_prefix}` only denies: whoever else it lets in there is not let in here"));
        }
        let again = format!("`{key_prefix}` stands twice; say it once");
        if prefixes.insert(key_prefix, acl).is_some() {
            return Err(invalid(again));
        }
    }
    let object = |prefix: &str| format!("prefix/{prefix}");
    let mut depths: BTreeMap<String, usize> = BTreeMap::new();
    for (prefix, acl) in &prefixes {
        let parent = longest(&prefixes, prefix, true);
        let depth = parent.and_then(|parent| depths.get(parent)).map_or(0, |above| above + 1);
        if depth == MOST_ABOVE {
            return Err(invalid(format!("more than {MOST_ABOVE} prefixes are above each other at `{prefix}`")));
        }
        depths.insert(prefix.clone(), depth);
        let mut acl = acl.clone();
        if let Some(parent) = parent {
            (acl.parent, acl.inherit) = (Some(object(parent).into()), Inherit::BothPermit);
        }
        imported.object(object(prefix), acl);
    }
    let mut without = 0;
    for path in paths {
        let acl = longest(&prefixes, &format!("{strip}{path}"), false).map(|prefix| Acl::under(&object(prefix)));
        without += usize::from(acl.is_none());
        imported.documents.insert(path.clone(), acl.unwrap_or_default());
    }
    if without > 0 {
        imported.warnings.push(format!("{without} documents are under no prefix: open to all there, closed here"));
    }
    Ok(imported)
}

/// The longest of `prefixes` that `key` starts with, and for `above` is not.
fn longest<'a>(prefixes: &'a BTreeMap<String, Acl>, key: &str, above: bool) -> Option<&'a str> {
    let most = if above { key.len().checked_sub(1)? } else { key.len() };
    let ends = (0..=most).rev().filter(|&end| key.is_char_boundary(end));
    ends.filter_map(|end| prefixes.get_key_value(&key[..end])).map(|(prefix, _)| prefix.as_str()).next()
}
