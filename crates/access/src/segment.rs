//! Here are the documents of one segment: what does each permit at this epoch, and which rows does that open?
//!
//! A document's permission is looked up once and again only when the plane says that it changed. From then on an
//! identity costs one pass over the documents, and an identity that was here before nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use roaring::RoaringBitmap;
use safepassage_error::{Error, Kind, Result};

use crate::bits::Bits;
use crate::document::{Column, DocumentNumber};
use crate::plane::{AccessPlane, Effective, NOBODY, Permissions, RowPermission};
use crate::remembered::Remembered;
use crate::visible::{Kept, Permitted, Visible};

/// What remembered identities may cost: a few per cent of the vectors beside it.
const REMEMBERED_BYTES_PER_ROW: usize = 64;
/// What they may cost in a small segment.
const REMEMBERED_BYTES_AT_LEAST: usize = 1 << 20;
/// So many changed documents are looked up one by one; of more, up to a sixteenth of the segment.
const FEW_CHANGED: usize = 16;

/// So many documents are worth a thread when all are looked up.
const DOCUMENTS_PER_THREAD: usize = 1 << 16;

/// Stands where a document has an effective ACL of its own, which is not in the plane's table.
const OWN: u32 = u32::MAX - 1;

/// The documents of one segment with their permissions at the last epoch asked for, and the identities seen lately.
#[derive(Debug)]
pub struct SegmentAccess {
    column: Column,
    /// (number, part) of every document by number, to find a changed one; made at the first change.
    by_number: OnceLock<Vec<(u32, u32)>>,
    resolved: RwLock<Resolved>,
    remembered: Mutex<Remembered<Kept>>,
    /// What nobody sees, for identities of other tenants.
    nothing: OnceLock<Visible>,
}

#[derive(Debug, Default)]
struct Resolved {
    epoch: Option<u64>,
    /// The number of the effective ACL of every part of a document, [`NOBODY`] or [`OWN`].
    effective: Vec<u32>,
    /// Effective ACLs that only rows of an older version or of a narrower section have, by part.
    own: HashMap<u32, Effective>,
}

impl SegmentAccess {
    /// Starts with nothing resolved.
    #[must_use]
    pub fn new(column: Column) -> Self {
        let budget = (column.rows() as usize * REMEMBERED_BYTES_PER_ROW).max(REMEMBERED_BYTES_AT_LEAST);
        Self {
            column,
            by_number: OnceLock::new(),
            resolved: RwLock::default(),
            remembered: Mutex::new(Remembered::within(budget)),
            nothing: OnceLock::new(),
        }
    }

    /// The documents.
    #[must_use]
    pub fn column(&self) -> &Column {
        &self.column
    }

    /// Looks up what every document permits at the plane's epoch, so that the first search need not.
    pub fn prepare(&self, plane: &AccessPlane) {
        drop(self.resolved_at(plane));
    }

    /// The rows of this segment that `permitted` opens. Remembered by (identity digest, epoch); cold it costs one pass
    /// over the documents.
    ///
    /// # Errors
    /// `Conflict` if `permitted` was made at another epoch than `plane` is at.
    pub fn visible(&self, plane: &AccessPlane, permitted: &Permitted) -> Result<Visible> {
        let epoch = check_epoch(plane, permitted)?;
        let rows = self.column.rows();
        if self.column.tenant() != permitted.tenant() {
            let nothing = self.nothing.get_or_init(|| Visible::new(epoch, rows, Bits::none(rows as usize)));
            return Ok(nothing.at(epoch));
        }
        let known = self.remembered().get(&permitted.digest(), epoch);
        let visible = match known {
            Some(Kept::Dense(visible)) => return Ok(visible),
            Some(Kept::AtRest(set)) => Visible::new(epoch, rows, Bits::from_roaring(&set, rows)),
            None => Visible::new(epoch, rows, self.rows_of(self.passing(&self.resolved_at(plane), permitted))),
        };
        self.remembered().put(permitted.digest(), epoch, Kept::Dense(visible.clone()));
        Ok(visible)
    }

