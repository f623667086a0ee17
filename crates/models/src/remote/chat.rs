//! A server that speaks OpenAI's `/v1/chat/completions` in events (vLLM, llama.cpp, Ollama, a gateway): what does it answer?

use std::sync::Arc;

use futures_util::stream;
use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::call::CallError;
use super::generator::{GenerateCall, GenerateProvider, PieceStream};
use super::http::{EventStream, Http};
use super::openai::OpenAiSettings;
use crate::generator::{Finished, Message, Piece, Request, Role, StopReason, Usage};

/// A model that answers prompts, behind OpenAI's interface.
#[derive(Debug)]
pub struct ChatServer {
    http: Arc<Http>,
    model: String,
    cache_key: bool,
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    max_tokens: u32,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: Role,
    content: &'a str,
}

impl<'a> From<&'a Message> for Said<'a> {
    fn from(message: &'a Message) -> Self {
        Self { role: message.role, content: &message.text }
    }
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// What an event may have.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counted>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Counted {
    prompt_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

impl ChatServer {
    /// The model of `settings`; of these its URL, model and key, and whether it takes keys of caches.
    ///
    /// # Errors
    /// `Invalid` for a URL that will not do, or no model.
    pub fn new(settings: OpenAiSettings) -> Result<Self> {
        let http = Arc::new(Http::new(&settings.url, settings.key.as_deref(), settings.allow_http)?);
        if settings.model.is_empty() {
            return Err(Error::invalid("set up model", "the model has no name"));
        }
        Ok(Self { http, model: settings.model, cache_key: settings.cache_key })
    }
}

impl GenerateProvider for ChatServer {
    fn model(&self) -> (&str, &str) {
        ("openai", &self.model)
    }

    fn begin(&self, request: &Request) -> GenerateCall {
        let (http, model, request) = (Arc::clone(&self.http), self.model.clone(), request.clone());
        let cache_key = request.cache_key.clone().filter(|_| self.cache_key);
        Box::pin(async move {
            let question = Question {
                model: &model,
                messages: request.messages.iter().map(Said::from).collect(),
                max_tokens: request.most_tokens,
                stream: true,
                stream_options: StreamOptions { include_usage: true },
                stop: &request.stop,
                temperature: request.temperature,
                prompt_cache_key: cache_key.as_deref(),
            };
            let events = http.events("chat/completions", &question).await?;
            let reading = Reading { events, reason: None, usage: None, failed: None, over: false };
            Ok(Box::pin(stream::unfold(reading, Reading::next)) as PieceStream)
        })
    }
}

/// An answer being read.
struct Reading {
    events: EventStream,
    reason: Option<StopReason>,
    usage: Option<Usage>,
    /// What it broke off with, once it is said what was counted until then.
    failed: Option<CallError>,
    over: bool,
}

impl Reading {
    async fn next(mut self) -> Option<(std::result::Result<Piece, CallError>, Self)> {
        if self.over {
            return None;
        }
        let next = match self.failed.take() {
            Some(failed) => Err(failed),
            None => self.piece().await,
        };
        match (next, self.usage.take()) {
            (Err(failed), Some(usage)) => {
                self.failed = Some(failed);
                Some((Ok(Piece::Counted(usage)), self))
            }
            (next, usage) => {
                self.usage = usage;
                self.over = !matches!(next, Ok(Piece::Text(_)));
                Some((next, self))
            }
        }
    }

    /// Reads until there is text, or the end: after the reason for it there may be one more event with the usage.
    async fn piece(&mut self) -> std::result::Result<Piece, CallError> {
        loop {
            let event = match self.events.next().await {
                Ok(Some(event)) if event != b"[DONE]" => event,
                Ok(_) => return self.finished(),
                Err(failed) => return self.finished().or(Err(failed)),
            };
            let Event { choices, usage, error } = read(&event)?;
            if let Some(Counted { prompt_tokens, completion_tokens, prompt_tokens_details }) = usage {
                let tokens_cached = prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
                self.usage = Some(Usage { tokens_in: prompt_tokens, tokens_out: completion_tokens, tokens_cached });
            }
            if error.is_some() {
                return Err(CallError::unavailable("the server gave up in the middle of the answer"));
            }
            let Some(choice) = choices.into_iter().find(|choice| choice.index == 0) else { continue };
            self.reason = choice.finish_reason.as_deref().map(reason).or(self.reason);
            match choice.delta.content {
                Some(text) if !text.is_empty() => return Ok(Piece::Text(text)),
                _ => {}
            }
        }
    }

    fn finished(&self) -> std::result::Result<Piece, CallError> {
        match self.reason {
            Some(reason) => Ok(Piece::Finished(Finished { reason, usage: self.usage })),
            None => Err(CallError::unavailable("the answer was cut off")),
        }
    }
}

/// An event; what is wrong with one is not told, since it may be the answer's own words.
fn read(event: &[u8]) -> std::result::Result<Event, CallError> {
    serde_json::from_slice(event).map_err(|_| CallError::unavailable("the answer is not of the form it must have"))
}

fn reason(said: &str) -> StopReason {
    match said {
        "stop" => StopReason::End,
        "length" => StopReason::Length,
        "content_filter" => StopReason::Filtered,
        "tool_calls" | "function_call" => StopReason::Tool,
        _ => StopReason::Other,
    }
}

#[cfg(test)]
mod tests;
