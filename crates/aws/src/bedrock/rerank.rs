//! Here are a question and passages: how well does each answer it, as a reranker of Bedrock says?
//!
//! Cohere Rerank 3.5 and Amazon Rerank, called like any other model (`InvokeModel`). A passage's score depends on that
//! passage and the question only, so that scores of several calls may stand beside each other.

use futures_util::{StreamExt, TryStreamExt, stream};
use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};
use safepassage_models::remote::{CallError, Caller, Cost, wait_for};
use safepassage_models::{CataloguedModel, Cleared, Reranker};
use serde::{Deserialize, Serialize};

use super::client::Model;
use crate::account::{AccessKeys, Account};

/// What one call is charged for, and so what goes in one.
const PASSAGES_PER_CALL: usize = 100;
/// A token of English has about four characters.
const BYTES_PER_TOKEN: usize = 4;

/// A reranker of Bedrock.
#[derive(Debug)]
pub struct BedrockReranker {
    model: Model,
    name: String,
    api_version: Option<u32>,
    caller: Caller,
    cleared: Cleared,
}

#[derive(Serialize)]
struct Request<'a> {
    query: &'a str,
    documents: &'a [String],
    top_n: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<u32>,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Scored>,
}

#[derive(Deserialize)]
struct Scored {
    index: usize,
    relevance_score: f32,
}

impl BedrockReranker {
    /// The reranker of an entry of a catalogue, called by `caller` with `keys`, or those that are found; nothing is sent
    /// yet.
    ///
    /// # Errors
    /// `Denied` if the entry has expired or is of another provider; `Invalid` if it is no reranker.
    pub fn open(entry: &CataloguedModel, keys: Option<AccessKeys>, caller: Caller) -> Result<Self> {
        let (cleared, id) = (entry.cleared()?, entry.model.as_str());
        cleared.check_model("bedrock", id)?;
        let api_version = match id {
            "cohere.rerank-v3-5:0" => Some(2),
            "amazon.rerank-v1:0" => None,
            id => {
                let message = format!("`{id}` is not `cohere.rerank-v3-5:0` or `amazon.rerank-v1:0`");
                return Err(Error::invalid("open model", message));
            }
        };
        let account = Account { keys, ..Account::from(&entry.at) };
        let model = Model::open(&account, entry.at.profile.as_deref().unwrap_or(id))?;
        Ok(Self { model, name: format!("bedrock:{id}"), api_version, caller, cleared })
    }
}

impl Reranker for BedrockReranker {
    fn name(&self) -> &str {
        &self.name
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.cleared)
    }

    fn scores(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        self.cleared.check(Clock::system().now())?;
        let owned = |part: &[&str]| part.iter().map(|passage| (*passage).to_owned()).collect();
        let parts: Vec<Vec<String>> = passages.chunks(PASSAGES_PER_CALL).map(owned).collect();
        let (caller, model, api_version) = (self.caller.clone(), self.model.clone(), self.api_version);
        let question = question.to_owned();
        wait_for(async move {
            let beside = caller.limits().max_concurrent;
            let one = |part: Vec<String>| {
                let (caller, model, question) = (&caller, &model, &question);
                async move {
                    let bytes = part.iter().map(|passage| passage.len() + question.len()).sum::<usize>();
                    let cost = Cost { tokens: u32::try_from(bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX) };
                    let within = caller.limits().question_deadline;
                    caller.call_within(within, cost, || ask(model, question, &part, api_version)).await
                }
            };
            let scores: Vec<Vec<f32>> = stream::iter(parts).map(one).buffered(beside).try_collect().await?;
            Ok(scores.concat())
        })
    }
}

/// One attempt for one part.
async fn ask(
    model: &Model,
    query: &str,
    documents: &[String],
    api_version: Option<u32>,
) -> std::result::Result<Vec<f32>, CallError> {
    let request = Request { query, documents, top_n: documents.len(), api_version };
    let body = serde_json::to_vec(&request)
        .map_err(|e| CallError::refused(Kind::Internal, "the request is no JSON").because(e))?;
    let answered = model.invoke(body).await?;
    let answer: Answer = serde_json::from_slice(&answered.body)
        .map_err(|e| CallError::unavailable("the answer is not of the form it must have").because(e))?;
    in_order(answer.results, documents.len()).map_err(CallError::unavailable)
}

/// The score of every passage, in the order of the passages; the answer has the best one first.
fn in_order(results: Vec<Scored>, passages: usize) -> std::result::Result<Vec<f32>, String> {
    let wrong = |what: String| format!("the provider's answer is not usable: {what}");
    if results.len() != passages {
        return Err(wrong(format!("{} scores for {passages} passages", results.len())));
    }
    let mut scores = vec![None; passages];
    for Scored { index, relevance_score } in results {
        match scores.get_mut(index) {
            Some(score @ None) if relevance_score.is_finite() => *score = Some(relevance_score),
            _ => return Err(wrong(format!("passage {index} is scored twice, is none, or has no number"))),
        }
    }
    Ok(scores.into_iter().flatten().collect())
}
