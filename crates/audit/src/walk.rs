//! Here are the bytes of a file: which lines follow each other in them?
//!
//! Bytes that are no line are passed over if the line behind them says how many there are and what their digest is.
//! Whoever appends, verifies or mends reads by this one rule.

use safepassage_error::{Error, Result};

use crate::digest::Digest;
use crate::head::Head;
use crate::line::Line;

/// A walk down one file, from one line to the one that follows it.
pub(crate) struct Walk<'a> {
    bytes: &'a [u8],
    /// Where `bytes` start in the file.
    base: u64,
    at: usize,
    /// The last line that was met.
    pub head: Head,
    /// Whether there is a line before the first.
    anchored: bool,
}

impl<'a> Walk<'a> {
    /// Walks `bytes`, which lie in the file behind `head`; without `anchored` the first line may be any.
    pub fn new(bytes: &'a [u8], head: Head, anchored: bool) -> Self {
        Self { bytes, base: head.end, at: 0, head, anchored }
    }

    /// What was not met yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Whether the rest may be what an append left that was not finished. A whole line is none: lines that follow were
    /// met, and others were put there.
    pub fn is_torn(&self) -> bool {
        let mut lines = self.rest().split_inclusive(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        lines.all(|line| Line::parse(line).is_err())
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// `Corrupted` if what comes next is no line that follows and nothing says why.
    pub fn next(&mut self) -> Result<Option<Line>> {
        if self.rest().is_empty() {
            return Ok(None);
        }
        let direct = match self.line_at(self.at) {
            Some((end, bytes)) => self.following(bytes).and_then(|line| {
                let gone = || Error::corrupted("read audit log", "what was set aside before this line is gone");
                if line.entry.aside.is_none() { Ok((self.at, end, line)) } else { Err(gone()) }
            }),
            None => Err(Error::corrupted("read audit log", "the line is cut off")),
        };
        let (start, end, line) = match direct {
            Ok(direct) => direct,
            Err(error) => self.behind_aside().ok_or(error)?,
        };
        if self.head.end == 0 {
            self.head.opened_ms = line.at()?.0;
        }
        (self.head.seq, self.head.hash) = (line.seq, line.hash);
        (self.head.start, self.head.end) = (self.base + start as u64, self.base + end as u64);
        if line.entry.standing.is_some() {
            self.head.standing_at = self.head.start;
        }
        (self.at, self.anchored) = (end, true);
        Ok(Some(line))
    }

    /// The line that starts at `start`: where it ends with its line feed, and its bytes without.
    fn line_at(&self, start: usize) -> Option<(usize, &'a [u8])> {
        let length = self.bytes[start..].iter().position(|&byte| byte == b'\n')?;
        Some((start + length + 1, &self.bytes[start..start + length]))
    }

    fn following(&self, bytes: &[u8]) -> Result<Line> {
        let line = Line::parse(bytes)?;
        if self.anchored && !line.follows(self.head.seq, self.head.hash) {
            let what = format!("line {} does not follow line {}", line.seq, self.head.seq);
            return Err(Error::corrupted("read audit log", what));
        }
        Ok(line)
    }

    /// The line behind `at` that says that everything up to it is no part of the log.
    fn behind_aside(&self) -> Option<(usize, usize, Line)> {
        let from = self.base + self.at as u64;
        let (mut start, _) = self.line_at(self.at)?;
        loop {
            let (end, bytes) = self.line_at(start)?;
            let between = &self.bytes[self.at..start];
            let names = |line: &Line| {
                line.entry.aside.as_ref().is_some_and(|aside| {
                    (aside.from, aside.bytes) == (from, between.len() as u64) && aside.sha256 == Digest::of(&[between])
                })
            };
            if let Some(line) = self.following(bytes).ok().filter(names) {
                return Some((start, end, line));
            }
            start = end;
        }
    }
}
