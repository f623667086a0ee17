//! What may be seen, and what a search gives.

use std::sync::Arc;

use safepassage_access::{LabelRank, Labels, Visible};

use crate::lexical::Statistics;
use crate::search::Plan;

/// The rows of a snapshot that one identity may see, without the dead.
#[derive(Debug, Clone)]
pub struct VisibleRows {
    pub(super) generation: u64,
    pub(super) epoch: u64,
    pub(super) parts: Vec<(usize, Visible)>,
    /// Over which rows words are counted.
    pub(super) statistics: Statistics,
}

impl VisibleRows {
    /// The same rows, of which those of `parts` are left because somebody outside withholds the others: words are counted
    /// over what is left.
    pub(super) fn withheld_but(&self, parts: Vec<(usize, Visible)>) -> Self {
        Self { statistics: Statistics::over(parts.clone()), parts, ..*self }
    }

    /// The same rows, of which somebody outside may still withhold any: words are not counted at all, since what they are
    /// counted over would show.
    #[must_use]
    pub fn uncounted(&self) -> Self {
        Self { statistics: Statistics::Flat, parts: self.parts.clone(), ..*self }
    }

    /// The epoch it holds for.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many rows are visible.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|(_, visible)| visible.len()).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One visible row with its score; the snapshot it was found in knows the rest of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Higher is better: by vector the cosine of query and passage, by words BM25F, by both what the fusion gives.
    pub score: f32,
    pub(super) row: u32,
    pub(super) segment: usize,
    pub(super) key: u64,
}

impl Hit {
    /// The same row with another score.
    #[must_use]
    pub fn scored(self, score: f32) -> Self {
        Self { score, ..self }
    }
}

/// What a search gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Best first; ties by document id, then chunk.
    pub hits: Vec<Hit>,
    /// Whether there are as many hits as k or as visible passages.
    pub complete: bool,
    /// Whether no better passage can exist.
    pub exact: bool,
    /// The recall that was promised: 1 for an exact answer, else what was asked for.
    pub recall: f32,
    /// For operators.
    pub plan: Plan,
    /// For operators.
    pub acl_epoch: u64,
    /// For operators.
    pub generation: u64,
}

/// The labels of the documents of some hits, in their order.
#[derive(Debug, Clone)]
pub struct HitLabels {
    pub(super) labels: Arc<Labels>,
    pub(super) ranks: Box<[Option<LabelRank>]>,
}

impl HitLabels {
    /// Their names; empty for a document of which nothing was ever stated.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.ranks.iter().map(|rank| rank.map_or("", |rank| self.labels.name(rank)))
    }
}
