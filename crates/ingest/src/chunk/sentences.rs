//! Where does a sentence begin, and how is each one a chunk?
//!
//! Sentences are those of Unicode (UAX 29), except that a line that only wraps goes on with the next, and that what is no
//! sentence by itself (a heading, `Mr.`, a number) goes with what follows it.

use std::ops::Range;

use safepassage_error::Result;
use unicode_segmentation::UnicodeSegmentation;

use super::cutter::{Cutter, Piece, Text};
use crate::parse::Block;

/// Fewer tokens than this are no sentence.
const FEWEST_TOKENS: usize = 5;
/// A line that is shorter was ended on purpose.
const WRAPPED_BYTES: usize = 40;

/// Each sentence is a chunk.
pub(super) struct Sentences;

impl Cutter for Sentences {
    fn cut(&self, text: &Text<'_>) -> Result<Vec<Piece>> {
        let parts = sentences(text).into_iter().map(|sentence| text.split(sentence));
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }
}

/// The tokens of each sentence; together they are all tokens from the first block on.
pub(super) fn sentences(text: &Text<'_>) -> Vec<Range<usize>> {
    let mut found: Vec<usize> = Vec::new();
    let mut after_heading = false;
    for block in &text.parsed.blocks {
        let (before, end) = (found.len(), text.token_at(block.range.end));
        for (at, n) in starts(&text.parsed.text, block).into_iter().zip(0..) {
            let start = text.token_at(at);
            let goes_on = match found.last() {
                _ if start >= end => true,
                Some(last) if n > 0 => start < last + FEWEST_TOKENS,
                Some(last) => after_heading || start <= *last,
                None => false,
            };
            if !goes_on {
                found.push(start);
            }
        }
        // The end of a block goes with what stands before it there.
        let alone = found.len() < before + 1 + usize::from(!after_heading);
        if !alone && found.last().is_some_and(|last| end < last + FEWEST_TOKENS) {
            found.pop();
        }
        after_heading = block.heading.is_some();
    }
    // What stands outside of blocks belongs to what is beside it.
    let first = text.first();
    match found.first_mut() {
        Some(start) => *start = first,
        None if first < text.tokens.len() => found.push(first),
        None => {}
    }
    let ends = found.iter().skip(1).copied().chain([text.tokens.len()]);
    found.iter().zip(ends).map(|(start, end)| *start..end).collect()
}

/// The bytes at which sentences of `block` begin, by their letters alone.
fn starts(text: &str, block: &Block) -> Vec<usize> {
    let own = &text[block.range.clone()];
    if block.heading.is_some() {
        return vec![block.range.start];
    }
    let unwrapped = unwrapped(own);
    unwrapped.split_sentence_bound_indices().map(|(at, _)| block.range.start + at).collect()
}

/// `block` with blanks for the line feeds that only wrap; as many bytes.
fn unwrapped(block: &str) -> String {
    let mut whole = String::with_capacity(block.len());
    let mut lines = block.split('\n').peekable();
    while let Some(line) = lines.next() {
        whole.push_str(line);
        if let Some(next) = lines.peek() {
            let goes_on = line.len() >= WRAPPED_BYTES && next.starts_with(char::is_alphanumeric);
            whole.push(if goes_on { ' ' } else { '\n' });
        }
    }
    whole
}
