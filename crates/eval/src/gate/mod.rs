//! Here is a report and what is asked of it: may it pass?
//!
//! A gate is JSON or TOML: `{"ndcg@10": {"min": 0.6}, "leaks": {"max": 0}, "against": {"ndcg@10": {"max_drop": 0.01}},
//! "personas": {"warden": {…}, "*": {…}}, "bands": {"≤1%": {…}}}`. A leak never passes, whether a line speaks of it or not. A
//! measure that has no value fails its line: what was not measured was not shown to hold.

mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compare::Comparison;
use crate::report::Report;
use crate::summary::Summary;

/// The bounds of one measure; both ends belong to what passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// At least this.
    pub min: Option<f64>,
    /// At most this.
    pub max: Option<f64>,
}

/// How far one measure may be below the other side's.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    /// By at most this.
    pub max_drop: f64,
    /// Only a larger drop that chance gives at most so often fails.
    pub p: Option<f64>,
}

/// What is asked of a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gate {
    everybody: BTreeMap<String, Bounds>,
    personas: BTreeMap<String, BTreeMap<String, Bounds>>,
    bands: BTreeMap<String, BTreeMap<String, Bounds>>,
    against: BTreeMap<String, Drop>,
}

/// What a gate said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether every line holds.
    pub passed: bool,
    /// Line by line.
    pub lines: Vec<Line>,
}

/// One line of a gate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Of whom: `everybody`, a persona, a band, or `against` the other side.
    pub of: String,
    /// Which measure.
    pub measure: String,
    /// What is asked.
    pub bound: String,
    /// What there is.
    pub value: Option<f64>,
    /// Whether it holds.
    pub passed: bool,
}

impl Line {
    /// The line for a person.
    #[must_use]
    pub fn text(&self) -> String {
        let value = self.value.map_or_else(|| "not measured".to_owned(), |value| format!("{value:.4}"));
        let passed = if self.passed { "holds" } else { "FAILED" };
        format!("{passed}: {} {} is {value}, asked {}", self.of, self.measure, self.bound)
    }
}

/// A mean of nine tenths may be less in its last digits.
const ROUNDING: f64 = 1e-9;

/// What can be bounded beside the measures at k.
const COUNTS: [&str; 12] = [
    "leaks",
    "k_fill",
    "recall_of_search",
    "exact",
    "unanswerable",
    "below_least_score",
    "out_of_reach",
    "missing",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "latency_first_ms",
];

/// A value by its name in a gate.
fn value_of(summary: &Summary, name: &str) -> Option<f64> {
    match name {
        "leaks" => Some(summary.leaks as f64),
        "k_fill" => Some(summary.k_fill),
        "recall_of_search" => summary.recall_of_search,
        "exact" => Some(summary.exact),
        "unanswerable" => Some(summary.unanswerable),
        "below_least_score" => summary.below_least_score,
        "out_of_reach" => Some(summary.out_of_reach as f64),
        "missing" => Some(summary.missing as f64),
        "latency_p50_ms" => Some(summary.latency.p50_ms),
        "latency_p95_ms" => Some(summary.latency.p95_ms),
        "latency_p99_ms" => Some(summary.latency.p99_ms),
        "latency_first_ms" => Some(summary.latency.first_ms),
        _ => summary.measures.get(name).map(|estimate| estimate.mean),
    }
}

impl Gate {
    /// Whether anything is asked beside the other side.
    #[must_use]
    pub fn compares(&self) -> bool {
        !self.against.is_empty()
    }

    /// Holds `report` against every line.
    #[must_use]
    pub fn judge(&self, report: &Report, comparison: Option<&Comparison>) -> Verdict {
        let mut lines = bounded("everybody", &self.everybody, &report.all);
        for persona in &report.personas {
            let own = self.personas.get(&persona.persona).or_else(|| self.personas.get("*"));
            lines.extend(own.into_iter().flat_map(|asked| bounded(&persona.persona, asked, &persona.summary)));
        }
        for band in &report.bands {
            let own = self.bands.get(band.band);
            lines.extend(own.into_iter().flat_map(|asked| bounded(band.band, asked, &band.summary)));
        }
        for (measure, asked) in &self.against {
            let compared = comparison.and_then(|comparison| comparison.measures.get(measure));
            let holds = |drop: f64, p: f64| drop <= asked.max_drop + ROUNDING || asked.p.is_some_and(|bound| p > bound);
            let unless = asked.p.map(|p| format!(", unless p is above {p}")).unwrap_or_default();
            lines.push(Line {
                of: "against".into(),
                measure: measure.clone(),
                bound: format!("a drop of at most {}{unless}", asked.max_drop),
                value: compared.map(|compared| -compared.difference.mean),
                passed: compared.is_some_and(|compared| holds(-compared.difference.mean, compared.p)),
            });
        }
        if !report.leaks.is_empty() && lines.iter().all(|line| line.measure != "leaks" || line.passed) {
            let value = Some(report.leaks.len() as f64);
            let (of, measure) = ("everybody".to_owned(), "leaks".to_owned());
            lines.push(Line { of, measure, bound: "at most 0, always".into(), value, passed: false });
        }
        Verdict { passed: lines.iter().all(|line| line.passed), lines }
    }
}

fn bounded(of: &str, asked: &BTreeMap<String, Bounds>, summary: &Summary) -> Vec<Line> {
    let line = |(measure, bounds): (&String, &Bounds)| {
        let value = value_of(summary, measure);
        let bound = [bounds.min.map(|min| format!("at least {min}")), bounds.max.map(|max| format!("at most {max}"))];
        let within = |value: f64| {
            bounds.min.is_none_or(|min| value >= min - ROUNDING) && bounds.max.is_none_or(|max| value <= max + ROUNDING)
        };
        Line {
            of: of.to_owned(),
            measure: measure.clone(),
            bound: bound.into_iter().flatten().collect::<Vec<_>>().join(" and "),
            value,
            passed: value.is_some_and(within),
        }
    };
    asked.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
