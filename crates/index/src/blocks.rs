//! Are the bytes about to be used the bytes that were written?
//!
//! A file is cut into blocks with a checksum each. A block is checked the first time one of its bytes is used; after
//! that a use costs one look at a bit, and none once all blocks were checked. Blocks are one page, so that the first
//! queries after an opening check little more than what they read.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// log2 of the bytes per block.
const BLOCK: u32 = 12;
/// Blocks checked ahead at a time.
const AHEAD: usize = 4;
/// As in format 1, which kept the sums as text in the segment's header.
const BLOCK_1: u32 = 16;

/// The size and checksums of a file, kept in its segment's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sums {
    length: u64,
    /// Format 1: the sums themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<String>,
    /// Which is its first sum in the file of sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
}

/// Takes the sums of a segment's files as they are written.
#[derive(Debug, Default)]
pub(crate) struct SumsWriter {
    bytes: Vec<u8>,
}

impl SumsWriter {
    /// Starts the next file; [`FileSums::finish`] ends it.
    pub fn file(&mut self) -> FileSums<'_> {
        let first = self.bytes.len() as u64 / 8;
        FileSums { sums: self, first, length: 0, block: Vec::with_capacity(1 << BLOCK) }
    }

    /// What the file of sums holds.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The sums of one file, in the order of its bytes.
#[derive(Debug)]
pub(crate) struct FileSums<'a> {
    sums: &'a mut SumsWriter,
    first: u64,
    length: u64,
    block: Vec<u8>,
}

impl FileSums<'_> {
    pub fn add(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = (1usize << BLOCK) - self.block.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if self.block.is_empty() && now.len() == 1 << BLOCK {
                self.sums.bytes.extend_from_slice(&XxHash3_64::oneshot(now).to_le_bytes());
            } else {
                self.block.extend_from_slice(now);
                if self.block.len() == 1 << BLOCK {
                    self.close();
                }
            }
            bytes = later;
        }
    }

    fn close(&mut self) {
        self.sums.bytes.extend_from_slice(&XxHash3_64::oneshot(&self.block).to_le_bytes());
        self.block.clear();
    }

    pub fn finish(mut self) -> Sums {
        if !self.block.is_empty() {
            self.close();
        }
        Sums { length: self.length, blocks: Vec::new(), first: Some(self.first) }
    }
}

/// A file whose blocks are checked when first used.
#[derive(Clone)]
pub(crate) struct CheckedBytes {
    bytes: Bytes,
    checks: Arc<Checks>,
}

impl std::fmt::Debug for CheckedBytes {
    /// Nothing of the bytes: they are passages and their words, and what is shown for debugging is logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckedBytes").field("path", &self.checks.path).field("len", &self.bytes.len()).finish()
    }
}

struct Checks {
    path: String,
    block: u32,
    /// Little-endian u64 each.
    sums: Bytes,
    /// A bit for each block that was checked.
    done: Box<[AtomicU64]>,
    left: AtomicUsize,
    all: AtomicBool,
    /// Where checking ahead goes on.
    ahead: AtomicUsize,
}

