//! Here is the content of a document: what is its text, its title, and where do its sections, blocks and pages begin?
//!
//! Of a textual format every byte of the parsed text is traced back to the content, so that a passage can be shown where
//! it stands. Of the others the text is taken out, on a thread of its own: whatever is in a file, it is read or refused.
//! What it looks like is left out; cutting is left to `chunk`.

mod decode;
mod delimited;
mod draft;
#[cfg(test)]
mod hostile;
mod html;
pub(crate) mod isolated;
mod json;
mod mail;
mod markdown;
mod notebook;
mod office;
mod pdf;
mod plain;
mod process;
mod table;

use std::ops::Range;

pub use process::ParserProcess;
use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::source::Format;

/// The operation that every refusal of a parser names.
pub(crate) const PARSE: &str = "parse";

/// A parsed document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Parsed {
    /// The title the document itself gives.
    pub title: Option<String>,
    /// What is read and cut.
    pub text: String,
    /// Paragraphs, headings, lists, tables and code blocks, ascending and without overlap.
    pub blocks: Vec<Block>,
    /// Where its pages begin, from the first on; empty if it has none.
    pages: Vec<usize>,
    /// Where runs of `text` come from: (start in the text, range of the source), ascending. Empty if the text is the
    /// source.
    runs: Vec<(usize, Range<usize>)>,
}

/// One block of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Bytes of the parsed text.
    pub range: Range<usize>,
    /// 1 to 6 for a heading, with its text.
    pub heading: Option<(u8, String)>,
}

impl Parsed {
    /// Whether a page begins at byte `at` of the text.
    pub(crate) fn begins_page(&self, at: usize) -> bool {
        self.pages.binary_search(&at).is_ok()
    }

    /// The page that byte `at` of the text is on, from 1; `None` if there are no pages.
    #[must_use]
    pub fn page(&self, at: usize) -> Option<u32> {
        let before = self.pages.partition_point(|page| *page <= at);
        (before > 0).then_some(before as u32)
    }

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

/// Parses `content` as `format`. Of the textual formats everything that is UTF-8 parses: what is no markup is text. The
/// others are parsed on another thread, within limits of size and time.
///
/// # Errors
/// `Invalid` if it is not what the format wants; the message is for a person and has no text of the document.
pub fn parse(content: &[u8], format: Format) -> Result<Parsed> {
    if !format.is_text() {
        let content = content.to_vec();
        return isolated::run(move || extract(&content, format));
    }
    let text = || std::str::from_utf8(content).map_err(|_| Error::invalid(PARSE, "it is not UTF-8"));
    match format {
        Format::Markdown => text().map(markdown::parse),
        Format::Html => text().map(html::parse),
        _ => text().map(plain::parse),
    }
}

fn extract(content: &[u8], format: Format) -> Result<Parsed> {
    match format {
        Format::Csv => delimited::parse(content, false),
        Format::Tsv => delimited::parse(content, true),
        Format::Json => json::parse(content),
        Format::Notebook => notebook::parse(content),
        Format::Mail => mail::parse(content),
        Format::Docx => office::docx::parse(content),
        Format::Pptx => office::pptx::parse(content),
        Format::Xlsx => office::xlsx::parse(content),
        Format::Pdf => pdf::parse(content),
        Format::Plain | Format::Markdown | Format::Html | Format::Code => parse(content, format),
    }
}
