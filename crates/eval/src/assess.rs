//! Here is an index and what is asked of it: everything in one call, as the surfaces have it.

use std::sync::Arc;

use safepassage::{Engine, Fusion, Mode, Progress, Reranker, Result};

use crate::canary;
use crate::collection::Collection;
use crate::compare::compare;
use crate::evaluate::{Run, evaluate};
use crate::gate::Gate;
use crate::report::{OfIndex, Report};
use crate::retriever::EngineRetriever;

/// What is wanted beside the measures.
#[derive(Debug, Default)]
pub struct Wishes {
    /// The other side, to be compared with.
    pub against: Option<OtherSide>,
    /// Puts what is found in its order.
    pub rerank: Option<Arc<dyn Reranker>>,
    /// What must hold.
    pub gate: Option<Gate>,
    /// Whether the report has the questions themselves.
    pub show_questions: bool,
}

/// Another index, or the same one asked otherwise.
#[derive(Debug)]
pub struct OtherSide {
    /// For people.
    pub name: String,
    /// The index.
    pub engine: Engine,
    /// The recall asked for.
    pub recall: f32,
    /// By what passages are found.
    pub mode: Mode,
    /// How meaning and words are brought together.
    pub fusion: Fusion,
    /// Puts what is found in its order.
    pub rerank: Option<Arc<dyn Reranker>>,
}

/// Asks every question as everybody, looks for canaries where there are any, compares and judges.
///
/// # Errors
/// As [`evaluate`]; `Invalid`, before anything is asked, for a gate that cannot be held.
pub fn assess(
    engine: &Engine,
    collection: &Collection,
    run: &Run,
    wishes: &Wishes,
    progress: &dyn Progress,
) -> Result<Report> {
    run.check()?;
    if let Some(gate) = &wishes.gate {
        gate.check(run, collection, wishes.against.is_some())?;
    }
    let mut retriever = EngineRetriever::new(engine.clone()).by(run.mode, run.fusion).reranked(wishes.rerank.clone());
    let evaluation = evaluate(&mut retriever, collection, run, progress)?;
    let mut report = Report::new(collection, OfIndex::of(engine)?, &evaluation, wishes.show_questions);
    let canaries = canary::check(engine, &mut retriever, &collection.personas, run.recall)?;
    if canaries.canaries > 0 {
        report.add_canaries(canaries);
    }
    if let Some(OtherSide { name, engine, recall, mode, fusion, rerank }) = &wishes.against {
        let run = Run { recall: *recall, mode: *mode, fusion: *fusion, ..run.clone() };
        let mut retriever = EngineRetriever::new(engine.clone()).by(*mode, *fusion).reranked(rerank.clone());
        let there = evaluate(&mut retriever, collection, &run, progress)?;
        report.against = Some(compare(collection, &evaluation, &there, name.clone(), OfIndex::of(engine)?)?);
    }
    report.gate = wishes.gate.as_ref().map(|gate| gate.judge(&report, report.against.as_ref()));
    Ok(report)
}

impl Report {
    /// Whether nothing was given away, and every line of the gate holds, if there was one.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.leaks.is_empty() && self.gate.as_ref().is_none_or(|verdict| verdict.passed)
    }
}
