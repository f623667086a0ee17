//! A search, and the models that it calls: what does whoever watches the program see of them?
//!
//! Spans of `tracing` under one target, with the names of OpenTelemetry's conventions for generative AI where these have one
//! and ours under `safepassage.` else. Names, numbers and reasons: no question, no passage, no answer. There is no switch
//! that would put these in.

use safepassage_error::Result;
use safepassage_models::{Cleared, Guardrail, ModelStamp, Reranker};
use tracing::Span;
use tracing::field::{Empty, debug};

use crate::hits::VectorHits;
use crate::search::Mode;

/// Of every span and event of ours.
pub(crate) const TARGET: &str = "safepassage";
/// Who retrieves, and who computes what does not leave the process.
pub(crate) const HERE: &str = "safepassage";

/// Does `work` within `span`, which learns with what kind of error it failed.
pub(crate) fn within<T>(span: &Span, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = span.in_scope(work);
    if let Err(error) = &done {
        failed(span, error.kind().name());
    }
    done
}

/// It ended otherwise than well.
pub(crate) fn failed(span: &Span, outcome: &str) {
    span.record("error.type", outcome);
    span.record("otel.status_code", "ERROR");
}

/// Of whom a model is, as the conventions call them.
pub(crate) fn provider(cleared: Option<&Cleared>) -> &str {
    match cleared.map(Cleared::provider) {
        None => HERE,
        Some("bedrock") => "aws.bedrock",
        Some(other) => other,
    }
}

/// Whether a call leaves the process.
pub(crate) fn kind(cleared: Option<&Cleared>) -> &'static str {
    if cleared.is_some() { "client" } else { "internal" }
}

/// A search for `k` passages.
pub(crate) fn retrieval(mode: Mode, k: usize) -> Span {
    tracing::info_span!(
        target: TARGET,
        "retrieval",
        otel.kind = "internal",
        otel.status_code = Empty,
        gen_ai.operation.name = "retrieval",
        gen_ai.provider.name = HERE,
        gen_ai.retrieval.top_k = k,
        "error.type" = Empty,
        safepassage.mode = debug(mode),
        safepassage.k = k,
        safepassage.hits = Empty,
        safepassage.filled = Empty,
        safepassage.exact = Empty,
        safepassage.plan = Empty,
        safepassage.acl_epoch = Empty,
        safepassage.generation = Empty,
    )
}

/// What a search gave.
pub(crate) fn retrieved(span: &Span, found: &VectorHits) {
    span.record("safepassage.hits", found.ids().len());
    span.record("safepassage.filled", found.complete());
    span.record("safepassage.exact", found.exact());
    span.record("safepassage.plan", debug(found.plan()));
    span.record("safepassage.acl_epoch", found.acl_epoch());
    span.record("safepassage.generation", found.generation());
}

/// A question's vector.
pub(crate) fn embeddings(stamp: &ModelStamp, cleared: Option<&Cleared>) -> Span {
    tracing::info_span!(
        target: TARGET,
        "embeddings",
        otel.name = format!("embeddings {}", stamp.model),
        otel.kind = kind(cleared),
        otel.status_code = Empty,
        gen_ai.operation.name = "embeddings",
        gen_ai.provider.name = provider(cleared),
        gen_ai.request.model = stamp.model,
        gen_ai.embeddings.dimension.count = stamp.dim,
        gen_ai.usage.input_tokens = Empty,
        "error.type" = Empty,
    )
}

/// Candidates that are read with the question.
pub(crate) fn rerank(reranker: &dyn Reranker, candidates: usize) -> Span {
    tracing::info_span!(
        target: TARGET,
        "rerank",
        otel.name = format!("rerank {}", reranker.name()),
        otel.kind = kind(reranker.cleared()),
        otel.status_code = Empty,
        gen_ai.operation.name = "rerank",
        gen_ai.provider.name = provider(reranker.cleared()),
        gen_ai.request.model = reranker.name(),
        gen_ai.usage.input_tokens = Empty,
        "error.type" = Empty,
        safepassage.candidates = candidates,
    )
}

/// A look at what goes to a model or comes from it.
pub(crate) fn guardrail(guardrail: &dyn Guardrail, direction: &'static str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "guardrail",
        otel.name = format!("guardrail {}", guardrail.name()),
        otel.kind = kind(guardrail.cleared()),
        otel.status_code = Empty,
        gen_ai.operation.name = "guardrail",
        gen_ai.provider.name = provider(guardrail.cleared()),
        gen_ai.request.model = guardrail.name(),
        "error.type" = Empty,
        safepassage.direction = direction,
        safepassage.intervened = Empty,
    )
}
