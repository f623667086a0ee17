//! Does this one document match? By plain loops over its JSON: the judge of everything else in this room.
//!
//! It shares the reading of dates and of names with dots with the rest, and nothing of values, order or postings.

use std::cmp::Ordering;

use safepassage_error::Result;
use serde_json::{Map, Number, Value};

use super::fields::{FieldType, Fields};
use super::instant::Instant;
use super::parse::{Comparison, Expression, Filter, Operator};
use super::value::look_up;

impl Filter {
    /// Whether a document with this metadata matches in an index with these fields.
    ///
    /// # Errors
    /// `Invalid`, naming the field, if an operator or a value does not fit its type.
    pub fn matches(&self, fields: &Fields, metadata: &Map<String, Value>) -> Result<bool> {
        self.check(fields)?;
        Ok(holds(self.root(), fields, metadata))
    }
}

fn holds(expression: &Expression, fields: &Fields, metadata: &Map<String, Value>) -> bool {
    match expression {
        Expression::All(members) => members.iter().all(|member| holds(member, fields, metadata)),
        Expression::Any(members) => members.iter().any(|member| holds(member, fields, metadata)),
        Expression::Field(comparison) => {
            fields.get(&comparison.key).is_some_and(|kind| compares(comparison, kind, metadata))
        }
    }
}

fn compares(comparison: &Comparison, kind: FieldType, metadata: &Map<String, Value>) -> bool {
    let Comparison { operator, values, .. } = comparison;
    let negated = matches!(operator, Operator::NotEquals | Operator::NotIn);
    let Some(own) = look_up(metadata, &comparison.key).filter(|value| is_of(kind, value)) else { return negated };
    let is = |wanted: &Value, orders: &[Ordering]| order(kind, own, wanted).is_some_and(|it| orders.contains(&it));
    let any = |orders: &[Ordering]| values.iter().any(|wanted| is(wanted, orders));
    let texts = || own.as_array().map_or_else(|| vec![own], |members| members.iter().collect());
    let any_text = |fits: &dyn Fn(&str, &str) -> bool| {
        texts().into_iter().any(|text| {
            values.iter().any(|wanted| match (text.as_str(), wanted.as_str()) {
                (Some(text), Some(wanted)) => fits(text, wanted),
                _ => false,
            })
        })
    };
    match operator {
        Operator::Equals | Operator::In => any(&[Ordering::Equal]),
        Operator::NotEquals | Operator::NotIn => !any(&[Ordering::Equal]),
        Operator::GreaterThan => any(&[Ordering::Greater]),
        Operator::GreaterThanOrEquals => any(&[Ordering::Greater, Ordering::Equal]),
        Operator::LessThan => any(&[Ordering::Less]),
        Operator::LessThanOrEquals => any(&[Ordering::Less, Ordering::Equal]),
        Operator::StartsWith => any_text(&|text, wanted| text.as_bytes().starts_with(wanted.as_bytes())),
        Operator::StringContains => any_text(&|text, wanted| text.contains(wanted)),
        Operator::ListContains => any_text(&|text, wanted| text == wanted),
    }
}

fn is_of(kind: FieldType, value: &Value) -> bool {
    match kind {
        FieldType::String => value.is_string(),
        FieldType::Number => value.is_number(),
        FieldType::Bool => value.is_boolean(),
        FieldType::List => value.as_array().is_some_and(|members| members.iter().all(Value::is_string)),
        FieldType::Date => value.as_str().is_some_and(|text| Instant::parse(text).is_some()),
    }
}

fn order(kind: FieldType, a: &Value, b: &Value) -> Option<Ordering> {
    match kind {
        FieldType::String => Some(a.as_str()?.as_bytes().cmp(b.as_str()?.as_bytes())),
        FieldType::Bool => Some(a.as_bool()?.cmp(&b.as_bool()?)),
        FieldType::Date => Some(Instant::parse(a.as_str()?)?.cmp(&Instant::parse(b.as_str()?)?)),
        FieldType::Number => numbers(a.as_number()?, b.as_number()?),
        FieldType::List => None,
    }
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => whole_and_double(a, b.as_f64()?),
        (None, Some(b)) => whole_and_double(b, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// A double beyond 64 bits is larger or smaller than every integer; of others the whole part is compared, then the rest.
fn whole_and_double(whole: i128, double: f64) -> Option<Ordering> {
    if double.abs() >= 2f64.powi(65) {
        return 0.0.partial_cmp(&double);
    }
    let floor = double.floor();
    let rest = if double > floor { Ordering::Less } else { Ordering::Equal };
    Some(whole.cmp(&(floor as i128)).then(rest))
}
