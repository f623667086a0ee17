//! Which fields of the metadata can be asked for, and what is in them?

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json;

const OPERATION: &str = "read fields";
/// So many fields may be declared.
const MOST_FIELDS: usize = 256;
/// So long may a name be, in bytes.
pub(super) const MOST_NAME: usize = 256;

/// What is in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// A string, compared byte by byte.
    String,
    /// A number, compared exactly.
    Number,
    /// `true` or `false`.
    Bool,
    /// A list of strings.
    List,
    /// A string that is an RFC 3339 date or date-time, compared as an instant; a date is its midnight in UTC.
    Date,
}

impl FieldType {
    /// Its name, as in a schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Date => "date",
        }
    }

    /// Its name with what goes before and after it in a sentence.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a bool",
            Self::List => "a list of strings",
            Self::Date => "a date",
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The declared fields of an index, by name. As JSON: `{"dept": "string", "year": "number"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Fields(BTreeMap<String, FieldType>);

impl Fields {
    /// These fields; of two with one name the later.
    ///
    /// # Errors
    /// `Invalid` for more than 256 fields, or a name that is empty, longer than 256 bytes or has control characters.
    pub fn new(fields: impl IntoIterator<Item = (String, FieldType)>) -> Result<Self> {
        let fields: BTreeMap<String, FieldType> = fields.into_iter().collect();
        if fields.len() > MOST_FIELDS {
            let message = format!("there are {} fields; {MOST_FIELDS} can be declared", fields.len());
            return Err(Error::invalid(OPERATION, message));
        }
        match fields.keys().find(|name| !is_name(name)) {
            Some(name) => {
                let shown: String = name.chars().take(64).collect();
                let message = format!("`{shown}` is no name of a field: 1 to {MOST_NAME} bytes, no control characters");
                Err(Error::invalid(OPERATION, message))
            }
            None => Ok(Self(fields)),
        }
    }

    /// Whether none is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are declared.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What is in the field `name`; `None` if it is not declared.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<FieldType> {
        self.0.get(name).copied()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, FieldType)> {
        self.0.iter().map(|(name, kind)| (name.as_str(), *kind))
    }
}

fn is_name(name: &str) -> bool {
    (1..=MOST_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}

impl TryFrom<Value> for Fields {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        let Value::Object(fields) = value else {
            return Err(Error::invalid(
                OPERATION,
                "a schema is an object of names and types, `{\"year\": \"number\"}`",
            ));
        };
        let typed = fields.into_iter().map(|(name, kind)| match serde_json::from_value(kind.clone()) {
            Ok(kind) => Ok((name, kind)),
            Err(_) => {
                let shown = json::shown(&kind);
                let message = format!("the type of `{name}` is string, number, bool, list or date, not {shown}");
                Err(Error::invalid(OPERATION, message))
            }
        });
        Self::new(typed.collect::<Result<Vec<_>>>()?)
    }
}

impl FromStr for Fields {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        json::read(OPERATION, text)?.try_into()
    }
}
