//! `index.stats`, `verify`, `digest`, `merge`, `generations` and `rollback`: the upkeep of an index.

use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::errors::run;
use crate::index::Index;
use crate::json::to_python;

#[pymethods]
impl Index {
    /// Sizes of the index: a dict of documents, chunks, segments, generation, acl_epoch and more.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.stats())?)
    }

    /// Checks every byte and every rule of the format; returns what was checked.
    ///
    /// Raises `CorruptedError`, naming the first thing that is not as it should be.
    fn verify<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.verify())?)
    }

    /// A digest of everything that can be asked of the index: the same for indexes that say the same, however they came to it.
    ///
    /// Raises `ConflictError` if permissions change meanwhile.
    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        run(py, || self.engine.digest())
    }

    /// Merges all segments and drops what is dead. Returns the generation now current.
    fn merge(&self, py: Python<'_>) -> PyResult<u64> {
        run(py, || self.engine.merge())
    }

    /// All generations, oldest first, each a dict.
    fn generations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let all = run(py, || self.engine.generations())?;
        let summaries: Vec<Value> = all
            .iter()
            .map(|m| {
                json!({"generation": m.generation, "parent": m.parent, "created_ms": m.created_ms,
                       "operation": m.operation, "acl_epoch": m.acl_epoch, "model": m.settings.model["model"],
                       "dim": m.settings.dim, "segments": m.segments.len(),
                       "documents": m.segments.iter().map(|s| u64::from(s.documents)).sum::<u64>(),
                       "chunks": m.segments.iter().map(|s| u64::from(s.rows)).sum::<u64>()})
            })
            .collect();
        to_python(py, &summaries)
    }

    /// Makes a generation with the content of an earlier one and returns its number; permissions stay as they are now.
    ///
    /// Raises `NotFoundError` if it is not kept any more.
    fn rollback(&self, py: Python<'_>, generation: u64) -> PyResult<u64> {
        run(py, || self.engine.rollback(generation))
    }
}
