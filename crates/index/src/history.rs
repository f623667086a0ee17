//! What could who see then, and what now?
//!
//! The permissions of an earlier epoch are made again from the log. What is compared are the documents that are live
//! now: which of them an epoch opened, and which it closed.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;
use safepassage_access::{AccessEvent, AccessPlane, Identity, Principal, SegmentAccess};
use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Result};
use serde::Serialize;

use crate::index::Index;
use crate::snapshot::Snapshot;

/// What became visible to somebody, and what did not stay so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Ids of documents that they could not see and can, in byte order.
    pub gained: Vec<String>,
    /// Ids of documents that they could see and cannot, in byte order.
    pub lost: Vec<String>,
}

impl Difference {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// The permissions at two epochs, over the documents that are live now.
pub struct History {
    before: Side,
    after: Side,
    snapshot: Arc<Snapshot>,
}

struct Side {
    plane: AccessPlane,
    segments: Vec<SegmentAccess>,
}

impl Side {
    fn new(plane: AccessPlane, snapshot: &Snapshot) -> Self {
        let columns = snapshot.segments().iter().map(|live| live.segment.access.column().clone());
        Self { segments: columns.map(SegmentAccess::new).collect(), plane }
    }

    fn visible(&self, s: usize, identity: &Identity, now: Timestamp) -> Result<RoaringBitmap> {
        let permitted = self.plane.permitted(identity, now)?;
        self.segments[s].visible_documents(&self.plane, &permitted)
    }
}

impl Index {
    /// The permissions at the epochs `from` and `to` (the newest for `None`), to be compared.
    ///
    /// # Errors
    /// `NotFound` for an epoch that there was not; `Corrupted`, `Unavailable`.
    pub fn history(&self, from: u64, to: Option<u64>) -> Result<History> {
        let snapshot = self.snapshot()?;
        let newest = self.with_plane(|plane| Ok(plane.epoch()))?;
        let side = |epoch| Ok::<_, Error>(Side::new(self.plane_at(epoch)?, &snapshot));
        Ok(History { before: side(from)?, after: side(to.unwrap_or(newest))?, snapshot })
    }

    /// The permissions now and as `propose` would make them, to be compared; nothing is written.
    ///
    /// # Errors
    /// Those of `propose`; `Invalid` for events that make no sense; `Corrupted`, `Unavailable`.
    pub fn proposed(&self, propose: impl FnOnce(&AccessPlane) -> Result<Vec<AccessEvent>>) -> Result<History> {
        let snapshot = self.snapshot()?;
        let newest = self.with_plane(|plane| Ok(plane.epoch()))?;
        let (before, mut after) = (self.plane_at(newest)?, self.plane_at(newest)?);
        let events = propose(&before)?;
        if !events.is_empty() {
            after.check(&events)?;
            after.apply(newest + 1, &events)?;
        }
        Ok(History { before: Side::new(before, &snapshot), after: Side::new(after, &snapshot), snapshot })
    }
}

impl History {
    /// The two epochs.
    #[must_use]
    pub fn epochs(&self) -> (u64, u64) {
        (self.before.plane.epoch(), self.after.plane.epoch())
    }

    /// The plane at the earlier epoch and the one at the later.
    #[must_use]
    pub fn planes(&self) -> [&AccessPlane; 2] {
        [&self.before.plane, &self.after.plane]
    }

    /// Everybody who is named at either epoch.
    #[must_use]
    pub fn principals(&self) -> BTreeSet<Principal> {
        self.planes().into_iter().flat_map(AccessPlane::principals).cloned().collect()
    }

    /// What the documents of the identity's tenant became to it.
    ///
    /// # Errors
    /// As [`AccessPlane::permitted`].
    pub fn of(&self, identity: &Identity, now: Timestamp) -> Result<Difference> {
        let mut difference = Difference::default();
        for (s, live) in self.snapshot.segments().iter().enumerate() {
            let [mut before, mut after] =
                [self.before.visible(s, identity, now)?, self.after.visible(s, identity, now)?];
            before -= &live.dead;
            after -= &live.dead;
            let id = |document: u32| live.segment.documents.id(document as usize).to_owned();
            difference.gained.extend((&after - &before).into_iter().map(id));
            difference.lost.extend((&before - &after).into_iter().map(id));
        }
        difference.gained.sort_unstable();
        difference.lost.sort_unstable();
        Ok(difference)
    }
}
