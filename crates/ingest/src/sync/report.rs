//! What did a sync do?

use serde::Serialize;

/// Something that was put aside, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The document's id, or the file and line if it has none that can be read.
    pub document: String,
    /// For a person; no text of the document.
    pub reason: String,
}

/// What a sync did, or with `dry_run` would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Documents that were not in the index.
    pub added: u64,
    /// Documents with new content.
    pub changed: u64,
    /// Documents with the same content and another ACL or label.
    pub permission_only: u64,
    /// Documents that are gone from the source.
    pub deleted: u64,
    /// Documents that stayed as they were.
    pub unchanged: u64,
    /// What was put aside.
    pub skipped: Vec<Skipped>,
    /// ACL objects that say something else than before.
    pub acl_objects: u64,
    /// How many documents state no ACL: visible to nobody.
    pub without_acl: u64,
    /// Their ids, the first hundred.
    pub without_acl_documents: Vec<String>,
    /// What looks like a mistake.
    pub warnings: Vec<String>,
    /// Chunks of added and changed documents.
    pub chunks: u64,
    /// Chunks sent to the embedder; the others were known.
    pub embedded: u64,
    /// Chunks longer than the model reads: it knows their beginning only.
    pub truncated: u64,
    /// The ids of their documents, the first hundred.
    pub truncated_documents: Vec<String>,
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
    /// Documents that were left for another run.
    pub left: u64,
    /// The generation now current.
    pub generation: u64,
    /// The epoch now in force.
    pub acl_epoch: u64,
    /// Whether nothing was written.
    pub dry_run: bool,
}

/// So many ids are named.
const MOST_NAMED: usize = 100;

/// Adds `id` to `named`, where one document after the other comes, each perhaps several times in a row.
pub(crate) fn name(named: &mut Vec<String>, id: &str) {
    if named.len() < MOST_NAMED && named.last().is_none_or(|last| last != id) {
        named.push(id.to_owned());
    }
}

impl Report {
    pub(super) fn skip(&mut self, document: impl Into<String>, reason: impl Into<String>) {
        self.skipped.push(Skipped { document: document.into(), reason: reason.into() });
    }
}
