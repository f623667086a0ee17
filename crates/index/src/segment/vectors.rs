//! Here is a row: what is its vector, and how near is it exactly?

use std::borrow::Cow;
use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;
use safepassage_error::{Error, Result};

use super::SharedVectors;
use crate::blocks::CheckedBytes;
use crate::graph::Rows;
use crate::kernel;
use crate::manifest::{Metric, Precision, Settings};

/// rows × dim, little-endian f32 or f16 (for cosine of unit norm), in the mapped file.
#[derive(Debug)]
pub(crate) struct Vectors {
    bytes: CheckedBytes,
    rows: u32,
    dim: usize,
    precision: Precision,
    metric: Metric,
}

/// The exact score of two vectors of the same length; higher is nearer.
pub(crate) fn score(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    match metric {
        Metric::Cosine | Metric::InnerProduct => kernel::dot(a, b),
        Metric::L2 => -kernel::squared_distance(a, b),
    }
}

/// `vector` as it is stored.
pub(super) fn stored(vector: &[f32], precision: Precision) -> Cow<'_, [u8]> {
    match precision {
        Precision::F32 => Cow::Borrowed(bytemuck::cast_slice(vector)),
        Precision::F16 => {
            Cow::Owned(vector.iter().flat_map(|&value| f16::from_f32(value).to_bits().to_le_bytes()).collect())
        }
    }
}

impl Vectors {
    pub fn new(bytes: CheckedBytes, rows: u32, settings: &Settings) -> Result<Self> {
        let Settings { dim, precision, metric, .. } = *settings;
        if bytes.len() as u64 != u64::from(rows) * (dim * precision.bytes()) as u64 {
            return Err(Error::corrupted("open vectors", "the size is not rows × dim × bytes per number"));
        }
        Ok(Self { bytes, rows, dim, precision, metric })
    }

    fn range(&self, row: u32) -> Range<usize> {
        let width = self.dim * self.precision.bytes();
        row as usize * width..(row as usize + 1) * width
    }

    /// Some of the numbers of all rows, checked against their blocks' sums on first touch.
    #[inline]
    pub fn numbers(&self, range: Range<usize>) -> Result<Cow<'_, [f32]>> {
        let width = self.precision.bytes();
        let bytes = self.bytes.get(range.start * width..range.end * width)?;
        let unaligned = |_| Error::corrupted("read vector", "the file is not aligned");
        match self.precision {
            Precision::F32 => bytemuck::try_cast_slice(bytes).map(Cow::Borrowed).map_err(unaligned),
            Precision::F16 => {
                let bits: &[u16] = bytemuck::try_cast_slice(bytes).map_err(unaligned)?;
                let halves: &[f16] = half::slice::HalfBitsSliceExt::reinterpret_cast(bits);
                Ok(Cow::Owned(halves.to_f32_vec()))
            }
        }
    }

    pub fn verify(&self) -> Result<()> {
        for row in 0..self.rows {
            let vector = self.row(row)?;
            let norm = kernel::dot(&vector, &vector);
            let fits = match self.metric {
                Metric::Cosine => (norm - 1.0).abs() <= 1e-2,
                Metric::InnerProduct | Metric::L2 => norm.is_finite(),
            };
            if !fits {
                return Err(Error::corrupted("verify vectors", "a vector has a length it must not").with("row", row));
            }
        }
        Ok(())
    }
}

impl Rows for Vectors {
    #[inline]
    fn row(&self, row: u32) -> Result<Cow<'_, [f32]>> {
        self.numbers(row as usize * self.dim..(row as usize + 1) * self.dim)
    }

    #[inline]
    fn prefetch(&self, row: u32) {
        if let Some(bytes) = self.bytes.touched().get(self.range(row)) {
            kernel::prefetch(bytes);
        }
    }

    #[inline]
    fn score(&self, row: u32, question: &[f32]) -> Result<f32> {
        Ok(score(self.metric, &self.row(row)?, question))
    }
}

/// The rows of documents on their way into a segment.
pub(crate) struct NewRows<'a> {
    /// The vectors that each row is part of, and where it begins there.
    rows: Vec<(&'a SharedVectors, usize)>,
    dim: usize,
    metric: Metric,
}

impl<'a> NewRows<'a> {
    pub fn new(vectors: impl Iterator<Item = &'a SharedVectors>, dim: usize, metric: Metric) -> Self {
        let rows_of = |vectors: &'a SharedVectors| (0..vectors.len() / dim).map(move |row| (vectors, row * dim));
        Self { rows: vectors.flat_map(rows_of).collect(), dim, metric }
    }
}

impl Rows for NewRows<'_> {
    fn row(&self, row: u32) -> Result<Cow<'_, [f32]>> {
        let (vectors, from) = self.rows[row as usize];
        vectors.part(from..from + self.dim)
    }

    fn score(&self, row: u32, question: &[f32]) -> Result<f32> {
        Ok(score(self.metric, &self.row(row)?, question))
    }
}
