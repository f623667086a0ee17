//! Here are calls: what did whom what cost?

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use safepassage_error::{Error, Result};
use serde::Serialize;

use crate::line::{Entry, UsageLine};

/// What calls are summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The tenant.
    Tenant,
    /// Tenant and user.
    User,
    /// The part of the caller's program.
    Feature,
    /// The model.
    Model,
    /// What models are called for.
    Operation,
    /// The day, in UTC.
    Day,
}

impl std::str::FromStr for By {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "tenant" => Ok(Self::Tenant),
            "user" => Ok(Self::User),
            "feature" => Ok(Self::Feature),
            "model" => Ok(Self::Model),
            "operation" => Ok(Self::Operation),
            "day" => Ok(Self::Day),
            _ => {
                let message = format!("`{name}` is none of tenant, user, feature, model, operation, day");
                Err(Error::invalid("sum usage", message))
            }
        }
    }
}

/// Calls together.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summed {
    /// What they have in common.
    pub name: String,
    /// How many.
    pub calls: u64,
    /// Of these, those that did not end well.
    pub failed: u64,
    /// Tokens of prompts.
    pub tokens_in: u64,
    /// Tokens of answers.
    pub tokens_out: u64,
    /// What they cost, by currency.
    pub cost: BTreeMap<String, f64>,
    /// Milliseconds to the first piece, of half of them at most.
    pub first_ms_p50: f64,
    /// Milliseconds to the first piece, of all but one in a hundred at most.
    pub first_ms_p99: f64,
    /// Milliseconds to the end, of half of them at most.
    pub all_ms_p50: f64,
    /// Milliseconds to the end, of all but one in a hundred at most.
    pub all_ms_p99: f64,
}

/// The calls among `lines`, summed; by name.
#[must_use]
pub fn sum(lines: &[UsageLine], by: By) -> Vec<Summed> {
    let mut sums: BTreeMap<String, (Summed, Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for line in lines {
        let Entry::Settled(call) = &line.entry else { continue };
        let name = match by {
            By::Tenant => call.who.tenant.clone(),
            By::User => {
                let user = call.who.user.as_deref().unwrap_or("");
                if call.who.tenant.is_empty() { user.to_owned() } else { format!("{}/{user}", call.who.tenant) }
            }
            By::Feature => call.who.feature.clone().unwrap_or_default(),
            By::Model => call.model.clone(),
            By::Operation => call.operation.name().to_owned(),
            By::Day => day(line.at_ms),
        };
        let (summed, first, all) = sums.entry(name.clone()).or_default();
        summed.name = name;
        summed.calls += 1;
        summed.failed += u64::from(call.outcome != "ok");
        summed.tokens_in += call.tokens_in;
        summed.tokens_out += call.tokens_out;
        if let Some(cost) = call.cost {
            *summed.cost.entry(call.currency.clone().unwrap_or_default()).or_default() += cost;
        }
        if call.outcome == "ok" {
            first.push(call.first_ms);
            all.push(call.all_ms);
        }
    }
    let timed = |(summed, mut first, mut all): (Summed, Vec<f64>, Vec<f64>)| {
        first.sort_by(f64::total_cmp);
        all.sort_by(f64::total_cmp);
        Summed {
            first_ms_p50: percentile(&first, 50),
            first_ms_p99: percentile(&first, 99),
            all_ms_p50: percentile(&all, 50),
            all_ms_p99: percentile(&all, 99),
            ..summed
        }
    };
    sums.into_values().map(timed).collect()
}

/// The least of the values, ascending, that at least so many in a hundred of them do not exceed; 0 of none.
fn percentile(values: &[f64], of_hundred: usize) -> f64 {
    let count = (values.len() * of_hundred).div_ceil(100);
    values.get(count.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// The day of a time, in UTC.
#[must_use]
pub fn day(at_ms: u64) -> String {
    let time = i64::try_from(at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(String::new, |time| time.to_zoned(TimeZone::UTC).date().to_string())
}
