//! How are vectors written small, and how alike are two of them by what is left?
//!
//! The seam between the graph and scan (which know rows and scores) and the codes (which know numbers). Today one
//! code: int8 ([`int8`]). A further one brings a file, an [`Asked`] and its place in [`crate::segment`].

mod int8;

use safepassage_error::Result;

pub(crate) use int8::{Between, Int8, Int8Writer, permute};

/// A question against one segment's codes: scores rows by whole numbers, higher is nearer.
pub(crate) trait Asked {
    /// Puts the score of `rows[i]` into `out[i]`.
    ///
    /// # Errors
    /// `Corrupted` if a row is beyond the end or its bytes are not what was written.
    fn scores(&self, rows: &[u32], out: &mut Vec<i32>) -> Result<()>;
}
