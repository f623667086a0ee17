//! Here is an evaluation: what does an operator get to read?
//!
//! [`Report`] is the one object of `eval --json`. Texts of questions are in it only where they were asked for.

use std::collections::BTreeMap;

use safepassage::{Engine, Result};
use serde::Serialize;

use crate::canary::CanaryReport;
use crate::collection::Collection;
use crate::compare::Comparison;
use crate::evaluate::{Evaluation, Run};
use crate::gate::Verdict;
use crate::histogram::Histogram;
use crate::summary::{OfBand, OfPersona, Summary};

/// Parts of a distribution.
const PARTS: usize = 40;

/// Everything that one evaluation found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Which questions.
    pub collection: OfCollection,
    /// Which index.
    pub index: OfIndex,
    /// How they were asked.
    pub run: Run,
    /// Of everybody.
    pub all: Summary,
    /// Of each persona.
    pub personas: Vec<OfPersona>,
    /// Of each band of selectivity.
    pub bands: Vec<OfBand>,
    /// Who was given what they must not be given.
    pub leaks: Vec<Leak>,
    /// How latencies and best scores are spread.
    pub distributions: Distributions,
    /// What came of the canaries, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canaries: Option<CanaryReport>,
    /// The other side, if it was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Comparison>,
    /// What the gate said, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Verdict>,
    /// Question by question, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub questions: Option<Vec<OfQuestion>>,
}

/// How values of single searches are spread.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Distributions {
    /// Milliseconds of a search without embedding, up to the 95th of 100.
    pub latency_ms: Histogram,
    /// The score of the best passage.
    pub best_score: Histogram,
}

/// Which questions were asked.
#[derive(Debug, Clone, Serialize)]
pub struct OfCollection {
    /// Name of the folder or file.
    pub name: String,
    /// Which judgements of a BEIR folder.
    pub split: Option<String>,
    /// How many questions.
    pub questions: usize,
    /// How many personas.
    pub personas: usize,
}

/// Which index was asked.
#[derive(Debug, Clone, Serialize)]
pub struct OfIndex {
    /// Live documents.
    pub documents: u64,
    /// Live passages.
    pub chunks: u64,
    /// The newest generation.
    pub generation: u64,
    /// The newest epoch.
    pub acl_epoch: u64,
    /// Name of the model.
    pub model: Option<String>,
}

/// A document that somebody was given, or that was listed as visible to them, and must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// To whom.
    pub persona: String,
    /// By which question; none if it was listed.
    pub question: Option<String>,
    /// The document.
    pub document: String,
}

/// What came of one question of one persona.
#[derive(Debug, Clone, Serialize)]
pub struct OfQuestion {
    /// Its id.
    pub question: String,
    /// What was asked.
    pub text: String,
    /// Who asked.
    pub persona: String,
    /// By name; empty if nothing relevant may be seen.
    pub measures: BTreeMap<String, f64>,
    /// The documents that were found, best first.
    pub found: Vec<String>,
    /// The documents that should have been.
    pub relevant: Vec<String>,
}

impl Report {
    /// Adds what came of the canaries; what somebody got of them is a leak.
    pub fn add_canaries(&mut self, canaries: CanaryReport) {
        for persona in &canaries.personas {
            self.leaks.extend(persona.leaks.iter().map(|leak| Leak {
                persona: persona.persona.clone(),
                question: Some(format!("canary, by {}", leak.by)),
                document: leak.canary.clone(),
            }));
        }
        self.canaries = Some(canaries);
    }
}

impl OfIndex {
    /// What stands in the index of `engine`.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn of(engine: &Engine) -> Result<Self> {
        let stats = engine.stats()?;
        let model = stats.model["model"].as_str().map(str::to_owned);
        let (documents, chunks) = (stats.documents, stats.chunks);
        Ok(Self { documents, chunks, generation: stats.generation, acl_epoch: stats.acl_epoch, model })
    }
}

impl Report {
    /// The report of `evaluation`; with `questions`, their texts are in it.
    #[must_use]
    pub fn new(collection: &Collection, index: OfIndex, evaluation: &Evaluation, questions: bool) -> Self {
        let persona = |p: usize| evaluation.viewers[p].persona.clone();
        let mut leaks = Vec::new();
        for viewer in &evaluation.viewers {
            let leak = |document: &String| Leak {
                persona: viewer.persona.clone(),
                question: None,
                document: document.clone(),
            };
            leaks.extend(viewer.listed_leaks.iter().map(leak));
        }
        for asked in &evaluation.asked {
            let leak = |document: &String| Leak {
                persona: persona(asked.persona),
                question: Some(collection.questions[asked.question].id.clone()),
                document: document.clone(),
            };
            leaks.extend(asked.leaks.iter().map(leak));
        }
        let of_question = |asked: &crate::Asked| OfQuestion {
            question: collection.questions[asked.question].id.clone(),
            text: collection.questions[asked.question].text.clone(),
            persona: persona(asked.persona),
            measures: asked.measures.clone(),
            found: asked.ranking.clone(),
            relevant: asked.relevant.keys().cloned().collect(),
        };
        Self {
            collection: OfCollection {
                name: collection.name.clone(),
                split: collection.split.clone(),
                questions: collection.questions.len(),
                personas: collection.personas.len(),
            },
            index,
            run: evaluation.run.clone(),
            all: evaluation.all(),
            personas: evaluation.personas(),
            bands: evaluation.bands(),
            leaks,
            distributions: Distributions {
                latency_ms: Histogram::new(evaluation.asked.iter().map(|asked| asked.seconds * 1e3), PARTS, 0.95),
                best_score: Histogram::new(
                    evaluation.asked.iter().filter_map(|asked| asked.best).map(f64::from),
                    PARTS,
                    1.0,
                ),
            },
            canaries: None,
            against: None,
            gate: None,
            questions: questions.then(|| evaluation.asked.iter().map(of_question).collect()),
        }
    }
}
