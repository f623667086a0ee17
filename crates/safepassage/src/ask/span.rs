//! Here is a question to a model: which spans does it leave, for whoever watches the program?
//!
//! One of the question as a whole, with what was decided, and within it one for each model that it is put to. What is said
//! of them is what `spans.rs` says of all.

use safepassage_models::{Generator, StopReason, Usage};
use tracing::Span;
use tracing::field::{Empty, debug};

use super::Ask;
use super::answer::Answer;
use crate::spans::{TARGET, failed, kind, provider};

/// One question from its beginning until its answer is over.
#[derive(Debug, Clone)]
pub(super) struct AskSpan(Span);

impl AskSpan {
    pub fn new(ask: &Ask<'_>, id: &str) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            "ask",
            otel.kind = "internal",
            otel.status_code = Empty,
            "error.type" = Empty,
            safepassage.answer = id,
            safepassage.template = Empty,
            safepassage.k = ask.search.wanted(),
            safepassage.passages = Empty,
            safepassage.withheld = Empty,
            safepassage.filled = Empty,
            safepassage.plan = Empty,
            safepassage.acl_epoch = Empty,
        );
        Self(span)
    }

    /// Does `work` as a part of it.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    /// The prompt has left, or there was nothing to send.
    pub fn decided(&self, answer: &Answer) {
        let span = &self.0;
        span.record("safepassage.template", answer.template.as_str());
        span.record("safepassage.passages", answer.passages.len());
        span.record("safepassage.withheld", answer.withheld);
        span.record("safepassage.filled", answer.complete);
        span.record("safepassage.plan", debug(answer.plan));
        span.record("safepassage.acl_epoch", answer.acl_epoch);
    }

    /// It is over, however long the answer is kept.
    pub fn ended(&mut self, outcome: &str) {
        if outcome != "ok" {
            failed(&self.0, outcome);
        }
        self.0 = Span::none();
    }
}

/// One call of one model, until its answer is over.
#[derive(Debug)]
pub(super) struct ChatSpan(Span);

impl ChatSpan {
    pub fn new(ask: &Ask<'_>, model: &dyn Generator) -> Self {
        let (name, cleared) = (model.name(), model.cleared());
        let span = tracing::info_span!(
            target: TARGET,
            "chat",
            otel.name = format!("chat {name}"),
            otel.kind = kind(cleared),
            otel.status_code = Empty,
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = provider(cleared),
            gen_ai.request.model = name,
            gen_ai.request.max_tokens = ask.most_tokens,
            gen_ai.request.stream = true,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.response.time_to_first_chunk = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            "error.type" = Empty,
        );
        Self(span)
    }

    /// Does `work` as a part of it.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    /// The first piece is there, after so many seconds.
    pub fn begun(&self, seconds: f64) {
        self.0.record("gen_ai.response.time_to_first_chunk", seconds);
    }

    /// It is over: why, and what the provider counted.
    pub fn ended(&self, outcome: &str, reason: Option<StopReason>, usage: Option<Usage>) {
        let span = &self.0;
        if let Some(reason) = reason {
            span.record("gen_ai.response.finish_reasons", reason.name());
        }
        if let Some(usage) = usage {
            span.record("gen_ai.usage.input_tokens", usage.tokens_in);
            span.record("gen_ai.usage.output_tokens", usage.tokens_out);
            span.record("gen_ai.usage.cache_read.input_tokens", usage.tokens_cached);
        }
        if outcome != "ok" {
            failed(span, outcome);
        }
    }
}
