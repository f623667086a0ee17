//! Are the bytes about to be used the bytes that were written?
//!
//! A file is cut into blocks with a checksum each. A block is checked the first time one of its bytes is used; after
//! that a use costs one relaxed load.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes per block.
const BLOCK: usize = 1 << 16;

/// The size and checksums of a file, kept in its segment's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sums {
    length: u64,
    blocks: Vec<String>,
}

impl Sums {
    pub fn of(bytes: &[u8]) -> Self {
        let blocks = bytes.chunks(BLOCK).map(|block| format!("{:016x}", xxh3_64(block))).collect();
        Self { length: bytes.len() as u64, blocks }
    }
}

/// A file whose blocks are checked when first used.
#[derive(Debug, Clone)]
pub(crate) struct CheckedBytes {
    path: String,
    bytes: Bytes,
    sums: std::sync::Arc<[(u64, AtomicBool)]>,
}

impl CheckedBytes {
    /// # Errors
    /// `Corrupted` if the length is another one or the sums do not parse.
    pub fn new(path: String, bytes: Bytes, sums: &Sums) -> Result<Self> {
        if bytes.len() as u64 != sums.length || sums.blocks.len() != bytes.len().div_ceil(BLOCK) {
            let message = format!("it has {} bytes and should have {}", bytes.len(), sums.length);
            return Err(Error::corrupted("open segment file", message).with("path", path));
        }
        let parse = |sum: &String| u64::from_str_radix(sum, 16).map(|sum| (sum, AtomicBool::new(false)));
        let sums = sums.blocks.iter().map(parse).collect::<Result<_, _>>();
        let sums = sums.map_err(|e| Error::corrupted("open segment file", "a checksum does not parse").because(e))?;
        Ok(Self { path, bytes, sums })
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of `range`, all their blocks checked.
    ///
    /// # Errors
    /// `Corrupted` if a block is not what was written or the range is beyond the end.
    #[inline]
    pub fn get(&self, range: Range<usize>) -> Result<&[u8]> {
        self.check(range.clone())?;
        self.bytes.get(range).ok_or_else(|| self.beyond())
    }

    /// As [`CheckedBytes::get`], sharing the bytes.
    pub fn share(&self, range: Range<usize>) -> Result<Bytes> {
        if range.end > self.bytes.len() || range.start > range.end {
            return Err(self.beyond());
        }
        self.check(range.clone())?;
        Ok(self.bytes.slice(range))
    }

    #[inline]
    fn check(&self, range: Range<usize>) -> Result<()> {
        let last = range.end.saturating_sub(1) / BLOCK;
        for block in range.start / BLOCK..=last {
            match self.sums.get(block) {
                Some((_, checked)) if checked.load(Ordering::Relaxed) => {}
                _ => self.check_block(block)?,
            }
        }
        Ok(())
    }

    #[cold]
    fn check_block(&self, block: usize) -> Result<()> {
        let Some((sum, checked)) = self.sums.get(block) else {
            return if self.bytes.is_empty() { Ok(()) } else { Err(self.beyond()) };
        };
        let from = block * BLOCK;
        let bytes = &self.bytes[from..(from + BLOCK).min(self.bytes.len())];
        if xxh3_64(bytes) != *sum {
            let error = Error::corrupted("read segment file", "a block is not what was written");
            return Err(error.with("path", &self.path).with("offset", from));
        }
        checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Checks every block again, whether or not it was before.
    pub fn verify(&self) -> Result<()> {
        (0..self.sums.len()).try_for_each(|block| self.check_block(block))
    }

    fn beyond(&self) -> Error {
        Error::corrupted("read segment file", "a range ends beyond the file").with("path", &self.path)
    }
}
