//! Here is a text: cut it at the best boundary within the budget, small ones within large ones, or not at all.

use std::ops::Range;

use safepassage_error::Result;

use super::boundaries::{Boundaries, Strength};
use super::cutter::{Cutter, Piece, Text};

/// At a heading, else the end of a block, else of a sentence, else a blank.
pub(super) struct Structure {
    pub overlap_tokens: usize,
}

impl Structure {
    /// The pieces of `tokens`, whose lengths `budget` says by their first token.
    pub fn within(
        &self,
        text: &Text<'_>,
        boundaries: &Boundaries<'_>,
        tokens: Range<usize>,
        budget: &dyn Fn(usize) -> Result<usize>,
    ) -> Result<Vec<Piece>> {
        let (mut start, mut reached) = (tokens.start, tokens.start);
        let all = &text.tokens[..tokens.end];
        let mut pieces = Vec::new();
        while start < all.len() {
            let (end, strength) = boundaries.cut(all, start, budget(start)?);
            if end <= reached {
                // Under longer headings the overlap alone filled the budget: go on without it.
                start = reached;
                continue;
            }
            reached = end;
            pieces.push(Piece::new(start..end));
            if end >= all.len() {
                break;
            }
            start = match strength {
                Strength::Section => end,
                _ => boundaries.step_back(all, start, end, self.overlap_tokens),
            };
        }
        Ok(pieces)
    }
}

impl Cutter for Structure {
    fn cut(&self, text: &Text<'_>) -> Result<Vec<Piece>> {
        let boundaries = Boundaries::new(text.parsed);
        self.within(text, &boundaries, text.first()..text.tokens.len(), &|start| text.budget(start))
    }
}

/// Small chunks within large ones: no small one crosses the end of a large one.
pub(super) struct Hierarchy {
    pub parent_tokens: usize,
    pub overlap_tokens: usize,
}

impl Cutter for Hierarchy {
    fn cut(&self, text: &Text<'_>) -> Result<Vec<Piece>> {
        let boundaries = Boundaries::new(text.parsed);
        let all = text.first()..text.tokens.len();
        let parents = Structure { overlap_tokens: 0 }.within(text, &boundaries, all, &|_| Ok(self.parent_tokens))?;
        let children = Structure { overlap_tokens: self.overlap_tokens };
        let mut pieces = Vec::new();
        for (parent, number) in parents.into_iter().zip(0..) {
            let within = children.within(text, &boundaries, parent.tokens, &|start| text.budget(start))?;
            pieces.extend(within.into_iter().map(|child| Piece { parent: Some(number), ..child }));
        }
        Ok(pieces)
    }
}

/// All of it, if the model reads it at once.
pub(super) struct Whole {
    pub overlap_tokens: usize,
}

impl Cutter for Whole {
    fn cut(&self, text: &Text<'_>) -> Result<Vec<Piece>> {
        let all = text.first()..text.tokens.len();
        if all.is_empty() || all.len() <= text.budget(all.start)? {
            return Ok(if all.is_empty() { Vec::new() } else { vec![Piece::new(all)] });
        }
        Structure { overlap_tokens: self.overlap_tokens }.cut(text)
    }
}
