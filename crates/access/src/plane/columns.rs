//! Columns of numbers and texts, one after the other in one piece of bytes, read where they lie.
//!
//! ```text
//! magic · count of sections u32 · length of each section u64 · the sections
//! ```
//! Numbers are little-endian, nothing is aligned. Several things of different length stand one after the other in one
//! section, with a section of their ends beside it. Nothing that is read can be out of bounds: what is not there is
//! `None`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use safepassage_error::{Error, Kind, Result};

const MAGIC: &[u8; 8] = b"SPACCS01";

/// Bytes that somebody else keeps, such as a mapped file.
pub type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A piece of bytes cut into its sections.
#[derive(Clone)]
pub(super) struct Columns {
    bytes: SharedBytes,
    sections: Vec<Range<usize>>,
}

impl Default for Columns {
    fn default() -> Self {
        Self { bytes: Arc::new([0u8; 0]), sections: Vec::new() }
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Columns").field("sections", &self.sections).finish_non_exhaustive()
    }
}

impl Columns {
    /// Cuts `bytes` into sections, as many as one of `counts`: older writers knew of fewer, and what they did not write is
    /// empty.
    pub fn cut(bytes: SharedBytes, counts: &[usize]) -> Result<Self> {
        let all = (*bytes).as_ref();
        let head = MAGIC.len() + 4;
        let stated = all.get(..head).and_then(|head| head.strip_prefix(MAGIC)).and_then(|count| count.try_into().ok());
        let stated = stated.map(|count| u32::from_le_bytes(count) as usize);
        let count = stated.filter(|count| counts.contains(count));
        let count = count.ok_or_else(|| corrupted("not the columns of this format"))?;
        let mut end = head + count * 8;
        let (lengths, _) = all.get(head..end).ok_or_else(|| corrupted("they end too early"))?.as_chunks::<8>();
        let mut sections = Vec::with_capacity(count);
        for length in lengths {
            let start = end;
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            end = start.checked_add(length).filter(|end| *end <= all.len()).ok_or_else(|| corrupted("too short"))?;
            sections.push(start..end);
        }
        if end != all.len() {
            return Err(corrupted("too long"));
        }
        Ok(Self { bytes, sections })
    }

    /// A section as it is; empty if there is none.
    pub fn bytes(&self, section: usize) -> &[u8] {
        let range = self.sections.get(section).cloned().unwrap_or(0..0);
        (*self.bytes).as_ref().get(range).unwrap_or_default()
    }

    /// A section of numbers.
    pub fn numbers(&self, section: usize) -> Numbers<'_> {
        Numbers(self.bytes(section).as_chunks().0)
    }

    /// A section of texts, with the section of their ends.
    pub fn texts(&self, ends: usize, text: usize) -> Texts<'_> {
        Texts { ends: self.numbers(ends), text: self.bytes(text) }
    }
}

pub(super) fn corrupted(what: &str) -> Error {
    Error::corrupted("read access snapshot", what)
}

/// Numbers where they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers<'a>(&'a [[u8; 4]]);

impl<'a> Numbers<'a> {
    pub fn len(self) -> usize {
        self.0.len()
    }

    #[inline]
    pub fn get(self, i: usize) -> Option<u32> {
        self.0.get(i).map(|bytes| u32::from_le_bytes(*bytes))
    }

    pub fn iter(self) -> impl ExactSizeIterator<Item = u32> + 'a {
        self.0.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// These numbers being ends: where thing `i` begins and ends.
    #[inline]
    pub fn range(self, i: usize) -> Option<Range<usize>> {
        let start = i.checked_sub(1).map_or(Some(0), |before| self.get(before))?;
        Some(start as usize..self.get(i)? as usize)
    }

    /// Whether these can be the ends of things that together are `whole` long.
    pub fn are_ends_of(self, whole: usize) -> bool {
        self.0.last().map_or(0, |last| u32::from_le_bytes(*last) as usize) == whole && self.iter().is_sorted()
    }
}

/// Texts where they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a> {
    ends: Numbers<'a>,
    text: &'a [u8],
}

impl<'a> Texts<'a> {
    pub fn len(self) -> usize {
        self.ends.len()
    }

    pub fn bytes(self, i: usize) -> Option<&'a [u8]> {
        self.text.get(self.ends.range(i)?)
    }

    pub fn get(self, i: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(i)?).ok()
    }

    pub fn fit(self) -> bool {
        self.ends.are_ends_of(self.text.len())
    }

    /// All of them, if they are texts.
    pub fn all(self) -> Result<Vec<&'a str>> {
        let text = (0..self.len()).map(|i| self.get(i).ok_or_else(|| corrupted("a text is none")));
        if self.fit() { text.collect() } else { Err(corrupted("the ends of texts do not fit")) }
    }
}

/// Sections being written.
pub(super) struct Writer(Vec<Vec<u8>>);

impl Writer {
    pub fn new(sections: usize) -> Self {
        Self(vec![Vec::new(); sections])
    }

    pub fn byte(&mut self, section: usize, byte: u8) {
        self.0[section].push(byte);
    }

    pub fn number(&mut self, section: usize, number: u32) {
        self.0[section].extend_from_slice(&number.to_le_bytes());
    }

    pub fn bytes(&mut self, section: usize, bytes: &[u8]) {
        self.0[section].extend_from_slice(bytes);
    }

    /// Writes where `of`, a section of things `width` bytes wide, ends by now.
    pub fn end(&mut self, section: usize, of: usize, width: usize) -> Result<()> {
        let end = u32::try_from(self.0[of].len() / width);
        let end = end.map_err(|_| Error::new(Kind::Invalid, "write access snapshot", "more than 2^32 entries"))?;
        self.number(section, end);
        Ok(())
    }

    pub fn text(&mut self, ends: usize, of: usize, text: &str) -> Result<()> {
        self.bytes(of, text.as_bytes());
        self.end(ends, of, 1)
    }

    pub fn finish(self) -> Vec<u8> {
        let length = MAGIC.len() + 4 + self.0.iter().map(|section| section.len() + 8).sum::<usize>();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
        self.0.iter().for_each(|section| bytes.extend_from_slice(&(section.len() as u64).to_le_bytes()));
        self.0.iter().for_each(|section| bytes.extend_from_slice(section));
        bytes
    }
}
