//! Here is a generation: what is live in it, and what does a search over it give?
//!
//! A snapshot never changes. Everything it gives out about documents goes through [`VisibleRows`], which only the
//! access plane can make; the rest is for the writer and is not exported from the crate.

mod answer;
mod around;
mod behind;
mod break_glass;
mod filtered;
mod narrow;
mod rewrite;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;
use safepassage_access::{AccessPlane, DocumentNumber, Permitted, Tenant, Version};
use safepassage_error::{Error, Result};
use twox_hash::XxHash3_64;

pub use self::answer::{Answer, Hit, HitLabels, VisibleRows};
pub use self::around::Around;
pub use self::behind::Behind;
use crate::graph::Rows;
use crate::lexical::Statistics;
use crate::manifest::{Manifest, SegmentEntry};
use crate::search::{Plan, search_segment};
use crate::segment::{self, ChunkRow, Segment};
use crate::storage::Storage;

/// A segment with the documents that died since it was written.
#[derive(Debug)]
pub(crate) struct LiveSegment {
    pub segment: Arc<Segment>,
    pub entry: SegmentEntry,
    /// Dead documents, by ordinal.
    pub dead: RoaringBitmap,
    dead_rows: RoaringBitmap,
    /// Unlike that of any other segment of any index: what its hits carry.
    key: u64,
}

impl LiveSegment {
    pub fn live_rows(&self) -> u32 {
        self.entry.rows - self.dead_rows.len() as u32
    }
}

/// What a search found, best first.
struct Found {
    hits: Vec<Hit>,
    plan: Plan,
    exact: bool,
}

/// One generation, open.
#[derive(Debug)]
pub struct Snapshot {
    manifest: Manifest,
    segments: Vec<LiveSegment>,
}

/// A live document, as the write path sees it.
#[derive(Debug, Clone, Copy)]
pub struct LiveDocument<'a> {
    /// Its tenant.
    pub tenant: &'a Tenant,
    /// Its id.
    pub id: &'a str,
    /// Where it came from.
    pub source: &'a str,
    /// The access plane's number.
    pub number: DocumentNumber,
    /// Its content.
    pub version: Version,
    /// How many chunks it has.
    pub chunks: u32,
    pub(crate) segment: usize,
    pub(crate) ordinal: usize,
}

impl Snapshot {
    /// Opens `manifest`, sharing segments with `previous`.
    pub(crate) fn open(storage: &dyn Storage, manifest: Manifest, previous: Option<&Self>) -> Result<Self> {
        let mut segments = Vec::with_capacity(manifest.segments.len());
        for entry in &manifest.segments {
            let known = previous.and_then(|p| p.segments.iter().find(|live| live.segment.id == entry.id));
            let segment = match known {
                Some(live) if live.entry.digest == entry.digest => Arc::clone(&live.segment),
                _ => Arc::new(Segment::open(storage, entry, &manifest.settings)?),
            };
            let dead = read_tombstones(storage, entry)?;
            let column = segment.access.column();
            let dead_rows = dead.iter().flat_map(|i| column.rows_of(i as usize)).collect();
            let key = XxHash3_64::oneshot(format!("{} {}", entry.id, entry.digest).as_bytes());
            segments.push(LiveSegment { segment, entry: entry.clone(), dead, dead_rows, key });
        }
        Ok(Self { manifest, segments })
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its number.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.manifest.generation
    }

    pub(crate) fn segments(&self) -> &[LiveSegment] {
        &self.segments
    }

