//! Here is a table: which of its columns are what of a document, and what does one row say?
//!
//! Columns are called as the fields of a line of JSON are, and no others are taken: what nobody reads might have been meant
//! to close something. Null is what was left out. `acl` is a struct or map as an ACL is written, JSON text of it, a list of
//! principals that are allowed, or a list of lists of principals that are allowed together. A row whose ACL cannot be
//! understood is hidden.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::value::cell;
use crate::source::acl_file::{AclFile, Stated};
use crate::source::object::{Object, describe};
use crate::source::written::{Permission, Written, check_id};
use crate::source::{Fault, SourceDocument};

/// What a column can be called.
const NAMES: [&str; 11] =
    ["id", "text", "title", "uri", "acl", "acl_object", "label", "tenant", "sections", "derived_from", "metadata"];
/// Those that are text and nothing else.
const TEXTS: [&str; 7] = ["id", "text", "title", "uri", "acl_object", "label", "tenant"];
/// A longer text is put aside, as a longer line is.
const MOST_BYTES: usize = 64 << 20;

/// Where the columns of a document are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Columns {
    places: [Option<usize>; NAMES.len()],
    /// Of a column of vectors, where those are taken.
    pub vector: Option<usize>,
}

/// Why a row is no document, and what it says about permissions all the same.
#[derive(Debug)]
pub(crate) struct RowFault {
    pub reason: String,
    pub permission: Option<Box<Permission>>,
}

