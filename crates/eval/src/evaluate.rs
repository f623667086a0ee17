//! Here are questions and personas: ask every question as everybody, and note what came.
//!
//! What is relevant to a persona is what was judged relevant and what it may see; a judged document that is not in the
//! index at all stays relevant, since it should have been found. Documents are ranked by their best passage, and more
//! passages are asked for until there are k documents or no more passages.

use std::collections::{BTreeMap, HashSet};

use safepassage::{Error, Fusion, Mode, Progress, Result};
use serde::Serialize;

use crate::collection::{Collection, Persona, Question, is_meant};
use crate::measure::{Measure, precision_recall};
use crate::retriever::{Found, MOST_TRIES, Retriever, Standing, Wanted, too_fast};

/// How questions are asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// At which k it is measured, ascending; searches are for the first.
    pub k: Vec<usize>,
    /// The recall asked for.
    pub recall: f32,
    /// By what passages are found.
    pub mode: Mode,
    /// How meaning and words are brought together.
    pub fusion: Fusion,
    /// A best score below this says that there is no answer.
    pub least_score: Option<f32>,
    /// Of resampling and shuffling.
    pub seed: u64,
}

impl Default for Run {
    fn default() -> Self {
        let (mode, fusion) = (Mode::default(), Fusion::default());
        Self { k: vec![10], recall: 0.95, mode, fusion, least_score: None, seed: 1 }
    }
}

impl Run {
    /// Whether it can be done.
    ///
    /// # Errors
    /// `Invalid` without a k, or with one that is 0 or stands twice.
    pub fn check(&self) -> Result<()> {
        if self.k.is_empty() || self.k[0] == 0 || !self.k.is_sorted_by(|a, b| a < b) {
            let message = "the values of k are whole numbers from 1 on, ascending";
            return Err(Error::invalid("evaluate", message));
        }
        Ok(())
    }

    /// Every measure at every k.
    pub fn measures(&self) -> impl Iterator<Item = (Measure, usize)> {
        self.k.iter().flat_map(|k| Measure::ALL.map(|measure| (measure, *k)))
    }
}

/// One question asked by one persona.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// Its place among the personas.
    pub persona: usize,
    /// Its place among the questions.
    pub question: usize,
    /// The documents, best first, each once.
    pub ranking: Vec<String>,
    /// What is relevant and may be seen, or should be there and is not.
    pub relevant: BTreeMap<String, u32>,
    /// How many relevant documents the persona may not see: for operators.
    pub out_of_reach: usize,
    /// How many relevant documents are not in the index.
    pub missing: usize,
    /// By name; none if nothing is relevant.
    pub measures: BTreeMap<String, f64>,
    /// Precision at eleven levels of recall; none if nothing is relevant.
    pub curve: Option<[f64; 11]>,
    /// Whether there were k passages, or all that may be seen.
    pub filled: bool,
    /// Whether the answer said of itself that it is exact.
    pub exact: bool,
    /// Share of the truly nearest passages that were found; none if there are none.
    pub recall_of_search: Option<f64>,
    /// How long the search took, without embedding.
    pub seconds: f64,
    /// Whether it was the persona's first: what it may see is worked out then.
    pub first: bool,
    /// The best score.
    pub best: Option<f32>,
    /// Documents that were given and must not have been.
    pub leaks: Vec<String>,
}

/// What was seen of one persona beside its questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Viewer {
    /// Its name.
    pub persona: String,
    /// How many documents it may see.
    pub visible: usize,
    /// Of how many.
    pub live: usize,
    /// Documents that are listed as visible and may not be read by the plain rules.
    pub listed_leaks: Vec<String>,
}

impl Viewer {
    /// The share of the documents that it may see.
    #[must_use]
    pub fn selectivity(&self) -> f64 {
        if self.live == 0 { 0.0 } else { self.visible as f64 / self.live as f64 }
    }
}

/// Everything that was asked.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// How.
    pub run: Run,
    /// Who, in the order of the collection.
    pub viewers: Vec<Viewer>,
    /// Persona by persona, in the order of the questions.
    pub asked: Vec<Asked>,
}

/// Asks every question of `collection` as every persona, or as its own.
///
/// # Errors
/// `Invalid` without personas; `Conflict` if permissions or content change all the while; whatever a search fails with.
pub fn evaluate(
    retriever: &mut dyn Retriever,
    collection: &Collection,
    run: &Run,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    run.check()?;
    if collection.personas.is_empty() {
        return Err(Error::invalid("evaluate", "nobody asks: give personas, or an identity"));
    }
    collection.check_personas()?;
    progress.begin("questions", collection.questions.len() as u64);
    for questions in collection.questions.chunks(64) {
        retriever.prepare(&questions.iter().collect::<Vec<_>>())?;
        progress.advance(questions.len() as u64);
    }
    progress.end();
    let asks = |persona: &Persona, question: &Question| question.persona.as_ref().is_none_or(|own| *own == persona.id);
    let total: usize =
        collection.personas.iter().map(|p| collection.questions.iter().filter(|q| asks(p, q)).count()).sum();
    progress.begin("asking", total as u64);
    let (mut viewers, mut asked) = (Vec::new(), Vec::new());
    for (p, persona) in collection.personas.iter().enumerate() {
        let mut asking = Asking { retriever: &mut *retriever, persona, run, standing: Standing::default() };
        asking.standing = asking.retriever.standing(persona)?;
        viewers.push(asking.viewer());
        let mut first = true;
        for (q, question) in collection.questions.iter().enumerate().filter(|(_, question)| asks(persona, question)) {
            let one = asking.ask(question)?;
            asked.push(Asked { persona: p, question: q, first: std::mem::take(&mut first), ..one });
            progress.advance(1);
        }
    }
    progress.end();
    Ok(Evaluation { run: run.clone(), viewers, asked })
}