impl CheckedBytes {
    /// The file at `path` whose sums are in `all_sums`, the file of sums of its segment.
    ///
    /// # Errors
    /// `Corrupted` if the length is another one or the sums are missing.
    pub fn new(path: String, bytes: Bytes, sums: &Sums, all_sums: &Bytes) -> Result<Self> {
        let corrupted = |what: String| Error::corrupted("open segment file", what).with("path", &path);
        if bytes.len() as u64 != sums.length {
            return Err(corrupted(format!("it has {} bytes and should have {}", bytes.len(), sums.length)));
        }
        let (block, own) = match sums.first {
            Some(first) => {
                let from = usize::try_from(first).unwrap_or(usize::MAX).saturating_mul(8);
                let to = from.saturating_add(bytes.len().div_ceil(1 << BLOCK) * 8);
                if to > all_sums.len() {
                    return Err(corrupted("its checksums are missing".into()));
                }
                (BLOCK, all_sums.slice(from..to))
            }
            None => {
                let parse = |sum: &String| u64::from_str_radix(sum, 16).map(u64::to_le_bytes);
                let parsed = sums.blocks.iter().map(parse).collect::<Result<Vec<_>, _>>();
                (BLOCK_1, parsed.map_err(|e| corrupted("a checksum does not parse".into()).because(e))?.concat().into())
            }
        };
        let blocks = bytes.len().div_ceil(1 << block);
        if own.len() != blocks * 8 {
            return Err(corrupted("its checksums are of another length".into()));
        }
        let done = (0..blocks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let checks =
            Checks { path, block, sums: own, done, left: blocks.into(), all: (blocks == 0).into(), ahead: 0.into() };
        Ok(Self { bytes, checks: Arc::new(checks) })
    }

    /// Bytes that this process has just made.
    pub fn made_here(bytes: Bytes) -> Self {
        let checks = Checks {
            path: String::new(),
            block: BLOCK,
            sums: Bytes::new(),
            done: Box::default(),
            left: 0.into(),
            all: true.into(),
            ahead: 0.into(),
        };
        Self { bytes, checks: Arc::new(checks) }
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
        self.touch(range.clone())?;
        self.bytes.get(range).ok_or_else(|| self.beyond())
    }

    /// As [`CheckedBytes::get`], sharing the bytes.
    pub fn share(&self, range: Range<usize>) -> Result<Bytes> {
        if range.end > self.bytes.len() || range.start > range.end {
            return Err(self.beyond());
        }
        self.touch(range.clone())?;
        Ok(self.bytes.slice(range))
    }

    /// All bytes, of which only ranges that were touched may be used.
    #[inline]
    pub fn touched(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks the blocks of `range` if they were not yet.
    #[inline]
    pub fn touch(&self, range: Range<usize>) -> Result<()> {
        if self.checks.all.load(Ordering::Relaxed) || range.is_empty() {
            return Ok(());
        }
        for block in range.start >> self.checks.block..=(range.end - 1) >> self.checks.block {
            match self.checks.done.get(block / 64) {
                Some(word) if word.load(Ordering::Relaxed) >> (block % 64) & 1 == 1 => {}
                _ => self.check_block(block)?,
            }
        }
        Ok(())
    }

    /// Whether nothing is left to check.
    #[inline]
    pub fn all_checked(&self) -> bool {
        self.checks.all.load(Ordering::Relaxed)
    }

    /// Checks a few blocks that were not yet: called now and then, so that in the end no use looks at bits any more.
    pub fn check_ahead(&self) -> Result<()> {
        if self.all_checked() {
            return Ok(());
        }
        let blocks = self.checks.sums.len() / 8;
        let from = self.checks.ahead.fetch_add(AHEAD, Ordering::Relaxed) % blocks.max(1);
        self.touch(from << self.checks.block..((from + AHEAD).min(blocks) << self.checks.block))
    }

    #[cold]
    fn check_block(&self, block: usize) -> Result<()> {
        let checks = &*self.checks;
        let sum = checks.sums.get(block * 8..block * 8 + 8).ok_or_else(|| self.beyond())?;
        let from = block << checks.block;
        let bytes = &self.bytes[from..(from + (1 << checks.block)).min(self.bytes.len())];
        if XxHash3_64::oneshot(bytes).to_le_bytes() != *sum {
            let error = Error::corrupted("read segment file", "a block is not what was written");
            return Err(error.with("path", &checks.path).with("offset", from));
        }
        let before = checks.done[block / 64].fetch_or(1 << (block % 64), Ordering::Relaxed);
        if before >> (block % 64) & 1 == 0 && checks.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            checks.all.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Checks every block again, whether or not it was before.
    pub fn verify(&self) -> Result<()> {
        (0..self.checks.sums.len() / 8).try_for_each(|block| self.check_block(block))
    }

    fn beyond(&self) -> Error {
        Error::corrupted("read segment file", "a range ends beyond the file").with("path", &self.checks.path)
    }
}
