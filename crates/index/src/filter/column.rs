//! Here are bytes of a file: which numbers, strings or points are they? Used where they lie, wherever that is.

use bytes::Bytes;
use safepassage_error::{Error, Result};

use super::value::Point;

pub(super) fn corrupted(what: &str) -> Error {
    Error::corrupted("read fields of segment", what)
}

/// Little-endian u32.
#[derive(Debug)]
pub(crate) struct U32s(pub Bytes);

impl U32s {
    #[inline]
    pub fn get(&self, i: usize) -> u32 {
        u32::from_le_bytes(self.all()[i])
    }

    #[inline]
    pub fn all(&self) -> &[[u8; 4]] {
        self.0.as_chunks().0
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.all().iter().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

/// Little-endian u64.
#[derive(Debug)]
pub(crate) struct U64s(pub Bytes);

impl U64s {
    #[inline]
    pub fn get(&self, i: usize) -> u64 {
        u64::from_le_bytes(self.0.as_chunks().0[i])
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.0.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

/// Parts of some bytes, one after the other, each ending where the next begins.
#[derive(Debug)]
pub(crate) struct Parts {
    ends: U64s,
    bytes: Bytes,
}

impl Parts {
    /// # Errors
    /// `Corrupted` if the parts are not all of the bytes, in order.
    pub fn new(ends: Bytes, bytes: Bytes) -> Result<Self> {
        let ends = U64s(ends);
        let fits = ends.iter().is_sorted() && ends.iter().last().unwrap_or(0) == bytes.len() as u64;
        if fits { Ok(Self { ends, bytes }) } else { Err(corrupted("the parts of a field do not fit its length")) }
    }

    #[inline]
    pub fn get(&self, i: u32) -> &[u8] {
        let end = |parts: u32| if parts == 0 { 0 } else { self.ends.get(parts as usize - 1) as usize };
        &self.bytes[end(i)..end(i + 1)]
    }
}

/// Distinct strings, ascending by their bytes.
#[derive(Debug)]
pub(crate) struct Texts {
    parts: Parts,
    len: u32,
}

impl Texts {
    pub fn len(&self) -> u32 {
        self.len
    }

    /// # Errors
    /// `Corrupted` if they are not ascending or not UTF-8.
    pub fn new(parts: Parts, len: u32) -> Result<Self> {
        let texts = Self { parts, len };
        let ascending = (1..len).all(|i| texts.get(i - 1) < texts.get(i));
        if !ascending || (0..len).any(|i| std::str::from_utf8(texts.get(i)).is_err()) {
            return Err(corrupted("the values of a field are not distinct strings in order"));
        }
        Ok(texts)
    }

    #[inline]
    pub fn get(&self, i: u32) -> &[u8] {
        self.parts.get(i)
    }

    /// Value `i` as a string.
    pub fn text(&self, i: u32) -> &str {
        // Checked when it was opened.
        std::str::from_utf8(self.get(i)).unwrap_or_default()
    }

    /// The first place whose value `reached` says yes to, as it does to all behind it; the end if there is none.
    pub fn first(&self, reached: impl Fn(&[u8]) -> bool) -> u32 {
        first(self.len, |i| reached(self.get(i)))
    }
}

/// Distinct points, ascending.
#[derive(Debug)]
pub(crate) struct Points {
    highs: U64s,
    lows: U32s,
    len: u32,
}

impl Points {
    pub fn len(&self) -> u32 {
        self.len
    }

    /// # Errors
    /// `Corrupted` if they are not ascending.
    pub fn new(highs: Bytes, lows: Bytes, len: u32) -> Result<Self> {
        let points = Self { highs: U64s(highs), lows: U32s(lows), len };
        if (1..len).all(|i| points.get(i - 1) < points.get(i)) {
            return Ok(points);
        }
        Err(corrupted("the values of a field are not distinct and in order"))
    }

    #[inline]
    pub fn get(&self, i: u32) -> Point {
        Point { high: self.highs.get(i as usize), low: self.lows.get(i as usize) }
    }

    /// As [`Texts::first`].
    pub fn first(&self, reached: impl Fn(Point) -> bool) -> u32 {
        first(self.len, |i| reached(self.get(i)))
    }
}

fn first(len: u32, reached: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = u32::midpoint(low, high);
        if reached(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
