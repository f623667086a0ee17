//! Here is the source text of a document: what is its title, and where do its sections and blocks begin?
//!
//! Every byte of the parsed text is traced back to the source text, so that a passage can be shown where it stands.
//! What it looks like is left out; cutting is left to `chunk`.

mod html;
mod markdown;
mod plain;

use std::ops::Range;

use safepassage_error::{Error, Result};

use crate::source::Format;

/// A parsed document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// The title the document itself gives.
    pub title: Option<String>,
    /// What is read and cut.
    pub text: String,
    /// Paragraphs, headings, lists, tables and code blocks, ascending and without overlap.
    pub blocks: Vec<Block>,
    /// Where runs of `text` come from: (start in the text, range of the source), ascending. Empty if the text is the
    /// source.
    runs: Vec<(usize, Range<usize>)>,
}

/// One block of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Bytes of the parsed text.
    pub range: Range<usize>,
    /// 1 to 6 for a heading, with its text.
    pub heading: Option<(u8, String)>,
}

impl Parsed {
    /// The bytes of the source that `range` of the text comes from. Exact to the byte, except that an end inside a run
    /// whose characters were written as entities takes the whole run.
    #[must_use]
    pub fn source_span(&self, range: Range<usize>) -> Range<usize> {
        if self.runs.is_empty() {
            return range;
        }
        let run_at = |at: usize| self.runs.partition_point(|(start, _)| *start <= at).saturating_sub(1);
        let length = |run: usize| self.runs.get(run + 1).map_or(self.text.len(), |(next, _)| *next) - self.runs[run].0;
        let exact = |run: usize| self.runs[run].1.len() == length(run);
        let first = run_at(range.start);
        let last = run_at(range.end.saturating_sub(1).max(range.start));
        let (first_text, first_source) = &self.runs[first];
        let (last_text, last_source) = &self.runs[last];
        let start = if exact(first) { first_source.start + (range.start - first_text) } else { first_source.start };
        let end = if exact(last) { last_source.start + (range.end - last_text) } else { last_source.end };
        start..end.max(start)
    }
}

/// Parses `content` as `format`. Of the textual formats everything that is UTF-8 parses: what is no markup is text.
///
/// # Errors
/// `Invalid` if it is not what the format wants; the message is for a person and has no text of the document.
pub fn parse(content: &[u8], format: Format) -> Result<Parsed> {
    let text = || std::str::from_utf8(content).map_err(|_| Error::invalid("parse", "it is not UTF-8"));
    match format {
        Format::Plain => text().map(plain::parse),
        Format::Markdown => text().map(markdown::parse),
        Format::Html => text().map(html::parse),
    }
}
