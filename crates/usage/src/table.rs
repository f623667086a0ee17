//! The lines of a ledger as Arrow tables: a row for each call, a row for each figure that was measured.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use safepassage_error::{Error, Kind, Result};

use crate::line::{Call, Entry, Measured, UsageLine};

/// The calls among `lines`, in their order. Columns as the fields of a line; `cost` is null where nobody knows.
///
/// # Errors
/// None that a caller can cause.
pub fn table(lines: &[UsageLine]) -> Result<RecordBatch> {
    let calls: Vec<(u64, &Call)> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Settled(call) => Some((line.at_ms, call)),
            Entry::Reserved { .. } | Entry::Measured(_) => None,
        })
        .collect();
    let texts = |get: fn(&Call) -> Option<&str>| -> ArrayRef {
        Arc::new(calls.iter().map(|(_, call)| get(call)).collect::<StringArray>())
    };
    let counts = |get: fn(&Call) -> u64| -> ArrayRef {
        Arc::new(calls.iter().map(|(_, call)| get(call)).collect::<UInt64Array>())
    };
    let numbers = |get: fn(&Call) -> Option<f64>| -> ArrayRef {
        Arc::new(calls.iter().map(|(_, call)| get(call)).collect::<Float64Array>())
    };
    let at: ArrayRef = Arc::new(calls.iter().map(|(at, _)| *at).collect::<UInt64Array>());
    let estimated: ArrayRef = Arc::new(calls.iter().map(|(_, call)| Some(call.estimated)).collect::<BooleanArray>());
    RecordBatch::try_from_iter([
        ("at_ms", at),
        ("answer", texts(|call| Some(&call.answer))),
        ("operation", texts(|call| Some(call.operation.name()))),
        ("tenant", texts(|call| Some(&call.who.tenant))),
        ("user", texts(|call| call.who.user.as_deref())),
        ("feature", texts(|call| call.who.feature.as_deref())),
        ("model", texts(|call| Some(&call.model))),
        ("template", texts(|call| Some(&call.template))),
        ("outcome", texts(|call| Some(&call.outcome))),
        ("passages", counts(|call| call.passages)),
        ("tokens_in", counts(|call| call.tokens_in)),
        ("tokens_out", counts(|call| call.tokens_out)),
        ("tokens_cached", counts(|call| call.tokens_cached)),
        ("estimated", estimated),
        ("cost", numbers(|call| call.cost)),
        ("currency", texts(|call| call.currency.as_deref())),
        ("search_ms", numbers(|call| Some(call.search_ms))),
        ("first_ms", numbers(|call| Some(call.first_ms))),
        ("all_ms", numbers(|call| Some(call.all_ms))),
    ])
    .map_err(no_table)
}

/// The figures among `lines`, in their order: `at_ms`, `by`, `questions`, `generation`, `figure` and its `value`.
///
/// # Errors
/// None that a caller can cause.
pub fn measured_table(lines: &[UsageLine]) -> Result<RecordBatch> {
    let measured = lines.iter().filter_map(|line| match &line.entry {
        Entry::Measured(measured) => Some((line.at_ms, measured)),
        Entry::Reserved { .. } | Entry::Settled(_) => None,
    });
    let figures = |(at, measured)| {
        let of = move |(name, value)| (at, measured, name, value);
        let measured: &Measured = measured;
        measured.figures.iter().map(of)
    };
    let rows: Vec<(u64, &Measured, &String, &f64)> = measured.flat_map(figures).collect();
    let text = |get: fn(&Measured) -> Option<&str>| rows.iter().map(|row| get(row.1)).collect::<StringArray>();
    let of = |array| -> ArrayRef { array };
    RecordBatch::try_from_iter([
        ("at_ms", of(Arc::new(rows.iter().map(|row| row.0).collect::<UInt64Array>()))),
        ("by", of(Arc::new(text(|measured| Some(&measured.by))))),
        ("questions", of(Arc::new(text(|measured| measured.questions.as_deref())))),
        ("generation", of(Arc::new(rows.iter().map(|row| row.1.generation).collect::<UInt64Array>()))),
        ("figure", of(Arc::new(rows.iter().map(|row| Some(row.2)).collect::<StringArray>()))),
        ("value", of(Arc::new(rows.iter().map(|row| *row.3).collect::<Float64Array>()))),
    ])
    .map_err(no_table)
}

fn no_table(error: arrow_schema::ArrowError) -> Error {
    Error::new(Kind::Internal, "read usage ledger", "the lines make no table").because(error)
}
