//! Here is a line of the log: is it whole, and what does it say?
//!
//! A line is a JSON object that ends in `"prev"`, the hash of the line before, and `"hash"`, the SHA-256 of all bytes of
//! the line before the comma in front of `"hash"`. So it is checked as it lies there, without being written anew, and
//! fields that this program does not know are covered too.

use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::entry::Entry;

const BEFORE: &str = ",\"hash\":\"";
const AFTER: &str = "\"}";
const DIGITS: usize = 64;

/// One line of the log, read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When it was written, RFC 3339.
    pub time: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
    /// The hash of the line before; zeros for the first.
    pub prev: Digest,
    /// Its own hash.
    pub hash: Digest,
}

/// A line without its hash.
#[derive(Serialize, Deserialize)]
struct Body<E> {
    seq: u64,
    time: String,
    #[serde(flatten)]
    entry: E,
    prev: Digest,
}

/// The time as lines write it.
pub(crate) fn written_time(now: Timestamp) -> String {
    let ms = i64::try_from(now.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The bytes of a line, the line feed included, and its hash.
pub(crate) fn write(seq: u64, time: Timestamp, prev: Digest, entry: &Entry) -> Result<(Vec<u8>, Digest)> {
    let body = Body { seq, time: written_time(time), entry, prev };
    let mut bytes = serde_json::to_vec(&body)
        .map_err(|e| Error::new(Kind::Internal, "write audit line", "cannot be written as JSON").because(e))?;
    bytes.pop();
    let hash = Digest::of(&[&bytes]);
    bytes.extend_from_slice(format!("{BEFORE}{hash}{AFTER}\n").as_bytes());
    Ok((bytes, hash))
}

impl Line {
    /// Reads a line, without its line feed. Arbitrary bytes are an error, never a panic.
    ///
    /// # Errors
    /// `Corrupted`, saying what is not as it was written.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let corrupted = |what: &str| Error::corrupted("read audit line", what);
        let cut = bytes.len().checked_sub(BEFORE.len() + DIGITS + AFTER.len());
        let (body, end) = bytes.split_at(cut.ok_or_else(|| corrupted("the line is too short"))?);
        let stated = end
            .strip_prefix(BEFORE.as_bytes())
            .and_then(|end| end.strip_suffix(AFTER.as_bytes()))
            .and_then(|digits| str::from_utf8(digits).ok()?.parse::<Digest>().ok())
            .ok_or_else(|| corrupted("the line does not end in its hash"))?;
        let hash = Digest::of(&[body]);
        if hash != stated {
            return Err(corrupted("the line is not what was written"));
        }
        let read: Body<Entry> = serde_json::from_slice(&[body, b"}"].concat())
            .map_err(|e| corrupted("the line does not parse").because(e))?;
        Ok(Self { seq: read.seq, time: read.time, entry: read.entry, prev: read.prev, hash })
    }

    /// When it was written.
    ///
    /// # Errors
    /// `Corrupted` if the line says no time.
    pub fn at(&self) -> Result<Timestamp> {
        let at: jiff::Timestamp = self.time.parse().map_err(|_| {
            Error::corrupted("read audit line", format!("`{}` is no time", self.time)).with("seq", self.seq)
        })?;
        Ok(Timestamp(u64::try_from(at.as_millisecond()).unwrap_or(0)))
    }

    /// Whether it comes right after the line `seq` with the hash `prev`.
    pub(crate) fn follows(&self, seq: u64, prev: Digest) -> bool {
        Some(self.seq) == seq.checked_add(1) && self.prev == prev
    }
}
