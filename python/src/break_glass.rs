//! `index.break_glass` and `BreakGlass`: every document of a tenant in an emergency, written down.

use std::time::{Duration, SystemTime};

use pyo3::prelude::*;
use safepassage::audit::Secret;

use crate::arrays;
use crate::errors::{invalid, run};
use crate::identity::Identity;
use crate::index::Index;
use crate::json::to_python;
use crate::results::Results;

/// An index with broken glass: every document of one tenant, whatever permissions say, for fifteen minutes. Every call is
/// written into the audit log with what it gives, and fails if it cannot be.
#[pyclass(frozen, module = "safepassage")]
pub struct BreakGlass(safepassage::BreakGlass);

#[pymethods]
impl Index {
    /// Makes a secret that breaks the glass, in place of any before, and returns it; the index stores only a digest.
    fn enable_break_glass(&self, py: Python<'_>) -> PyResult<String> {
        run(py, || Ok(self.engine.enable_break_glass()?.reveal().to_owned()))
    }

    /// Lets no secret break the glass any more; whoever has broken it sees nothing from now on.
    fn disable_break_glass(&self, py: Python<'_>) -> PyResult<()> {
        run(py, || self.engine.disable_break_glass())
    }

    /// Breaks the glass for `identity`, in its tenant. Every attempt is written into the audit log with its reason.
    ///
    /// Raises `DeniedError` for a wrong secret, and just so if none is enabled, and `InvalidError` for a reason of less
    /// than three words.
    fn break_glass(
        &self,
        py: Python<'_>,
        secret: String,
        identity: &Bound<'_, Identity>,
        reason: String,
    ) -> PyResult<BreakGlass> {
        let identity = identity.get().0.clone();
        run(py, || self.engine.break_glass(&Secret::shown(&secret), identity, &reason)).map(BreakGlass)
    }
}

#[pymethods]
impl BreakGlass {
    /// Who broke it.
    #[getter]
    fn identity(&self) -> Identity {
        Identity(self.0.identity().clone())
    }

    /// When it ends (UTC).
    #[getter]
    fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.expires_at().0)
    }

    /// The `k` passages of the tenant that answer `text` best, as `Results`.
    #[pyo3(signature = (text, k = 10))]
    fn search(&self, py: Python<'_>, text: String, k: i64) -> PyResult<Results> {
        let k = checked(k)?;
        let found = run(py, || self.0.find(&text, k))?;
        Results::read(py, found)
    }

    /// The `k` passages of the tenant nearest to `vector` (dim numbers), as `Results`.
    #[pyo3(signature = (vector, k = 10, recall = 0.95))]
    fn search_vector(&self, py: Python<'_>, vector: &Bound<'_, PyAny>, k: i64, recall: f32) -> PyResult<Results> {
        let k = checked(k)?;
        let vector = arrays::vector("search", "vector", vector)?;
        let values = &*vector;
        run(py, || self.0.search_vector(values, k, Some(recall))).map(Results::new)
    }

    /// Every document of the tenant: `{"count", "documents": [id, ...]}`.
    fn visible<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.0.visible())?)
    }
}

fn checked(k: i64) -> PyResult<usize> {
    match usize::try_from(k) {
        Ok(k) if k > 0 => Ok(k),
        _ => Err(invalid("search", format!("k must be at least 1, not {k}"))),
    }
}
