//! `Results`: what a search gives.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyIterator, PyList};
use safepassage::VectorHits;

use crate::errors::run;
use crate::hit::Hit;
use crate::json::to_python;

/// What a search gives, best first. Ids and scores are there at once; the passages of a search by vector are read when
/// first asked for.
#[pyclass(frozen, module = "safepassage")]
pub struct Results {
    found: VectorHits,
    hits: PyOnceLock<Py<PyList>>,
}

impl Results {
    pub fn new(found: VectorHits) -> Self {
        Self { found, hits: PyOnceLock::new() }
    }

    /// As [`Results::new`], with the passages read.
    pub fn read(py: Python<'_>, found: VectorHits) -> PyResult<Self> {
        let results = Self::new(found);
        results.list(py)?;
        Ok(results)
    }

    /// The hits; read and made once.
    pub fn list<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyList>> {
        let list = self.hits.get_or_try_init(py, || {
            let results = run(py, || self.found.results())?;
            let list = PyList::empty(py);
            results.hits.into_iter().try_for_each(|hit| list.append(Py::new(py, Hit::new(py, hit)?)?))?;
            Ok::<_, PyErr>(list.unbind())
        })?;
        Ok(list.bind(py))
    }
}

#[pymethods]
impl Results {
    /// Ids of the documents, best first.
    #[getter]
    fn ids(&self) -> Vec<&str> {
        self.found.ids().collect()
    }

    /// Scores in the same order, float32.
    #[getter]
    fn scores<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        PyArray1::from_iter(py, self.found.scores())
    }

    /// The passages, best first, as a list of `Hit`.
    #[getter]
    fn hits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.list(py).cloned()
    }

    /// Whether there are as many hits as k or as visible passages.
    #[getter]
    fn complete(&self) -> bool {
        self.found.complete()
    }

    /// Whether no better passage can exist.
    #[getter]
    fn exact(&self) -> bool {
        self.found.exact()
    }

    /// The recall that was promised: 1 for an exact answer, else what was asked for.
    #[getter]
    fn recall(&self) -> f32 {
        self.found.recall()
    }

    /// The epoch of the permissions it was made under: for operators.
    #[getter]
    fn acl_epoch(&self) -> u64 {
        self.found.acl_epoch()
    }

    /// How it was found: for operators.
    #[getter]
    fn plan<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.found.plan())
    }

    /// The generation it was found in: for operators.
    #[getter]
    fn generation(&self) -> u64 {
        self.found.generation()
    }

    fn __len__(&self) -> usize {
        self.found.ids().len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.list(py)?.try_iter()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.list(py)?.as_any().get_item(index)
    }

    fn __repr__(&self) -> String {
        let how = if self.found.exact() { "exact" } else { "approximate" };
        let all = if self.found.complete() { "complete" } else { "not complete" };
        format!("Results({} hits, {how}, {all})", self.__len__())
    }
}
