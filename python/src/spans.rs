//! `safepassage.export_spans`: what searches and answers take is to be seen in a collector of OpenTelemetry; where is it?
//!
//! One for the whole process, as what listens to spans is.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use safepassage::Result;
use safepassage::otel::Exporter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::errors::{invalid, run};

static EXPORTER: Mutex<Option<Exporter>> = Mutex::new(None);

/// Sends spans of searches, answers and calls of models from now on to the collector of OpenTelemetry at `url` (OTLP over
/// HTTP; `/v1/traces` is added), or to the one that the environment names (`OTEL_EXPORTER_OTLP_ENDPOINT`). True if there is
/// one. The spans hold no text of questions, passages or answers. What has not been sent when the program ends goes then.
///
/// Raises `InvalidError` if spans go to a collector already, or this one cannot be used as it is named.
#[pyfunction]
#[pyo3(signature = (url = None))]
pub fn export_spans(py: Python<'_>, url: Option<&str>) -> PyResult<bool> {
    // Whoever else has it needs the GIL, which is held here: no waiting.
    let Some(mut to) = EXPORTER.try_lock().ok().filter(|to| to.is_none()) else {
        return Err(invalid("export spans", "spans go to a collector already; one process has one"));
    };
    let Some(exporter) = run(py, || url.map_or_else(Exporter::from_environment, |url| Exporter::to(url).map(Some)))?
    else {
        return Ok(false);
    };
    let listens = tracing_subscriber::registry().with(exporter.layer()).try_init();
    listens.map_err(|_| invalid("export spans", "something else in this process listens to spans"))?;
    py.import("atexit")?.call_method1("register", (wrap_pyfunction!(flush_spans, py)?,))?;
    *to = Some(exporter);
    Ok(true)
}

/// Sends the spans that have ended and were not sent yet; nothing happens if they go nowhere.
///
/// Raises `UnavailableError` if the collector does not take them.
#[pyfunction]
pub fn flush_spans(py: Python<'_>) -> PyResult<()> {
    run(py, || {
        let to = EXPORTER.lock().unwrap_or_else(PoisonError::into_inner);
        to.as_ref().map_or(Result::Ok(()), Exporter::flush)
    })
}
