//! Here are many small segments, and dead documents in them: make few whole ones.
//!
//! The work is done beside readers and writers, on half the cores. Published is what is left of it: documents that died
//! while it was done are dead in the merged segment, and a merge is given up if a rollback brought documents back to
//! life or took all of its sources away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};
use roaring::RoaringBitmap;
use safepassage_access::Tenant;
use safepassage_error::{Error, Kind, Result};

use super::files::{self, Author};
use crate::index::Index;
use crate::manifest::SegmentEntry;
use crate::segment::{Incoming, Segment, SetAside};
use crate::snapshot::Snapshot;
use crate::storage::Lease;

pub(super) const OPERATION: &str = "merge";
/// So many segments of one size class make one.
const SEGMENTS_PER_CLASS: usize = 8;
/// Nor do they ever make one with more: building a graph takes memory by the row. Who asks for one segment gets one.
const MOST_ROWS: u64 = 1 << 20;

/// A merge that is done and not yet to be seen. Dropping it changes nothing; the next one removes what it wrote.
#[derive(Debug)]
pub struct Merge<'a> {
    index: &'a Index,
    _lease: Box<dyn Lease>,
    base: Arc<Snapshot>,
    groups: Vec<Group>,
}

/// Segments of one tenant, by their place in the base, and what was made of them: nothing if all was dead.
#[derive(Debug)]
struct Group {
    sources: Vec<usize>,
    merged: Option<SegmentEntry>,
}

impl Index {
    /// Becomes the one merger and writes the merged segments: all of a tenant's as one if `everything`, else those
    /// that the size-tiered policy names. Dead documents are left out. `None` if there is nothing to merge.
    ///
    /// # Errors
    /// `Conflict`, naming the holder, while somebody else merges; `Corrupted` if a segment cannot be read;
    /// `Unavailable` if files cannot be written.
    pub fn prepare_merge(&self, everything: bool) -> Result<Option<Merge<'_>>> {
        let lease = self.lease(Author::Merger.role())?;
        files::prune(self.storage(), self.published(), Author::Merger)?;
        let base = self.snapshot()?;
        let wanted = wanted(&base, everything);
        if wanted.is_empty() {
            return Ok(None);
        }
        let write = |sources: Vec<usize>| Ok(Group { merged: rewrite(self, &base, &sources)?, sources });
        let groups: Result<Vec<Group>> = half_the_cores()?.install(|| wanted.into_iter().map(write).collect());
        match groups {
            Ok(groups) => Ok(Some(Merge { index: self, _lease: lease, base, groups })),
            Err(error) => {
                // On a full disk half a segment is in the way of everybody; if it cannot go now, the next merge tries.
                let _ = files::prune(self.storage(), self.published(), Author::Merger);
                Err(error)
            }
        }
    }

    /// Whether the size-tiered policy names segments to merge.
    pub(super) fn merge_is_due(&self) -> Result<bool> {
        Ok(!wanted(&*self.snapshot()?, false).is_empty())
    }
}

impl Merge<'_> {
    /// Makes a generation with the merged segments in place of their sources, whatever was committed meanwhile, and
    /// removes segments that are not kept any more. Returns the generation it made; the newest, if it was given up
    /// because of a rollback or because all of it died.
    ///
    /// # Errors
    /// `Corrupted`; `Unavailable` if files cannot be written.
    pub fn publish(self) -> Result<u64> {
        let storage = self.index.storage();
        let generation = loop {
            let newest = self.index.snapshot()?;
            let mut next = self.index.next(&newest, OPERATION)?;
            let mut changed = false;
            for group in &self.groups {
                let Some(died) = self.died(group, &newest) else { continue };
                changed = true;
                let sources: BTreeSet<&str> =
                    group.sources.iter().map(|&s| self.base.segments()[s].entry.id.as_str()).collect();
                next.segments.retain(|entry| !sources.contains(entry.id.as_str()));
                next.segments.extend(self.without(group, &died, next.generation)?);
            }
            if !changed {
                break newest.generation();
            }
            match next.publish(storage) {
                Ok(()) => break next.generation,
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        };
        files::prune(storage, self.index.published(), Author::Merger)?;
        self.index.prune_candidates()?;
        self.index.snapshot()?;
        self.index.after_commit()?;
        Ok(generation)
    }

    /// The documents of `group` that are not live in `newest` and were when they were read: all of a source that is not
    /// in it. `None` if the group cannot take the place of its sources, because none is in it or a rollback made a
    /// document live again that was left out.
    fn died(&self, group: &Group, newest: &Snapshot) -> Option<Vec<&str>> {
        let (mut died, mut takes_a_place) = (Vec::new(), false);
        for &s in &group.sources {
            let was = &self.base.segments()[s];
            let same = |entry: &SegmentEntry| (&entry.id, &entry.digest) == (&was.entry.id, &was.entry.digest);
            let mut gone: RoaringBitmap = (0..was.entry.documents).collect();
            if let Some(now) = newest.segments().iter().find(|live| same(&live.entry)) {
                if !was.dead.is_subset(&now.dead) {
                    return None;
                }
                gone.clone_from(&now.dead);
                takes_a_place = true;
            }
            died.extend((&gone - &was.dead).iter().map(|i| was.segment.documents.id(i as usize)));
        }
        takes_a_place.then_some(died)
    }

    /// The merged segment of `group` with the documents `died` dead; nothing if none is left.
    fn without(&self, group: &Group, died: &[&str], generation: u64) -> Result<Option<SegmentEntry>> {
        let Some(entry) = group.merged.clone().filter(|entry| died.len() < entry.documents as usize) else {
            return Ok(None);
        };
        if died.is_empty() {
            return Ok(Some(entry));
        }
        let segment = Segment::open(self.index.storage(), &entry, &self.base.manifest().settings)?;
        let place = |id: &&str| segment.documents.find(id).map(|i| i as u32);
        let dead: RoaringBitmap = died.iter().filter_map(place).collect();
        if dead.len() != died.len() as u64 {
            return Err(Error::corrupted("merge", "a document is missing from the merged segment"));
        }
        let tombstones = files::put_tombstones(self.index.storage(), &entry.id, generation, &dead)?;
        Ok(Some(SegmentEntry { tombstones: Some(tombstones), ..entry }))
    }
}

