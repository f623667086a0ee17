//! `index.re_embed` and `index.switch`: another model for an index, made beside it.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use safepassage::ReEmbedOptions;

use crate::embedder;
use crate::errors::{invalid, run};
use crate::index::Index;
use crate::json::to_python;
use crate::sync::{minutes, watcher};
use crate::twin::in_thread;

#[pymethods]
impl Index {
    /// Embeds every passage with another model, in a candidate beside the index; returns a report, a dict. What a candidate
    /// has already is not embedded again.
    ///
    /// `embedder` is a model folder, `"builtin"`, with `models` a name in that catalogue, or a callable, which needs `dim`.
    /// With `dry_run` nothing is written or sent. `max_cost` and `max_minutes` end it early. With `leave_out` it does without
    /// documents that the model may not read or refuses; the report names them.
    ///
    /// Raises `InvalidError` if the index is of that model already, `DeniedError` if texts are above what it is cleared for,
    /// and `ConflictError` if there is a candidate of another model.
    #[pyo3(signature = (embedder, *, dim = None, models = None, dry_run = false, max_cost = None, max_minutes = None, retry_dead_letters = false, leave_out = false, progress = None))]
    #[expect(clippy::too_many_arguments, reason = "the options of a change of model")]
    fn re_embed<'py>(
        &self,
        py: Python<'py>,
        embedder: &Bound<'py, PyAny>,
        dim: Option<i64>,
        models: Option<PathBuf>,
        dry_run: bool,
        max_cost: Option<f64>,
        max_minutes: Option<f64>,
        retry_dead_letters: bool,
        leave_out: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let choice = embedder::choice(dim, Some(embedder), models)?;
        let max_time = minutes("re-embed", max_minutes)?;
        let options = ReEmbedOptions { dry_run, max_cost, max_time, retry_refused: retry_dead_letters, leave_out };
        let progress = watcher(progress);
        let report = run(py, || self.engine.re_embed(&choice, &options, &*progress))?;
        to_python(py, &report)
    }

    /// As `re_embed`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, embedder, *, dim=None, models=None, dry_run=False, max_cost=None, max_minutes=None, retry_dead_letters=False, leave_out=False, progress=None)")]
    fn re_embed_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "re_embed", args, kwargs)
    }

    /// Takes in what changed since the candidate was made, and makes it the newest generation; returns a report, a dict.
    /// `rollback` goes back. `embedder` is the callable that `re_embed` was given, if another object of this index was.
    ///
    /// Raises `NotFoundError` if there is no candidate and `ConflictError` if documents are left that could not be embedded.
    #[pyo3(signature = (*, embedder = None, max_cost = None, max_minutes = None, leave_out = false, progress = None))]
    fn switch<'py>(
        &self,
        py: Python<'py>,
        embedder: Option<&Bound<'py, PyAny>>,
        max_cost: Option<f64>,
        max_minutes: Option<f64>,
        leave_out: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(callable) = embedder {
            let candidate = run(py, || self.engine.candidate())?;
            let dim =
                candidate.map(|candidate| candidate.dim).ok_or_else(|| invalid("switch", "there is no candidate"))?;
            self.engine.give_embedder(embedder::callable(callable, dim)?);
        }
        let max_time = minutes("switch", max_minutes)?;
        let options = ReEmbedOptions { max_cost, max_time, leave_out, ..ReEmbedOptions::default() };
        let progress = watcher(progress);
        let report = run(py, || self.engine.switch(&options, &*progress))?;
        to_python(py, &report)
    }

    /// As `switch`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, *, embedder=None, max_cost=None, max_minutes=None, leave_out=False, progress=None)")]
    fn switch_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "switch", args, kwargs)
    }

    /// The candidate beside the index, a dict; None if there is none.
    fn candidate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.candidate())?)
    }

    /// Takes the candidate away and gives its disk back. Returns whether there was one.
    ///
    /// Raises `ConflictError` while somebody makes it.
    fn drop_candidate(&self, py: Python<'_>) -> PyResult<bool> {
        run(py, || self.engine.drop_candidate())
    }
}
