//! Which rows of a segment may this identity see?
//!
//! [`Permitted`] holds for the whole index, [`Visible`] for one segment of it. Both have private constructors: a
//! [`Visible`] comes out of [`SegmentAccess::visible`] and can afterwards only get smaller.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringBitmap;
use safepassage_error::{Error, Kind, Result};

use crate::document::{Column, Tenant};
use crate::identity::{Identity, IdentityDigest};
use crate::plane::{AccessPlane, Clearance, Effective, RowPermission};
use crate::principal::Principal;

/// How many identities a segment remembers before it forgets them all.
const REMEMBERED_IDENTITIES: usize = 1024;

/// The effective ACLs an identity passes at one epoch.
#[derive(Debug, Clone)]
pub struct Permitted {
    tenant: Tenant,
    digest: IdentityDigest,
    epoch: u64,
    clearance: Clearance,
    principals: BTreeSet<Principal>,
    passes: RoaringBitmap,
}

impl Permitted {
    pub(crate) fn new(
        identity: &Identity,
        epoch: u64,
        clearance: Clearance,
        principals: BTreeSet<Principal>,
        passes: RoaringBitmap,
    ) -> Self {
        Self { tenant: identity.tenant().clone(), digest: identity.digest(), epoch, clearance, principals, passes }
    }

    /// The epoch it holds for.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The tenant whose segments it opens.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    fn lets_pass(&self, effective: &Effective) -> bool {
        effective.permits(&self.principals, self.clearance)
    }
}

/// The rows of one segment that one identity may see at one epoch.
#[derive(Debug, Clone)]
pub struct Visible {
    epoch: u64,
    segment_rows: u32,
    rows: Arc<RoaringBitmap>,
}

impl Visible {
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

    /// The visible rows.
    #[must_use]
    pub fn rows(&self) -> &RoaringBitmap {
        &self.rows
    }

    /// How many rows are visible.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows.len()
    }

    /// Whether no row is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Only those rows that are also in `keep`.
    #[must_use]
    pub fn narrowed_to(&self, keep: &RoaringBitmap) -> Self {
        Self { rows: Arc::new(&*self.rows & keep), ..*self }
    }

    /// Without the rows in `gone`.
    #[must_use]
    pub fn without(&self, gone: &RoaringBitmap) -> Self {
        if gone.is_empty() {
            return self.clone();
        }
        Self { rows: Arc::new(&*self.rows - gone), ..*self }
    }
}

/// The documents of one segment with their permissions at the last epoch asked for, and the identities seen lately.
#[derive(Debug)]
pub struct SegmentAccess {
    column: Column,
    /// Document ordinals in the order of their numbers, to find a changed document.
    by_number: Vec<u32>,
    resolved: Mutex<Resolved>,
}

#[derive(Debug, Default)]
struct Resolved {
    epoch: u64,
    /// The effective ACL of every document, [`NOBODY`] or [`OWN`].
    effective: Vec<u32>,
    /// Effective ACLs that only rows of an older version have.
    own: HashMap<u32, Effective>,
    remembered: HashMap<IdentityDigest, Arc<RoaringBitmap>>,
}

const NOBODY: u32 = u32::MAX;
const OWN: u32 = u32::MAX - 1;

impl SegmentAccess {
    /// Starts with nothing resolved.
    #[must_use]
    pub fn new(column: Column) -> Self {
        let mut by_number: Vec<u32> = (0..column.documents()).map(|i| u32::try_from(i).unwrap_or(u32::MAX)).collect();
        by_number.sort_unstable_by_key(|&i| column.document(i as usize).0);
        Self { column, by_number, resolved: Mutex::default() }
    }

    /// The documents.
    #[must_use]
    pub fn column(&self) -> &Column {
        &self.column
    }

