//! `index.commit`: make a generation of everything staged.

use std::ffi::CString;

use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use safepassage::Committed;

use crate::errors::run;
use crate::index::Index;
use crate::twin::in_thread;

#[pymethods]
impl Index {
    /// Makes a generation of everything staged and returns its number; warns (`UserWarning`) of documents of which the model
    /// knows the beginning of a passage only.
    ///
    /// Raises `ConflictError` while another writer is at work. After an error everything stays staged.
    fn commit(&self, py: Python<'_>) -> PyResult<u64> {
        let Committed { generation, truncated, truncated_documents } = run(py, || self.engine.commit())?;
        if truncated > 0 {
            let documents = truncated_documents.join(", ");
            let text = format!("{truncated} passages are longer than the model reads, of the documents {documents}");
            let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &text, 1)?;
        }
        Ok(generation)
    }

    /// As `commit`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self)")]
    fn commit_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "commit", args, kwargs)
    }
}
