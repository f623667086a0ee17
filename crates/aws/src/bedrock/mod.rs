//! Bedrock: which models does an account have, and what do they answer?

mod client;
mod cohere;
mod family;
mod nova;
mod provider;
mod rerank;
mod titan;
mod wire;

pub use family::Family;
pub use provider::{Bedrock, BedrockSettings};
pub use rerank::BedrockReranker;
