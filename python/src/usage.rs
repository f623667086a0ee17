//! `index.usage`, `measured`, `usage_settings` and `set_usage`: what did calls of models cost, and what may they?

use pyo3::prelude::*;
use safepassage::system::Timestamp;
use safepassage::usage::{Call, Measured, UsageEntry, UsageLine, UsageSettings};
use safepassage::{Engine, Result};
use serde::Serialize;

use crate::errors::{invalid, run};
use crate::index::Index;
use crate::json::{from_python, to_python};

const DAY_MS: u64 = 86_400_000;

/// A call, and when it was over.
#[derive(Serialize)]
struct Row {
    at_ms: u64,
    #[serde(flatten)]
    call: Call,
}

/// The lines of the last so many days.
fn lines(engine: &Engine, days: u64) -> Result<Vec<UsageLine>> {
    let now = engine.clock().now().0;
    let from = Timestamp(now.saturating_sub(days.saturating_mul(DAY_MS)));
    engine.usage_lines(from, Timestamp(now.saturating_add(1)))
}

fn calls(engine: &Engine, days: u64) -> Result<Vec<Row>> {
    let lines = lines(engine, days)?.into_iter();
    let call = |line: UsageLine| match line.entry {
        UsageEntry::Settled(call) => Some(Row { at_ms: line.at_ms, call }),
        UsageEntry::Reserved { .. } | UsageEntry::Measured(_) => None,
    };
    Ok(lines.filter_map(call).collect())
}

/// Figures, and when they were measured.
#[derive(Serialize)]
struct Figures {
    at_ms: u64,
    #[serde(flatten)]
    measured: Measured,
}

fn figures(engine: &Engine, days: u64) -> Result<Vec<Figures>> {
    let measured = |line: UsageLine| match line.entry {
        UsageEntry::Measured(measured) => Some(Figures { at_ms: line.at_ms, measured }),
        UsageEntry::Reserved { .. } | UsageEntry::Settled(_) => None,
    };
    Ok(lines(engine, days)?.into_iter().filter_map(measured).collect())
}

#[pymethods]
impl Index {
    /// The calls of models in the last so many days, oldest first, as dicts: `pyarrow.Table.from_pylist` makes a table of
    /// them.
    #[pyo3(signature = (days = 30))]
    fn usage<'py>(&self, py: Python<'py>, days: u64) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || calls(&self.engine, days))?)
    }

    /// What `eval --record` and `eval drift --record` measured in the last so many days, oldest first, as dicts:
    /// `{"at_ms", "by", "questions", "generation", "figures"}`.
    #[pyo3(signature = (days = 30))]
    fn measured<'py>(&self, py: Python<'py>, days: u64) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || figures(&self.engine, days))?)
    }

    /// Whether calls are written down, and the budgets: `{"on", "budget": [{"tenant", "user", "feature", "per", "tokens",
    /// "cost"}]}`.
    fn usage_settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.usage()?.settings())?)
    }

    /// Puts settings in force, in the shape of `usage_settings`, for every call that begins after it returns.
    fn set_usage(&self, py: Python<'_>, settings: &Bound<'_, PyAny>) -> PyResult<()> {
        let given = from_python(settings).map_err(|what| invalid("set budgets", what))?;
        let settings: UsageSettings =
            serde_json::from_value(given).map_err(|e| invalid("set budgets", format!("they are no settings: {e}")))?;
        run(py, || self.engine.usage()?.set(&settings))
    }
}