struct Asking<'a> {
    retriever: &'a mut dyn Retriever,
    persona: &'a Persona,
    run: &'a Run,
    standing: Standing,
}

impl Asking<'_> {
    fn viewer(&self) -> Viewer {
        let Standing { live, visible, readable, .. } = &self.standing;
        Viewer {
            persona: self.persona.id.clone(),
            visible: visible.len(),
            live: live.len(),
            listed_leaks: visible.iter().filter(|id| !readable.has_any_of(id)).cloned().collect(),
        }
    }

    /// Searches until answer and judge are of the same epoch and generation.
    fn search(&mut self, question: &Question, wanted: Wanted) -> Result<Found> {
        for _ in 0..MOST_TRIES {
            let found = self.retriever.search(self.persona, question, wanted)?;
            if found.at == self.standing.at {
                return Ok(found);
            }
            self.standing = self.retriever.standing(self.persona)?;
        }
        Err(too_fast())
    }

    fn ask(&mut self, question: &Question) -> Result<Asked> {
        let (k, recall) = (self.run.k[0], self.run.recall);
        let found = self.search(question, Wanted { k, recall })?;
        let exact = self.search(question, Wanted { k, recall: 1.0 })?;
        let mut leaks = self.leaks(question, &found);
        leaks.extend(self.leaks(question, &exact));
        let ranking = self.ranking(question, &found, &mut leaks)?;
        leaks.sort_unstable();
        leaks.dedup();
        let Standing { live, visible, readable, .. } = &self.standing;
        let seen: u64 = visible.iter().map(|id| readable.passages_of(id)).sum();
        let expected = question.expected.iter().map(|(id, grade)| (id.clone(), *grade));
        let relevant: BTreeMap<String, u32> =
            expected.filter(|(id, _)| visible.contains(id) || !live.contains(id)).collect();
        let missing = relevant.keys().filter(|id| !live.contains(*id)).count();
        let measure = |(measure, k): (Measure, usize)| {
            Some((format!("{}@{k}", measure.name()), measure.of(&ranking, &relevant, k)?))
        };
        Ok(Asked {
            out_of_reach: question.expected.len() - relevant.len(),
            missing,
            measures: self.run.measures().filter_map(measure).collect(),
            curve: precision_recall(&ranking, &relevant),
            filled: found.passages.len() as u64 >= seen.min(k as u64),
            exact: found.exact,
            recall_of_search: recall_of(&found, &exact),
            seconds: found.seconds,
            best: found.passages.first().map(|passage| passage.score),
            relevant,
            ranking,
            leaks,
            ..Asked::default()
        })
    }

    /// The documents of a search that is deep enough for every k.
    fn ranking(&mut self, question: &Question, first: &Found, leaks: &mut Vec<String>) -> Result<Vec<String>> {
        let deepest = self.run.k.last().copied().unwrap_or_default();
        let mut k = self.run.k[0];
        let mut ranking = documents_of(first);
        let mut more = first.passages.len() >= k;
        while ranking.len() < deepest && more {
            k = (2 * k).max(deepest + deepest / 2);
            let found = self.search(question, Wanted { k, recall: self.run.recall })?;
            leaks.extend(self.leaks(question, &found));
            more = found.passages.len() >= k;
            ranking = documents_of(&found);
        }
        ranking.truncate(deepest);
        Ok(ranking)
    }

    fn leaks(&self, question: &Question, found: &Found) -> Vec<String> {
        let rules = || self.persona.must_not_see.iter().chain(&question.must_not_see);
        let leaked = found.passages.iter().filter(|passage| {
            !self.standing.readable.has(&passage.document, passage.section)
                || rules().any(|rule| is_meant(rule, &passage.document))
        });
        leaked.map(|passage| passage.document.clone()).collect()
    }
}

/// The documents of passages, in the order of each one's best.
fn documents_of(found: &Found) -> Vec<String> {
    let mut seen = HashSet::new();
    let first = found.passages.iter().filter(|passage| seen.insert(passage.document.as_str()));
    first.map(|passage| passage.document.clone()).collect()
}

/// The share of as many passages as the exact search gives that are at least as near as its last: ties count as found.
fn recall_of(found: &Found, exact: &Found) -> Option<f64> {
    let last = exact.passages.last()?.score;
    let near = found.passages.iter().filter(|passage| passage.score >= last).count();
    Some(near.min(exact.passages.len()) as f64 / exact.passages.len() as f64)
}
