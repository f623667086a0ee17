//! Here is the metadata of a document: what is in a field of it, in a form that can be sorted?

use serde_json::{Map, Number, Value};

use super::fields::FieldType;
use super::instant::Instant;

/// A number, a bool or an instant, in an order that is theirs.
///
/// A number is the double nearest to it, as bits that sort, and what it is above that: so 64-bit integers and doubles
/// are compared exactly with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub high: u64,
    pub low: u32,
}

/// More than an integer can be away from the double nearest to it.
const REST: i128 = 1 << 16;
const SIGN: u64 = 1 << 63;

impl Point {
    /// As finite numbers are all that JSON has, only one that was not read from it has none.
    pub fn of_number(number: &Number) -> Option<Self> {
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        let (nearest, rest) = match whole {
            Some(whole) => (whole as f64, whole - whole as f64 as i128),
            None => (number.as_f64().filter(|number| number.is_finite())?, 0),
        };
        // There is one zero.
        let bits = (nearest + 0.0).to_bits();
        let high = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        Some(Self { high, low: u32::try_from(rest + REST).ok()? })
    }

    pub fn of_bool(value: bool) -> Self {
        Self { high: u64::from(value), low: 0 }
    }

    pub fn of_instant(at: Instant) -> Self {
        Self { high: at.seconds as u64 ^ SIGN, low: at.nanos }
    }

    /// The double nearest to this number.
    pub fn nearest(self) -> f64 {
        f64::from_bits(if self.high & SIGN == 0 { !self.high } else { self.high & !SIGN })
    }

    /// This number; the integer it is, if it is one of 64 bits.
    pub fn number(self) -> Value {
        let nearest = self.nearest();
        let whole = nearest as i128;
        // Beyond 64 bits the double says more than enough.
        if whole.unsigned_abs() > 1 << 64 || (whole as f64).to_bits() != (nearest + 0.0).to_bits() {
            return nearest.into();
        }
        let whole = whole + i128::from(self.low) - REST;
        match (u64::try_from(whole), i64::try_from(whole)) {
            (Ok(whole), _) => whole.into(),
            (_, Ok(whole)) => whole.into(),
            _ => nearest.into(),
        }
    }

    pub fn instant(self) -> Instant {
        Instant { seconds: (self.high ^ SIGN) as i64, nanos: self.low }
    }
}

/// What a document has in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading<'v> {
    Absent,
    /// Something of another type than the declared one: counted, and else as if absent.
    Mistyped,
    Text(&'v str),
    Texts(Vec<&'v str>),
    Point(Point),
}

/// The value called `name`: the field of that name, or where its dots lead through nested objects.
pub(super) fn look_up<'v>(metadata: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if let Some(value) = metadata.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    let first = metadata.get(first)?;
    rest.split('.').try_fold(first, |value, part| value.as_object()?.get(part))
}

/// What is in the field `name`, declared as `kind`.
pub(super) fn read<'v>(metadata: &'v Map<String, Value>, name: &str, kind: FieldType) -> Reading<'v> {
    let value = match look_up(metadata, name) {
        None | Some(Value::Null) => return Reading::Absent,
        Some(value) => value,
    };
    let reading = match (kind, value) {
        (FieldType::String, Value::String(text)) => Some(Reading::Text(text)),
        (FieldType::List, Value::Array(members)) => {
            members.iter().map(Value::as_str).collect::<Option<_>>().map(Reading::Texts)
        }
        _ => point(kind, value).map(Reading::Point),
    };
    reading.unwrap_or(Reading::Mistyped)
}

/// The number, bool or instant that `value` is, if it is of `kind`.
pub(super) fn point(kind: FieldType, value: &Value) -> Option<Point> {
    match (kind, value) {
        (FieldType::Number, Value::Number(number)) => Point::of_number(number),
        (FieldType::Bool, Value::Bool(value)) => Some(Point::of_bool(*value)),
        (FieldType::Date, Value::String(text)) => Instant::parse(text).map(Point::of_instant),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_in_order_and_come_back() {
        let sorted = [
            json!(-1.7e308),
            json!(-18_446_744_073_709_551_617.0),
            json!(i64::MIN),
            json!(i64::MIN + 1),
            json!(-9_007_199_254_740_993i64),
            json!(-9_007_199_254_740_992i64),
            json!(-1.5),
            json!(-1),
            json!(-5e-324),
            json!(0),
            json!(5e-324),
            json!(0.1),
            json!(0.3),
            json!(1),
            json!(1.0000000000000002),
            json!(9_007_199_254_740_991i64),
            json!(9_007_199_254_740_992i64),
            json!(9_007_199_254_740_993i64),
            json!(9_007_199_254_740_994i64),
            json!(i64::MAX - 1),
            json!(i64::MAX),
            json!(9_223_372_036_854_775_808u64),
            json!(9_223_372_036_854_775_809u64),
            json!(u64::MAX - 1),
            json!(u64::MAX),
            json!(18_446_744_073_709_551_616.0),
            json!(1.7e308),
        ];
        let point = |value: &Value| point(FieldType::Number, value).unwrap();
        for pair in sorted.windows(2) {
            assert!(point(&pair[0]) < point(&pair[1]), "{pair:?}");
        }
        for value in &sorted {
            assert_eq!(point(&point(value).number()), point(value), "{value}");
        }
        assert_eq!(point(&json!(-0.0)), point(&json!(0)));
        assert_eq!(point(&json!(9_007_199_254_740_992.0)), point(&json!(9_007_199_254_740_992i64)));
        assert_eq!(point(&json!(9_223_372_036_854_775_808.0)), point(&json!(9_223_372_036_854_775_808u64)));
        assert_eq!((point(&json!(3.0)).number(), point(&json!(u64::MAX)).number()), (json!(3), json!(u64::MAX)));
    }

    #[test]
    fn a_name_with_dots_is_a_field_or_a_way_through_objects() {
        let metadata = json!({"a": {"b": {"c": 1}, "b.c": 2}, "x.y": 3, "x": {"y": 4}, "l": [{"m": 5}], "n": null});
        let metadata = metadata.as_object().unwrap();
        let found = |name: &str| look_up(metadata, name).and_then(Value::as_i64);
        assert_eq!(
            (found("a.b.c"), found("x.y"), found("l.m"), found("a.z"), found("a.")),
            (Some(1), Some(3), None, None, None)
        );
        assert_eq!(read(metadata, "n", FieldType::Number), Reading::Absent);
        assert_eq!(read(metadata, "a", FieldType::String), Reading::Mistyped);
    }
}
