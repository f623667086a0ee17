//! Here are the best passages by the index: which of them are given, and in which order?
//!
//! In this order: passages that say the same as a better one go, a reranker reads the rest with the question, and what is
//! chosen is spread. All of it sees visible passages alone. Candidates are fetched until there are enough that differ.

use std::collections::HashSet;

use safepassage_error::{Error, Result};
use safepassage_index::{Answer, Hit, Snapshot};
use safepassage_models::Reranker;
use safepassage_usage::Operation;

use crate::payer::{Called, Payer};
use crate::session::Session;
use crate::spans;

/// Bytes that a token stands for, by which it is estimated what a reranker reads.
const BYTES_PER_TOKEN: usize = 4;

/// What is done with candidates.
#[derive(Clone, Copy, Default)]
pub(crate) struct Refine<'a> {
    pub distinct: bool,
    pub reranker: Option<&'a dyn Reranker>,
    pub relevance: Option<f32>,
    pub candidates: Option<usize>,
}

impl std::fmt::Debug for Refine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reranker = self.reranker.map(Reranker::name);
        let Self { distinct, relevance, candidates, .. } = self;
        write!(f, "Refine {{ {distinct} {reranker:?} {relevance:?} {candidates:?} }}")
    }
}

impl Refine<'_> {
    fn is_nothing(&self) -> bool {
        !self.distinct && self.reranker.is_none() && self.relevance.is_none()
    }

    /// How many to choose from.
    fn wanted(&self, k: usize) -> usize {
        match (self.reranker, self.relevance) {
            (None, None) => k,
            _ => self.candidates.unwrap_or_else(|| k.saturating_mul(3).max(50)).max(k),
        }
    }

    pub fn check(&self) -> Result<()> {
        match self.relevance {
            Some(relevance) if !(0.0..=1.0).contains(&relevance) => {
                Err(Error::invalid("search", format!("the weight of relevance must be 0 to 1, not {relevance}")))
            }
            _ => Ok(()),
        }
    }

    /// The best `k` of what `search` finds; it is asked for so many, and for more while too many say the same.
    pub fn apply(
        &self,
        by: (&Session, &Payer),
        snapshot: &Snapshot,
        question: &str,
        k: usize,
        mut search: impl FnMut(usize) -> Result<Answer>,
    ) -> Result<Answer> {
        if self.is_nothing() || k == 0 {
            return search(k);
        }
        let wanted = self.wanted(k);
        let mut fetch = wanted;
        let (mut answer, all) = loop {
            let mut answer = search(fetch)?;
            let all = answer.hits.len() < fetch;
            if self.distinct {
                answer.hits = distinct(snapshot, answer.hits)?;
            }
            if all || answer.hits.len() >= wanted {
                break (answer, all);
            }
            fetch = fetch.saturating_mul(2);
        };
        answer.hits.truncate(wanted);
        if let Some(reranker) = self.reranker {
            answer.hits = reranked(by, snapshot, reranker, question, answer.hits)?;
        }
        if let Some(relevance) = self.relevance {
            answer.hits = snapshot.diverse(&answer.hits, k, relevance)?;
        }
        answer.hits.truncate(k);
        // Of candidates that were cut off nobody knows what a reranker would have said of them.
        answer.exact &= all || (self.reranker.is_none() && self.relevance.is_none());
        answer.recall = if answer.exact { 1.0 } else { answer.recall };
        // An answer that was cut off by a limit of its own stays what it said of itself.
        answer.complete = answer.hits.len() == k || (all && answer.complete);
        Ok(answer)
    }
}

/// The first of all hits that say the same, white space apart.
fn distinct(snapshot: &Snapshot, hits: Vec<Hit>) -> Result<Vec<Hit>> {
    let mut said = HashSet::new();
    let passages = snapshot.passages(&hits)?;
    let new = passages.iter().map(|passage| said.insert(passage.text.split_whitespace().collect::<Vec<_>>().join(" ")));
    let new: Vec<bool> = new.collect();
    Ok(hits.into_iter().zip(new).filter(|(_, new)| *new).map(|(hit, _)| hit).collect())
}

/// `hits` in the order of `reranker`. Passages with a label above what it is cleared for, or derived from such, are not sent: they come
/// after those it has read, in the order they had, with the score of the last of those.
fn reranked(
    (session, payer): (&Session, &Payer),
    snapshot: &Snapshot,
    reranker: &dyn Reranker,
    question: &str,
    hits: Vec<Hit>,
) -> Result<Vec<Hit>> {
    let Some(cleared) = reranker.cleared() else { return read(payer, snapshot, reranker, question, &hits) };
    session.engine.check_question(cleared)?;
    let may = session.cleared(snapshot, &hits, cleared.highest_label())?;
    let (sent, kept): (Vec<_>, Vec<_>) = hits.into_iter().zip(may).partition(|(_, may)| *may);
    let sent: Vec<Hit> = sent.into_iter().map(|(hit, _)| hit).collect();
    let mut all = read(payer, snapshot, reranker, question, &sent)?;
    let least = all.last().map_or(0.0, |hit| hit.score);
    all.extend(kept.into_iter().map(|(hit, _)| hit.scored(least)));
    Ok(all)
}

fn read(payer: &Payer, snapshot: &Snapshot, reranker: &dyn Reranker, question: &str, hits: &[Hit]) -> Result<Vec<Hit>> {
    if hits.is_empty() {
        return Ok(Vec::new());
    }
    let passages = snapshot.passages(hits)?;
    let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
    let span = spans::rerank(reranker, texts.len());
    // No provider says how many tokens it has read.
    let bytes: usize = texts.iter().map(|text| text.len() + question.len()).sum();
    let about = bytes.div_ceil(BYTES_PER_TOKEN) as u64;
    let (model, cleared) = (reranker.name(), reranker.cleared());
    let called = Called { operation: Operation::Rerank, model, cleared, about, span: &span };
    let scores = payer.pays(&called, || Ok((reranker.checked_scores(question, &texts)?, (about, true))))?;
    let scored = hits.iter().zip(scores).map(|(hit, score)| hit.scored(score));
    Ok(snapshot.best(scored.collect(), hits.len()))
}
