//! int8: each number times one scale for the segment, rounded; the ranking by codes is put right by exact scores.
//!
//! A score is the inner product of codes, plus for L2 half the squared length of the row, taken off: the row with the
//! greatest `q·x − |x|²/2` is the nearest. The scale is set by a high quantile of the numbers, so that one odd row does
//! not coarsen all others; what is beyond is cut off.
//!
//! Little-endian: a line of magic, rows, dim, scale, the greatest error and length of a row; the codes, each row padded to whole cache lines; for L2 an i32
//! for each row.

use std::sync::Arc;

use bytes::Bytes;
use rayon::prelude::*;
use safepassage_error::{Error, Result};

use super::Asked;
use crate::blocks::CheckedBytes;
use crate::kernel::{Kernel, LINE, Left, dot};
use crate::manifest::{Metric, Precision};

const MAGIC: &[u8; 8] = b"SPINT801";
/// The share of numbers that may be cut off.
const BEYOND: f64 = 1e-5;
/// Rows whose numbers are looked at to set the scale.
const SAMPLE: usize = 4096;

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

fn quantise(values: &[f32], scale: f32, out: &mut [i8]) {
    for (code, value) in out.iter_mut().zip(values) {
        // Adding and taking off 1.5 × 2^23 rounds to the nearest whole number, without a call on machines without SSE4.
        const ROUND: f32 = 12_582_912.0;
        *code = ((value * scale).clamp(-127.0, 127.0) + ROUND - ROUND) as i8;
    }
}

/// The length of what `codes` leave out of `values`, and of what they keep.
fn lengths(values: &[f32], codes: &[i8], scale: f32) -> (f32, f32) {
    // Sums in eight parts, so that they can be made side by side.
    let (mut missed, mut kept) = ([0.0f32; 8], [0.0f32; 8]);
    let step = 1.0 / scale;
    for (values, codes) in values.chunks(8).zip(codes.chunks(8)) {
        for (i, (value, code)) in values.iter().zip(codes).enumerate() {
            let decoded = f32::from(*code) * step;
            missed[i] += (value - decoded) * (value - decoded);
            kept[i] += decoded * decoded;
        }
    }
    // Upwards, whatever was rounded.
    let length = |parts: [f32; 8]| parts.iter().sum::<f32>().sqrt() * 1.0001 + 1e-7;
    (length(missed), length(kept))
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
        Self::open(CheckedBytes::made_here(Bytes::from_owner(Shared(bytes))), rows, dim, metric)
    }

    /// Checks some pages that nobody has read yet.
    pub fn check_ahead(&self) -> Result<()> {
        self.bytes.check_ahead()
    }

    /// Puts `query` (dim numbers) as a question.
    pub fn ask(&self, query: &[f32]) -> Int8Asked<'_> {
        let mut codes = vec![0; self.stride];
        quantise(query, self.scale, &mut codes);
        let mut left = Left::with_stride(self.stride);
        left.set(&codes);
        let (missed, kept) = lengths(query, &codes, self.scale);
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
        let rounding = 1e-5 * (self.squared + codes.longest * codes.longest).max(1.0);
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

#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// Codes being made, in memory.
#[derive(Debug)]
pub(crate) struct Int8Writer {
    lines: Vec<Line>,
    length: usize,
    pub rows: u32,
    pub dim: usize,
    sums: Vec<i32>,
}

