//! Models of Bedrock, against a server that speaks its documented shapes through the real SDK.

mod embed;
mod fake;
mod faults;
mod rerank;

use std::time::Duration;

use safepassage_aws::bedrock::{Bedrock, BedrockSettings};
use safepassage_aws::{AccessKeys, Account, Timeouts};
use safepassage_models::builtin_tokenizer;
use safepassage_models::remote::{CallLimits, Caller, RemoteEmbedder};

pub use fake::vector;

pub fn account(url: &str) -> Account {
    Account {
        region: Some("eu-central-1".into()),
        endpoint_url: Some(url.into()),
        keys: Some(AccessKeys { id: "AKIDEXAMPLE".into(), secret: "secret".into(), session_token: None }),
        timeouts: Timeouts { connect: Duration::from_secs(5), attempt: Duration::from_secs(20) },
        ..Account::default()
    }
}

/// Waits of milliseconds: what is tried again is, and no test sits through the pauses of a night.
pub fn limits() -> CallLimits {
    let (first_wait, longest_wait) = (Duration::from_millis(1), Duration::from_millis(4));
    CallLimits { first_wait, longest_wait, ..CallLimits::default() }
}

pub fn embedder(url: &str, model: &str, dim: Option<usize>, limits: CallLimits) -> RemoteEmbedder {
    let settings = BedrockSettings { model: model.into(), dim, account: account(url), ..BedrockSettings::default() };
    let caller = Caller::new(limits).unwrap();
    RemoteEmbedder::new(Bedrock::open(&settings).unwrap(), caller, builtin_tokenizer(100_000).unwrap()).unwrap()
}
