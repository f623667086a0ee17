//! `index.sync`: bring the index up to date with folders and files.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use safepassage::{Progress, Silent, SourceSpec, SyncOptions};

use crate::errors::{invalid, raise, run};
use crate::index::Index;
use crate::json::to_python;
use crate::parser;
use crate::twin::in_thread;

#[pymethods]
impl Index {
    /// Brings the index up to date with `source` and returns a report, a dict.
    ///
    /// A source is a folder, a BEIR folder, a `.jsonl` file, a Parquet or Arrow file (or a folder of them) or one document; `"NAME=PATH"` names it; a list syncs
    /// several. `acl` is the ACL file, instead of the `acl.jsonl` beside each source; `acl_objects` is the file that states
    /// ACL objects (folders, sites). With `strict`, anything that would
    /// be put aside refuses everything. With `rehash`, files that are surely as they were are read too. With `dry_run`, nothing is written and the report says what it would cost.
    /// `max_cost` (in the currency of the catalogue) and `max_minutes` end it early; the report says what is left.
    /// `retry_dead_letters` tries documents again that the model refused before. `progress(stage, done, total)` is called
    /// from working threads; total is 0 if it is not known.
    ///
    /// PDF, Office files and mails are parsed in processes of this interpreter (`sys.executable`), each with no more than
    /// `parser_memory` MB, so that one that takes all the memory is one file that cannot be read; with 0 they are parsed here.
    ///
    /// Raises `InvalidError` if a source cannot be read and `ConflictError` while another writer is at work. What was
    /// committed before an error stays.
    #[pyo3(signature = (source, *, acl = None, acl_objects = None, strict = false, rehash = false, dry_run = false, max_cost = None, max_minutes = None, retry_dead_letters = false, parser_memory = 2048, progress = None))]
    #[expect(clippy::too_many_arguments, reason = "the options of a sync")]
    fn sync<'py>(
        &self,
        py: Python<'py>,
        source: &Bound<'py, PyAny>,
        acl: Option<PathBuf>,
        acl_objects: Option<PathBuf>,
        strict: bool,
        rehash: bool,
        dry_run: bool,
        max_cost: Option<f64>,
        max_minutes: Option<f64>,
        retry_dead_letters: bool,
        parser_memory: u64,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let sources = sources(source)?;
        let options = SyncOptions {
            acl,
            acl_objects,
            strict,
            rehash,
            dry_run,
            max_cost,
            max_time: minutes("sync", max_minutes)?,
            retry_refused: retry_dead_letters,
            parser: parser::process(py, parser_memory)?,
            ..SyncOptions::default()
        };
        let progress = watcher(progress);
        let report = run(py, || self.engine.sync(&sources, &options, &*progress))?;
        to_python(py, &report)
    }

    /// As `sync`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, source, *, acl=None, acl_objects=None, strict=False, rehash=False, dry_run=False, max_cost=None, max_minutes=None, retry_dead_letters=False, parser_memory=2048, progress=None)")]
    fn sync_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "sync", args, kwargs)
    }
}

fn sources(source: &Bound<'_, PyAny>) -> PyResult<Vec<SourceSpec>> {
    if source.is_instance_of::<PyList>() || source.is_instance_of::<PyTuple>() {
        return source.try_iter()?.map(|source| one(&source?)).collect();
    }
    Ok(vec![one(source)?])
}

/// A `str` may name the source, a path object is a path.
fn one(source: &Bound<'_, PyAny>) -> PyResult<SourceSpec> {
    match source.cast::<PyString>() {
        Ok(text) => text.extract::<String>()?.parse().map_err(|error| raise(&error)),
        Err(_) => Ok(SourceSpec::new(source.extract::<PathBuf>()?)),
    }
}

/// The most time that something may take.
pub fn minutes(operation: &'static str, minutes: Option<f64>) -> PyResult<Option<Duration>> {
    let time = minutes.map(|minutes| Duration::try_from_secs_f64(minutes * 60.0)).transpose();
    time.map_err(|_| invalid(operation, "`max_minutes` is no number of minutes"))
}

/// Who is told how far it is.
pub fn watcher(progress: Option<Py<PyAny>>) -> Box<dyn Progress + Send> {
    match progress {
        Some(call) => Box::new(Callback { call, stage: Mutex::default() }),
        None => Box::new(Silent),
    }
}

/// Calls back into Python. What it raises is reported as unraisable: a progress bar does not stop a sync.
struct Callback {
    call: Py<PyAny>,
    stage: Mutex<(String, u64, u64)>,
}

impl Callback {
    fn say(&self, change: impl FnOnce(&mut (String, u64, u64))) {
        let now = {
            let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut stage);
            stage.clone()
        };
        Python::attach(|py| {
            if let Err(error) = self.call.call1(py, now) {
                error.write_unraisable(py, Some(self.call.bind(py)));
            }
        });
    }
}

impl Progress for Callback {
    fn begin(&self, stage: &str, total: u64) {
        self.say(|now| *now = (stage.to_owned(), 0, total));
    }

    fn advance(&self, units: u64) {
        self.say(|now| now.1 += units);
    }
}
