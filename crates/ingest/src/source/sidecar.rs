//! `FILE.metadata.json` beside FILE, as Amazon Bedrock knowledge bases have it.
//!
//! Attributes are plain values or typed ones (`{"value": {"type": "STRING", "stringValue": …}}`). Without
//! `accessControlList` a sidecar says nothing about permissions; an empty list lets nobody in. `label` is ours: the label of
//! the document. What `documentStructureConfiguration` says of the rows of a CSV file is in `records`.

use std::collections::BTreeSet;

use safepassage_access::{Acl, Principal};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::acl_file::{Resolved, Stated, stated_label};
use super::object::{Object, parse};
use super::records::Structure;

/// What follows a document's name in its sidecar's.
pub(crate) const SUFFIX: &str = ".metadata.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Sidecar {
    #[serde(default)]
    metadata_attributes: Map<String, Value>,
    access_control_list: Option<Vec<Object<AccessEntry>>>,
    document_structure_configuration: Option<Object<Structure>>,
    #[serde(default, deserialize_with = "stated_label")]
    label: Option<String>,
}

/// What a sidecar says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Said {
    pub metadata: Map<String, Value>,
    /// Who may read, if it says so.
    pub stated: Option<Stated>,
    /// Its label, if it says one.
    pub label: Option<String>,
    /// That every row of its file is a document.
    pub structure: Option<Structure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessEntry {
    name: String,
    r#type: PrincipalType,
    access: Access,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum PrincipalType {
    User,
    Group,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
enum Access {
    Allow,
    Deny,
}

/// What the sidecar with these bytes says.
pub(super) fn read(bytes: &[u8]) -> Result<Said, String> {
    let sidecar: Sidecar = parse(bytes)?;
    let metadata = sidecar.metadata_attributes.into_iter().map(|(name, value)| Ok((name, plain(value)?)));
    let metadata = metadata.collect::<Result<_, String>>()?;
    let structure = sidecar.document_structure_configuration.map(|structure| structure.0);
    let label = sidecar.label;
    let Some(entries) = sidecar.access_control_list else {
        return Ok(Said { metadata, stated: None, label, structure });
    };
    let mut stated = Stated { allow: Some(BTreeSet::new()), ..Stated::default() };
    for Object(entry) in entries {
        if entry.name.is_empty() {
            return Err("an entry of `accessControlList` has an empty name".into());
        }
        let principal = match entry.r#type {
            PrincipalType::User => Principal::user(&entry.name),
            PrincipalType::Group => Principal::group(&entry.name),
        };
        let list = if entry.access == Access::Allow { stated.allow.get_or_insert_default() } else { &mut stated.deny };
        list.insert(principal);
    }
    Ok(Said { metadata, stated: Some(stated), label, structure })
}

/// The ACL and the label of a sidecar, as far as it has them.
pub(crate) fn permission(bytes: &[u8]) -> Result<Resolved, String> {
    let said = read(bytes)?;
    let acl = said.stated.map(|stated| Acl::new(stated.allow.unwrap_or_default(), stated.deny));
    Ok((acl, said.label))
}

/// The value of an attribute in either of its two forms.
fn plain(value: Value) -> Result<Value, String> {
    let Some(typed) = value.get("value").and_then(Value::as_object) else { return Ok(value) };
    let field = match typed.get("type").and_then(Value::as_str) {
        Some("STRING") => "stringValue",
        Some("NUMBER") => "numberValue",
        Some("BOOLEAN") => "booleanValue",
        Some("STRING_LIST") => "stringListValue",
        _ => return Err("an attribute's type is not STRING, NUMBER, BOOLEAN or STRING_LIST".into()),
    };
    typed.get(field).cloned().ok_or_else(|| format!("an attribute has no `{field}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_attributes_and_all_forms_of_lists() {
        let Said { metadata, stated, .. } = read(
            br#"{"metadataAttributes": {"dept": "hr", "id": {"value": {"type": "NUMBER", "numberValue": 7}, "includeForEmbedding": false}},
                 "accessControlList": [{"name": "hr", "type": "GROUP", "access": "ALLOW"}, {"name": "bob", "type": "USER", "access": "DENY"}]}"#,
        )
        .unwrap();
        assert_eq!(Value::Object(metadata), serde_json::json!({"dept": "hr", "id": 7}));
        let stated = stated.unwrap();
        assert_eq!((stated.allow.unwrap().len(), stated.deny.len()), (1, 1));
        assert_eq!(read(br#"{"metadataAttributes": {}}"#).unwrap().stated, None);
        assert_eq!(read(br#"{"accessControlList": []}"#).unwrap().stated.unwrap().allow, Some(BTreeSet::new()));
        for bad in [
            "{",
            "[{}, null]",
            r#"{"acl": 1}"#,
            r#"{"accessControlList": [{"name": "a", "type": "ROLE", "access": "ALLOW"}]}"#,
            r#"{"accessControlList": [["a", "USER", "ALLOW"]]}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
