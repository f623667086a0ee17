//! Here is a question to a model: which span does it leave, for whoever watches the program?
//!
//! Through `tracing`, with the names of OpenTelemetry's conventions for generative AI where these have one and ours under
//! `safepassage.` else. Names, numbers and reasons; no question, no passage, no answer.

use safepassage_models::{Finished, StopReason};
use tracing::Span;
use tracing::field::Empty;

use super::Ask;
use super::answer::Answer;

/// One question from its beginning until its answer is over.
#[derive(Debug, Clone)]
pub(super) struct AskSpan(Span);

impl AskSpan {
    pub fn new(ask: &Ask<'_>, id: &str) -> Self {
        let model = ask.generator.map_or("", |generator| generator.name());
        let span = tracing::info_span!(
            target: "safepassage",
            "chat",
            otel.name = format!("chat {model}"),
            otel.kind = "client",
            gen_ai.operation.name = "chat",
            gen_ai.request.model = model,
            gen_ai.request.max_tokens = ask.most_tokens,
            gen_ai.response.model = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            "error.type" = Empty,
            safepassage.answer = id,
            safepassage.template = Empty,
            safepassage.k = ask.search.wanted(),
            safepassage.passages = Empty,
            safepassage.withheld = Empty,
            safepassage.complete = Empty,
            safepassage.plan = Empty,
            safepassage.acl_epoch = Empty,
            safepassage.first_piece_ms = Empty,
        );
        Self(span)
    }

    /// The model has begun to answer, after so many milliseconds.
    pub fn begun(&self, answer: &Answer, first_ms: f64) {
        let span = &self.0;
        span.record("gen_ai.response.model", answer.model.as_str());
        span.record("safepassage.template", answer.template.as_str());
        span.record("safepassage.passages", answer.passages.len());
        span.record("safepassage.withheld", answer.withheld);
        span.record("safepassage.complete", answer.complete);
        span.record("safepassage.plan", tracing::field::debug(answer.plan));
        span.record("safepassage.acl_epoch", answer.acl_epoch);
        span.record("safepassage.first_piece_ms", first_ms);
    }

    /// The answer is whole.
    pub fn finished(&self, finished: Finished, reason: StopReason) {
        let span = &self.0;
        span.record("gen_ai.response.finish_reasons", tracing::field::debug([reason]));
        if let Some(usage) = finished.usage {
            span.record("gen_ai.usage.input_tokens", usage.tokens_in);
            span.record("gen_ai.usage.output_tokens", usage.tokens_out);
        }
    }

    /// It is over.
    pub fn ended(&self, outcome: &str) {
        if outcome != "ok" {
            self.0.record("error.type", outcome);
        }
    }
}
