//! Here is a query: which rows are probably nearest, without looking at all of them?
//!
//! Building ([`build`], behind the [`builder`] seam), the stored flat layout ([`flat`]) and searching ([`search`]) are
//! separate rooms. Hierarchical navigable small world graphs: Malkov and Yashunin, arXiv 1603.09320, with their M, ef
//! and efConstruction. Each graph measures its own recall curve when built ([`calibrate`]).

mod builder;
mod calibrate;
mod flat;
mod search;

use safepassage_error::Result;

pub(crate) use flat::Graph;
pub(crate) use search::{Goal, search};

/// How graphs are built.
#[derive(Debug, Clone)]
pub struct GraphSettings {
    /// Links per row on the upper layers; twice as many on the lowest.
    pub m: usize,
    /// Candidates considered for each row while building.
    pub ef_construction: usize,
    /// Segments with fewer rows have no graph: they are scanned.
    pub from_rows: u32,
}

impl Default for GraphSettings {
    fn default() -> Self {
        Self { m: 16, ef_construction: 200, from_rows: 20_000 }
    }
}

/// The vector of a row, wherever it is.
pub(crate) trait Rows: Sync {
    /// # Errors
    /// `Corrupted` if stored bytes are not what was written.
    fn row(&self, row: u32) -> Result<&[f32]>;
}

impl Rows for crate::segment::Vectors {
    fn row(&self, row: u32) -> Result<&[f32]> {
        Self::row(self, row)
    }
}

/// Rows in memory, while a segment is being written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flat<'a> {
    pub values: &'a [f32],
    pub dim: usize,
}

impl Rows for Flat<'_> {
    fn row(&self, row: u32) -> Result<&[f32]> {
        let from = row as usize * self.dim;
        Ok(&self.values[from..from + self.dim])
    }
}

/// Builds the graph over `values` (n × dim, row-major, unit norm), makes every row reachable and measures its recall.
pub(crate) fn build(values: &[f32], dim: usize, settings: &GraphSettings) -> Result<Graph> {
    let rows = Flat { values, dim };
    let links = builder::build(rows, settings);
    let mut graph = Graph::from_links(links);
    graph.connect_all(rows)?;
    graph.recall = calibrate::measure(&graph, rows)?;
    Ok(graph)
}
