//! Here is a prompt: what does a model of Bedrock answer, piece by piece?
//!
//! `ConverseStream`, or `Converse` for models that give an answer only as a whole, with the guardrail that the catalogue names.
//! Of an error the name is told and never the service's words: they may be those of the prompt.

use std::sync::Arc;

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::error::{BuildError, SdkError};
use aws_sdk_bedrockruntime::operation::converse_stream::ConverseStreamOutput as Streamed;
use aws_sdk_bedrockruntime::types::error::ConverseStreamOutputError;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ContentBlockDelta, ConversationRole, ConverseOutput, ConverseStreamOutput, GuardrailConfiguration,
    GuardrailStreamConfiguration, GuardrailStreamProcessingMode, InferenceConfiguration, Message as Said,
    StopReason as Reason, SystemContentBlock, TokenUsage,
};
use futures_util::stream;
use safepassage_error::{Error, Kind, Result};
use safepassage_models::remote::{CallError, Caller, GenerateCall, GenerateProvider, PieceStream, RemoteGenerator};
use safepassage_models::{
    CataloguedModel, Finished, Message, Piece, Request, Role, StopReason, Task, Tokenizer, Usage,
};

use super::client::Model;
use crate::account::{AccessKeys, Account, Timeouts};
use crate::fault::{quiet_error, streamed_error};

/// A model of Bedrock that answers prompts.
#[derive(Debug, Clone)]
pub struct BedrockGenerator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    model: Model,
    id: String,
    guardrail: Option<(String, String)>,
    whole: bool,
}

impl BedrockGenerator {
    /// The generator of an entry of a catalogue, called by `caller` with `keys`, or those that are found; nothing is sent
    /// yet. Tokens are counted by `tokenizer`, or estimated.
    ///
    /// # Errors
    /// `Denied` if the entry has expired, or is of another provider or for something else; `Invalid` if it has no window.
    pub fn open(
        entry: &CataloguedModel,
        keys: Option<AccessKeys>,
        caller: Caller,
        tokenizer: Option<Tokenizer>,
    ) -> Result<RemoteGenerator> {
        let (cleared, id) = (entry.cleared()?, entry.model.clone());
        cleared.check_model("bedrock", &id)?;
        entry.check_task(Task::Generate)?;
        let guardrail = entry.at.guardrail.as_deref().map(|named| match named.rsplit_once(':') {
            Some((id, version)) if !id.is_empty() && !version.is_empty() => Ok((id.to_owned(), version.to_owned())),
            _ => Err(Error::invalid("open model", format!("the guardrail `{named}` is not ID:VERSION"))),
        });
        let guardrail = guardrail.transpose()?;
        // An answer that comes only as a whole takes as long as the entry gives it.
        let timeouts = Timeouts { attempt: caller.limits().attempt, ..Timeouts::default() };
        let account = Account { keys, timeouts, ..Account::from(&entry.at) };
        let model = Model::open(&account, entry.at.profile.as_deref().unwrap_or(&id))?;
        let window = entry.texts.window.unwrap_or(0);
        let provider = Self(Arc::new(Inner { model, id, guardrail, whole: entry.texts.whole }));
        RemoteGenerator::new(cleared, provider, caller, window, tokenizer)
    }
}

impl GenerateProvider for BedrockGenerator {
    fn model(&self) -> (&str, &str) {
        ("bedrock", &self.0.id)
    }

    fn begin(&self, request: &Request) -> GenerateCall {
        let (model, request) = (Arc::clone(&self.0), request.clone());
        Box::pin(async move { if model.whole { model.whole(request).await } else { model.streamed(request).await } })
    }
}

impl Inner {
    fn client(&self) -> (&Client, &str) {
        self.model.client()
    }

    async fn streamed(&self, request: Request) -> Result<PieceStream, CallError> {
        let (client, id) = self.client();
        let Prompt { system, messages, inference } = Prompt::of(request)?;
        let mut call = client.converse_stream().model_id(id).set_system(Some(system)).set_messages(Some(messages));
        call = call.inference_config(inference);
        if let Some((id, version)) = &self.guardrail {
            // What is to be looked at is looked at before it is given out.
            let guardrail = GuardrailStreamConfiguration::builder().guardrail_identifier(id).guardrail_version(version);
            call = call.guardrail_config(guardrail.stream_processing_mode(GuardrailStreamProcessingMode::Sync).build());
        }
        let answer = call.send().await.map_err(|error| quiet_error(&error, error.raw_response()))?;
        let reading = Reading { answer, reason: None, over: false };
        Ok(Box::pin(stream::unfold(reading, Reading::next)))
    }

