//! Here is a text with its tokens: what does every way of cutting know of it, and what does it give?

use std::cell::OnceCell;
use std::ops::Range;

use safepassage_error::Result;
use safepassage_models::Tokenizer;

use crate::parse::{Block, Parsed};

/// The most that title and headings may take of a passage's tokens.
const MOST_PREFIX_TOKENS: usize = 48;

/// A way of cutting.
pub(super) trait Cutter {
    /// The pieces of `text` in order: each begins and ends after the one before it, and together they have every token
    /// from [`Text::first`] on. None is longer than [`Text::budget`] of its first token.
    fn cut(&self, text: &Text<'_>) -> Result<Vec<Piece>>;
}

/// One chunk to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub tokens: Range<usize>,
    /// The number, within the text, of the larger chunk that it is given with.
    pub parent: Option<u32>,
}

impl Piece {
    pub fn new(tokens: Range<usize>) -> Self {
        Self { tokens, parent: None }
    }
}

/// A text being cut.
pub(super) struct Text<'a> {
    pub parsed: &'a Parsed,
    /// The bytes of each token.
    pub tokens: Vec<(usize, usize)>,
    tokenizer: &'a Tokenizer,
    chunk_tokens: usize,
    headings: Headings<'a>,
}

impl<'a> Text<'a> {
    pub fn new(
        tokenizer: &'a Tokenizer,
        chunk_tokens: usize,
        parsed: &'a Parsed,
        title: Option<&'a str>,
    ) -> Result<Self> {
        let tokens = tokenizer.offsets(&parsed.text)?;
        Ok(Self { parsed, tokens, tokenizer, chunk_tokens, headings: Headings::new(parsed, title) })
    }

    /// The first token of the first block: what stands before, as front matter does, is not cut.
    pub fn first(&self) -> usize {
        let first = self.parsed.blocks.first().map_or(self.parsed.text.len(), |block| block.range.start);
        self.token_at(first)
    }

    /// The first token that begins at byte `at` or later.
    pub fn token_at(&self, at: usize) -> usize {
        self.tokens.partition_point(|(from, _)| *from < at)
    }

    /// The headings above a chunk that begins at byte `at`, outermost first, and the line that is embedded before it.
    pub fn context(&self, at: usize) -> (Vec<String>, String) {
        self.headings.context(at)
    }

    /// How many tokens a chunk that begins with `token` may have, beside what is embedded before it.
    pub fn budget(&self, token: usize) -> Result<usize> {
        let prefix = self.headings.prefix_tokens(self.tokens[token].0, self.tokenizer)?.min(MOST_PREFIX_TOKENS);
        Ok(self.chunk_tokens.saturating_sub(prefix).max(self.chunk_tokens / 2))
    }

    /// Whether a word begins with `token`.
    pub fn begins_word(&self, token: usize) -> bool {
        self.parsed.text[..self.tokens[token].0].ends_with(char::is_whitespace)
    }

    /// The last place from `start` to `last` where no word is cut; `last` if there is none after `start`.
    pub fn word_before(&self, start: usize, last: usize) -> usize {
        if last == self.tokens.len() {
            return last;
        }
        (start + 1..=last).rev().find(|&token| self.begins_word(token)).unwrap_or(last)
    }

    /// `tokens` in parts within their budgets, cut between words.
    pub fn split(&self, tokens: Range<usize>) -> Result<Vec<Piece>> {
        let (mut pieces, mut start) = (Vec::new(), tokens.start);
        while start < tokens.end {
            let last = start + self.budget(start)?;
            let end = if last >= tokens.end { tokens.end } else { self.word_before(start, last) };
            pieces.push(Piece::new(start..end));
            start = end;
        }
        Ok(pieces)
    }

    /// The bytes of `tokens`. White space and punctuation that make no token still belong to the words before them.
    pub fn range(&self, tokens: &Range<usize>) -> Range<usize> {
        let (start, text) = (self.tokens[tokens.start].0, &self.parsed.text);
        let until = self.tokens.get(tokens.end).map_or(text.len(), |(from, _)| *from);
        let whole = text[start..until].trim_end().len();
        start..(start + whole).max(self.tokens[tokens.end - 1].1)
    }
}

/// The headings of a text, so that those above a place are found without reading all.
struct Headings<'a> {
    title: Option<&'a str>,
    all: Vec<Heading<'a>>,
    untitled: OnceCell<usize>,
}

struct Heading<'a> {
    block: &'a Block,
    /// The one above it.
    above: Option<usize>,
    /// Tokens of the line before a chunk that begins with it, and before one that begins under it.
    prefix: [OnceCell<usize>; 2],
}

impl<'a> Headings<'a> {
    fn new(parsed: &'a Parsed, title: Option<&'a str>) -> Self {
        let (mut all, mut open): (Vec<Heading<'a>>, Vec<usize>) = (Vec::new(), Vec::new());
        let level = |heading: &Heading<'_>| heading.block.heading.as_ref().map_or(0, |(level, _)| *level);
        for block in parsed.blocks.iter().filter(|block| block.heading.is_some()) {
            let heading = Heading { block, above: None, prefix: Default::default() };
            open.retain(|above| level(&all[*above]) < level(&heading));
            let above = open.last().copied();
            open.push(all.len());
            all.push(Heading { above, ..heading });
        }
        Self { title, all, untitled: OnceCell::new() }
    }

    /// The heading that byte `at` stands in or under.
    fn last(&self, at: usize) -> Option<usize> {
        self.all.partition_point(|heading| heading.block.range.start <= at).checked_sub(1)
    }

    fn context(&self, at: usize) -> (Vec<String>, String) {
        let last = self.last(at);
        let begins = last.is_some_and(|last| self.all[last].block.range.contains(&at));
        let mut open: Vec<&str> = Vec::new();
        let mut next = last;
        while let Some(heading) = next.map(|next| &self.all[next]) {
            open.extend(heading.block.heading.as_ref().map(|(_, text)| text.as_str()));
            next = heading.above;
        }
        open.reverse();
        let shown = &open[..open.len() - usize::from(begins)];
        let title = self.title.filter(|title| open.first().is_none_or(|first| first != title));
        let line: Vec<&str> = title.into_iter().chain(shown.iter().copied()).collect();
        (open.iter().map(|text| (*text).to_owned()).collect(), line.join(" > "))
    }

    fn prefix_tokens(&self, at: usize, tokenizer: &Tokenizer) -> Result<usize> {
        let known = match self.last(at).map(|last| &self.all[last]) {
            None => &self.untitled,
            Some(heading) => &heading.prefix[usize::from(heading.block.range.contains(&at))],
        };
        if let Some(known) = known.get() {
            return Ok(*known);
        }
        let (_, prefix) = self.context(at);
        let tokens = if prefix.is_empty() { 0 } else { tokenizer.offsets(&prefix)?.len() };
        Ok(*known.get_or_init(|| tokens))
    }
}
