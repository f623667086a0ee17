//! What does a line of the ledger say?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// On whose account a call is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Who {
    /// The tenant; the empty name is the default one.
    pub tenant: String,
    /// Who asked; nobody who had signed in if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What of the caller's program it was for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amount {
    /// Tokens of prompts and answers.
    pub tokens: u64,
    /// In the currency of the catalogue.
    pub cost: f64,
}

/// What a model is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It answers a prompt.
    #[default]
    Chat,
    /// It makes the vector of a question.
    Embeddings,
    /// It says how well passages answer a question.
    Rerank,
}

impl Operation {
    /// As lines have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
        }
    }
}

/// What there is to say of a call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// The name of the answer, in the audit log too; of a search its own.
    pub answer: String,
    /// What for.
    pub operation: Operation,
    /// On whose account.
    #[serde(flatten)]
    pub who: Who,
    /// Which model, as the catalogue calls it.
    pub model: String,
    /// By which template, `name@version`; empty for what is no prompt.
    pub template: String,
    /// `ok`, `cancelled`, or the kind of the error.
    pub outcome: String,
    /// Passages in the prompt.
    pub passages: u64,
    /// Tokens of the prompt.
    pub tokens_in: u64,
    /// Tokens of the answer.
    pub tokens_out: u64,
    /// Of the prompt, those that the provider had kept.
    pub tokens_cached: u64,
    /// Whether the numbers of tokens are ours, because the provider gave none.
    pub estimated: bool,
    /// What it cost, if the catalogue says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Of the cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Milliseconds from the question to a prompt that may be sent.
    pub search_ms: f64,
    /// Milliseconds from then to the first piece of the answer.
    pub first_ms: f64,
    /// Milliseconds from the question to the end.
    pub all_ms: f64,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsageLine {
    /// When it was written, milliseconds since 1970.
    pub at_ms: u64,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Entry {
    /// A call may be made that costs this at most.
    Reserved {
        /// The name of its answer.
        answer: String,
        /// On whose account.
        #[serde(flatten)]
        who: Who,
        /// The most that it can cost.
        most: Amount,
    },
    /// A call is over.
    Settled(Call),
    /// Somebody measured how good retrieval is.
    Measured(Measured),
}

/// What was measured of an index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// By what: `eval`, `drift`.
    pub by: String,
    /// Which questions, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub questions: Option<String>,
    /// The generation that it was measured of.
    pub generation: u64,
    /// By name, such as `ndcg@10`.
    pub figures: BTreeMap<String, f64>,
}

impl Call {
    /// What budgets count: the tokens of prompts and answers, and what any call costs.
    #[must_use]
    pub fn amount(&self) -> Amount {
        let tokens = if self.operation == Operation::Chat { self.tokens_in + self.tokens_out } else { 0 };
        Amount { tokens, cost: self.cost.unwrap_or(0.0) }
    }
}