    /// The rows of this segment that `permitted` opens. Remembered by (identity digest, epoch); cold it costs one pass
    /// over the documents.
    ///
    /// # Errors
    /// `Conflict` if `permitted` was made at another epoch than `plane` is at.
    pub fn visible(&self, plane: &AccessPlane, permitted: &Permitted) -> Result<Visible> {
        if permitted.epoch != plane.epoch() {
            return Err(Error::new(Kind::Conflict, "find visible rows", "permissions changed meanwhile; ask again"));
        }
        let segment_rows = self.column.rows();
        let with = |rows| Visible { epoch: permitted.epoch, segment_rows, rows };
        if *self.column.tenant() != permitted.tenant {
            return Ok(with(Arc::default()));
        }
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        self.bring_to(plane, &mut resolved);
        if let Some(rows) = resolved.remembered.get(&permitted.digest) {
            return Ok(with(Arc::clone(rows)));
        }
        let rows = Arc::new(self.rows_passing(&resolved, permitted));
        if resolved.remembered.len() >= REMEMBERED_IDENTITIES {
            resolved.remembered.clear();
        }
        resolved.remembered.insert(permitted.digest, Arc::clone(&rows));
        Ok(with(rows))
    }

    fn rows_passing(&self, resolved: &Resolved, permitted: &Permitted) -> RoaringBitmap {
        let mut passes = vec![false; permitted.passes.max().map_or(0, |highest| highest as usize + 1)];
        permitted.passes.iter().for_each(|id| passes[id as usize] = true);
        let mut rows = RoaringBitmap::new();
        for (i, &effective) in resolved.effective.iter().enumerate() {
            let pass = match effective {
                NOBODY => false,
                OWN => resolved.own.get(&(i as u32)).is_some_and(|own| permitted.lets_pass(own)),
                id => passes.get(id as usize).copied().unwrap_or(false),
            };
            if pass {
                rows.insert_range(self.column.rows_of(i));
            }
        }
        rows
    }

    /// Looks the documents' permissions up at the plane's epoch: all of them the first time, the changed ones later.
    fn bring_to(&self, plane: &AccessPlane, resolved: &mut Resolved) {
        if resolved.epoch == plane.epoch() && resolved.effective.len() == self.column.documents() {
            return;
        }
        resolved.remembered.clear();
        if resolved.effective.len() == self.column.documents() && resolved.epoch < plane.epoch() {
            for number in plane.changes_since(resolved.epoch) {
                let at = self.by_number.binary_search_by_key(&number, |&i| self.column.document(i as usize).0);
                if let Ok(at) = at {
                    self.resolve_one(plane, resolved, self.by_number[at]);
                }
            }
        } else {
            resolved.own.clear();
            resolved.effective = vec![NOBODY; self.column.documents()];
            (0..self.by_number.len()).for_each(|i| self.resolve_one(plane, resolved, i as u32));
        }
        resolved.epoch = plane.epoch();
    }

    fn resolve_one(&self, plane: &AccessPlane, resolved: &mut Resolved, i: u32) {
        let (number, version) = self.column.document(i as usize);
        resolved.effective[i as usize] = match plane.row_permission(number, version) {
            RowPermission::Nobody => NOBODY,
            RowPermission::Interned(id) => id,
            RowPermission::Own(effective) => {
                resolved.own.insert(i, effective);
                OWN
            }
        };
    }

    /// Whether each document of the segment passes, documents without rows included: what `visible` lists.
    ///
    /// # Errors
    /// As [`SegmentAccess::visible`].
    pub fn visible_documents(&self, plane: &AccessPlane, permitted: &Permitted) -> Result<RoaringBitmap> {
        if permitted.epoch != plane.epoch() {
            return Err(Error::new(Kind::Conflict, "find visible rows", "permissions changed meanwhile; ask again"));
        }
        if *self.column.tenant() != permitted.tenant {
            return Ok(RoaringBitmap::new());
        }
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        self.bring_to(plane, &mut resolved);
        let pass = |i: &u32| match resolved.effective[*i as usize] {
            NOBODY => false,
            OWN => resolved.own.get(i).is_some_and(|own| permitted.lets_pass(own)),
            id => permitted.passes.contains(id),
        };
        Ok((0..self.by_number.len() as u32).filter(pass).collect())
    }
}
