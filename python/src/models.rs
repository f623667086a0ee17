//! Callables as models: what Python gives is called with the interpreter, and its exceptions are errors of the search.

use std::path::PathBuf;

use pyo3::prelude::*;
use safepassage::{CrossEncoder, Error, Kind, RerankWith, Reranker, Result};

use crate::errors::run;

/// A callable `(question, passages) -> scores`, or the folder of a cross-encoder.
pub fn reranker(given: &Bound<'_, PyAny>) -> PyResult<Box<dyn Reranker>> {
    if !given.is_callable() {
        let folder: PathBuf = given.extract()?;
        return Ok(Box::new(run(given.py(), || CrossEncoder::open(&folder))?));
    }
    let name = given.getattr("__name__").and_then(|name| name.extract()).unwrap_or_else(|_| "callable".to_owned());
    let callable = given.clone().unbind();
    Ok(Box::new(RerankWith::new(&name, move |question, passages| {
        called("rerank", |py| callable.bind(py).call1((question, passages.to_vec()))?.extract::<Vec<f32>>())
    })))
}

/// A callable `question -> questions`.
pub fn transform(callable: Py<PyAny>) -> impl Fn(&str) -> Result<Vec<String>> + Send + Sync {
    move |question| called("transform question", |py| callable.bind(py).call1((question,))?.extract())
}

pub fn called<T>(operation: &'static str, call: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
    Python::attach(call).map_err(|e| Error::new(Kind::Invalid, operation, format!("the callable failed: {e}")))
}
