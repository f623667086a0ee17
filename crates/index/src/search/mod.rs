//! Here is a query vector and a `Visible`: which k visible rows are nearest, and how are they found?

mod plan;
mod rescore;
mod scan;
mod segment;
mod top;

pub use plan::Plan;
pub(crate) use rescore::rescore;
pub(crate) use segment::search_segment;
pub(crate) use top::TopK;

/// How many of the best rows by codes are scored exactly at most, for the best `k` of them.
pub(crate) fn wanted(k: usize) -> usize {
    k.saturating_add(24).max(k.saturating_mul(3).min(k.saturating_add(200)))
}
