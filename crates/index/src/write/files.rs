//! Under which names are the files of a change written, and which can go?
//!
//! A name is taken by putting the first file under it, which only one can; the next free one is tried otherwise.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;
use safepassage_access::Tenant;
use safepassage_error::{Error, Kind, Result};

use crate::index::Index;
use crate::manifest::{Manifest, SegmentEntry, Tombstones};
use crate::segment::{self, NewDocument};
use crate::snapshot::Snapshot;
use crate::storage::Storage;

/// Generations whose segments are kept for rollback.
const KEPT_GENERATIONS: usize = 16;
/// How the segments of merges are called; those of commits begin with their number.
const MERGED: &str = "m-";

/// Who writes segments: there is one of each at a time, and each removes only what its own kind left behind, for the
/// other may be at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    Writer,
    Merger,
}

impl Author {
    /// Whose lease it holds.
    pub fn role(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Merger => "merger",
        }
    }

    fn wrote(self, id: &str) -> bool {
        id.starts_with(MERGED) == (self == Self::Merger)
    }
}

/// Writes a segment for the generation after `base`.
pub(super) fn write_segment(
    index: &Index,
    author: Author,
    base: &Snapshot,
    tenant: &Tenant,
    documents: Vec<&NewDocument>,
) -> Result<SegmentEntry> {
    let prefix = if author == Author::Merger { MERGED } else { "" };
    let stem = format!("{prefix}{:06}", base.generation() + 1);
    let settings = &base.manifest().settings;
    loop {
        let id = free_name(index.storage(), &stem)?;
        match segment::write(index.storage(), &id, tenant, documents.clone(), settings, index.graph_settings()) {
            Err(error) if error.kind() == Kind::Conflict => {}
            other => return other,
        }
    }
}

/// `stem`, or the first of `stem-1`, `stem-2` … under which there is no segment.
fn free_name(storage: &dyn Storage, stem: &str) -> Result<String> {
    let taken: BTreeSet<String> = storage.list("segment")?.into_iter().collect();
    let mut name = stem.to_owned();
    let mut n = 0;
    while taken.contains(&name) {
        n += 1;
        name = format!("{stem}-{n}");
    }
    Ok(name)
}

/// Writes the list of the dead documents of segment `id`.
pub(super) fn put_tombstones(
    storage: &dyn Storage,
    id: &str,
    generation: u64,
    dead: &RoaringBitmap,
) -> Result<Tombstones> {
    let mut bytes = Vec::with_capacity(dead.serialized_size());
    dead.serialize_into(&mut bytes)
        .map_err(|e| Error::new(Kind::Internal, "write tombstones", "cannot be written").because(e))?;
    let mut file = format!("tombstones-{generation:06}");
    let mut n = 0;
    loop {
        let path = format!("{}/{file}", segment::folder(id));
        match storage.put_if_absent(&path, &mut |out| out.write_all(&bytes)) {
            Err(error) if error.kind() == Kind::Conflict => {
                n += 1;
                file = format!("tombstones-{generation:06}-{n}");
            }
            Err(error) => return Err(error),
            Ok(()) => {
                let digest = segment::digest(&bytes);
                return Ok(Tombstones { file, documents: dead.len() as u32, digest });
            }
        }
    }
}

/// The segments that the last generations name. Only these may be named again.
pub(super) fn kept(storage: &dyn Storage) -> Result<BTreeSet<String>> {
    let mut named = BTreeSet::new();
    for generation in Manifest::generations(storage)?.into_iter().rev().take(KEPT_GENERATIONS) {
        named.extend(Manifest::read(storage, generation)?.segments.into_iter().map(|entry| entry.id));
    }
    Ok(named)
}

/// Removes the segments of `author`, whose lease the caller holds, that are not kept: those long merged away, and those
/// of somebody who died or gave up.
///
/// INVARIANT: what is removed here is never named again. A generation names what the one before it named, what its
/// author has just written, or (a rollback) what [`kept`] says when nothing was published since.
pub(super) fn prune(storage: &dyn Storage, author: Author) -> Result<()> {
    // Listed first: what is written from now on, by a holder of the lease to come, is not in it.
    let there = storage.list("segment")?;
    let kept = kept(storage)?;
    let mut gone = there.iter().filter(|id| author.wrote(id) && !kept.contains(*id));
    gone.try_for_each(|id| storage.delete(&segment::folder(id)))
}