    /// Every live document, for the write path and for operators.
    pub fn documents(&self) -> impl Iterator<Item = LiveDocument<'_>> {
        self.segments.iter().enumerate().flat_map(move |(s, live)| {
            (0..live.segment.documents.len())
                .filter(|&i| !live.dead.contains(i as u32))
                .map(move |i| self.document(s, i))
        })
    }

    fn document(&self, segment: usize, ordinal: usize) -> LiveDocument<'_> {
        let live = &self.segments[segment].segment;
        let (number, version) = live.access.column().document(ordinal);
        LiveDocument {
            tenant: &live.tenant,
            id: live.documents.id(ordinal),
            source: live.documents.source(ordinal),
            number,
            version,
            chunks: live.access.column().rows_of(ordinal).len() as u32,
            segment,
            ordinal,
        }
    }

    /// The live document `id`, for the write path and for operators.
    #[must_use]
    pub fn find(&self, tenant: &Tenant, id: &str) -> Option<LiveDocument<'_>> {
        self.segments.iter().enumerate().rev().filter(|(_, live)| live.segment.tenant == *tenant).find_map(
            |(s, live)| {
                let ordinal = live.segment.documents.find(id)?;
                (!live.dead.contains(ordinal as u32)).then(|| self.document(s, ordinal))
            },
        )
    }

    /// The vectors of a document's chunks by the digest of what was embedded: what an update need not embed again.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn embedded(&self, document: LiveDocument<'_>) -> Result<Vec<(u128, Vec<f32>)>> {
        let segment = &self.segments[document.segment].segment;
        let rows: Vec<u32> = segment.access.column().rows_of(document.ordinal).collect();
        let chunks = segment.chunks.fetch(&rows)?;
        chunks.iter().zip(rows).map(|(chunk, row)| Ok((chunk.hash, segment.vectors.row(row)?.into_owned()))).collect()
    }

    /// The vectors of a document's passages, as they are kept: for operators.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn vectors(&self, document: LiveDocument<'_>) -> Result<Vec<Vec<f32>>> {
        let segment = &self.segments[document.segment].segment;
        let rows = segment.access.column().rows_of(document.ordinal);
        rows.map(|row| Ok(segment.vectors.row(row)?.into_owned())).collect()
    }

    /// How many passages of each section a document has: for operators.
    #[must_use]
    pub fn sections(&self, document: LiveDocument<'_>) -> BTreeMap<u16, u64> {
        let column = self.segments[document.segment].segment.access.column();
        let mut passages = BTreeMap::new();
        for row in column.rows_of(document.ordinal) {
            *passages.entry(column.section_of(row)).or_default() += 1;
        }
        passages
    }

    /// The section of the passage of a hit, 0 for what is not narrower than its document: for operators. `None` for a hit
    /// of another snapshot.
    #[must_use]
    pub fn section_of(&self, hit: &Hit) -> Option<u16> {
        let (live, _) = self.place(hit)?;
        Some(live.segment.access.column().section_of(hit.row))
    }

    /// Looks up what every document permits, so that the first search need not.
    pub(crate) fn prepare(&self, plane: &AccessPlane) {
        self.segments.iter().for_each(|live| live.segment.access.prepare(plane));
    }

    /// The rows that `permitted` opens, without the dead.
    ///
    /// # Errors
    /// `Conflict` if `permitted` was made at another epoch than `plane` is at.
    pub fn visible(&self, plane: &AccessPlane, permitted: &Permitted) -> Result<VisibleRows> {
        let mut parts = Vec::new();
        for (s, live) in self.segments.iter().enumerate() {
            let visible = live.segment.access.visible(plane, permitted)?.without(&live.dead_rows);
            if !visible.is_empty() {
                parts.push((s, visible));
            }
        }
        let statistics = Statistics::over(parts.clone());
        Ok(VisibleRows { generation: self.generation(), epoch: permitted.epoch(), parts, statistics })
    }

    /// The ids of the documents that `permitted` opens, in byte order; documents without chunks included.
    ///
    /// # Errors
    /// As [`Snapshot::visible`].
    pub fn visible_documents(&self, plane: &AccessPlane, permitted: &Permitted) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for live in &self.segments {
            let visible = live.segment.access.visible_documents(plane, permitted)? - &live.dead;
            ids.extend(visible.iter().map(|i| live.segment.documents.id(i as usize).to_owned()));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// The `k` visible passages nearest to `query` (dim numbers, any non-zero length), at `recall` (0 to 1; 1 is exact).
    ///
    /// # Errors
    /// `Invalid` for a query of another dimension, one that is zero or not finite, or a recall outside 0 to 1;
    /// `Corrupted`.
    pub fn search(&self, visible: &VisibleRows, query: &[f32], k: usize, recall: f32) -> Result<Answer> {
        let query = self.prepared(query, recall)?;
        self.check_generation(visible)?;
        let found = self.nearest(visible, &query, k, recall)?;
        let complete = found.hits.len() as u64 == visible.len().min(k as u64);
        Ok(self.answer(visible, found, complete, recall))
    }

    /// The query as vectors are compared with it.
    fn prepared(&self, query: &[f32], recall: f32) -> Result<Vec<f32>> {
        let dim = self.manifest.settings.dim;
        if query.len() != dim {
            let message = format!("the query has {} dimensions and the index {dim}", query.len());
            return Err(Error::invalid("search", message));
        }
        if !(0.0..=1.0).contains(&recall) {
            return Err(Error::invalid("search", format!("recall must be between 0 and 1, not {recall}")));
        }
        let mut query = query.to_vec();
        if !self.manifest.settings.metric.prepare(&mut query) {
            return Err(Error::invalid("search", "the query vector is zero or not finite"));
        }
        Ok(query)
    }

    fn check_generation(&self, visible: &VisibleRows) -> Result<()> {
        if visible.generation != self.generation() {
            return Err(Error::invalid("search", "the visible rows are of another generation"));
        }
        Ok(())
    }

    /// The `k` visible rows nearest to a prepared query.
    fn nearest(&self, visible: &VisibleRows, query: &[f32], k: usize, recall: f32) -> Result<Found> {
        let mut found = Found { hits: Vec::new(), plan: Plan::Empty, exact: true };
        for (s, part) in &visible.parts {
            let own = search_segment(&self.segments[*s].segment, part, query, k, recall)?;
            (found.plan, found.exact) = (found.plan.max(own.plan), found.exact && own.exact());
            found.hits.extend(own.hits.into_iter().map(|(score, row)| self.hit(*s, row, score)));
        }
        self.rank(&mut found.hits, k);
        Ok(found)
    }

    /// Puts the best first, ties by document id and row, and keeps `k`.
    fn rank(&self, hits: &mut Vec<Hit>, k: usize) {
        hits.sort_by(|a, b| {
            let ids = || self.document_of(a).cmp(self.document_of(b));
            b.score.total_cmp(&a.score).then_with(ids).then_with(|| a.row.cmp(&b.row))
        });
        hits.truncate(k);
    }

    fn answer(&self, visible: &VisibleRows, found: Found, complete: bool, recall: f32) -> Answer {
        let Found { hits, plan, exact } = found;
        let recall = if exact { 1.0 } else { recall };
        Answer { hits, complete, exact, recall, plan, acl_epoch: visible.epoch, generation: visible.generation }
    }

    fn hit(&self, segment: usize, row: u32, score: f32) -> Hit {
        Hit { score, row, segment, key: self.segments[segment].key }
    }

    /// The segment of a hit and the ordinal of its document; `None` for a hit of another snapshot's segment.
    fn place(&self, hit: &Hit) -> Option<(&LiveSegment, usize)> {
        let live = self.segments.get(hit.segment).filter(|live| live.key == hit.key)?;
        Some((live, live.segment.access.column().document_of(hit.row)?))
    }

    /// The id of the document of a hit; empty for a hit of another snapshot.
    #[must_use]
    pub fn document_of(&self, hit: &Hit) -> &str {
        self.place(hit).map_or("", |(live, document)| live.segment.documents.id(document))
    }

    /// The labels of the documents of `hits` by what `plane` says now; `None` if it never said anything.
    #[must_use]
    pub fn labels_of(&self, plane: &AccessPlane, hits: &[Hit]) -> HitLabels {
        let rank = |hit: &Hit| {
            let (live, document) = self.place(hit)?;
            let (number, version) = live.segment.access.column().document(document);
            plane.label_of(number, version)
        };
        HitLabels { labels: plane.shared_labels(), ranks: hits.iter().map(rank).collect() }
    }

    /// The passages of `hits`, in their order. A hit is proof enough: only [`Snapshot::search`] makes one.
    ///
    /// # Errors
    /// `Corrupted`; `Invalid` if a hit is of another snapshot.
    pub fn passages(&self, hits: &[Hit]) -> Result<Vec<ChunkRow>> {
        if hits.iter().any(|hit| self.place(hit).is_none()) {
            return Err(other_generation());
        }
        let mut passages: Vec<Option<ChunkRow>> = vec![None; hits.len()];
        for (s, live) in self.segments.iter().enumerate() {
            let (places, rows): (Vec<usize>, Vec<u32>) =
                hits.iter().enumerate().filter(|(_, h)| h.segment == s).map(|(i, h)| (i, h.row)).unzip();
            if !rows.is_empty() {
                let chunks = live.segment.chunks.fetch(&rows)?;
                places.into_iter().zip(chunks).for_each(|(place, chunk)| passages[place] = Some(chunk));
            }
        }
        let fits =
            passages.iter().zip(hits).all(|(p, h)| p.as_ref().is_some_and(|p| p.document == self.document_of(h)));
        if !fits {
            return Err(Error::corrupted("read passages", "a passage is of another document"));
        }
        Ok(passages.into_iter().flatten().collect())
    }
}

fn other_generation() -> Error {
    Error::invalid("read passages", "the hits are of another generation")
}

fn read_tombstones(storage: &dyn Storage, entry: &SegmentEntry) -> Result<RoaringBitmap> {
    let Some(tombstones) = &entry.tombstones else { return Ok(RoaringBitmap::new()) };
    let path = format!("{}/{}", segment::folder(&entry.id), tombstones.file);
    let corrupted = |what| Error::corrupted("read tombstones", what).with("path", &path);
    let bytes = storage.read(&path)?;
    if segment::digest(&bytes) != tombstones.digest {
        return Err(corrupted("the file is not what was written"));
    }
    let dead = RoaringBitmap::deserialize_from(&*bytes).map_err(|e| corrupted("not a bitmap").because(e))?;
    if dead.len() != u64::from(tombstones.documents) || dead.max().is_some_and(|last| last >= entry.documents) {
        return Err(corrupted("counts do not match the manifest"));
    }
    Ok(dead)
}
