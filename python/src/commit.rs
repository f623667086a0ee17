//! `index.commit`: make a generation of everything staged.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::errors::run;
use crate::index::Index;
use crate::twin::in_thread;

#[pymethods]
impl Index {
    /// Makes a generation of everything staged and returns its number.
    ///
    /// Raises `ConflictError` while another writer is at work. After an error everything stays staged.
    fn commit(&self, py: Python<'_>) -> PyResult<u64> {
        run(py, || self.engine.commit())
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
