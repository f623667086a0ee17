//! int8: each number times one scale for the segment, rounded; the ranking by codes is put right by exact scores.
//!
//! A score is the inner product of codes, plus for L2 half the squared length of the row, taken off: the row with the
//! greatest `q·x − |x|²/2` is the nearest. The scale is set by a high quantile of the numbers, so that one odd row does
//! not coarsen all others; what is beyond is cut off.
//!
//! Little-endian: a line of magic, rows, dim, scale, the greatest error and length of a row; the codes, each row padded to whole cache lines; for L2 an i32
//! for each row.

mod write;

use std::sync::Arc;

use bytes::Bytes;
use safepassage_error::{Error, Result};

pub(crate) use write::{Between, Int8Writer, permute};

use super::Asked;
use crate::blocks::CheckedBytes;
use crate::kernel::{Kernel, LINE, Left, Quantised, dot};
use crate::manifest::Metric;

const MAGIC: &[u8; 8] = b"SPINT801";
/// The codes of one segment.
#[derive(Debug, Clone)]
pub(crate) struct Int8 {
    bytes: CheckedBytes,
    rows: u32,
    dim: usize,
    stride: usize,
    scale: f32,
    /// The greatest length of what the codes of a row leave out.
    error: f32,
    /// The greatest length of a row.
    longest: f32,
    metric: Metric,
    kernel: Kernel,
}

fn stride(dim: usize) -> usize {
    dim.next_multiple_of(LINE)
}

impl Int8 {
    /// Opens what [`Int8Writer::bytes`] made.
    ///
    /// # Errors
    /// `Corrupted` if the first line or the length does not fit.
    pub fn open(bytes: CheckedBytes, rows: u32, dim: usize, metric: Metric) -> Result<Self> {
        let corrupted = |what| Error::corrupted("open codes", what);
        if bytes.len() < LINE {
            return Err(corrupted("it ends too early"));
        }
        let line = bytes.get(0..LINE)?;
        let number = |at: usize| u32::from_le_bytes([line[at], line[at + 1], line[at + 2], line[at + 3]]);
        let [scale, error, longest] = [16, 20, 24].map(|at| f32::from_bits(number(at)));
        let biased = if metric == Metric::L2 { 4 } else { 0 };
        let length = LINE as u64 + u64::from(rows) * (stride(dim) as u64 + biased);
        let fits = line.starts_with(MAGIC)
            && (number(8), number(12) as usize) == (rows, dim)
            && scale.is_finite()
            && scale > 0.0
            && error >= 0.0
            && longest >= 0.0
            && bytes.len() as u64 == length;
        if !fits {
            return Err(corrupted("it does not fit the segment"));
        }
        Ok(Self { bytes, rows, dim, stride: stride(dim), scale, error, longest, metric, kernel: Kernel::get() })
    }

    /// The codes made by this process.
    pub fn made_here(bytes: Arc<Int8Writer>, metric: Metric) -> Result<Self> {
        let (rows, dim) = (bytes.rows, bytes.dim);
        Self::open(CheckedBytes::made_here(Bytes::from_owner(write::Shared(bytes))), rows, dim, metric)
    }

    /// Checks some pages that nobody has read yet.
    pub fn check_ahead(&self) -> Result<()> {
        self.bytes.check_ahead()
    }

    /// Puts `query` (dim numbers) as a question.
    pub fn ask(&self, query: &[f32]) -> Int8Asked<'_> {
        let mut left = Left::with_stride(self.stride);
        let Quantised { missed, kept, .. } = left.quantise(self.kernel, query, self.scale);
        let squared = if self.metric == Metric::L2 { dot(query, query) } else { 0.0 };
        Int8Asked { codes: self, left, off: missed * self.longest + kept * self.error, squared }
    }

    /// The codes of all rows; only those touched may be used.
    fn all(&self) -> &[i8] {
        let end = LINE + self.rows as usize * self.stride;
        bytemuck::cast_slice(&self.bytes.touched()[LINE..end])
    }

    fn bias(&self, row: u32) -> Result<i32> {
        let at = LINE + self.rows as usize * self.stride + row as usize * 4;
        Ok(self.bytes.get(at..at + 4)?.try_into().map_or(0, i32::from_le_bytes))
    }
}

/// A question against [`Int8`].
#[derive(Debug)]
pub(crate) struct Int8Asked<'a> {
    codes: &'a Int8,
    left: Left,
    /// How far the inner product of codes can be off at most.
    off: f32,
    /// For L2, the squared length of the question.
    squared: f32,
}

impl Int8Asked<'_> {
    /// The least score by codes that a row can have whose exact score is `exact` or more.
    ///
    /// By Cauchy and Schwarz the inner product of question and row differs from that of their codes by at most what
    /// the codes leave out of the one times the length of the other.
    pub fn at_least(&self, exact: f32) -> i32 {
        self.off_by(exact, self.off)
    }

    /// As [`Int8Asked::at_least`] for nearly every row: what the codes leave out points anywhere, so that its products
    /// are of the order of their bound over the root of dim, and hardly ever four times that.
    pub fn hardly_less(&self, exact: f32) -> i32 {
        self.off_by(exact, self.off * (4.0 / (self.codes.dim as f32).sqrt()).min(1.0))
    }

    fn off_by(&self, exact: f32, off: f32) -> i32 {
        let codes = self.codes;
        let product = match codes.metric {
            Metric::Cosine | Metric::InnerProduct => exact,
            Metric::L2 => f32::midpoint(exact, self.squared),
        };
        // One step for the rounded half square of L2, one for rounding here, and the rounding of f32 itself.
        let mut rounding = 1e-5 * (self.squared + codes.longest * codes.longest).max(1.0);
        if codes.metric == Metric::L2 {
            // Half squares are of the rows as they came; rows kept as f16 may be longer or shorter by this much.
            rounding += codes.longest * codes.longest / 2000.0;
        }
        ((product - off - rounding) * codes.scale * codes.scale - 2.0).floor() as i32
    }
}

impl Asked for Int8Asked<'_> {
    #[inline]
    fn scores(&self, rows: &[u32], out: &mut Vec<i32>) -> Result<()> {
        let codes = self.codes;
        if rows.iter().any(|&row| row >= codes.rows) {
            return Err(Error::corrupted("read codes", "a row beyond the segment"));
        }
        if !codes.bytes.all_checked() {
            for &row in rows {
                let from = LINE + row as usize * codes.stride;
                codes.bytes.touch(from..from + codes.dim)?;
            }
        }
        out.clear();
        out.resize(rows.len(), 0);
        codes.kernel.dots(&self.left, codes.all(), rows, out);
        if codes.metric == Metric::L2 {
            for (score, &row) in out.iter_mut().zip(rows) {
                *score = score.saturating_sub(codes.bias(row)?);
            }
        }
        Ok(())
    }
}
