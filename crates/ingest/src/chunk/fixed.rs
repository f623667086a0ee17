//! Here is a text: cut it after so many tokens, whatever stands there.

use safepassage_error::Result;

use super::cutter::{Cutter, Piece, Text};

/// As many tokens as fit; the next chunk repeats some of them. A word that fits is not cut.
pub(super) struct Fixed {
    pub overlap_tokens: usize,
}

impl Cutter for Fixed {
    fn cut(&self, text: &Text<'_>) -> Result<Vec<Piece>> {
        let (mut pieces, mut start, all) = (Vec::<Piece>::new(), text.first(), text.tokens.len());
        while start < all {
            let last = (start + text.budget(start)?).min(all);
            let mut end = text.word_before(start, last);
            if pieces.last().is_some_and(|piece| end <= piece.tokens.end) {
                // What is repeated and one long word: the word has to be cut, or nothing repeated.
                let reached = pieces.last().map_or(start, |piece| piece.tokens.end);
                if last <= reached {
                    start = reached;
                    continue;
                }
                end = last;
            }
            pieces.push(Piece::new(start..end));
            if end == all {
                break;
            }
            let earliest = end.saturating_sub(self.overlap_tokens).max(start + 1);
            start = (earliest..end).find(|&token| text.begins_word(token)).unwrap_or(end);
        }
        Ok(pieces)
    }
}
