//! Here is a report: which of its figures are kept in the ledger, to be seen over time?
//!
//! Means of all questions and counts; no question, no document, no name of a persona.

use std::collections::BTreeMap;

use safepassage::usage::Measured;

use crate::drift::Drift;
use crate::report::Report;

/// The figures of an evaluation.
#[must_use]
pub fn measured(report: &Report) -> Measured {
    let all = &report.all;
    let mut figures: BTreeMap<String, f64> =
        all.measures.iter().map(|(name, estimate)| (name.clone(), estimate.mean)).collect();
    let counts = [("asked", all.asked), ("answerable", all.answerable), ("leaks", report.leaks.len())];
    figures.extend(counts.map(|(name, count)| (name.to_owned(), count as f64)));
    figures.extend([("k_fill", all.k_fill), ("exact", all.exact)].map(|(name, share)| (name.to_owned(), share)));
    figures.extend(all.recall_of_search.map(|recall| ("recall_of_search".to_owned(), recall)));
    let latency = [("latency_p50_ms", all.latency.p50_ms), ("latency_p99_ms", all.latency.p99_ms)];
    figures.extend(latency.map(|(name, ms)| (name.to_owned(), ms)));
    let questions = Some(report.collection.name.clone());
    Measured { by: "eval".to_owned(), questions, generation: report.index.generation, figures }
}

/// The figures of a look at the embeddings; `questions` is where those came from whose scores were compared.
#[must_use]
pub fn drifted(drift: &Drift, questions: Option<String>) -> Measured {
    let mut figures = BTreeMap::from([
        ("from_generation".to_owned(), drift.from.generation as f64),
        ("documents".to_owned(), drift.to.documents as f64),
        ("duplicates".to_owned(), drift.to.duplicates),
    ]);
    if let Some(shift) = &drift.shift {
        let own = [
            ("mean_angle", shift.mean_angle),
            ("mean_distance", shift.mean_distance),
            ("standardised", shift.standardised),
            ("energy", shift.energy),
            ("energy_p", shift.energy_p),
        ];
        figures.extend(own.map(|(name, value)| (name.to_owned(), value)));
    }
    if let Some(scores) = &drift.scores {
        let own = [
            ("score_p50", scores.to.p50),
            ("score_largest_difference", scores.largest_difference),
            ("score_p", scores.p),
        ];
        figures.extend(own.map(|(name, value)| (name.to_owned(), value)));
    }
    Measured { by: "drift".to_owned(), questions, generation: drift.to.generation, figures }
}
