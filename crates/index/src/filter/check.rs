//! Here are a filter and a schema: do their types fit, and what exactly is looked for?
//!
//! Depends on nothing else, so that an error says nothing about documents.

use std::ops::Bound;

use safepassage_error::{Error, Result};
use serde_json::Value;

use super::fields::{FieldType, Fields};
use super::json;
use super::parse::{Comparison, Expression, Filter, Operator};
use super::value::{self, Point};

/// A filter whose types fit the schema.
#[derive(Debug)]
pub(crate) enum Checked {
    All(Vec<Self>),
    Any(Vec<Self>),
    /// A field that is not declared.
    Nothing,
    Test(Test),
}

/// A question about a declared field.
#[derive(Debug)]
pub(crate) struct Test {
    pub field: String,
    pub wanted: Wanted,
    /// Those that do not have it, of documents without the field too.
    pub negated: bool,
}

/// Which values are looked for.
#[derive(Debug)]
pub(crate) enum Wanted {
    Texts(Vec<String>),
    Prefix(String),
    Part(String),
    Points(Vec<Point>),
    Between(Bound<Point>, Bound<Point>),
}

impl Filter {
    /// What it means for an index with these fields.
    ///
    /// # Errors
    /// `Invalid`, naming the field, if an operator or a value does not fit its type.
    pub(crate) fn check(&self, fields: &Fields) -> Result<Checked> {
        checked(self.root(), fields)
    }
}

fn checked(expression: &Expression, fields: &Fields) -> Result<Checked> {
    let all = |members: &[Expression]| members.iter().map(|member| checked(member, fields)).collect::<Result<Vec<_>>>();
    match expression {
        Expression::All(members) => all(members).map(Checked::All),
        Expression::Any(members) => all(members).map(Checked::Any),
        Expression::Field(comparison) => match fields.get(&comparison.key) {
            None => Ok(Checked::Nothing),
            Some(kind) => test(comparison, kind).map(Checked::Test),
        },
    }
}

fn test(comparison: &Comparison, kind: FieldType) -> Result<Test> {
    use Operator as O;
    let Comparison { at, operator, key, values } = comparison;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let one_text = || values.first().and_then(text);
    let wanted = match (operator, kind) {
        (O::Equals | O::NotEquals | O::In | O::NotIn, FieldType::String) => {
            typed(comparison, kind, text).map(Wanted::Texts)?
        }
        (O::Equals | O::NotEquals | O::In | O::NotIn, FieldType::Number | FieldType::Bool | FieldType::Date) => {
            typed(comparison, kind, |value| value::point(kind, value)).map(Wanted::Points)?
        }
        (
            O::GreaterThan | O::GreaterThanOrEquals | O::LessThan | O::LessThanOrEquals,
            FieldType::Number | FieldType::Date,
        ) => {
            let points = typed(comparison, kind, |value| value::point(kind, value))?;
            let bound = points.first().copied();
            let bound = bound.ok_or_else(|| Error::invalid(OPERATION, format!("`{at}`: a value is needed")))?;
            match operator {
                O::GreaterThan => Wanted::Between(Bound::Excluded(bound), Bound::Unbounded),
                O::GreaterThanOrEquals => Wanted::Between(Bound::Included(bound), Bound::Unbounded),
                O::LessThan => Wanted::Between(Bound::Unbounded, Bound::Excluded(bound)),
                _ => Wanted::Between(Bound::Unbounded, Bound::Included(bound)),
            }
        }
        (O::StartsWith, FieldType::String) => Wanted::Prefix(one_text().unwrap_or_default()),
        (O::StringContains, FieldType::String | FieldType::List) => Wanted::Part(one_text().unwrap_or_default()),
        (O::ListContains, FieldType::List) => Wanted::Texts(one_text().into_iter().collect()),
        _ => {
            let (name, what) = (operator.name(), kind.described());
            let message = format!("`{at}`: `{name}` cannot be asked of the field `{key}`, which is {what}");
            return Err(Error::invalid(OPERATION, message));
        }
    };
    Ok(Test { field: key.clone(), wanted, negated: matches!(operator, O::NotEquals | O::NotIn) })
}

const OPERATION: &str = "check filter";

/// All values of `comparison` by `read`, which knows those of `kind`.
fn typed<T>(comparison: &Comparison, kind: FieldType, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>> {
    let values = comparison.values.iter().map(|value| {
        read(value).ok_or_else(|| {
            let Comparison { at, key, .. } = comparison;
            let (what, shown) = (kind.described(), json::shown(value));
            let message = format!("`{at}`: the field `{key}` is {what} and is compared with {shown}");
            Error::invalid(OPERATION, message)
        })
    });
    values.collect()
}
