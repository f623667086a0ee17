//! Here is a file of lines: give me each with its number and offset, however long some are.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use safepassage_error::{Error, Kind, Result};

/// A longer line is passed over, not kept in memory.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// One line without blanks around it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// From 1.
    pub number: u64,
    /// Of the first byte that is no blank.
    pub offset: u64,
    /// `None` if it is longer than [`MOST_BYTES`].
    pub bytes: Option<&'a [u8]>,
}

/// Calls `each` with every line of a file that is not blank. A byte-order mark at the start is passed over.
pub(super) fn each_line(path: &Path, each: &mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()> {
    let file = File::open(path).map_err(|e| failed(&e, path))?;
    each_line_of(file, path, each)
}

/// As [`each_line`], of bytes that are called `path`.
pub(super) fn each_line_of(bytes: impl Read, path: &Path, each: &mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()> {
    let failed = |e: std::io::Error| failed(&e, path);
    let mut reader = BufReader::with_capacity(1 << 20, bytes);
    let (mut held, mut number, mut offset) = (Vec::new(), 0, 0u64);
    loop {
        held.clear();
        let (mut length, mut too_long) = (0u64, false);
        loop {
            let available = reader.fill_buf().map_err(failed)?;
            let end = available.iter().position(|&b| b == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            too_long |= held.len() + taken > MOST_BYTES;
            if !too_long {
                held.extend_from_slice(&available[..taken]);
            }
            reader.consume(taken);
            length += taken as u64;
            if end.is_some() || taken == 0 {
                break;
            }
        }
        if length == 0 {
            return Ok(());
        }
        number += 1;
        let mut start = offset;
        offset += length;
        let mut bytes = &held[..];
        if number == 1
            && let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf")
        {
            bytes = rest;
            start += 3;
        }
        start += (bytes.len() - bytes.trim_ascii_start().len()) as u64;
        let trimmed = bytes.trim_ascii();
        if too_long {
            each(Line { number, offset: start, bytes: None })?;
        } else if !trimmed.is_empty() {
            each(Line { number, offset: start, bytes: Some(trimmed) })?;
        }
    }
}

fn failed(error: &std::io::Error, path: &Path) -> Error {
    let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Unavailable };
    Error::new(kind, "read lines", error.to_string()).with("path", path.display())
}
