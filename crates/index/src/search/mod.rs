//! Here is a query vector and a `Visible`: which k visible rows are nearest, and how are they found?

mod fusion;
mod plan;
mod rescore;
mod scan;
mod segment;
mod top;

pub use fusion::Fusion;
pub use plan::Plan;
pub(crate) use rescore::rescore;
pub(crate) use segment::search_segment;
pub(crate) use top::TopK;
