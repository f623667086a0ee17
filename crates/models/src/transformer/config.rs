//! Here are a folder's JSON files: which network do they describe, and how is it used?
//!
//! Reads `config.json` and, where present, the files of sentence-transformers: `modules.json`, `1_Pooling/config.json`,
//! `sentence_bert_config.json`, `config_sentence_transformers.json`. What would change vectors in a way this code does not
//! compute is refused by name.

use std::collections::HashMap;

use safepassage_error::{Error, Result};
use serde::Deserialize;

/// The JSON files of a model, as bytes; those that a folder may lack are optional.
#[derive(Default)]
pub(super) struct ConfigFiles<'a> {
    pub config: &'a [u8],
    pub modules: Option<&'a [u8]>,
    pub pooling: Option<&'a [u8]>,
    pub sentence: Option<&'a [u8]>,
    pub prompts: Option<&'a [u8]>,
}

/// The naming and position rules of a family member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Bert,
    /// Positions start after the padding id; otherwise as BERT.
    Roberta,
    /// No token types, other tensor names.
    Distilbert,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    Gelu,
    GeluTanh,
}

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    Mean,
    Cls,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    pub family: Family,
    pub hidden: usize,
    pub inner: usize,
    pub heads: usize,
    pub layers: usize,
    pub vocab: usize,
    pub positions: usize,
    /// Row of the position table that the first token takes.
    pub first_position: usize,
    pub epsilon: f32,
    pub activation: Activation,
    pub pooling: Pooling,
    /// Longest text in tokens, special tokens included.
    pub max_length: usize,
    pub document_prefix: String,
    pub query_prefix: String,
}

#[derive(Deserialize)]
struct Network {
    #[serde(alias = "dim")]
    hidden_size: usize,
    #[serde(alias = "hidden_dim")]
    intermediate_size: usize,
    #[serde(alias = "n_heads")]
    num_attention_heads: usize,
    #[serde(alias = "n_layers")]
    num_hidden_layers: usize,
    #[serde(alias = "activation")]
    hidden_act: String,
    #[serde(default = "Network::default_epsilon")]
    layer_norm_eps: f32,
    max_position_embeddings: usize,
    vocab_size: usize,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
}

impl Network {
    fn default_epsilon() -> f32 {
        1e-12
    }
}

#[derive(Deserialize)]
struct Module {
    r#type: String,
}

#[derive(Deserialize)]
struct Sentence {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: HashMap<String, String>,
}

const OPERATION: &str = "load model";

fn parse<'a, T: Deserialize<'a>>(name: &'static str, bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::invalid(OPERATION, format!("`{name}` cannot be read: {error}")).because(error))
}

impl Config {
    pub fn parse(files: &ConfigFiles<'_>) -> Result<Self> {
        // The type first, so that a foreign architecture is named rather than its missing fields.
        let json: serde_json::Value = parse("config.json", files.config)?;
        let model_type = json.get("model_type").and_then(serde_json::Value::as_str).unwrap_or_default();
        let family = match model_type {
            "bert" => Family::Bert,
            "roberta" | "xlm-roberta" | "camembert" => Family::Roberta,
            "distilbert" => Family::Distilbert,
            other => return Err(unsupported("model_type", other)),
        };
        let network: Network = parse("config.json", files.config)?;
        let activation = match network.hidden_act.as_str() {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            other => return Err(unsupported("hidden_act", other)),
        };
        if let Some(other) = network.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(unsupported("position_embedding_type", other));
        }
        if network.num_attention_heads == 0
            || network.hidden_size == 0
            || network.intermediate_size == 0
            || !network.hidden_size.is_multiple_of(network.num_attention_heads)
        {
            return Err(Error::invalid(OPERATION, "`config.json` has sizes that do not fit together")
                .with("hidden_size", network.hidden_size)
                .with("intermediate_size", network.intermediate_size)
                .with("num_attention_heads", network.num_attention_heads));
        }
        check_modules(files.modules)?;
        let first_position =
            if family == Family::Roberta { network.pad_token_id.unwrap_or(1).saturating_add(1) } else { 0 };
        let room = network.max_position_embeddings.saturating_sub(first_position);
        let (document_prefix, query_prefix) = prefixes(files.prompts)?;
        Ok(Self {
            family,
            hidden: network.hidden_size,
            inner: network.intermediate_size,
            heads: network.num_attention_heads,
            layers: network.num_hidden_layers,
            vocab: network.vocab_size,
            positions: network.max_position_embeddings,
            first_position,
            epsilon: network.layer_norm_eps,
            activation,
            pooling: pooling(files.pooling)?,
            max_length: longest(files.sentence)?.map_or(room, |length| length.min(room)),
            document_prefix,
            query_prefix,
        })
    }
}

fn unsupported(field: &str, value: &str) -> Error {
    Error::invalid(OPERATION, format!("`{field}` `{value}` is not supported"))
}

/// Refuses folders whose vectors pass through more than the network, pooling and normalisation.
fn check_modules(modules: Option<&[u8]>) -> Result<()> {
    let Some(bytes) = modules else { return Ok(()) };
    let modules: Vec<Module> = parse("modules.json", bytes)?;
    let known = |name: &str| matches!(name.rsplit('.').next(), Some("Transformer" | "Pooling" | "Normalize"));
    match modules.iter().find(|module| !known(&module.r#type)) {
        Some(module) => Err(unsupported("module", &module.r#type)),
        None => Ok(()),
    }
}

fn pooling(file: Option<&[u8]>) -> Result<Pooling> {
    let Some(bytes) = file else { return Ok(Pooling::Mean) };
    let modes: HashMap<String, serde_json::Value> = parse("1_Pooling/config.json", bytes)?;
    let mut chosen: Vec<&str> =
        modes.iter().filter(|(_, value)| value.as_bool() == Some(true)).map(|(name, _)| name.as_str()).collect();
    chosen.retain(|name| name.starts_with("pooling_mode_"));
    chosen.sort_unstable();
    match chosen.as_slice() {
        [] | ["pooling_mode_mean_tokens"] => Ok(Pooling::Mean),
        ["pooling_mode_cls_token"] => Ok(Pooling::Cls),
        others => Err(unsupported("pooling", &others.join(" + "))),
    }
}

fn longest(file: Option<&[u8]>) -> Result<Option<usize>> {
    let Some(bytes) = file else { return Ok(None) };
    let sentence: Sentence = parse("sentence_bert_config.json", bytes)?;
    if sentence.do_lower_case {
        return Err(unsupported("do_lower_case", "true"));
    }
    Ok(sentence.max_seq_length)
}

/// What is put before a document and before a query.
fn prefixes(file: Option<&[u8]>) -> Result<(String, String)> {
    let Some(bytes) = file else { return Ok(Default::default()) };
    let mut prompts = parse::<Prompts>("config_sentence_transformers.json", bytes)?.prompts;
    let document = prompts.remove("document").or_else(|| prompts.remove("passage")).unwrap_or_default();
    Ok((document, prompts.remove("query").unwrap_or_default()))
}
