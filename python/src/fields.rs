//! `index.fields`, `set_fields`, `field_stats` and `suggest_fields`: which fields of the metadata can be asked for?

use pyo3::prelude::*;
use safepassage::Fields;
use serde_json::Value;

use crate::errors::{invalid, raise, run};
use crate::index::Index;
use crate::json::{self, to_python};

#[pymethods]
impl Index {
    /// The declared fields: a dict of names and types.
    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.fields())?)
    }

    /// Declares the fields of `schema`, a dict of names and types (`"string"`, `"number"`, `"bool"`, `"list"`, `"date"`), in
    /// place of those there were; writes no document. Returns the generation from which it holds.
    ///
    /// Raises `InvalidError` for a name or a type that cannot be.
    fn set_fields(&self, py: Python<'_>, schema: &Bound<'_, PyAny>) -> PyResult<u64> {
        let fields = read(schema)?;
        run(py, || self.engine.set_fields(&fields))
    }

    /// The declared fields, each a dict with how many live documents have it, and how many something of another type.
    fn field_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.field_stats())?)
    }

    /// A schema that the metadata of all live documents fits, and what is of no one type: `{"fields", "mixed"}`. For
    /// operators: askers learn the names and types of what is declared.
    fn suggest_fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.suggest_fields())?)
    }
}

/// The fields that a dict declares.
pub fn read(schema: &Bound<'_, PyAny>) -> PyResult<Fields> {
    let schema = json::object(schema).map_err(|what| invalid("read fields", format!("the schema: {what}")))?;
    Fields::try_from(Value::Object(schema)).map_err(|error| raise(&error))
}
