//! Which rows of a segment may this identity see?
//!
//! [`Permitted`] holds for the whole index, [`Visible`] for one segment of it. Both have private constructors: a
//! [`Visible`] comes out of [`SegmentAccess::visible`](crate::SegmentAccess::visible) and can afterwards only get
//! smaller.

use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use crate::bits::Bits;
use crate::document::Tenant;
use crate::identity::{Identity, IdentityDigest};
use crate::plane::{Effective, Passes};
use crate::remembered::Remember;

/// The effective ACLs an identity passes at one epoch.
#[derive(Debug, Clone)]
pub struct Permitted(Arc<PermittedAt>);

#[derive(Debug)]
struct PermittedAt {
    tenant: Tenant,
    digest: IdentityDigest,
    epoch: u64,
    passes: Passes,
}

impl Permitted {
    pub(crate) fn new(identity: &Identity, epoch: u64, passes: Passes) -> Self {
        let (tenant, digest) = (identity.tenant().clone(), identity.digest());
        Self(Arc::new(PermittedAt { tenant, digest, epoch, passes }))
    }

    /// The epoch it holds for.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// The tenant whose segments it opens.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.0.tenant
    }

    pub(crate) fn digest(&self) -> IdentityDigest {
        self.0.digest
    }

    /// The numbers of the effective ACLs that let it pass.
    pub(crate) fn effective(&self) -> &Bits {
        &self.0.passes.effective
    }

    pub(crate) fn lets_pass(&self, effective: &Effective) -> bool {
        self.0.passes.permits(effective)
    }
}

impl Remember for Permitted {
    fn bytes(&self) -> usize {
        self.0.passes.bytes()
    }

    fn at_rest(&self) -> Option<Self> {
        None
    }
}

/// The rows of one segment that one identity may see at one epoch: one bit a row.
#[derive(Debug, Clone)]
pub struct Visible {
    epoch: u64,
    segment_rows: u32,
    set: Arc<RowSet>,
}

/// The rows behind a [`Visible`].
#[derive(Debug)]
struct RowSet {
    rows: Bits,
    len: u64,
    list: OnceLock<Box<[u32]>>,
}

impl Visible {
    pub(crate) fn new(epoch: u64, segment_rows: u32, rows: Bits) -> Self {
        let set = RowSet { len: rows.len(), rows, list: OnceLock::new() };
        Self { epoch, segment_rows, set: Arc::new(set) }
    }

    /// The same rows at another epoch: only for a set that does not depend on it.
    pub(crate) fn at(&self, epoch: u64) -> Self {
        Self { epoch, ..self.clone() }
    }

    /// The epoch it holds for.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many rows the segment has; row ids are below it.
    #[must_use]
    pub fn segment_rows(&self) -> u32 {
        self.segment_rows
    }

    /// Whether `row` is visible; a row the segment does not have is not.
    #[inline]
    #[must_use]
    pub fn contains(&self, row: u32) -> bool {
        self.set.rows.contains(row)
    }

    /// The visible rows as bits: `row` is bit `row % 64` of word `row / 64`. As many words as the segment's rows need;
    /// bits beyond its last row are zero.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        self.set.rows.words()
    }

    /// The visible rows, ascending. Made when first asked for and kept: 4 bytes a visible row.
    #[must_use]
    pub fn list(&self) -> &[u32] {
        self.set.list.get_or_init(|| self.set.rows.iter().collect())
    }

    /// The visible rows as a compressed set, made anew. `O(segment rows / 64 + visible rows)`.
    #[must_use]
    pub fn rows(&self) -> RoaringBitmap {
        self.set.rows.to_roaring()
    }

    /// How many rows are visible.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.set.len
    }

    /// Whether no row is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.len == 0
    }

    /// Only those rows that are also in `keep`.
    #[must_use]
    pub fn narrowed_to(&self, keep: &RoaringBitmap) -> Self {
        let mut rows = Bits::none(self.segment_rows as usize);
        for row in keep.range(..self.segment_rows).filter(|row| self.contains(*row)) {
            rows.insert(row);
        }
        Self::new(self.epoch, self.segment_rows, rows)
    }

    /// Only those rows whose bits are set in `words` too, laid out as [`Visible::words`]. Rows beyond the words are gone.
    #[must_use]
    pub fn within(&self, words: &[u64]) -> Self {
        let mut rows = self.set.rows.clone();
        rows.intersect(words);
        Self::new(self.epoch, self.segment_rows, rows)
    }

    /// Without the rows in `gone`.
    #[must_use]
    pub fn without(&self, gone: &RoaringBitmap) -> Self {
        if gone.is_empty() {
            return self.clone();
        }
        let mut rows = self.set.rows.clone();
        gone.iter().for_each(|row| rows.remove(row));
        Self::new(self.epoch, self.segment_rows, rows)
    }
}

/// A [`Visible`] as a segment remembers it; the epoch and the segment are the rememberer's.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// Ready for use.
    Dense(Visible),
    /// Few rows that have not been asked for lately.
    AtRest(Arc<RoaringBitmap>),
}

impl Remember for Kept {
    fn bytes(&self) -> usize {
        match self {
            Self::Dense(visible) => {
                size_of_val(visible.words()) + visible.set.list.get().map_or(0, |list| size_of_val(&**list))
            }
            Self::AtRest(rows) => rows.serialized_size(),
        }
    }

    /// Finding many rows again costs no more than unpacking them, so only few rows rest.
    fn at_rest(&self) -> Option<Self> {
        match self {
            Self::Dense(visible) if visible.len() < visible.words().len() as u64 => {
                Some(Self::AtRest(Arc::new(visible.rows())))
            }
            _ => None,
        }
    }
}
