//! Under which names are the files of a change written, and which can go?
//!
//! A name is taken by putting the first file under it, which only one can; the next free one is tried otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;
use safepassage_access::Tenant;
use safepassage_error::{Error, Kind, Result};

use crate::index::Index;
use crate::manifest::{Manifest, SegmentEntry, Tombstones};
use crate::segment::{self, Incoming};
use crate::snapshot::Snapshot;
use crate::storage::{Scratch, Storage};

/// Generations whose segments are kept for rollback.
const KEPT_GENERATIONS: usize = 16;
/// Generations of a candidate whose segments are kept: nobody rolls it back, but somebody may be opening it.
const KEPT_OF_CANDIDATE: usize = 2;

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

    /// How the segments that it writes are called, before a number.
    fn prefix(self, candidate: bool) -> &'static str {
        match (self, candidate) {
            (Self::Writer, false) => "",
            (Self::Merger, false) => "m-",
            (Self::Writer, true) => "c-",
            (Self::Merger, true) => "cm-",
        }
    }

    fn wrote(self, candidate: bool, id: &str) -> bool {
        id.split(|c: char| c.is_ascii_digit()).next() == Some(self.prefix(candidate))
    }
}

/// Writes a segment for the generation after `base`; what would fill the memory waits in `scratch`.
pub(super) fn write_segment(
    index: &Index,
    author: Author,
    base: &Snapshot,
    tenant: &Tenant,
    documents: Vec<Incoming<'_>>,
    scratch: Option<&Arc<dyn Scratch>>,
) -> Result<SegmentEntry> {
    let stem = format!("{}{:06}", author.prefix(index.published().is_some()), base.generation() + 1);
    let settings = &base.manifest().settings;
    loop {
        let id = free_name(index.storage(), &stem)?;
        let documents = documents.clone();
        match segment::write(index.storage(), scratch, &id, tenant, documents, settings, index.graph_settings()) {
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

/// The segments that the last generations in `storage` name, and for a candidate those of the published index too. Only
/// these may be named again.
pub(super) fn kept(storage: &dyn Storage, published: Option<&dyn Storage>) -> Result<BTreeSet<String>> {
    let Some(published) = published else { return named(storage, KEPT_GENERATIONS) };
    let mut all = named(published, KEPT_GENERATIONS)?;
    all.extend(named(storage, KEPT_OF_CANDIDATE)?);
    Ok(all)
}

fn named(storage: &dyn Storage, generations: usize) -> Result<BTreeSet<String>> {
    let mut named = BTreeSet::new();
    for generation in Manifest::generations(storage)?.into_iter().rev().take(generations) {
        named.extend(Manifest::read(storage, generation)?.segments.into_iter().map(|entry| entry.id));
    }
    Ok(named)
}

/// The segments of `author` that are not kept: those long merged away, and those of somebody who died or gave up, or
/// is at work now.
pub(super) fn gone(storage: &dyn Storage, published: Option<&dyn Storage>, author: Author) -> Result<Vec<String>> {
    // Listed first: what is written from now on, by a holder of the lease to come, is not in it.
    let mut there = storage.list("segment")?;
    there.retain(|id| author.wrote(published.is_some(), id));
    if there.is_empty() {
        return Ok(there);
    }
    let kept = kept(storage, published)?;
    there.retain(|id| !kept.contains(id));
    Ok(there)
}

/// Removes the segments of `author`, whose lease the caller holds, that are not kept.
///
/// INVARIANT: what is removed here is never named again. A generation names what the one before it named, what its
/// author has just written, or (a rollback) what [`kept`] says when nothing was published since, or (a switch) what the
/// candidate names, under both leases of the candidate.
pub(super) fn prune(storage: &dyn Storage, published: Option<&dyn Storage>, author: Author) -> Result<()> {
    gone(storage, published, author)?.iter().try_for_each(|id| storage.delete(&segment::folder(id)))
}