    /// Whether each document of the segment passes, documents without rows included: what `visible` lists.
    ///
    /// # Errors
    /// As [`SegmentAccess::visible`].
    pub fn visible_documents(&self, plane: &AccessPlane, permitted: &Permitted) -> Result<RoaringBitmap> {
        check_epoch(plane, permitted)?;
        if self.column.tenant() != permitted.tenant() {
            return Ok(RoaringBitmap::new());
        }
        let parts = self.passing(&self.resolved_at(plane), permitted);
        if self.column.undivided() {
            return Ok(parts.to_roaring());
        }
        let parts = parts.iter().map(|part| self.column.part(part as usize)).filter(|(_, section)| *section == 0);
        Ok(parts.map(|(document, _)| document as u32).collect())
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered<Kept>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The parts of documents that pass.
    fn passing(&self, resolved: &Resolved, permitted: &Permitted) -> Bits {
        let mut parts = Bits::positions(&resolved.effective, permitted.effective());
        for (&i, own) in &resolved.own {
            if permitted.lets_pass(own) {
                parts.insert(i);
            }
        }
        parts
    }

    /// The rows of `parts`.
    fn rows_of(&self, parts: Bits) -> Bits {
        if self.column.one_row_each() {
            return parts;
        }
        let mut rows = Bits::none(self.column.rows() as usize);
        for run in parts.runs() {
            let last = run.end as usize - 1;
            rows.insert_range(self.column.rows_of_part(run.start as usize).start..self.column.rows_of_part(last).end);
        }
        rows
    }

    /// The documents' permissions at the plane's epoch: all looked up the first time, the changed ones later.
    fn resolved_at(&self, plane: &AccessPlane) -> RwLockReadGuard<'_, Resolved> {
        let resolved = self.resolved.read().unwrap_or_else(PoisonError::into_inner);
        if resolved.epoch == Some(plane.epoch()) {
            return resolved;
        }
        drop(resolved);
        let mut resolved = self.resolved.write().unwrap_or_else(PoisonError::into_inner);
        self.bring_to(plane, &mut resolved);
        RwLockWriteGuard::downgrade(resolved)
    }

    fn bring_to(&self, plane: &AccessPlane, resolved: &mut Resolved) {
        let few = FEW_CHANGED.max(self.column.documents() / 16);
        let changed: Option<Vec<DocumentNumber>> = match resolved.epoch {
            Some(epoch) if epoch == plane.epoch() => return,
            Some(epoch) if epoch < plane.epoch() => Some(plane.changes_since(epoch).take(few).collect()),
            _ => None,
        };
        let permissions = plane.permissions();
        // Whatever happens in between, half of two epochs is never taken for one.
        resolved.epoch = None;
        if let Some(changed) = changed.filter(|changed| changed.len() < few) {
            let by_number = self.by_number.get_or_init(|| self.column.by_number());
            for number in changed {
                let first = by_number.partition_point(|(known, _)| *known < number.0);
                for &(_, i) in by_number[first..].iter().take_while(|(known, _)| *known == number.0) {
                    resolved.own.remove(&i);
                    resolved.effective[i as usize] = self.look_up(permissions, &mut resolved.own, i);
                }
            }
        } else {
            (resolved.effective, resolved.own) = self.look_up_all(permissions);
        }
        resolved.epoch = Some(plane.epoch());
    }

    /// As [`SegmentAccess::look_up`] of every part. It waits for memory, so a large segment is shared among threads;
    /// not those of a pool, which might take on a search that waits for this.
    fn look_up_all(&self, permissions: Permissions<'_>) -> (Vec<u32>, HashMap<u32, Effective>) {
        let parts = self.column.parts();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(parts / DOCUMENTS_PER_THREAD);
        let share = parts.div_ceil(threads.max(1)).max(1);
        let mut effective = vec![NOBODY; parts];
        let own = Mutex::new(HashMap::new());
        let shares = Mutex::new((0u32..).step_by(share).zip(effective.chunks_mut(share)));
        let next = || shares.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            while let Some((first, share)) = next() {
                let mut found = HashMap::new();
                (first..).zip(share).for_each(|(i, effective)| *effective = self.look_up(permissions, &mut found, i));
                own.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
            }
        };
        std::thread::scope(|scope| {
            // Fewer threads than asked for leave more for this one.
            for _ in 1..threads {
                if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        (effective, own.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn look_up(&self, permissions: Permissions<'_>, own: &mut HashMap<u32, Effective>, i: u32) -> u32 {
        let (document, section) = self.column.part(i as usize);
        let (number, version) = self.column.document(document);
        match permissions.of(number, version, section) {
            RowPermission::Nobody => NOBODY,
            RowPermission::Interned(id) => id,
            RowPermission::Own(effective) => {
                own.insert(i, effective);
                OWN
            }
        }
    }
}

fn check_epoch(plane: &AccessPlane, permitted: &Permitted) -> Result<u64> {
    if permitted.epoch() != plane.epoch() {
        return Err(Error::new(Kind::Conflict, "find visible rows", "permissions changed meanwhile; ask again"));
    }
    Ok(permitted.epoch())
}