struct Shared(Arc<Int8Writer>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Int8Writer {
    /// The codes of `rows` vectors of `dim` numbers, on all cores of the pool. Exact scores come from vectors kept in
    /// `precision`: what that rounds counts as left out too.
    pub fn new<'v>(
        rows: u32,
        dim: usize,
        metric: Metric,
        precision: Precision,
        vector: impl Fn(u32) -> &'v [f32] + Sync,
    ) -> Self {
        let scale = scale(rows, &vector);
        let stride = stride(dim);
        let codes = LINE + rows as usize * stride;
        let length = codes + if metric == Metric::L2 { rows as usize * 4 } else { 0 };
        let mut lines = vec![Line([0; LINE]); length.div_ceil(LINE)];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut lines);
        bytes[..8].copy_from_slice(MAGIC);
        let (head, biases) = bytes.split_at_mut(codes);
        let mut sums = vec![0; rows as usize];
        let coded = head[LINE..].par_chunks_exact_mut(stride).zip(&mut sums).zip(0..rows).map(|((out, sum), row)| {
            let out: &mut [i8] = bytemuck::cast_slice_mut(out);
            quantise(vector(row), scale, out);
            *sum = out.iter().map(|&code| i32::from(code)).sum();
            let (missed, kept) = lengths(vector(row), out, scale);
            (missed + (kept + missed) * precision.rounding(), kept + missed)
        });
        let (error, longest) = coded.reduce(|| (0.0, 0.0), |a, b| (f32::max(a.0, b.0), f32::max(a.1, b.1)));
        let line = [rows, dim as u32, scale.to_bits(), error.to_bits(), longest.to_bits()];
        head[8..28].copy_from_slice(bytemuck::cast_slice(&line.map(u32::to_le_bytes)));
        if metric == Metric::L2 {
            let half = f64::from(scale).powi(2) / 2.0;
            biases[..rows as usize * 4].par_chunks_exact_mut(4).zip(0..rows).for_each(|(out, row)| {
                let squared: f64 = vector(row).iter().map(|x| f64::from(*x).powi(2)).sum();
                out.copy_from_slice(&((squared * half) as i32).to_le_bytes());
            });
        }
        Self { lines, length, rows, dim, sums }
    }

    /// The codes of `row`, padded.
    #[cfg(feature = "hnsw_rs")]
    pub fn row(&self, row: u32) -> &[i8] {
        let stride = stride(self.dim);
        let bytes: &[u8] = bytemuck::cast_slice(&self.lines);
        bytemuck::cast_slice(&bytes[LINE + row as usize * stride..][..stride])
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.length]
    }

    /// Moves row `order[i]` to place i, without a second copy of the codes.
    pub fn reorder(&mut self, order: &[u32], metric: Metric) {
        let stride = stride(self.dim);
        let codes = LINE + order.len() * stride;
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.lines);
        permute(&mut bytes[LINE..codes], stride, order);
        if metric == Metric::L2 {
            permute(&mut bytes[codes..codes + order.len() * 4], 4, order);
        }
        permute(bytemuck::cast_slice_mut(&mut self.sums), 4, order);
    }
}

/// Moves part `order[i]` of `bytes` to place i, cycle by cycle.
fn permute(bytes: &mut [u8], width: usize, order: &[u32]) {
    let mut done = vec![false; order.len()];
    let mut first = vec![0; width];
    for start in 0..order.len() {
        if std::mem::replace(&mut done[start], true) {
            continue;
        }
        first.copy_from_slice(&bytes[start * width..][..width]);
        let mut at = start;
        loop {
            let from = order[at] as usize;
            if std::mem::replace(&mut done[from], true) {
                bytes[at * width..][..width].copy_from_slice(&first);
                break;
            }
            bytes.copy_within(from * width..(from + 1) * width, at * width);
            at = from;
        }
    }
}

/// 127 over the size that all but a few of the numbers keep under.
fn scale<'v>(rows: u32, vector: &impl Fn(u32) -> &'v [f32]) -> f32 {
    let step = (rows as usize / SAMPLE).max(1);
    let mut sizes: Vec<f32> = (0..rows).step_by(step).flat_map(|row| vector(row).iter().map(|x| x.abs())).collect();
    if sizes.is_empty() {
        return 127.0;
    }
    let at = (sizes.len() - 1) - (sizes.len() as f64 * BEYOND) as usize;
    let (_, &mut size, _) = sizes.select_nth_unstable_by(at, f32::total_cmp);
    let scale = 127.0 / size;
    if scale.is_finite() { scale } else { 127.0 }
}

/// The rows of an [`Int8Writer`] against each other, while a graph is built.
#[derive(Debug)]
pub(crate) struct Between<'a> {
    writer: &'a Int8Writer,
    codes: &'a [i8],
    bias: Option<&'a [i32]>,
    kernel: Kernel,
}

impl Int8Writer {
    pub fn between(&self, metric: Metric) -> Between<'_> {
        let stride = stride(self.dim);
        let bytes: &[u8] = bytemuck::cast_slice(&self.lines);
        let codes = LINE + self.rows as usize * stride;
        let bias = (metric == Metric::L2).then(|| bytemuck::cast_slice(&bytes[codes..codes + self.rows as usize * 4]));
        Between { writer: self, codes: bytemuck::cast_slice(&bytes[LINE..codes]), bias, kernel: Kernel::get() }
    }
}

impl Between<'_> {
    /// A left side for [`Between::set`].
    pub fn left(&self) -> Left {
        Left::with_stride(stride(self.writer.dim))
    }

    /// Makes `row` the left side.
    pub fn set(&self, left: &mut Left, row: u32) {
        let stride = stride(self.writer.dim);
        left.set_summed(&self.codes[row as usize * stride..][..stride], self.writer.sums[row as usize]);
    }

    /// How alike `of` (in `left`) and each of `rows` are: the same either way round.
    #[inline]
    pub fn scores(&self, left: &Left, of: u32, rows: &[u32], out: &mut Vec<i32>) {
        out.clear();
        out.resize(rows.len(), 0);
        self.kernel.dots(left, self.codes, rows, out);
        if let Some(bias) = self.bias {
            let own = bias[of as usize];
            for (score, &row) in out.iter_mut().zip(rows) {
                *score = score.saturating_sub(own).saturating_sub(bias[row as usize]);
            }
        }
    }
}
