//! `index.add_rows` and `index.sync_rows`: here is a table of any library that speaks Arrow, its rows are documents.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use safepassage::SyncOptions;

use crate::errors::run;
use crate::index::Index;
use crate::json::to_python;
use crate::stream::reader;
use crate::sync::{minutes, watcher};
use crate::twin::in_thread;

#[pymethods]
impl Index {
    /// Stages the rows of `table` for the next `commit`, each a document; returns how many.
    ///
    /// `table` is anything that speaks Arrow: a table, record batch or reader of pyarrow, a frame of polars, a relation of
    /// duckdb. Its columns are `id` and `text` and, or not, `title`, `uri`, `acl`, `acl_object`, `label`, `tenant`, `sections`,
    /// `derived_from`, `metadata` and `vector`; no others. `acl` is a struct as an ACL is written, JSON text of it, a list of
    /// principals that are allowed, or a list of lists of principals that are allowed together. Null is what was left out: a
    /// document without ACL is visible to nobody.
    ///
    /// Raises `InvalidError`, and nothing of this call is staged, for another column or a row that cannot be a document.
    fn add_rows(&self, py: Python<'_>, table: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut rows = reader("add", table)?;
        run(py, || self.engine.add_rows(&mut *rows))
    }

    /// As `add_rows`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, table)")]
    fn add_rows_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "add_rows", args, kwargs)
    }

    /// Brings what the index has of the source `name` up to date with the rows of `table` and returns a report, as `sync` does
    /// with files: what is no longer among them is deleted, what did not change is not embedded again. The columns are
    /// those of `add_rows`, without `vector`. A reader that gives batches one by one is never in memory whole.
    ///
    /// Raises `InvalidError` for another column and `ConflictError` while another writer is at work.
    #[pyo3(signature = (table, name, *, acl = None, acl_objects = None, strict = false, dry_run = false, max_cost = None, max_minutes = None, retry_dead_letters = false, progress = None))]
    #[expect(clippy::too_many_arguments, reason = "the options of a sync")]
    fn sync_rows<'py>(
        &self,
        py: Python<'py>,
        table: &Bound<'py, PyAny>,
        name: &str,
        acl: Option<PathBuf>,
        acl_objects: Option<PathBuf>,
        strict: bool,
        dry_run: bool,
        max_cost: Option<f64>,
        max_minutes: Option<f64>,
        retry_dead_letters: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = SyncOptions {
            acl,
            acl_objects,
            strict,
            dry_run,
            max_cost,
            max_time: minutes("sync", max_minutes)?,
            retry_refused: retry_dead_letters,
            ..SyncOptions::default()
        };
        let mut rows = reader("sync", table)?;
        let progress = watcher(progress);
        let report = run(py, || self.engine.sync_rows(name, &mut *rows, &options, &*progress))?;
        to_python(py, &report)
    }

    /// As `sync_rows`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, table, name, *, acl=None, acl_objects=None, strict=False, dry_run=False, max_cost=None, max_minutes=None, retry_dead_letters=False, progress=None)")]
    fn sync_rows_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "sync_rows", args, kwargs)
    }
}
