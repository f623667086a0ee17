//! Here is a question: which rows are probably nearest, without looking at all of them?
//!
//! Hierarchical navigable small world graphs (Malkov and Yashunin, arXiv 1603.09320, with their M, ef and
//! efConstruction), built and walked on codes. Building ([`insert`], behind the [`builder`] seam), making it whole and
//! ordering it ([`connect`]), the stored layout ([`flat`]), walking ([`walk`] with its [`pool`]) and what the walk is
//! worth ([`calibrate`], [`curve`]) are separate rooms.

mod builder;
mod calibrate;
mod connect;
mod curve;
mod flat;
mod insert;
mod pool;
#[cfg(test)]
mod tests;
mod visited;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;

use safepassage_error::Result;

pub use builder::Builder;
pub(crate) use flat::Graph;
pub(crate) use pool::{MOST_ROWS, Pool};
pub(crate) use walk::{Bits, Filter, Goal, local_share, walk};

use crate::code::{Int8, Int8Writer};
use crate::manifest::Metric;

/// How graphs are built.
#[derive(Debug, Clone)]
pub struct GraphSettings {
    /// Links per row on the upper layers; twice as many on the lowest.
    pub m: usize,
    /// Candidates considered for each row while building.
    pub ef_construction: usize,
    /// Segments with fewer rows have no graph: they are scanned.
    pub from_rows: u32,
    /// Decides which rows are on the upper layers; with one thread the same seed gives the same graph.
    pub seed: u64,
    /// Who builds.
    pub builder: Builder,
}

impl Default for GraphSettings {
    fn default() -> Self {
        Self { m: 16, ef_construction: 200, from_rows: 10_000, seed: 1, builder: Builder::default() }
    }
}

/// Vectors by row, while a segment is being written.
pub(crate) trait Rows: Sync {
    /// The vector of `row`.
    fn row(&self, row: u32) -> Result<Cow<'_, [f32]>>;

    /// Asks for the vector of `row` before it is needed.
    fn prefetch(&self, _row: u32) {}

    /// The exact score of `row` for `question`; higher is nearer.
    fn score(&self, row: u32, question: &[f32]) -> Result<f32>;
}

/// A graph as built: the rows are to be put into `order` (row `order[i]` to place i), which the links do not follow yet.
#[derive(Debug)]
pub(crate) struct Built {
    pub order: Vec<u32>,
    links: builder::Links,
}

/// Builds the graph of `codes`, with every row reachable.
pub(crate) fn build(codes: &Int8Writer, metric: Metric, settings: &GraphSettings) -> Result<Built> {
    let mut links = match settings.builder {
        Builder::Own => insert::build(codes.between(metric), codes.rows, settings),
        #[cfg(feature = "hnsw_rs")]
        Builder::HnswRs => builder::hnsw_rs(codes, settings),
    };
    let start = links.upper.last().map_or(links.entry, |top| top.rows[links.entry as usize]);
    let between = codes.between(metric);
    let (mut left, mut scores) = (between.left(), Vec::new());
    connect::connect_all(&mut links, start, |links, lost, seen| {
        // The nearest of its own neighbours that can be reached, or of theirs, or where the walk begins.
        between.set(&mut left, lost);
        let near = |row: u32| links.lowest[row as usize * links.width..][..links.width].iter().copied();
        let reached = |row: &u32| *row != builder::NONE && seen[*row as usize];
        let mut hosts: Vec<u32> = near(lost).filter(reached).collect();
        if hosts.is_empty() {
            hosts = near(lost).filter(|row| *row != builder::NONE).flat_map(near).filter(reached).collect();
        }
        between.scores(&left, lost, &hosts, &mut scores);
        hosts.iter().zip(&scores).max_by_key(|(_, score)| **score).map_or(start, |(row, _)| *row)
    });
    let order = connect::order(&links, start);
    Ok(Built { order, links })
}

impl Built {
    /// Puts the graph in an order of the caller's instead, one near [`Built::order`], and measures it on `codes` and
    /// `rows`, which are in that order.
    pub fn finish(mut self, order: &[u32], codes: &Arc<Int8Writer>, metric: Metric, rows: &impl Rows) -> Result<Graph> {
        connect::renumber(&mut self.links, order);
        let mut graph = Graph::made_here(self.links, codes.rows);
        let made = Int8::made_here(Arc::clone(codes), metric)?;
        (graph.curves, graph.scan_ns) = calibrate::measure(&graph, &made, &codes.between(metric), rows, metric)?;
        Ok(graph)
    }
}
