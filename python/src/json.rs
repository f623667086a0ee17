//! Here is a dict: which JSON value is it? And the way back.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString, PyTuple};
use safepassage::{Error, Kind};
use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::errors::raise;

/// How deep dicts and lists may be nested; one that contains itself ends here.
const MOST_DEPTH: usize = 64;

/// What `value` is in Python, in the shape it has as JSON.
pub fn to_python<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let mut value = serde_json::to_value(value)
        .map_err(|e| raise(&Error::new(Kind::Internal, "give result", "it is no JSON").because(e)))?;
    // In the same order whatever the module was built with.
    value.sort_all_objects();
    value_to_python(py, &value)
}

/// The Python object for a JSON value.
pub fn value_to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(values) => {
            let list = PyList::empty(py);
            values.iter().try_for_each(|value| list.append(value_to_python(py, value)?))?;
            list.into_any()
        }
        Value::Object(fields) => {
            let dict = PyDict::new(py);
            fields.iter().try_for_each(|(name, value)| dict.set_item(name, value_to_python(py, value)?))?;
            dict.into_any()
        }
    })
}

/// The JSON value for a Python object made of None, bool, int, float, str, list, tuple and dict.
///
/// # Errors
/// A sentence about the first thing in it that is no JSON.
pub fn from_python(value: &Bound<'_, PyAny>) -> Result<Value, String> {
    read(value, MOST_DEPTH)
}

/// As [`from_python`], for a dict.
///
/// # Errors
/// As [`from_python`], and for anything but a dict.
pub fn object(value: &Bound<'_, PyAny>) -> Result<Map<String, Value>, String> {
    match from_python(value)? {
        Value::Object(fields) => Ok(fields),
        _ => Err("a dict is needed".into()),
    }
}

fn read(value: &Bound<'_, PyAny>, depth: usize) -> Result<Value, String> {
    if depth == 0 {
        return Err(format!("it is nested deeper than {MOST_DEPTH}"));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return text.extract().map(Value::String).map_err(|_| "a str has characters that are no Unicode".into());
    }
    if let Ok(value) = value.extract::<bool>() {
        return Ok(Value::Bool(value));
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let fields = dict.iter().map(|(key, value)| {
            let key = key.extract::<String>().map_err(|_| "a key of a dict is not a str".to_owned())?;
            Ok((key, read(&value, depth - 1)?))
        });
        return Ok(Value::Object(fields.collect::<Result<_, String>>()?));
    }
    if value.cast::<PyList>().is_ok() || value.cast::<PyTuple>().is_ok() {
        let values = value.try_iter().map_err(|e| e.to_string())?;
        let values = values.map(|value| read(&value.map_err(|e| e.to_string())?, depth - 1));
        return Ok(Value::Array(values.collect::<Result<_, String>>()?));
    }
    if let Ok(number) = value.extract::<i64>() {
        return Ok(number.into());
    }
    if let Ok(number) = value.extract::<u64>() {
        return Ok(number.into());
    }
    if value.hasattr("__float__").unwrap_or(false)
        && let Ok(number) = value.extract::<f64>()
    {
        let number = Number::from_f64(number).ok_or("a number is not finite")?;
        return Ok(Value::Number(number));
    }
    let class = value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    Err(format!("`{class}` is no JSON value"))
}
