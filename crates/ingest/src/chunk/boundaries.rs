//! Where may a text be cut, and how good a place is that?

use unicode_segmentation::UnicodeSegmentation;

use crate::parse::Parsed;

/// How much a cut respects; greater is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Between two tokens of a word.
    Token,
    /// At a blank.
    Word,
    Sentence,
    Block,
    /// Before a heading.
    Section,
    /// Before a page that begins with a heading: a slide, a chapter. What is found there is cited by its page.
    Page,
}

/// Byte positions at which something begins, ascending.
pub(super) struct Boundaries<'a> {
    text: &'a str,
    places: Vec<(usize, Strength)>,
}

impl<'a> Boundaries<'a> {
    pub fn new(parsed: &'a Parsed) -> Self {
        let mut places = Vec::new();
        let mut after_heading = false;
        for block in &parsed.blocks {
            let heading = block.heading.is_some();
            // Between a heading and what stands under it nothing is cut, nor between two headings.
            let strength = match heading {
                true if parsed.begins_page(block.range.start) => Strength::Page,
                true => Strength::Section,
                false => Strength::Block,
            };
            if !after_heading || strength == Strength::Page {
                places.push((block.range.start, strength));
            }
            after_heading = heading;
            let sentences = parsed.text[block.range.clone()].split_sentence_bound_indices().skip(1);
            places.extend(sentences.map(|(at, _)| (block.range.start + at, Strength::Sentence)));
        }
        Self { text: &parsed.text, places }
    }

    /// Where a chunk that starts at token `start` ends (a token index, exclusive), at most `budget` tokens on.
    ///
    /// The first page that begins with a heading; else the first section that begins after a quarter of the budget; else the best and then latest place in its second
    /// half.
    pub fn cut(&self, tokens: &[(usize, usize)], start: usize, budget: usize) -> (usize, Strength) {
        let last = (start + budget).min(tokens.len());
        let from = self.places.partition_point(|(at, _)| *at <= tokens[start].0);
        let reach = tokens.get(last).map_or(usize::MAX, |(at, _)| *at);
        let within = || self.places[from..].iter().take_while(|(at, _)| *at <= reach);
        let token_at = |at: usize| start + tokens[start..last].partition_point(|(token, _)| *token < at);
        for (at, strength) in within() {
            let token = token_at(*at);
            let page = *strength == Strength::Page && token > start;
            let section = *strength >= Strength::Section && token >= start + budget / 4;
            if (page || section) && token < tokens.len() {
                return (token, Strength::Section);
            }
        }
        if last == tokens.len() {
            return (last, Strength::Section);
        }
        let best = within()
            .filter_map(|(at, strength)| {
                Some((*strength, token_at(*at))).filter(|(_, token)| *token >= start + budget / 2)
            })
            .max();
        if let Some((strength, token)) = best {
            return (token, strength);
        }
        let word = (start + budget / 2..=last).rev().find(|&token| self.begins_word(tokens, token));
        word.map_or((last, Strength::Token), |token| (token, Strength::Word))
    }

    /// Where the next chunk starts so that it repeats about `overlap` tokens before `end`: at a sentence if one begins
    /// there, else at a word.
    pub fn step_back(&self, tokens: &[(usize, usize)], start: usize, end: usize, overlap: usize) -> usize {
        let earliest = end.saturating_sub(overlap).max(start + 1);
        if earliest >= end {
            return end;
        }
        let from = self.places.partition_point(|(at, _)| *at < tokens[earliest].0);
        let sentence = self.places[from..].iter().take_while(|(at, _)| *at < tokens[end].0).next();
        if let Some((at, _)) = sentence {
            return earliest + tokens[earliest..end].partition_point(|(token, _)| token < at);
        }
        (earliest..=end).find(|&token| self.begins_word(tokens, token)).unwrap_or(end)
    }

    fn begins_word(&self, tokens: &[(usize, usize)], token: usize) -> bool {
        let at = tokens[token].0;
        self.text[..at].ends_with(char::is_whitespace)
    }
}
