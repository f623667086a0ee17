//! Here is a cell of an Arrow column: what is it in JSON?
//!
//! Dates and times become texts as RFC 3339 writes them. Fields of a struct that are null are left out: a struct has all
//! its fields in every row. What JSON has no word for (bytes, durations) is refused.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowTemporalType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray, StructArray};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Map, Number, Value};

/// What stands in `row` of `array`.
///
/// # Errors
/// A sentence for a person.
pub(super) fn cell(array: &dyn Array, row: usize) -> Result<Value, String> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    macro_rules! number {
        ($kind:ty) => {
            Ok(Value::from(array.as_primitive::<$kind>().value(row)))
        };
    }
    macro_rules! decimal {
        ($kind:ty) => {
            decimal(&array.as_primitive::<$kind>().value_as_string(row))
        };
    }
    match array.data_type() {
        DataType::Null => Ok(Value::Null),
        DataType::Boolean => Ok(Value::Bool(array.as_boolean().value(row))),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float16 => float(array.as_primitive::<Float16Type>().value(row).to_f64()),
        // Through its decimal form: 0.1 stays 0.1.
        DataType::Float32 => decimal(&array.as_primitive::<Float32Type>().value(row).to_string()),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal32(..) => decimal!(Decimal32Type),
        DataType::Decimal64(..) => decimal!(Decimal64Type),
        DataType::Decimal128(..) => decimal!(Decimal128Type),
        DataType::Decimal256(..) => decimal!(Decimal256Type),
        DataType::Utf8 => Ok(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Ok(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Ok(array.as_string_view().value(row).into()),
        DataType::Date32 => date(array.as_primitive::<Date32Type>(), row),
        DataType::Date64 => date(array.as_primitive::<Date64Type>(), row),
        DataType::Timestamp(unit, zone) => {
            let zone = zone.is_some();
            match unit {
                TimeUnit::Second => time(array.as_primitive::<TimestampSecondType>(), row, zone),
                TimeUnit::Millisecond => time(array.as_primitive::<TimestampMillisecondType>(), row, zone),
                TimeUnit::Microsecond => time(array.as_primitive::<TimestampMicrosecondType>(), row, zone),
                TimeUnit::Nanosecond => time(array.as_primitive::<TimestampNanosecondType>(), row, zone),
            }
        }
        DataType::Dictionary(..) => {
            let array = array.as_any_dictionary();
            let key = cell(array.keys(), row)?.as_u64().and_then(|key| usize::try_from(key).ok());
            let key = key.filter(|key| *key < array.values().len()).ok_or("it has no entry in the dictionary")?;
            cell(array.values(), key)
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::ListView(_) => list(&array.as_list_view::<i32>().value(row)),
        DataType::LargeListView(_) => list(&array.as_list_view::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        DataType::Struct(_) => fields(array.as_struct(), row),
        DataType::Map(..) => map(&array.as_map().value(row)),
        other => Err(format!("a value of the type {other} cannot be read")),
    }
}

/// A finite number.
fn float(value: f64) -> Result<Value, String> {
    Number::from_f64(value).map(Value::Number).ok_or_else(|| "a number is not finite".into())
}

fn decimal(digits: &str) -> Result<Value, String> {
    digits.parse().map(Value::Number).map_err(|_| "a number is not finite".into())
}

fn date<T>(array: &PrimitiveArray<T>, row: usize) -> Result<Value, String>
where
    i64: From<T::Native>,
    T: ArrowPrimitiveType + ArrowTemporalType,
{
    let date = array.value_as_date(row).ok_or("a date is out of range")?;
    Ok(date.format("%Y-%m-%d").to_string().into())
}

fn time<T>(array: &PrimitiveArray<T>, row: usize, has_zone: bool) -> Result<Value, String>
where
    i64: From<T::Native>,
    T: ArrowPrimitiveType + ArrowTemporalType,
{
    let time = array.value_as_datetime(row).ok_or("a time is out of range")?;
    // With a zone the number is of UTC, whatever the zone is.
    let zone = if has_zone { "Z" } else { "" };
    Ok(format!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S%.f")).into())
}

fn list(values: &dyn Array) -> Result<Value, String> {
    (0..values.len()).map(|at| cell(values, at)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn fields(array: &StructArray, row: usize) -> Result<Value, String> {
    let mut object = Map::new();
    for (name, column) in array.column_names().into_iter().zip(array.columns()) {
        let value = cell(column, row)?;
        add(&mut object, name, value)?;
    }
    Ok(Value::Object(object))
}

fn map(entries: &StructArray) -> Result<Value, String> {
    let mut object = Map::new();
    for at in 0..entries.len() {
        let Value::String(key) = cell(entries.column(0), at)? else { return Err("a key of a map is no text".into()) };
        add(&mut object, &key, cell(entries.column(1), at)?)?;
    }
    Ok(Value::Object(object))
}

/// The later of two would hide the earlier one, which may have been a deny.
fn add(object: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), String> {
    if !value.is_null() && object.insert(name.to_owned(), value).is_some() {
        return Err(format!("`{name}` stands twice"));
    }
    Ok(())
}
