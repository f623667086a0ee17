//! What did a change of model do, or would it do?

use serde::Serialize;

use crate::sync::{Report, Skipped, name};

/// What bringing a candidate up to its index did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReEmbedReport {
    /// The model of the index, before.
    pub from_model: String,
    /// The model of the candidate.
    pub to_model: String,
    /// Documents of the index.
    pub documents: u64,
    /// Chunks that the candidate lacked.
    pub chunks: u64,
    /// Chunks sent to the embedder; the others were known.
    pub embedded: u64,
    /// Chunks longer than the model reads: it knows their beginning only.
    pub truncated: u64,
    /// The ids of their documents, the first hundred.
    pub truncated_documents: Vec<String>,
    /// Documents that the candidate had and the index has not any more.
    pub deleted: u64,
    /// Tokens of what was embedded; those that are paid for, where the provider says.
    pub tokens: u64,
    /// What that costs, if the model has a price.
    pub cost: Option<f64>,
    /// Of the cost.
    pub currency: Option<String>,
    /// The day of the price that was counted with.
    pub priced: Option<String>,
    /// Why it ended before all was done, if it did.
    pub stopped: Option<String>,
    /// Documents that the candidate lacks still, those put aside not counted.
    pub left: u64,
    /// Documents that cannot be in it, and why.
    pub skipped: Vec<Skipped>,
    /// What looks like a mistake.
    pub warnings: Vec<String>,
    /// Whether the candidate has all documents of the index, those put aside excepted.
    pub ready: bool,
    /// The generation that it was brought up to; of a switch, the one that it made.
    pub generation: u64,
    /// Whether nothing was written.
    pub dry_run: bool,
}

impl ReEmbedReport {
    /// Takes over what embedding took.
    pub(super) fn took(&mut self, spent: Report) {
        let Report { embedded, truncated, truncated_documents, tokens, cost, currency, priced, stopped, .. } = spent;
        (self.embedded, self.truncated, self.tokens) = (embedded, truncated, tokens);
        self.truncated_documents = truncated_documents;
        (self.cost, self.currency, self.priced, self.stopped) = (cost, currency, priced, stopped);
    }

    /// Adds what an earlier round of the same work took.
    pub(super) fn add(&mut self, before: &Self) {
        self.chunks += before.chunks;
        self.embedded += before.embedded;
        self.truncated += before.truncated;
        before.truncated_documents.iter().for_each(|id| name(&mut self.truncated_documents, id));
        self.deleted += before.deleted;
        self.tokens += before.tokens;
        if let Some(cost) = before.cost {
            *self.cost.get_or_insert_default() += cost;
            self.currency.clone_from(&before.currency);
            self.priced.clone_from(&before.priced);
        }
    }

    pub(super) fn skip(&mut self, document: &str, reason: impl Into<String>) {
        self.skipped.push(Skipped { document: document.to_owned(), reason: reason.into() });
    }
}
