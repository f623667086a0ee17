//! The model is somewhere else: how is it asked so that nights, quotas and outages do not matter?
//!
//! A [`Caller`] makes every call to a provider: within a deadline, within limits of requests, tokens and concurrency, again
//! after a wait where that may help, and not at all while nothing answers. It knows nothing of what is asked, so that
//! embedding, reranking and answering share it. [`RemoteEmbedder`] makes an [`crate::Embedder`] of an [`EmbedProvider`],
//! [`RemoteReranker`] a [`crate::Reranker`] of a [`RerankProvider`], [`RemoteGenerator`] a [`crate::Generator`] of a
//! [`GenerateProvider`].

mod breaker;
mod cache;
mod call;
mod caller;
mod chat;
mod concurrency;
mod earned;
mod embedder;
mod generator;
mod guardrail;
mod http;
mod openai;
mod post;
mod rate;
mod rerank_server;
mod reranker;
mod runtime;
mod sse;

pub use breaker::BreakerLimits;
pub use cache::CachedEmbedder;
pub use call::{CallError, CallLimits, Cost};
pub use caller::{Caller, Calls, Held};
pub use chat::ChatServer;
pub use embedder::{EmbedCall, EmbedProvider, Embedded, RemoteEmbedder};
pub use generator::{GenerateCall, GenerateProvider, PieceStream, RemoteGenerator};
pub use guardrail::{GuardrailCall, GuardrailProvider, RemoteGuardrail};
pub use openai::{OpenAi, OpenAiSettings};
pub use post::Post;
pub use rerank_server::RerankServer;
pub use reranker::{Ranked, RemoteReranker, RerankCall, RerankProvider};
pub use runtime::{wait, wait_for};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tokenizer::Tokenizer;

    /// Every word is a token; 8 are read.
    pub fn words() -> Tokenizer {
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"},
        });
        Tokenizer::from_json(tokenizer.to_string().as_bytes(), 8).unwrap()
    }
}