    async fn whole(&self, request: Request) -> Result<PieceStream, CallError> {
        let (client, id) = self.client();
        let Prompt { system, messages, inference } = Prompt::of(request)?;
        let mut call = client.converse().model_id(id).set_system(Some(system)).set_messages(Some(messages));
        call = call.inference_config(inference);
        if let Some((id, version)) = &self.guardrail {
            let guardrail = GuardrailConfiguration::builder().guardrail_identifier(id).guardrail_version(version);
            call = call.guardrail_config(guardrail.build());
        }
        let answer = call.send().await.map_err(|error| quiet_error(&error, error.raw_response()))?;
        let Some(ConverseOutput::Message(said)) = &answer.output else {
            return Err(CallError::unavailable("the answer is not of the form it must have"));
        };
        let texts = said.content.iter().filter_map(|block| match block {
            ContentBlock::Text(text) if !text.is_empty() => Some(Ok(Piece::Text(text.clone()))),
            _ => None,
        });
        let end = Finished { reason: reason(&answer.stop_reason), usage: answer.usage.as_ref().map(usage) };
        let pieces: Vec<_> = texts.chain([Ok(Piece::Finished(end))]).collect();
        Ok(Box::pin(stream::iter(pieces)))
    }
}

/// A prompt as Bedrock takes it.
struct Prompt {
    system: Vec<SystemContentBlock>,
    messages: Vec<Said>,
    inference: InferenceConfiguration,
}

impl Prompt {
    fn of(request: Request) -> Result<Self, CallError> {
        let (mut system, mut messages) = (Vec::new(), Vec::new());
        for Message { role, text } in request.messages {
            let by = match role {
                Role::System => {
                    system.push(SystemContentBlock::Text(text));
                    continue;
                }
                Role::User => ConversationRole::User,
                Role::Assistant => ConversationRole::Assistant,
            };
            let said = Said::builder().role(by).content(ContentBlock::Text(text)).build();
            let incomplete = |_: BuildError| CallError::refused(Kind::Internal, "the request cannot be made");
            messages.push(said.map_err(incomplete)?);
        }
        let most = i32::try_from(request.most_tokens).unwrap_or(i32::MAX);
        let inference = InferenceConfiguration::builder()
            .max_tokens(most)
            .set_temperature(request.temperature)
            .set_stop_sequences((!request.stop.is_empty()).then_some(request.stop))
            .build();
        Ok(Self { system, messages, inference })
    }
}

/// An answer being read.
struct Reading {
    answer: Streamed,
    reason: Option<StopReason>,
    over: bool,
}

impl Reading {
    async fn next(mut self) -> Option<(Result<Piece, CallError>, Self)> {
        if self.over {
            return None;
        }
        let next = self.piece().await;
        self.over = !matches!(next, Ok(Piece::Text(_)));
        Some((next, self))
    }

    /// Reads until there is text, or the end: the usage comes after the reason for it.
    async fn piece(&mut self) -> Result<Piece, CallError> {
        loop {
            let event = self.answer.stream.recv().await.map_err(|error| match &error {
                SdkError::ServiceError(service) => streamed_error(name(service.err())),
                _ => quiet_error(&error, None),
            })?;
            match (event, self.reason) {
                (Some(ConverseStreamOutput::ContentBlockDelta(delta)), _) => match delta.delta {
                    Some(ContentBlockDelta::Text(text)) if !text.is_empty() => return Ok(Piece::Text(text)),
                    _ => {}
                },
                (Some(ConverseStreamOutput::MessageStop(stop)), _) => self.reason = Some(reason(&stop.stop_reason)),
                (Some(ConverseStreamOutput::Metadata(metadata)), Some(reason)) => {
                    let usage = metadata.usage.as_ref().map(usage);
                    return Ok(Piece::Finished(Finished { reason, usage }));
                }
                (Some(_), _) => {}
                (None, Some(reason)) => return Ok(Piece::Finished(Finished { reason, usage: None })),
                (None, None) => return Err(CallError::unavailable("the answer was cut off")),
            }
        }
    }
}

/// The name of an error within an answer, which the SDK does not tell.
fn name(error: &ConverseStreamOutputError) -> &'static str {
    match error {
        ConverseStreamOutputError::ThrottlingException(_) => "ThrottlingException",
        ConverseStreamOutputError::ValidationException(_) => "ValidationException",
        ConverseStreamOutputError::ModelStreamErrorException(_) => "ModelStreamErrorException",
        ConverseStreamOutputError::ServiceUnavailableException(_) => "ServiceUnavailableException",
        ConverseStreamOutputError::InternalServerException(_) => "InternalServerException",
        _ => "an unknown error",
    }
}

fn reason(said: &Reason) -> StopReason {
    match said {
        Reason::EndTurn => StopReason::End,
        Reason::MaxTokens | Reason::ModelContextWindowExceeded => StopReason::Length,
        Reason::StopSequence => StopReason::StopWord,
        Reason::GuardrailIntervened => StopReason::Guardrail,
        Reason::ContentFiltered => StopReason::Filtered,
        Reason::ToolUse | Reason::MalformedToolUse => StopReason::Tool,
        _ => StopReason::Other,
    }
}

fn usage(counted: &TokenUsage) -> Usage {
    let count = |n: i32| u64::try_from(n).unwrap_or(0);
    let cached = count(counted.cache_read_input_tokens.unwrap_or(0));
    // What was read from a cache is not among the tokens of the prompt that are counted.
    let tokens_in = count(counted.input_tokens) + cached + count(counted.cache_write_input_tokens.unwrap_or(0));
    Usage { tokens_in, tokens_out: count(counted.output_tokens), tokens_cached: cached }
}
