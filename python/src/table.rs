//! `results.to_arrow` and `to_pandas`: the hits as a table.
//!
//! One row for each hit, columns as the fields of a hit. In Arrow the metadata is JSON text, since documents may differ
//! in what they carry; in pandas it is a dict.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::hit::Hit;
use crate::results::Results;

impl Results {
    /// The columns of the table, by name.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = PyDict::new(py);
        for name in Hit::FIELDS {
            let column = PyList::empty(py);
            self.list(py)?.iter().try_for_each(|hit| column.append(hit.getattr(name)?))?;
            columns.set_item(name, column)?;
        }
        Ok(columns)
    }
}

#[pymethods]
impl Results {
    /// The hits as a `pyarrow.Table`; needs pyarrow.
    fn to_arrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let arrow = py.import("pyarrow")?;
        let dumps = py.import("json")?.getattr("dumps")?;
        let columns = self.columns(py)?;
        let metadata = PyList::empty(py);
        self.list(py)?.iter().try_for_each(|hit| metadata.append(dumps.call1((hit.getattr("metadata")?,))?))?;
        columns.set_item("metadata", metadata)?;
        let fields = PyList::empty(py);
        for name in Hit::FIELDS {
            let class = match name {
                "rank" => arrow.call_method0("uint64")?,
                "chunk" | "page" => arrow.call_method0("uint32")?,
                "score" => arrow.call_method0("float32")?,
                "span" => arrow.call_method1("list_", (arrow.call_method0("uint64")?, 2))?,
                _ => arrow.call_method0("string")?,
            };
            fields.append((name, class))?;
        }
        let schema = arrow.call_method1("schema", (fields,))?;
        let options = PyDict::new(py);
        options.set_item("schema", schema)?;
        arrow.call_method("table", (columns,), Some(&options))
    }

    /// The Arrow PyCapsule interface, for every library that reads Arrow tables; needs pyarrow.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.to_arrow(py)?.call_method1("__arrow_c_stream__", (requested_schema,))
    }

    /// The hits as a `pandas.DataFrame`; needs pandas.
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let options = PyDict::new(py);
        options.set_item("columns", Hit::FIELDS)?;
        py.import("pandas")?.call_method("DataFrame", (self.columns(py)?,), Some(&options))
    }
}
