//! Here is a dict or a string: which filter is it?

use pyo3::prelude::*;
use pyo3::types::PyString;
use safepassage::Filter;

use crate::errors::{invalid, raise};
use crate::json;

/// The filter that `given` is, if there is one.
pub fn read(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Filter>> {
    let Some(given) = given else { return Ok(None) };
    let filter = match given.cast::<PyString>() {
        Ok(text) => text.extract::<String>()?.parse(),
        Err(_) => {
            let value = json::object(given).map_err(|what| invalid("read filter", format!("`filter`: {what}")))?;
            Filter::try_from(serde_json::Value::Object(value))
        }
    };
    filter.map(Some).map_err(|error| raise(&error))
}
