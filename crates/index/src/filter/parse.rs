//! Here is filter JSON: what does it say?
//!
//! The shape is checked here, without a schema: one operator an object, two members or more to `andAll` and `orAll`, a
//! key and a value of a kind the operator can use. What is wrong is named by its place, as in `$.andAll[1].equals`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::fields::MOST_NAME;
use super::json;

const OPERATION: &str = "read filter";
/// So deep may operators be nested.
const MOST_DEPTH: usize = 32;
/// So many operators may there be.
const MOST_OPERATORS: usize = 1000;
/// So many values may there be, those of all lists together.
const MOST_VALUES: usize = 10_000;

/// What a caller wants of the metadata, in the filter JSON of Amazon Bedrock. Cheap to clone.
///
/// ```
/// # use safepassage_index::Filter;
/// let filter: Filter = r#"{"andAll": [{"equals": {"key": "dept", "value": "hr"}},
///                                      {"greaterThan": {"key": "year", "value": 2020}}]}"#.parse()?;
/// # assert_eq!(serde_json::to_value(&filter).unwrap()["andAll"][1]["greaterThan"]["value"], 2020);
/// # Ok::<(), safepassage_error::Error>(())
/// ```
#[derive(Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Filter(Arc<Stated>);

#[derive(PartialEq)]
struct Stated {
    json: Value,
    root: Expression,
}

/// A filter or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    All(Vec<Self>),
    Any(Vec<Self>),
    Field(Comparison),
}

/// One question about one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    /// Where it stands, for messages.
    pub at: String,
    pub operator: Operator,
    pub key: String,
    /// Scalars: one, or for `in` and `notIn` any number.
    pub values: Vec<Value>,
}

/// What is asked about a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    NotEquals,
    In,
    NotIn,
    GreaterThan,
    GreaterThanOrEquals,
    LessThan,
    LessThanOrEquals,
    StartsWith,
    StringContains,
    ListContains,
}

impl Operator {
    pub const ALL: [Self; 11] = [
        Self::Equals,
        Self::NotEquals,
        Self::In,
        Self::NotIn,
        Self::GreaterThan,
        Self::GreaterThanOrEquals,
        Self::LessThan,
        Self::LessThanOrEquals,
        Self::StartsWith,
        Self::StringContains,
        Self::ListContains,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::NotEquals => "notEquals",
            Self::In => "in",
            Self::NotIn => "notIn",
            Self::GreaterThan => "greaterThan",
            Self::GreaterThanOrEquals => "greaterThanOrEquals",
            Self::LessThan => "lessThan",
            Self::LessThanOrEquals => "lessThanOrEquals",
            Self::StartsWith => "startsWith",
            Self::StringContains => "stringContains",
            Self::ListContains => "listContains",
        }
    }

    /// What a value of it can be, whatever the field is; `None` if `value` is such.
    fn wants(self, value: &Value) -> Option<&'static str> {
        let (fits, wanted) = match self {
            Self::Equals | Self::NotEquals | Self::In | Self::NotIn => {
                (value.is_string() || value.is_number() || value.is_boolean(), "a string, a number or a bool")
            }
            Self::GreaterThan | Self::GreaterThanOrEquals | Self::LessThan | Self::LessThanOrEquals => {
                (value.is_number() || value.is_string(), "a number or a date")
            }
            Self::StartsWith | Self::StringContains | Self::ListContains => (value.is_string(), "a string"),
        };
        (!fits).then_some(wanted)
    }
}

impl Filter {
    pub(super) fn root(&self) -> &Expression {
        &self.0.root
    }
}

impl TryFrom<Value> for Filter {
    type Error = Error;

    fn try_from(json: Value) -> Result<Self> {
        let root = Reader { operators: 0, values: 0 }.expression(&json, "$", MOST_DEPTH)?;
        Ok(Self(Arc::new(Stated { json, root })))
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        json::read(OPERATION, text)?.try_into()
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.json.serialize(serializer)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.json.fmt(f)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({self})")
    }
}

