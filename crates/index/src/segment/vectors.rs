//! Here is a row: what is its vector?

use safepassage_error::{Error, Result};

use crate::blocks::CheckedBytes;
use crate::kernel;

/// rows × dim, little-endian f32, unit norm, in the mapped file.
#[derive(Debug)]
pub(crate) struct Vectors {
    bytes: CheckedBytes,
    rows: u32,
    dim: usize,
}

impl Vectors {
    pub fn new(bytes: CheckedBytes, rows: u32, dim: usize) -> Result<Self> {
        if bytes.len() as u64 != u64::from(rows) * dim as u64 * 4 {
            return Err(Error::corrupted("open vectors", "the size is not rows × dim × 4"));
        }
        Ok(Self { bytes, rows, dim })
    }

    /// The vector of `row`, checked against its block's sum on first touch.
    #[inline]
    pub fn row(&self, row: u32) -> Result<&[f32]> {
        let width = self.dim * 4;
        let from = row as usize * width;
        bytemuck::try_cast_slice(self.bytes.get(from..from + width)?)
            .map_err(|_| Error::corrupted("read vector", "the file is not aligned for f32"))
    }

    pub fn verify(&self) -> Result<()> {
        for row in 0..self.rows {
            let vector = self.row(row)?;
            let norm = kernel::dot(vector, vector);
            if norm.is_nan() || (norm - 1.0).abs() > 1e-3 {
                return Err(Error::corrupted("verify vectors", "a vector is not of unit norm").with("row", row));
            }
        }
        Ok(())
    }
}
