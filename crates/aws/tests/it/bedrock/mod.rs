//! Models of Bedrock, against a server that speaks its documented shapes through the real SDK.

mod batch;
mod converse;
mod embed;
mod fake;
mod faults;
mod jobs;
mod rerank;
mod told;

use std::time::Duration;

use safepassage_aws::bedrock::{Bedrock, BedrockSettings};
use safepassage_aws::{AccessKeys, Account, Timeouts};
use safepassage_models::remote::{CallLimits, Caller, RemoteEmbedder};
use safepassage_models::{Catalogue, CataloguedModel, builtin_tokenizer};

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

/// An entry of a catalogue for `model` at the server `url`.
pub fn entry(url: &str, model: &str, profile: Option<&str>) -> CataloguedModel {
    let profile = profile.map(|profile| format!("profile = \"{profile}\"")).unwrap_or_default();
    let text = format!(
        "[[model]]\nname = \"m\"\nprovider = \"bedrock\"\nmodel = \"{model}\"\nhighest_label = \"restricted\"\n\
         [model.at]\nurl = \"{url}\"\nregion = \"eu-central-1\"\n{profile}"
    );
    Catalogue::parse(&text).unwrap().model("m").unwrap().clone()
}

pub fn embedder(url: &str, model: &str, dim: Option<usize>, limits: CallLimits) -> RemoteEmbedder {
    called_by(url, model, None, dim, limits)
}

pub fn called_by(
    url: &str,
    model: &str,
    profile: Option<&str>,
    dim: Option<usize>,
    limits: CallLimits,
) -> RemoteEmbedder {
    let entry = entry(url, model, profile);
    let settings = BedrockSettings { dim, account: account(url), ..BedrockSettings::from(&entry) };
    let (caller, tokenizer) = (Caller::new(limits).unwrap(), builtin_tokenizer(100_000).unwrap());
    RemoteEmbedder::new(entry.cleared().unwrap(), Bedrock::open(&settings).unwrap(), caller, tokenizer).unwrap()
}