fn invalid(at: &str, what: &str) -> Error {
    Error::invalid(OPERATION, format!("`{at}`: {what}"))
}

/// `name` in a message.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

struct Reader {
    operators: usize,
    values: usize,
}

impl Reader {
    fn expression(&mut self, value: &Value, at: &str, depth: usize) -> Result<Expression> {
        if depth == 0 {
            return Err(invalid(at, &format!("it is nested deeper than {MOST_DEPTH}")));
        }
        self.operators += 1;
        if self.operators > MOST_OPERATORS {
            return Err(invalid(at, &format!("there are more than {MOST_OPERATORS} operators")));
        }
        let object = value.as_object().ok_or_else(|| {
            invalid(at, &format!("an object with one operator is needed, not {}", json::shown(value)))
        })?;
        let mut entries = object.iter();
        let (Some((name, operand)), None) = (entries.next(), entries.next()) else {
            let names: Vec<String> = object.keys().take(4).map(|name| format!("`{}`", short(name))).collect();
            let got = if names.is_empty() { "it is empty".to_owned() } else { format!("it has {}", names.join(", ")) };
            return Err(invalid(at, &format!("one operator is needed; {got}")));
        };
        let here = format!("{at}.{}", short(name));
        match name.as_str() {
            "andAll" => self.members(operand, &here, depth).map(Expression::All),
            "orAll" => self.members(operand, &here, depth).map(Expression::Any),
            _ => match Operator::ALL.into_iter().find(|operator| operator.name() == name) {
                Some(operator) => self.comparison(operator, operand, here).map(Expression::Field),
                None => {
                    let known: Vec<&str> = Operator::ALL.into_iter().map(Operator::name).collect();
                    let known = known.join("`, `");
                    Err(invalid(&here, &format!("no such operator; there are `{known}`, `andAll` and `orAll`")))
                }
            },
        }
    }

    fn members(&mut self, operand: &Value, at: &str, depth: usize) -> Result<Vec<Expression>> {
        let members = operand.as_array().map(Vec::as_slice).unwrap_or_default();
        if members.len() < 2 {
            return Err(invalid(at, "a list of two members or more is needed"));
        }
        let mut read = |(i, member)| self.expression(member, &format!("{at}[{i}]"), depth - 1);
        members.iter().enumerate().map(&mut read).collect()
    }

    fn comparison(&mut self, operator: Operator, operand: &Value, at: String) -> Result<Comparison> {
        let shape = || invalid(&at, "an object with `key` and `value` is needed");
        let object = operand.as_object().ok_or_else(shape)?;
        let (key, value) = key_and_value(object).ok_or_else(shape)?;
        let key = key
            .as_str()
            .filter(|key| (1..=MOST_NAME).contains(&key.len()))
            .ok_or_else(|| invalid(&at, &format!("`key` is the name of a field, 1 to {MOST_NAME} bytes")))?;
        let listed = matches!(operator, Operator::In | Operator::NotIn);
        let values = match value {
            Value::Array(values) if listed => values.as_slice(),
            _ if listed => return Err(invalid(&at, "`value` is a list")),
            one => std::slice::from_ref(one),
        };
        self.values += values.len();
        if self.values > MOST_VALUES {
            return Err(invalid(&at, &format!("there are more than {MOST_VALUES} values")));
        }
        for (i, value) in values.iter().enumerate() {
            if let Some(wanted) = operator.wants(value) {
                let place = if listed { format!("{at}.value[{i}]") } else { format!("{at}.value") };
                return Err(invalid(&place, &format!("{wanted} is needed, not {}", json::shown(value))));
            }
        }
        Ok(Comparison { at, operator, key: key.to_owned(), values: values.to_vec() })
    }
}

/// `key` and `value`, if they are all there is.
fn key_and_value(object: &Map<String, Value>) -> Option<(&Value, &Value)> {
    (object.len() == 2).then_some((object.get("key")?, object.get("value")?))
}
