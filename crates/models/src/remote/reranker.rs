//! Here is a provider that scores passages: split them into its calls, make them beside each other, take nothing on trust.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use safepassage_error::Result;
use safepassage_error::system::Clock;
use serde::Deserialize;

use super::call::{CallError, Cost};
use super::caller::Caller;
use super::runtime::wait_for;
use crate::catalogue::Cleared;
use crate::reranker::Reranker;

/// A token of English has about four characters.
const BYTES_PER_TOKEN: usize = 4;

/// The future of one call to a provider: a score for each passage, in order.
pub type RerankCall = Pin<Box<dyn Future<Output = std::result::Result<Vec<f32>, CallError>> + Send>>;

/// Somebody outside who scores passages: how one call is put and read. A passage's score depends on that passage and the
/// question only, so that scores of several calls may stand beside each other.
pub trait RerankProvider: Send + Sync + 'static {
    /// The provider as a catalogue calls it, and what it calls the model.
    fn model(&self) -> (&str, &str);

    /// How many passages one call takes at most.
    fn passages_per_call(&self) -> usize;

    /// One attempt of one call.
    fn rerank(&self, question: &str, passages: &[String]) -> RerankCall;
}

/// A provider as a [`Reranker`].
pub struct RemoteReranker {
    name: String,
    provider: Arc<dyn RerankProvider>,
    caller: Caller,
    cleared: Cleared,
}

impl fmt::Debug for RemoteReranker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteReranker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl RemoteReranker {
    /// `provider`, called by `caller`.
    ///
    /// # Errors
    /// `Denied` if `cleared` is for another model.
    pub fn new(cleared: Cleared, provider: impl RerankProvider, caller: Caller) -> Result<Self> {
        let (by, model) = provider.model();
        cleared.check_model(by, model)?;
        let name = format!("{by}:{model}");
        Ok(Self { name, provider: Arc::new(provider), caller, cleared })
    }
}

impl Reranker for RemoteReranker {
    fn name(&self) -> &str {
        &self.name
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.cleared)
    }

    fn scores(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        self.cleared.check(Clock::system().now())?;
        let owned = |part: &[&str]| part.iter().map(|passage| (*passage).to_owned()).collect();
        let parts: Vec<Vec<String>> = passages.chunks(self.provider.passages_per_call().max(1)).map(owned).collect();
        let (caller, provider, question) = (self.caller.clone(), Arc::clone(&self.provider), question.to_owned());
        wait_for(async move {
            let beside = caller.limits().max_concurrent;
            let one = |part: Vec<String>| {
                let (caller, provider, question) = (&caller, &provider, &question);
                async move {
                    let bytes = part.iter().map(|passage| passage.len() + question.len()).sum::<usize>();
                    let cost = Cost { tokens: u32::try_from(bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX) };
                    let within = caller.limits().question_deadline;
                    caller.call_within(within, cost, || provider.rerank(question, &part)).await
                }
            };
            let scores: Vec<Vec<f32>> = stream::iter(parts).map(one).buffered(beside).try_collect().await?;
            Ok(scores.concat())
        })
    }
}

/// What providers answer: the passages with their scores, the best one first.
#[derive(Debug, Clone, Deserialize)]
pub struct Ranked {
    results: Vec<Scored>,
}

#[derive(Debug, Clone, Deserialize)]
struct Scored {
    index: usize,
    #[serde(alias = "score")]
    relevance_score: f32,
}

impl Ranked {
    /// The score of every one of so many passages, in the order of the passages.
    ///
    /// # Errors
    /// One that may be tried again, if a passage has no score, two of them, or one that is no number.
    pub fn in_order(self, passages: usize) -> std::result::Result<Vec<f32>, CallError> {
        let wrong = |what: String| CallError::unavailable(format!("the provider's answer is not usable: {what}"));
        if self.results.len() != passages {
            return Err(wrong(format!("{} scores for {passages} passages", self.results.len())));
        }
        let mut scores = vec![None; passages];
        for Scored { index, relevance_score } in self.results {
            match scores.get_mut(index) {
                Some(score @ None) if relevance_score.is_finite() => *score = Some(relevance_score),
                _ => return Err(wrong(format!("passage {index} is scored twice, is none, or has no number"))),
            }
        }
        Ok(scores.into_iter().flatten().collect())
    }
}
