//! Who may read a document, by the fields that Azure AI Search filters by?
//!
//! `userIds` and `groupIds` of a document list object ids; being one of either is enough. `all` is anybody signed in,
//! `none`, an empty list and a missing one are nobody. In goes what is pushed: one list of documents, `{"value": [...]}`, or
//! a document a line. `rbacScope` is decided by roles elsewhere and lets nobody in here.

use std::collections::BTreeMap;
use std::fmt;

use safepassage_access::{Acl, Principal};
use safepassage_error::Result;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::{ImportOptions, Imported, lines, refused};
use crate::source::describe;

/// The fields of a document, none of them twice.
struct Fields(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom("a field stands twice"));
            }
            fields.insert(name, value);
        }
        Ok(Fields(fields))
    }
}

#[derive(Deserialize)]
struct Pushed {
    value: Vec<Fields>,
}

pub(super) fn import(bytes: &[u8], options: &ImportOptions) -> Result<Imported> {
    let key = options.key.as_deref().unwrap_or("id");
    let (mut imported, mut scoped) = (Imported::default(), 0);
    for (line, Fields(fields)) in documents(bytes)? {
        let wrong = |what: String| refused(line, what);
        let Some(id) = fields.get(key).and_then(Value::as_str).filter(|id| !id.is_empty()) else {
            return Err(wrong(format!("a document has no `{key}` that is a string")));
        };
        let id = id.strip_prefix(&options.strip).unwrap_or(id);
        let mut acl = Acl::default();
        for (field, principal) in
            [("userids", Principal::user as fn(&str) -> Principal), ("groupids", Principal::group)]
        {
            for listed in list(&fields, field).map_err(|what| wrong(format!("`{id}`: {what}")))? {
                match &*listed {
                    "all" => acl.allow.insert(Principal::Everyone),
                    "none" => false,
                    id => acl.allow.insert(principal(id)),
                };
            }
        }
        scoped += usize::from(named(&fields, "rbacscope").map_err(wrong)?.is_some_and(|scope| !scope.is_null()));
        if imported.documents.insert(id.to_owned(), acl).is_some() {
            return Err(wrong(format!("`{id}` stands twice; say it once")));
        }
    }
    if scoped > 0 {
        imported
            .warnings
            .push(format!("{scoped} documents have an `rbacScope`: whom only roles let in is not let in here"));
    }
    let closed = imported.documents.values().filter(|acl| acl.allow.is_empty()).count();
    if closed > 0 {
        imported.warnings.push(format!("{closed} documents list nobody: they are visible to nobody"));
    }
    Ok(imported)
}

/// The documents in either of the three forms, with the line that each stands on where it has one.
fn documents(bytes: &[u8]) -> Result<Vec<(usize, Fields)>> {
    let wrong = |e: serde_json::Error| refused(e.line(), describe(&e));
    let all = |documents: Vec<Fields>| documents.into_iter().map(|document| (1, document)).collect();
    let first = bytes.trim_ascii_start();
    if first.starts_with(b"[") {
        return serde_json::from_slice(bytes).map(all).map_err(wrong);
    }
    if let Ok(pushed) = serde_json::from_slice::<Pushed>(bytes) {
        return Ok(all(pushed.value));
    }
    let full = lines(bytes)?.filter(|(_, line)| !line.trim().is_empty());
    full.map(|(number, line)| {
        let document = serde_json::from_str(line).map_err(|e| refused(number, describe(&e)))?;
        Ok((number, document))
    })
    .collect()
}

/// The field `name`, in whichever case it is written.
fn named<'a>(fields: &'a BTreeMap<String, Value>, name: &str) -> Result<Option<&'a Value>, String> {
    let mut found = fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
    let first = found.next();
    if found.next().is_some() {
        return Err(format!("`{name}` stands twice in different cases"));
    }
    Ok(first.map(|(_, value)| value))
}

fn list(fields: &BTreeMap<String, Value>, name: &str) -> Result<Vec<String>, String> {
    match named(fields, name)? {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(all)) => {
            let ids = all.iter().map(|id| id.as_str().filter(|id| !id.is_empty()).map(str::to_owned));
            ids.collect::<Option<_>>().ok_or_else(|| format!("`{name}` is not a list of strings"))
        }
        Some(_) => Err(format!("`{name}` is not a list of strings")),
    }
}
