//! Makes the codes of new rows, and compares them while a graph is built.

use std::borrow::Cow;
use std::sync::Arc;

use rayon::prelude::*;
use safepassage_error::{Error, Result};

use super::{MAGIC, stride};
use crate::kernel::{Kernel, LINE, Left, Quantised};
use crate::manifest::{Metric, Precision};

/// The share of numbers that may be cut off.
const BEYOND: f64 = 1e-5;
/// Rows whose numbers are looked at to set the scale.
const SAMPLE: usize = 4096;

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

/// The bytes of a writer, to be used as a file.
pub(super) struct Shared(pub(super) Arc<Int8Writer>);

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
        vector: impl Fn(u32) -> Result<Cow<'v, [f32]>> + Sync,
    ) -> Result<Self> {
        let scale = scale(rows, &vector)?;
        let stride = stride(dim);
        let codes = LINE + rows as usize * stride;
        let length = codes + if metric == Metric::L2 { rows as usize * 4 } else { 0 };
        let mut lines = vec![Line([0; LINE]); length.div_ceil(LINE)];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut lines);
        bytes[..8].copy_from_slice(MAGIC);
        let (head, biases) = bytes.split_at_mut(codes);
        let (mut sums, kernel) = (vec![0; rows as usize], Kernel::get());
        let coded = head[LINE..].par_chunks_exact_mut(stride).zip(&mut sums).zip(0..rows).map(|((out, sum), row)| {
            let out: &mut [i8] = bytemuck::cast_slice_mut(out);
            let Quantised { missed, kept, sum: codes } = kernel.quantise(&vector(row)?, scale, out);
            *sum = codes;
            Ok((missed + (kept + missed) * precision.rounding(), kept + missed))
        });
        let greatest = |a: (f32, f32), b: (f32, f32)| Ok((f32::max(a.0, b.0), f32::max(a.1, b.1)));
        let (error, longest) = coded.try_reduce(|| (0.0, 0.0), greatest)?;
        let line = [rows, dim as u32, scale.to_bits(), error.to_bits(), longest.to_bits()];
        head[8..28].copy_from_slice(bytemuck::cast_slice(&line.map(u32::to_le_bytes)));
        if metric == Metric::L2 {
            let half = f64::from(scale).powi(2) / 2.0;
            biases[..rows as usize * 4].par_chunks_exact_mut(4).zip(0..rows).try_for_each(|(out, row)| {
                let squared: f64 = vector(row)?.iter().map(|x| f64::from(*x).powi(2)).sum();
                out.copy_from_slice(&((squared * half) as i32).to_le_bytes());
                Ok::<(), Error>(())
            })?;
        }
        Ok(Self { lines, length, rows, dim, sums })
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
pub(crate) fn permute(bytes: &mut [u8], width: usize, order: &[u32]) {
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
fn scale<'v>(rows: u32, vector: &impl Fn(u32) -> Result<Cow<'v, [f32]>>) -> Result<f32> {
    let step = (rows as usize / SAMPLE).max(1);
    let mut sizes = Vec::new();
    for row in (0..rows).step_by(step) {
        sizes.extend(vector(row)?.iter().map(|x| x.abs()));
    }
    if sizes.is_empty() {
        return Ok(127.0);
    }
    let at = (sizes.len() - 1) - (sizes.len() as f64 * BEYOND) as usize;
    let (_, &mut size, _) = sizes.select_nth_unstable_by(at, f32::total_cmp);
    let scale = 127.0 / size;
    Ok(if scale.is_finite() && scale > 0.0 { scale } else { 127.0 })
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
        left.set(&self.codes[row as usize * stride..][..stride], self.writer.sums[row as usize]);
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