/// Writes the live documents of `sources` as one segment. Their texts wait in a file, where there can be one: memory is for
/// what the graph needs.
fn rewrite(index: &Index, base: &Snapshot, sources: &[usize]) -> Result<Option<SegmentEntry>> {
    let scratch = index.scratch()?;
    let (mut here, mut aside) = (Vec::new(), Vec::new());
    for &s in sources {
        base.rewrite(s, &mut |document| {
            match &scratch {
                Some(file) => aside.push(SetAside::new(document, file)?),
                None => here.push(document),
            }
            Ok(())
        })?;
    }
    let documents: Vec<Incoming<'_>> =
        here.iter().map(Incoming::Here).chain(aside.iter().map(Incoming::Aside)).collect();
    let Some(&first) = sources.first().filter(|_| !documents.is_empty()) else { return Ok(None) };
    let tenant = &base.segments()[first].segment.tenant;
    files::write_segment(index, Author::Merger, base, tenant, documents, scratch.as_ref()).map(Some)
}

/// Threads of its own, so that commits and searches find the others free.
fn half_the_cores() -> Result<ThreadPool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pool = ThreadPoolBuilder::new().num_threads((cores / 2).max(1)).thread_name(|n| format!("merge-{n}"));
    pool.build().map_err(|e| Error::new(Kind::Unavailable, "merge", "no thread can be started").because(e))
}

/// The groups of segments to merge.
fn wanted(base: &Snapshot, everything: bool) -> Vec<Vec<usize>> {
    let mut tenants = BTreeMap::<&Tenant, Vec<usize>>::new();
    for (s, live) in base.segments().iter().enumerate() {
        tenants.entry(&live.segment.tenant).or_default().push(s);
    }
    let groups = tenants.into_values().flat_map(|all| if everything { vec![all] } else { due(base, &all) });
    groups.filter(|group| group.len() > 1 || group.iter().any(|&s| !base.segments()[s].dead.is_empty())).collect()
}

/// Which of a tenant's segments to merge: eight of one size class (classes of live rows are a factor of eight apart), the
/// smallest first and together not more than [`MOST_ROWS`], or by itself one that is half dead.
fn due(base: &Snapshot, segments: &[usize]) -> Vec<Vec<usize>> {
    let rows = |s: usize| u64::from(base.segments()[s].live_rows());
    let mut classes = BTreeMap::<u32, Vec<usize>>::new();
    for &s in segments {
        classes.entry((rows(s) / 1024).max(1).ilog2() / 3).or_default().push(s);
    }
    let half_dead = |s: &usize| {
        let live = &base.segments()[*s];
        live.dead.len() * 2 >= u64::from(live.entry.documents)
    };
    let mut groups = Vec::new();
    for mut class in classes.into_values() {
        if class.len() >= SEGMENTS_PER_CLASS {
            class.sort_by_key(|&s| rows(s));
            let fit = fitting(class.iter().map(|&s| rows(s)));
            if fit > 1 {
                // In the order in which they were written.
                class.truncate(fit);
                class.sort_unstable();
                groups.push(class);
                continue;
            }
        }
        groups.extend(class.into_iter().filter(half_dead).map(|s| vec![s]));
    }
    groups
}

/// How many segments of so many rows make one that is not too large.
fn fitting(rows: impl Iterator<Item = u64>) -> usize {
    let so_far = rows.scan(0, |sum, rows| {
        *sum += rows;
        Some(*sum)
    });
    so_far.take_while(|sum| *sum <= MOST_ROWS).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_merged_by_itself_is_not_too_large() {
        assert_eq!(fitting([100; 8].into_iter()), 8);
        assert_eq!(fitting([MOST_ROWS / 4, MOST_ROWS / 4, MOST_ROWS / 2, 1].into_iter()), 3);
        assert_eq!(fitting([MOST_ROWS, 1].into_iter()), 1);
        assert_eq!(fitting([MOST_ROWS + 1, 1].into_iter()), 0);
    }
}
