//! Scan or walk?
//!
//! The scan looks at every visible row once. A walk scores about as many rows as were scored for this recall when the
//! segment's graph was measured, among as many visible rows, with or without the question's own topic: which of the two
//! is seen from the rows around the question. What a row costs either way was measured too. The cheaper way is taken,
//! and a walk that has cost as much as the scan would gives way to it: no question costs more than about two scans.

use serde::Serialize;

use crate::graph::Graph;

/// Below this share of visible rows no walk was measured.
const WALK_FROM: f64 = 0.03;
/// No walk is cheaper than this: it goes down the layers and through some lists of links.
const LEAST_NS: f32 = 10_000.0;

/// How an answer was found: the operator's field, not the asker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Nothing visible, nothing done.
    Empty,
    /// Every passage with a word of the question was looked at.
    Words,
    /// Every visible row was looked at.
    Scan,
    /// The graph was walked; everything was visible.
    Graph,
    /// The graph was walked, keeping to visible rows or through forbidden ones.
    FilteredGraph,
}

/// A walk worth its price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Walk {
    pub bridging: bool,
    pub ef: usize,
    pub most_scored: u32,
}

/// The walk that finds the best 10 of `visible` rows at `recall` for less than the scan costs, if there is one.
/// `local_share` is how much of the question's neighbourhood is visible; asked for only under a filter.
pub(super) fn walk(
    graph: &Graph,
    visible: u64,
    recall: f32,
    local_share: impl FnOnce() -> safepassage_error::Result<f64>,
) -> safepassage_error::Result<Option<Walk>> {
    let share = visible as f64 / f64::from(graph.rows().max(1));
    let scan = visible as f32 * graph.scan_ns();
    if share < WALK_FROM || recall >= 1.0 || scan < LEAST_NS {
        return Ok(None);
    }
    let own_topic = visible < u64::from(graph.rows()) && local_share()? < share / 2.0;
    let mut best: Option<(f32, Walk)> = None;
    for bridging in [false, true] {
        let Some(curve) = graph.measured(share, bridging, own_topic) else { continue };
        let Some(point) = curve.at(recall) else { continue };
        // Fewer visible rows than when it was measured make it longer in proportion.
        let cost = point.scored * curve.ns * (curve.kind.share / share as f32).max(1.0);
        if cost < scan && best.is_none_or(|(least, _)| cost < least) {
            let most_scored = (scan / curve.ns).min(u32::MAX as f32) as u32;
            best = Some((cost, Walk { bridging, ef: point.ef as usize, most_scored }));
        }
    }
    Ok(best.map(|(_, walk)| walk))
}
