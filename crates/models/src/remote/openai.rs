//! A server that speaks OpenAI's `/v1/embeddings` (vLLM, TEI, Ollama, llama.cpp, a gateway): which vectors does it give?

use std::fmt;
use std::sync::Arc;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::call::{CallError, Cost};
use super::caller::Caller;
use super::embedder::{EmbedCall, EmbedProvider, Embedded};
use super::http::Http;
use super::runtime::wait_for;
use crate::embedder::Purpose;
use crate::stamp::ModelStamp;

/// Which model at which server.
#[derive(Clone, Default)]
pub struct OpenAiSettings {
    /// Up to and with `/v1`.
    pub url: String,
    /// What the server calls the model.
    pub model: String,
    /// What the server knows the caller by.
    pub key: Option<String>,
    /// Components of a vector; asked of the server with one short text unless set.
    pub dim: Option<usize>,
    /// Whether `dim` is sent along, for models that give as many components as are wanted.
    pub send_dim: bool,
    /// Texts in one call; 64 unless set.
    pub texts_per_call: Option<usize>,
    /// Put before a stored text.
    pub document_prefix: String,
    /// Put before a question.
    pub query_prefix: String,
    /// Whether texts may go over a network unencrypted; not unless set.
    pub allow_http: bool,
    /// Whether the server takes a key under which it may keep the beginning of prompts.
    pub cache_key: bool,
}

impl fmt::Debug for OpenAiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, model, dim, .. } = self;
        let mut shown = f.debug_struct("OpenAiSettings");
        shown.field("url", url).field("model", model).field("dim", dim).finish_non_exhaustive()
    }
}

/// An embedding model behind OpenAI's interface.
#[derive(Debug)]
pub struct OpenAi {
    http: Arc<Http>,
    stamp: ModelStamp,
    origin: String,
    dimensions: Option<usize>,
    texts_per_call: usize,
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Vector>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Vector {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
}

impl OpenAi {
    /// The model of `settings`. `caller` asks it for the dimension, if that is not set.
    ///
    /// # Errors
    /// `Invalid` for a URL that will not do; what the call fails with.
    pub fn new(settings: OpenAiSettings, caller: &Caller) -> Result<Self> {
        let http = Arc::new(Http::new(&settings.url, settings.key.as_deref(), settings.allow_http)?);
        if settings.model.is_empty() {
            return Err(Error::invalid("set up model", "the model has no name"));
        }
        let dimensions = settings.dim.filter(|_| settings.send_dim);
        let dim = match settings.dim {
            Some(dim) => dim,
            None => {
                let (http, model, caller) = (Arc::clone(&http), settings.model.clone(), caller.clone());
                let ask = move || {
                    let (http, model) = (Arc::clone(&http), model.clone());
                    async move { asked(&http, &model, &["dimension".to_owned()], None).await }
                };
                let answer = wait_for(async move { caller.call(Cost { tokens: 8 }, ask).await })?;
                answer.vectors.first().map_or(0, Vec::len)
            }
        };
        let stamp = ModelStamp {
            provider: "openai".into(),
            model: settings.model,
            dim,
            normalised: true,
            document_prefix: settings.document_prefix,
            query_prefix: settings.query_prefix,
            digest: None,
        };
        let texts_per_call = settings.texts_per_call.unwrap_or(64);
        Ok(Self { http, stamp, origin: settings.url, dimensions, texts_per_call })
    }
}

async fn asked(
    http: &Http,
    model: &str,
    input: &[String],
    dimensions: Option<usize>,
) -> std::result::Result<Embedded, CallError> {
    let question = Question { model, input, encoding_format: "float", dimensions };
    let mut answer: Answer = http.post("embeddings", &question).await?;
    answer.data.sort_by_key(|vector| vector.index);
    // Not one vector for each text is none for any: it was charged all the same.
    let is_whole = answer.data.iter().map(|vector| vector.index).eq(0..input.len());
    let vectors = answer.data.into_iter().filter(|_| is_whole).map(|vector| vector.embedding).collect();
    Ok(Embedded { vectors, tokens: answer.usage.map(|usage| usage.prompt_tokens), truncated: Vec::new() })
}

impl EmbedProvider for OpenAi {
    fn stamp(&self) -> &ModelStamp {
        &self.stamp
    }

    fn origin(&self) -> Option<&str> {
        Some(&self.origin)
    }

    fn texts_per_call(&self) -> usize {
        self.texts_per_call
    }

    fn embed(&self, texts: &[String], _: Purpose) -> EmbedCall {
        let (http, model, input) = (Arc::clone(&self.http), self.stamp.model.clone(), texts.to_vec());
        let dimensions = self.dimensions;
        Box::pin(async move { asked(&http, &model, &input, dimensions).await })
    }
}

#[cfg(test)]
mod tests;