impl Columns {
    /// Of `schema`; `with_vectors` if it may have a column `vector`.
    ///
    /// # Errors
    /// A sentence for a person.
    pub fn of(schema: &Schema, with_vectors: bool) -> Result<Self, String> {
        let mut columns = Self { places: [None; NAMES.len()], vector: None };
        for (at, field) in schema.fields().iter().enumerate() {
            let name = field.name().as_str();
            let place = match NAMES.iter().position(|known| *known == name) {
                Some(known) => &mut columns.places[known],
                None if name == "vector" && with_vectors => &mut columns.vector,
                None => {
                    let known = NAMES.join("`, `");
                    return Err(format!(
                        "the column `{name}` is none of a document, which are `{known}`; what else is known goes into `metadata`"
                    ));
                }
            };
            if place.replace(at).is_some() {
                return Err(format!("there are two columns `{name}`"));
            }
            let kind = field.data_type();
            if TEXTS.contains(&name) && !is_text(kind) {
                return Err(format!("the column `{name}` is of the type {kind}, and text is needed"));
            }
        }
        let is_needed = |name: &&str| *name == "id" || columns.vector.is_none();
        match ["id", "text"].into_iter().filter(is_needed).find(|name| columns.place(name).is_none()) {
            Some(missing) => Err(format!("there is no column `{missing}`")),
            None => Ok(columns),
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.places[NAMES.iter().position(|known| *known == name)?]
    }

    /// The columns that say which document a row is.
    pub fn of_id(&self) -> Vec<usize> {
        ["id", "tenant"].into_iter().filter_map(|name| self.place(name)).collect()
    }

    /// As [`Columns::of_id`], once there are no others.
    pub fn only_id(&self) -> Self {
        let mut places = [None; NAMES.len()];
        let mut kept = self.of_id();
        kept.sort_unstable();
        for (place, old) in places.iter_mut().zip(&self.places) {
            *place = old.and_then(|old| kept.iter().position(|at| *at == old));
        }
        Self { places, vector: None }
    }

    /// What stands in a row, as far as it can be read.
    pub fn cells(&self, batch: &RecordBatch, row: usize) -> Cells {
        let columns = NAMES.iter().zip(self.places).filter_map(|(name, at)| Some((*name, at?)));
        let cells = columns.map(|(name, at)| (name.into(), cell(batch.column(at), row)));
        Cells(cells.filter(|(_, value)| *value != Ok(Value::Null)).collect())
    }
}

/// What stands in a row, by column; null is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Cells(BTreeMap<Cow<'static, str>, Result<Value, String>>);

impl Cells {
    fn value(&mut self, name: &str) -> Result<Option<Value>, String> {
        self.0.remove(name).transpose().map_err(|what| format!("column `{name}`: {what}"))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::String(text)) if text.len() > MOST_BYTES => Err(format!("column `{name}`: over 64 MiB")),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("column `{name}`: text is needed")),
        }
    }

    /// What is of the type `T`, as it is or as JSON text of it.
    fn read<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        parsed(value).map(Some).map_err(|what| format!("column `{name}`: {what}"))
    }

    /// Tenant and id.
    pub fn id(&mut self) -> Result<(String, String), String> {
        let id = self.text("id")?.ok_or("the id is missing")?;
        check_id(&id)?;
        Ok((self.text("tenant")?.unwrap_or_default(), id))
    }

    fn permission(&mut self) -> Result<Permission, String> {
        let acl = self.value("acl")?.map(acl).transpose().map_err(|what| format!("column `acl`: {what}"))?;
        Ok(Permission { acl, acl_object: self.text("acl_object")?, label: self.text("label")? })
    }

    fn content(&mut self, has_vector: bool) -> Result<Written, String> {
        let (tenant, id) = self.id()?;
        let text = match self.text("text")? {
            None if !has_vector => return Err("column `text`: it is missing".into()),
            text => text.unwrap_or_default(),
        };
        Ok(Written {
            id,
            text,
            title: self.text("title")?,
            uri: self.text("uri")?,
            tenant: Some(tenant),
            sections: self.read("sections")?.unwrap_or_default(),
            derived_from: self.read("derived_from")?.unwrap_or_default(),
            metadata: self.read::<Object<_>>("metadata")?.map(|object| object.0),
            ..Written::default()
        })
    }

    /// What the row says; one with a vector needs no text.
    pub fn written(mut self, has_vector: bool) -> Result<Written, RowFault> {
        let permission = self.permission().map_err(|reason| RowFault { reason, permission: None })?;
        match self.content(has_vector) {
            Err(reason) => Err(RowFault { reason, permission: Some(Box::new(permission)) }),
            Ok(written) => {
                let Permission { acl, acl_object, label } = permission;
                Ok(Written { acl, acl_object, label, ..written })
            }
        }
    }

    /// The document, which was listed as `(tenant, id)`.
    pub fn document(self, acls: &AclFile, (tenant, id): (&str, &str)) -> Result<SourceDocument, Fault> {
        let mut written = self.written(false).map_err(|RowFault { reason, permission }| {
            let permission = permission.and_then(|permission| permission.of(acls, id));
            Fault { reason, permission }
        })?;
        let stated = written.own().map_err(Fault::hidden)?;
        written.into_source(acls, (tenant, id), stated.as_ref())
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        // A column without any value has no other type.
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn parsed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    match value {
        // Read as it stands, so that no name of it is lost that stands twice.
        Value::String(text) => serde_json::from_str(&text),
        value => serde_json::from_value(value),
    }
    .map_err(|e| described(&e))
}

fn acl(value: Value) -> Result<Stated, String> {
    let value = match value {
        Value::String(text) if text.trim_start().starts_with('[') => {
            serde_json::from_str(&text).map_err(|e| described(&e))?
        }
        value => value,
    };
    let value = match value {
        Value::Array(lists) if !lists.is_empty() && lists.iter().all(Value::is_array) => json!({"all_of": lists}),
        Value::Array(principals) => json!({"allow": principals}),
        value => value,
    };
    parsed::<Object<Stated>>(value).map(|stated| stated.0)
}

/// As [`describe`]; its column is a place in a text here, and of no use.
fn described(error: &serde_json::Error) -> String {
    let text = describe(error);
    text.rsplit_once(" (column ").map_or(text.clone(), |(what, _)| what.to_owned())
}
