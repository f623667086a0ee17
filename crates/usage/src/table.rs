//! The calls of a ledger as an Arrow table, a row each.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use safepassage_error::{Error, Kind, Result};

use crate::line::{Call, Entry, UsageLine};

/// The calls among `lines`, in their order. Columns as the fields of a line; `cost` is null where nobody knows.
///
/// # Errors
/// None that a caller can cause.
pub fn table(lines: &[UsageLine]) -> Result<RecordBatch> {
    let calls: Vec<(u64, &Call)> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Settled(call) => Some((line.at_ms, call)),
            Entry::Reserved { .. } => None,
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
    .map_err(|e| Error::new(Kind::Internal, "read usage ledger", "the lines make no table").because(e))
}
