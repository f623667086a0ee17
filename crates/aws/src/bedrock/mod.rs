//! Bedrock: which models does an account have, and what do they answer?

pub mod batch;
mod client;
mod cohere;
mod converse;
mod family;
mod guardrail;
mod nova;
mod provider;
mod rerank;
mod titan;
mod wire;

pub use converse::BedrockGenerator;
pub use family::Family;
pub use guardrail::BedrockGuardrail;
pub use provider::{Bedrock, BedrockSettings};
pub use rerank::BedrockReranker;
