//! Here is the metadata of all documents: which fields could be declared? For operators.

use std::collections::BTreeMap;

use safepassage_error::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use super::fields::{FieldType, Fields, MOST_NAME};
use super::instant::Instant;

/// So deep are objects looked into.
const MOST_DEPTH: usize = 4;
/// So many names are looked at.
const MOST_NAMES: usize = 10_000;

/// A declared field, and what live documents have in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldStats {
    /// Its name.
    pub field: String,
    /// What is declared to be in it.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Live documents that have it.
    pub documents: u64,
    /// Live documents that have something of another type there, which counts as nothing.
    pub mistyped: u64,
}

/// A schema that the metadata of live documents fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The fields whose values are all of one type.
    pub fields: Fields,
    /// Others: how many documents have which type there.
    pub mixed: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Goes through the metadata of documents.
#[derive(Debug, Default)]
pub(crate) struct Survey(BTreeMap<String, BTreeMap<&'static str, u64>>);

/// What stands for neither type of a schema.
const OTHER: &str = "other";

impl Survey {
    pub fn add(&mut self, metadata: &str) {
        if let Ok(metadata) = serde_json::from_str::<Map<String, Value>>(metadata) {
            self.look("", &metadata, MOST_DEPTH);
        }
    }

    fn look(&mut self, above: &str, object: &Map<String, Value>, depth: usize) {
        for (name, value) in object {
            let name = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            match value {
                Value::Object(below) if depth > 1 => self.look(&name, below, depth - 1),
                Value::Null => {}
                _ if self.0.len() >= MOST_NAMES && !self.0.contains_key(&name) => {}
                _ => *self.0.entry(name).or_default().entry(kind_of(value)).or_default() += 1,
            }
        }
    }

    /// The schema; dates are strings all of which are dates.
    ///
    /// # Errors
    /// `Invalid` if there are more fields than can be declared.
    pub fn suggestion(self) -> Result<Suggestion> {
        let (mut fields, mut mixed) = (Vec::new(), BTreeMap::new());
        for (name, mut kinds) in self.0 {
            // A string beside dates makes strings of them.
            if kinds.contains_key("string")
                && let Some(dates) = kinds.remove("date")
            {
                *kinds.entry("string").or_default() += dates;
            }
            let known = |kind: &&str| serde_json::from_value::<FieldType>(Value::from(*kind)).ok();
            let nameable = (1..=MOST_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
            match kinds.keys().next().and_then(known).filter(|_| kinds.len() == 1 && nameable) {
                Some(kind) => fields.push((name, kind)),
                None => {
                    let kinds = kinds.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
                    mixed.insert(name, kinds);
                }
            }
        }
        Ok(Suggestion { fields: Fields::new(fields)?, mixed })
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(text) if Instant::parse(text).is_some() => FieldType::Date.name(),
        Value::String(_) => FieldType::String.name(),
        Value::Number(_) => FieldType::Number.name(),
        Value::Bool(_) => FieldType::Bool.name(),
        Value::Array(members) if members.iter().all(Value::is_string) => FieldType::List.name(),
        _ => OTHER,
    }
}
