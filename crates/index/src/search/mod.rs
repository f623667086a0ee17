//! Here is a query vector and a `Visible`: which k visible rows are nearest, and how are they found?

mod plan;
mod top;

pub use plan::Plan;
pub(crate) use plan::search_segment;
pub(crate) use top::{Scored, TopK};
