//! A server that speaks `/v1/rerank` as Cohere wrote it first (vLLM, llama.cpp, Infinity, Jina, a gateway): how well does
//! each passage answer the question?

use std::sync::Arc;

use safepassage_error::Result;
use serde::Serialize;

use super::http::Http;
use super::openai::OpenAiSettings;
use super::reranker::{Ranked, RerankCall, RerankProvider};

/// A reranker behind HTTP.
#[derive(Debug)]
pub struct RerankServer {
    http: Arc<Http>,
    model: String,
    passages_per_call: usize,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    query: &'a str,
    documents: &'a [String],
    top_n: usize,
}

impl RerankServer {
    /// The model of `settings`; of these its URL, model, key and number of texts in a call.
    ///
    /// # Errors
    /// `Invalid` for a URL that will not do.
    pub fn new(settings: OpenAiSettings) -> Result<Self> {
        let http = Arc::new(Http::new(&settings.url, settings.key.as_deref(), settings.allow_http)?);
        Ok(Self { http, model: settings.model, passages_per_call: settings.texts_per_call.unwrap_or(64) })
    }
}

impl RerankProvider for RerankServer {
    fn model(&self) -> (&str, &str) {
        ("openai", &self.model)
    }

    fn passages_per_call(&self) -> usize {
        self.passages_per_call
    }

    fn rerank(&self, question: &str, passages: &[String]) -> RerankCall {
        let (http, model) = (Arc::clone(&self.http), self.model.clone());
        let (query, documents) = (question.to_owned(), passages.to_vec());
        Box::pin(async move {
            let request = Request { model: &model, query: &query, documents: &documents, top_n: documents.len() };
            let answer: Ranked = http.post("rerank", &request).await?;
            answer.in_order(documents.len())
        })
    }
}
