//! Here is a parsed document: where is it cut?
//!
//! The text is tokenised once, with offsets, and cut at the best boundary within the budget: a heading, else the end of
//! a block, else of a sentence, else a blank. A chunk keeps its bytes and the headings above it.

mod boundaries;

use std::ops::Range;

use safepassage_error::{Error, Result};
use safepassage_models::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::parse::{Block, Parsed};
use boundaries::{Boundaries, Strength};

/// The most that title and headings may take of a passage's tokens.
const MOST_PREFIX_TOKENS: usize = 48;

/// How documents are cut; fixed for the life of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkSettings {
    /// The most tokens of a chunk, title and headings that are embedded with it included.
    pub chunk_tokens: usize,
    /// About how many tokens a chunk repeats of the one before, unless a section begins there.
    pub overlap_tokens: usize,
}

impl ChunkSettings {
    /// Settings for a model that reads `max_tokens`; what is not given is the model's own measure, and an eighth of it.
    ///
    /// # Errors
    /// `Invalid` for fewer than 16 tokens, more than the model reads, or an overlap of half a chunk or more.
    pub fn new(max_tokens: usize, chunk_tokens: Option<usize>, overlap_tokens: Option<usize>) -> Result<Self> {
        let chunk_tokens = chunk_tokens.unwrap_or(max_tokens);
        if !(16..=max_tokens).contains(&chunk_tokens) {
            let message = format!("a chunk has 16 to {max_tokens} tokens with this model, not {chunk_tokens}");
            return Err(Error::invalid("set chunk size", message));
        }
        let overlap_tokens = overlap_tokens.unwrap_or(chunk_tokens / 8);
        if overlap_tokens * 2 >= chunk_tokens {
            let message = format!("an overlap of {overlap_tokens} is half of a chunk of {chunk_tokens} or more");
            return Err(Error::invalid("set chunk size", message));
        }
        Ok(Self { chunk_tokens, overlap_tokens })
    }
}

/// One chunk of a parsed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes of the parsed text, without white space at the ends.
    pub range: Range<usize>,
    /// The headings it stands under, outermost first.
    pub headings: Vec<String>,
    /// What is embedded before its text: title or headings, one line, perhaps empty.
    pub prefix: String,
}

/// Cuts documents for one tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct Chunker<'a> {
    tokenizer: &'a Tokenizer,
    settings: ChunkSettings,
}

impl<'a> Chunker<'a> {
    /// A chunker for `tokenizer`.
    #[must_use]
    pub fn new(tokenizer: &'a Tokenizer, settings: ChunkSettings) -> Self {
        Self { tokenizer, settings }
    }

    /// The chunks of `parsed`, in order; none if there are no words. `title` is embedded with every chunk that has no
    /// headings above it. Every word is in at least one chunk. `O(text)`.
    ///
    /// # Errors
    /// `Invalid` if the tokenizer refuses the text.
    pub fn chunk(&self, parsed: &Parsed, title: Option<&str>) -> Result<Vec<Chunk>> {
        let tokens = self.tokenizer.offsets(&parsed.text)?;
        let first = parsed.blocks.first().map_or(parsed.text.len(), |block| block.range.start);
        let mut start = tokens.partition_point(|(from, _)| *from < first);
        let boundaries = Boundaries::new(parsed);
        let headings: Vec<&Block> = parsed.blocks.iter().filter(|block| block.heading.is_some()).collect();
        let (mut chunks, mut reached) = (Vec::new(), 0);
        while start < tokens.len() {
            let (headings, prefix) = context(&headings, tokens[start].0, title);
            let prefix_tokens =
                if prefix.is_empty() { 0 } else { self.tokenizer.offsets(&prefix)?.len().min(MOST_PREFIX_TOKENS) };
            let budget = self.settings.chunk_tokens.saturating_sub(prefix_tokens).max(self.settings.chunk_tokens / 2);
            let (end, strength) = boundaries.cut(&tokens, start, budget);
            if end <= reached {
                // Under longer headings the overlap alone filled the budget: go on without it.
                start = reached;
                continue;
            }
            reached = end;
            let text = &parsed.text[tokens[start].0..tokens[end - 1].1.max(tokens[start].0)];
            // White space and punctuation that make no token still belong to the words beside them.
            let until = if end < tokens.len() { tokens[end].0 } else { parsed.text.len() };
            let whole = parsed.text[tokens[start].0..until].trim_end();
            let length = if strength == Strength::Token { text.len() } else { whole.len().max(text.len()) };
            let range = tokens[start].0..tokens[start].0 + length;
            chunks.push(Chunk { range, headings, prefix });
            if end >= tokens.len() {
                break;
            }
            start = match strength {
                Strength::Section => end,
                _ => boundaries.step_back(&tokens, start, end, self.settings.overlap_tokens),
            };
        }
        Ok(chunks)
    }
}

/// The headings above byte `at`, of all these, and the line that is embedded before a chunk that starts there.
fn context(all: &[&Block], at: usize, title: Option<&str>) -> (Vec<String>, String) {
    let mut open: Vec<(u8, &str)> = Vec::new();
    let mut starts_with_heading = false;
    for block in all.iter().take_while(|block| block.range.start <= at) {
        let Some((level, text)) = &block.heading else { continue };
        open.retain(|(above, _)| above < level);
        open.push((*level, text));
        starts_with_heading = block.range.contains(&at);
    }
    let headings: Vec<String> = open.iter().map(|(_, text)| (*text).to_owned()).collect();
    let shown = &headings[..headings.len() - usize::from(starts_with_heading && !headings.is_empty())];
    let mut line: Vec<&str> = shown.iter().map(String::as_str).collect();
    if let Some(title) = title.filter(|title| headings.first().is_none_or(|first| first != title)) {
        line.insert(0, title);
    }
    (headings.clone(), line.join(" > "))
}

#[cfg(test)]
mod tests;
