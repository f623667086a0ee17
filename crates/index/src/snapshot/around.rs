//! Here are hits: what stands around them, and which of them say something new?
//!
//! Whatever is given is looked up in [`VisibleRows`] row by row: that a passage of a document may be read says nothing
//! about the next, which may belong to a narrower section.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use safepassage_error::Result;

use super::{Hit, Snapshot, VisibleRows};
use crate::graph::Rows;
use crate::segment::score;

/// How much of a document to give around a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    /// So many passages before and after it.
    Neighbours(u32),
    /// The passages under the same heading, so many before and after it at most.
    Section(u32),
    /// The passages that begin on the same page, so many before and after it at most; of a document without pages the hit
    /// alone.
    Page(u32),
    /// The passages of the same larger chunk, so many before and after it at most; of a document without such the hit alone.
    Parent(u32),
}

impl Snapshot {
    /// The visible passages around `hit`, itself among them, in the order of the document; `None` where some between them
    /// are withheld. Nothing if the hit itself is not visible. Scores are those of the hit.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn around(&self, visible: &VisibleRows, hit: &Hit, around: Around) -> Result<Vec<Option<Hit>>> {
        let Some((live, document)) = self.place(hit).filter(|_| visible.generation == self.generation()) else {
            return Ok(Vec::new());
        };
        let Some((_, part)) = visible.parts.iter().find(|(s, _)| *s == hit.segment) else { return Ok(Vec::new()) };
        let all = live.segment.access.column().rows_of(document);
        let wanted = match around {
            Around::Neighbours(n) => within(&all, hit.row, n),
            Around::Section(n) | Around::Page(n) | Around::Parent(n) => {
                let near = within(&all, hit.row, n);
                // Headings, pages and parents of what is withheld are not read.
                let rows: Vec<u32> = near.clone().filter(|row| part.contains(*row)).collect();
                let chunks = live.segment.chunks.fetch(&rows)?;
                let both = |a: Option<u32>, b: Option<u32>| a.is_some() && a == b;
                run(&rows, hit.row, |a, b| match around {
                    Around::Page(_) => a == b || both(chunks[a].page, chunks[b].page),
                    Around::Parent(_) => a == b || both(chunks[a].parent, chunks[b].parent),
                    _ => chunks[a].heading == chunks[b].heading,
                })
            }
        };
        if !part.contains(hit.row) {
            return Ok(Vec::new());
        }
        let mut given: Vec<Option<Hit>> = Vec::new();
        for row in wanted {
            match part.contains(row) {
                true => given.push(Some(Hit { row, ..*hit })),
                false if given.last().is_some_and(Option::is_some) => given.push(None),
                false => {}
            }
        }
        Ok(without_ends(&given))
    }

    /// The first `k` of `hits` that no better one has given, each with what stands around it, as [`Snapshot::around`] gives
    /// it, up to where a better one has given it.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn windows(
        &self,
        visible: &VisibleRows,
        hits: &[Hit],
        around: Around,
        k: usize,
    ) -> Result<Vec<(Hit, Vec<Option<Hit>>)>> {
        let mut given = HashSet::new();
        let mut windows = Vec::new();
        for hit in hits {
            if windows.len() == k {
                break;
            }
            if given.contains(&(hit.key, hit.row)) {
                continue;
            }
            let block = self.around(visible, hit, around)?;
            let Some(own) = block.iter().position(|row| row.is_some_and(|row| row.row == hit.row)) else { continue };
            let new = |row: &&Option<Hit>| row.is_none_or(|row| !given.contains(&(row.key, row.row)));
            let before = block[..own].iter().rev().take_while(new).count();
            let after = block[own..].iter().take_while(new).count();
            let block = without_ends(&block[own - before..own + after]);
            given.extend(block.iter().flatten().map(|row| (row.key, row.row)));
            windows.push((*hit, block));
        }
        Ok(windows)
    }

    /// The best `k` of `hits` by maximal marginal relevance: each next one is the best by its score, brought to 0 to 1
    /// among `hits`, times `relevance`, less its likeness to those before it times the rest. Best first; scores stay.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn diverse(&self, hits: &[Hit], k: usize, relevance: f32) -> Result<Vec<Hit>> {
        let vector = |hit: &Hit| {
            let (live, _) = self.place(hit).ok_or_else(super::other_generation)?;
            Ok(live.segment.vectors.row(hit.row)?.into_owned())
        };
        let vectors = hits.iter().map(vector).collect::<Result<Vec<Vec<f32>>>>()?;
        let least = hits.iter().map(|hit| hit.score).fold(f32::INFINITY, f32::min);
        let range = hits.iter().map(|hit| hit.score).fold(least, f32::max) - least;
        let scaled = |hit: &Hit| if range > 0.0 { (hit.score - least) / range } else { 1.0 };
        let mut likeness = vec![f32::NEG_INFINITY; hits.len()];
        let mut chosen: Vec<usize> = Vec::new();
        let mut taken = vec![false; hits.len()];
        while chosen.len() < k.min(hits.len()) {
            let worth = |i: usize| {
                // What points the other way is no more of a change than what has nothing in common.
                let like = likeness[i].max(0.0);
                relevance * scaled(&hits[i]) - (1.0 - relevance) * like
            };
            let left = (0..hits.len()).filter(|i| !taken[*i]);
            // Of equals the first, which is the better hit.
            let Some(next) = left.reduce(|best, i| if worth(i) > worth(best) { i } else { best }) else { break };
            chosen.push(next);
            taken[next] = true;
            for (like, vector) in likeness.iter_mut().zip(&vectors) {
                *like = like.max(score(crate::Metric::Cosine, vector, &vectors[next]));
            }
        }
        Ok(chosen.into_iter().map(|i| hits[i]).collect())
    }

    /// The hits of both lists, each row once with its better score; in no order.
    #[must_use]
    pub fn either(&self, mut a: Vec<Hit>, b: Vec<Hit>) -> Vec<Hit> {
        let mut place: HashMap<(u64, u32), usize> = a.iter().map(|hit| (hit.key, hit.row)).zip(0..).collect();
        for other in b {
            match place.entry((other.key, other.row)) {
                Entry::Occupied(at) => a[*at.get()].score = a[*at.get()].score.max(other.score),
                Entry::Vacant(free) => {
                    free.insert(a.len());
                    a.push(other);
                }
            }
        }
        a
    }

    /// Whether two lists of [`Snapshot::around`] have a passage in common, or passages of a document that follow each other.
    #[must_use]
    pub fn meet(&self, a: &[Option<Hit>], b: &[Option<Hit>]) -> bool {
        let near = |a: &Hit, b: &Hit| {
            let (Some((one, first)), Some((other, second))) = (self.place(a), self.place(b)) else { return false };
            (one.key, first) == (other.key, second) && a.row.abs_diff(b.row) <= 1
        };
        a.iter().flatten().any(|a| b.iter().flatten().any(|b| near(a, b)))
    }

    /// Two lists that [`Snapshot::meet`] as one, in the order of the document.
    #[must_use]
    pub fn joined(&self, a: &[Option<Hit>], b: &[Option<Hit>]) -> Vec<Option<Hit>> {
        let mut all: Vec<Hit> = a.iter().chain(b).flatten().copied().collect();
        all.sort_by_key(|hit| hit.row);
        all.dedup_by_key(|hit| hit.row);
        let mut joined: Vec<Option<Hit>> = Vec::new();
        for hit in all {
            if joined.last().copied().flatten().is_some_and(|last| last.row + 1 < hit.row) {
                joined.push(None);
            }
            joined.push(Some(hit));
        }
        joined
    }

    /// Puts the best of `hits` first, ties as in every answer, and keeps `k`.
    #[must_use]
    pub fn best(&self, mut hits: Vec<Hit>, k: usize) -> Vec<Hit> {
        self.rank(&mut hits, k);
        hits
    }
}

/// `block` without gaps at its ends: what is withheld before the first and after the last leaves no trace.
fn without_ends(block: &[Option<Hit>]) -> Vec<Option<Hit>> {
    let (first, last) = (block.iter().position(Option::is_some), block.iter().rposition(Option::is_some));
    first.zip(last).map_or_else(Vec::new, |(first, last)| block[first..=last].to_vec())
}

/// The rows of `all` that are at most `n` from `row`.
fn within(all: &Range<u32>, row: u32, n: u32) -> Range<u32> {
    all.start.max(row.saturating_sub(n))..all.end.min(row.saturating_add(n).saturating_add(1))
}

/// The run of `rows` around `row` that are, by their places, `alike`.
fn run(rows: &[u32], row: u32, alike: impl Fn(usize, usize) -> bool) -> Range<u32> {
    let Some(at) = rows.iter().position(|own| *own == row) else { return row..row };
    let same = |i: &usize| alike(*i, at);
    let first = (0..at).rev().take_while(same).last().unwrap_or(at);
    let last = (at..rows.len()).take_while(same).last().unwrap_or(at);
    rows[first]..rows[last] + 1
}
