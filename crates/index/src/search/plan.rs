//! Scan or walk?
//!
//! The exact scan costs one distance per visible row. The walk costs about ef · m distances when nearly everything is
//! visible and grows as less is, so it is taken only when many rows are visible and most rows of the segment are; if it
//! visits more rows than the scan would, or comes back with fewer than k, the scan answers after all.

use safepassage_access::Visible;
use safepassage_error::{Error, Kind, Result};
use serde::Serialize;

use super::TopK;
use crate::graph::{self, Goal};
use crate::kernel;
use crate::segment::Segment;

/// Below this many visible rows the scan is always cheaper.
const SCAN_UP_TO: u64 = 5_000;
/// Below this share of visible rows the walk loses itself among forbidden ones.
const WALK_FROM_SHARE: f64 = 0.3;

/// How an answer was found: the operator's field, not the asker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Nothing visible, nothing done.
    Empty,
    /// Every visible row was looked at.
    Scan,
    /// The graph was walked; everything was visible.
    Graph,
    /// The graph was walked through forbidden rows.
    FilteredGraph,
}

/// What one segment gives.
#[derive(Debug)]
pub(crate) struct Found {
    /// Best first.
    pub hits: Vec<(f32, u32)>,
    pub plan: Plan,
}

impl Found {
    /// Whether no better row can exist.
    pub fn exact(&self) -> bool {
        matches!(self.plan, Plan::Empty | Plan::Scan)
    }
}

/// The `k` visible rows of `segment` nearest to `query` (dim, unit norm), at `recall` (0 to 1; 1 is exact).
///
/// # Errors
/// `Internal` if `visible` is of a segment of another size; `Corrupted`.
pub(crate) fn search_segment(
    segment: &Segment,
    visible: &Visible,
    query: &[f32],
    k: usize,
    recall: f32,
) -> Result<Found> {
    if visible.segment_rows() != segment.rows() {
        return Err(Error::new(Kind::Internal, "search segment", "visible rows of another segment"));
    }
    let share = visible.len() as f64 / f64::from(segment.rows().max(1));
    if visible.is_empty() || k == 0 {
        return Ok(Found { hits: Vec::new(), plan: Plan::Empty });
    }
    if let Some(graph) = &segment.graph
        && visible.len() > SCAN_UP_TO.max(k as u64 * 8)
        && share >= WALK_FROM_SHARE
        && recall < 1.0
        && let Some(ef) = graph.ef_for(recall)
    {
        // The curve was measured for the best 10; wider answers need a wider walk.
        let goal = Goal { k, ef: ef.max(ef * k / 10), most_visits: u32::try_from(visible.len()).unwrap_or(u32::MAX) };
        let everything = visible.len() == u64::from(segment.rows());
        let outcome = if everything {
            graph::search(graph, &segment.vectors, query, &|_| true, goal)?
        } else {
            let rows = visible.rows();
            graph::search(graph, &segment.vectors, query, &|row| rows.contains(row), goal)?
        };
        if !outcome.gave_up && outcome.hits.len() == k {
            return Ok(Found { hits: outcome.hits, plan: if everything { Plan::Graph } else { Plan::FilteredGraph } });
        }
    }
    let mut top = TopK::new(k);
    for row in visible.rows() {
        top.push(kernel::dot(segment.vectors.row(row)?, query), row);
    }
    Ok(Found { hits: top.into_sorted(), plan: Plan::Scan })
}
