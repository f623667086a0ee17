//! Here is a column of values, one for each document: which are they?

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString};
use safepassage::{Error, Tenant};

use crate::errors::{invalid, raise};

/// The entries of `values`, read by `read`; a `str`, `bytes` or `dict` is one value and no column.
pub fn column<T>(
    operation: &'static str,
    name: &str,
    values: &Bound<'_, PyAny>,
    read: impl Fn(&Bound<'_, PyAny>) -> Result<T, String>,
) -> PyResult<Vec<T>> {
    let no_column = || invalid(operation, format!("`{name}` is a list with one entry for each id"));
    let single = values.is_instance_of::<PyString>()
        || values.is_instance_of::<PyBytes>()
        || values.is_instance_of::<PyByteArray>()
        || values.is_instance_of::<PyDict>();
    if single {
        return Err(no_column());
    }
    let mut entries = Vec::with_capacity(values.len().unwrap_or(0));
    for (row, value) in values.try_iter().map_err(|_| no_column())?.enumerate() {
        let entry = read(&value?);
        let refused = |what| raise(&Error::invalid(operation, format!("`{name}`: {what}")).with("row", row));
        entries.push(entry.map_err(refused)?);
    }
    Ok(entries)
}

/// As [`column`], for a column that may be left out, entries included; there must be `n` of them.
pub fn optional<T: Clone>(
    operation: &'static str,
    name: &str,
    values: Option<&Bound<'_, PyAny>>,
    n: usize,
    read: impl Fn(&Bound<'_, PyAny>) -> Result<T, String>,
) -> PyResult<Vec<Option<T>>> {
    let Some(values) = values else { return Ok(vec![None; n]) };
    let entries =
        column(operation, name, values, |value| if value.is_none() { Ok(None) } else { read(value).map(Some) })?;
    if entries.len() != n {
        return Err(invalid(operation, format!("`{name}` has {} entries for {n} ids", entries.len())));
    }
    Ok(entries)
}

/// A text.
pub fn text(value: &Bound<'_, PyAny>) -> Result<String, String> {
    value.extract().map_err(|_| format!("a str is needed, not `{}`", class(value)))
}

fn class(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

/// The tenant of that name; the default one without.
pub fn tenant(name: Option<String>) -> Tenant {
    Tenant(name.unwrap_or_default())
}
