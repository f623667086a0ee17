//! Here are a question and passages: how well does each answer it, as a reranker of Bedrock says?
//!
//! Cohere Rerank 3.5 and Amazon Rerank, called like any other model (`InvokeModel`).

use safepassage_error::{Error, Kind, Result};
use safepassage_models::CataloguedModel;
use safepassage_models::remote::{CallError, Caller, Ranked, RemoteReranker, RerankCall, RerankProvider};
use serde::Serialize;

use super::client::Model;
use crate::account::{AccessKeys, Account};

/// What one call is charged for, and so what goes in one.
const PASSAGES_PER_CALL: usize = 100;

/// A reranker of Bedrock.
#[derive(Debug)]
pub struct BedrockReranker {
    model: Model,
    id: String,
    api_version: Option<u32>,
}

#[derive(Serialize)]
struct Request<'a> {
    query: &'a str,
    documents: &'a [String],
    top_n: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<u32>,
}

impl BedrockReranker {
    /// The reranker of an entry of a catalogue, called by `caller` with `keys`, or those that are found; nothing is sent
    /// yet.
    ///
    /// # Errors
    /// `Denied` if the entry has expired or is of another provider; `Invalid` if it is no reranker.
    pub fn open(entry: &CataloguedModel, keys: Option<AccessKeys>, caller: Caller) -> Result<RemoteReranker> {
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
        RemoteReranker::new(cleared, Self { model, id: id.to_owned(), api_version }, caller)
    }
}

impl RerankProvider for BedrockReranker {
    fn model(&self) -> (&str, &str) {
        ("bedrock", &self.id)
    }

    fn passages_per_call(&self) -> usize {
        PASSAGES_PER_CALL
    }

    fn rerank(&self, question: &str, passages: &[String]) -> RerankCall {
        let (model, api_version) = (self.model.clone(), self.api_version);
        let (query, documents) = (question.to_owned(), passages.to_vec());
        Box::pin(async move {
            let request = Request { query: &query, documents: &documents, top_n: documents.len(), api_version };
            let body = serde_json::to_vec(&request)
                .map_err(|e| CallError::refused(Kind::Internal, "the request is no JSON").because(e))?;
            let answered = model.invoke(body).await?;
            let answer: Ranked = serde_json::from_slice(&answered.body)
                .map_err(|e| CallError::unavailable("the answer is not of the form it must have").because(e))?;
            answer.in_order(documents.len())
        })
    }
}
