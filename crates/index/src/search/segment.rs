//! Here is one segment: which of its visible rows are nearest?

use safepassage_access::Visible;
use safepassage_error::{Error, Kind, Result};

use super::plan::{self, Plan};
use super::scan::scan;
use super::{TopK, rescore};
use crate::graph::{Bits, Filter, Goal, local_share};
use crate::segment::Segment;

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

/// The `k` visible rows of `segment` nearest to `question` (dim numbers, prepared for the metric), at `recall` (0 to 1;
/// 1 is exact).
///
/// # Errors
/// `Internal` if `visible` is of a segment of another size; `Corrupted`.
pub(crate) fn search_segment(
    segment: &Segment,
    visible: &Visible,
    question: &[f32],
    k: usize,
    recall: f32,
) -> Result<Found> {
    if visible.segment_rows() != segment.rows() {
        return Err(Error::new(Kind::Internal, "search segment", "visible rows of another segment"));
    }
    if visible.is_empty() || k == 0 {
        return Ok(Found { hits: Vec::new(), plan: Plan::Empty });
    }
    let k = k.min(usize::try_from(visible.len()).unwrap_or(usize::MAX));
    let mut top = TopK::with_ties(k, |row| segment.tie(row));
    if let Some(plan) = walk(segment, visible, question, k, recall, &mut top)? {
        return Ok(Found { hits: top.into_sorted(), plan });
    }
    scan(segment.codes.as_ref(), &segment.vectors, visible, question, k, &mut top)?;
    Ok(Found { hits: top.into_sorted(), plan: Plan::Scan })
}

/// Puts what a walk finds into `top`; `None`, and nothing there, if there is no walk worth taking or it gave up.
fn walk<T: Fn(u32) -> u64>(
    segment: &Segment,
    visible: &Visible,
    question: &[f32],
    k: usize,
    recall: f32,
    top: &mut TopK<T>,
) -> Result<Option<Plan>> {
    let (Some(graph), Some(codes)) = (&segment.graph, &segment.codes) else { return Ok(None) };
    if visible.len() < k as u64 * 8 {
        return Ok(None);
    }
    graph.check_ahead()?;
    codes.check_ahead()?;
    let asked = codes.ask(question);
    let bits = Bits { words: visible.words(), len: visible.len() };
    let Some(chosen) = plan::walk(graph, visible.len(), recall, || local_share(graph, &asked, bits))? else {
        return Ok(None);
    };
    let (filter, plan) = match (visible.len() == u64::from(segment.rows()), chosen.bridging) {
        (true, _) => (Filter::Nothing, Plan::Graph),
        (false, true) => (Filter::Bridging(bits), Plan::FilteredGraph),
        (false, false) => (Filter::Through(bits), Plan::FilteredGraph),
    };
    // The curves are of the best 10; wider answers need a wider walk.
    let ef = chosen.ef.max(chosen.ef * k / 10);
    let goal = Goal { ef, most_scored: chosen.most_scored };
    let outcome = crate::graph::walk(graph, &asked, filter, goal)?;
    if outcome.gave_up || outcome.best.len() < k {
        return Ok(None);
    }
    rescore(&segment.vectors, question, &outcome.best, top, |bar| asked.hardly_less(bar))?;
    Ok(Some(plan))
}
