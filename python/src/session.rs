//! `Session`: the index as one identity sees it.

use pyo3::prelude::*;

use crate::errors::run;
use crate::identity::Identity;
use crate::json::to_python;

/// An index as one identity sees it. Every call looks at the newest content and the newest permissions, and raises
/// `DeniedError` once the identity has expired.
#[pyclass(frozen, module = "safepassage")]
pub struct Session(pub(crate) safepassage::Session);

#[pymethods]
impl Session {
    /// Who asks.
    #[getter]
    fn identity(&self) -> Identity {
        Identity(self.0.identity().clone())
    }

    /// What the asker may see: `{"count", "documents": [id, ...]}`.
    fn visible<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.0.visible())?)
    }

    /// Why the asker may read the document `id`: `{"visible", "reasons"}`. One that they may not read looks like one
    /// that does not exist: no reasons.
    fn explain<'py>(&self, py: Python<'py>, id: String) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.0.explain(&id))?)
    }
}
