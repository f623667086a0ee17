//! Models that Python gives: rerankers, and callables, whose exceptions are errors of the search.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use safepassage::{CrossEncoder, RerankWith, Result};

use crate::errors::run;
use crate::generator::raised;

/// A model that reads question and passage together, opened once and used by many searches.
///
/// `Reranker(folder)` opens a BERT or RoBERTa cross-encoder. Raises `NotFoundError` or `InvalidError` if there is none.
#[pyclass(frozen, module = "safepassage")]
pub struct Reranker(pub Arc<dyn safepassage::Reranker>);

#[pymethods]
impl Reranker {
    #[new]
    fn new(py: Python<'_>, folder: PathBuf) -> PyResult<Self> {
        run(py, || Ok(Self(Arc::new(CrossEncoder::open(&folder)?))))
    }

    /// The reranker `name` of the catalogue in the file `models`: one of Bedrock, or a server with `/v1/rerank`. It is sent
    /// the question, and passages up to the label that it is cleared for. Raises `DeniedError` if it is not in the
    /// catalogue or has expired there.
    #[staticmethod]
    fn from_catalogue(py: Python<'_>, models: PathBuf, name: &str) -> PyResult<Self> {
        run(py, || safepassage::models::open_reranker(&models, name)).map(Self)
    }

    /// What it is called in the audit log.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    fn __repr__(&self) -> String {
        format!("Reranker({:?})", self.0.name())
    }
}

/// A [`Reranker`], a callable `(question, passages) -> scores`, or the folder of a cross-encoder.
pub fn reranker(given: &Bound<'_, PyAny>) -> PyResult<Arc<dyn safepassage::Reranker>> {
    if let Ok(opened) = given.cast::<Reranker>() {
        return Ok(Arc::clone(&opened.get().0));
    }
    if !given.is_callable() {
        let folder: PathBuf = given.extract()?;
        return Ok(Arc::new(run(given.py(), || CrossEncoder::open(&folder))?));
    }
    let name = given.getattr("__name__").and_then(|name| name.extract()).unwrap_or_else(|_| "callable".to_owned());
    let callable = given.clone().unbind();
    Ok(Arc::new(RerankWith::new(&name, move |question, passages| {
        called("rerank", |py| callable.bind(py).call1((question, passages.to_vec()))?.extract::<Vec<f32>>())
    })))
}

/// A callable `question -> questions`.
pub fn transform(callable: Py<PyAny>) -> impl Fn(&str) -> Result<Vec<String>> + Send + Sync {
    move |question| called("transform question", |py| callable.bind(py).call1((question,))?.extract())
}

/// What a callable gives. Of what it raises only the class is told: the words may be those of a question or a passage.
pub fn called<T>(operation: &'static str, call: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
    Python::attach(|py| call(py).map_err(|error| raised(py, &error, operation, "the callable")))
}
