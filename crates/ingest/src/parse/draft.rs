//! Here are pieces of text that a parser takes out of a file: what do they make together?
//!
//! Blocks come in the order of reading; between two stands a blank line, between two rows an end of line. What is longer
//! than [`MOST_BYTES`] is refused, so that a small file cannot become a large text.

use safepassage_error::{Error, Result};

use super::{Block, Parsed};

/// The longest text that is taken out of one file.
pub(super) const MOST_BYTES: usize = 32 << 20;

/// A document in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    parsed: Parsed,
    /// Whether the last block was a row.
    in_rows: bool,
}

impl Draft {
    /// The first title that is given counts.
    pub fn title(&mut self, title: &str) {
        let title = one_line(title);
        if self.parsed.title.is_none() && !title.is_empty() {
            self.parsed.title = Some(title);
        }
    }

    pub fn heading(&mut self, level: u8, text: &str) -> Result<()> {
        let text = one_line(text);
        self.block(&text, false, Some((level.clamp(1, 6), text.clone())))
    }

    pub fn paragraph(&mut self, text: &str) -> Result<()> {
        self.block(text, false, None)
    }

    /// Rows that come next belong to another table or list than those before.
    pub fn end_rows(&mut self) {
        self.in_rows = false;
    }

    /// One of several lines that belong together: a row of a table, a point of a list.
    pub fn row(&mut self, text: &str) -> Result<()> {
        self.block(text, true, None)
    }

    /// What comes next begins a page.
    pub fn page(&mut self) {
        self.in_rows = false;
        self.separate("\n\n");
        self.parsed.pages.push(self.parsed.text.len());
    }

    /// Takes over the blocks of a text within the file; its headings stay what they are.
    pub fn append(&mut self, within: &Parsed) -> Result<()> {
        for block in &within.blocks {
            let text = &within.text[block.range.clone()];
            self.block(text, false, block.heading.clone())?;
        }
        Ok(())
    }

    pub fn finish(self) -> Parsed {
        self.parsed
    }

    fn block(&mut self, text: &str, row: bool, heading: Option<(u8, String)>) -> Result<()> {
        let text = text.trim_end().trim_start_matches(['\n', '\r']);
        if text.trim_start().is_empty() {
            return Ok(());
        }
        self.separate(if row && self.in_rows { "\n" } else { "\n\n" });
        self.in_rows = row;
        let start = self.parsed.text.len();
        if start + text.len() > MOST_BYTES {
            return Err(too_long());
        }
        // No control characters but those that a text is laid out with.
        self.parsed.text.extend(text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')));
        self.parsed.blocks.push(Block { range: start..self.parsed.text.len(), heading });
        Ok(())
    }

    fn separate(&mut self, gap: &str) {
        if !self.parsed.text.is_empty() && !self.parsed.text.ends_with("\n\n") {
            self.parsed.text.push_str(gap);
        }
    }
}

pub(super) fn too_long() -> Error {
    Error::invalid("parse", format!("its text is longer than {} MiB", MOST_BYTES >> 20))
}

/// Without ends of lines and with single blanks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_rows_and_pages_lie_where_they_say() {
        let mut draft = Draft::default();
        draft.page();
        draft.heading(9, " Pay\n2026 ").unwrap();
        draft.row("a: 1").unwrap();
        draft.row("a: 2").unwrap();
        draft.paragraph("  \n").unwrap();
        draft.page();
        draft.paragraph("the\u{0} end").unwrap();
        let parsed = draft.finish();
        assert_eq!(parsed.text, "Pay 2026\n\na: 1\na: 2\n\nthe end");
        let texts: Vec<&str> = parsed.blocks.iter().map(|block| &parsed.text[block.range.clone()]).collect();
        assert_eq!(texts, ["Pay 2026", "a: 1", "a: 2", "the end"]);
        assert_eq!(parsed.blocks[0].heading, Some((6, "Pay 2026".into())));
        let end = parsed.text.find("the").unwrap();
        assert_eq!([0, end - 1, end].map(|at| parsed.page(at)), [Some(1), Some(1), Some(2)]);
        assert_eq!(parsed.source_span(3..7), 3..7);
    }

    #[test]
    fn a_text_that_grows_too_long_is_refused() {
        let mut draft = Draft::default();
        let line = "x".repeat(1 << 20);
        let refused = (0..64).find_map(|_| draft.row(&line).err()).unwrap();
        assert!(refused.message().contains("longer than 32 MiB"), "{refused}");
    }
}
