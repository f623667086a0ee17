//! Here is what stands between two blanks: which tokens is it, seen before or not?
//!
//! Where no token spans a blank, the tokens of a text are those of its words, and most words of a text were there before: a
//! look at them costs a thirtieth of what making their tokens costs. It holds a few megabytes and nothing of a text but
//! its shorter words.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use safepassage_error::Result;

/// The most words that are kept; later ones are made each time.
const MOST_WORDS: usize = 1 << 16;
/// Longer words come too seldom.
const LONGEST: usize = 48;

/// A token: its id, and its bytes within what was tokenised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub id: u32,
    pub from: usize,
    pub to: usize,
}

/// A token of a kept word.
#[derive(Debug, Clone, Copy)]
struct Kept {
    id: u32,
    from: u8,
    to: u8,
}

/// The words that were seen.
#[derive(Debug, Default)]
pub(crate) struct Words(RwLock<HashMap<Box<str>, Box<[Kept]>>>);

impl Words {
    /// The tokens of `text`, of which `make` makes those of a word that was not seen.
    pub fn tokens(&self, text: &str, make: &dyn Fn(&str) -> Result<Vec<Token>>) -> Result<Vec<Token>> {
        let mut tokens = Vec::with_capacity(text.len() / 4);
        let mut new = HashMap::<&str, Box<[Kept]>>::new();
        {
            let seen = self.0.read().unwrap_or_else(PoisonError::into_inner);
            for (start, word) in words(text) {
                if let Some(kept) = seen.get(word).or_else(|| new.get(word)) {
                    let token = |kept: &Kept| {
                        let (from, to) = (start + usize::from(kept.from), start + usize::from(kept.to));
                        Token { id: kept.id, from, to }
                    };
                    tokens.extend(kept.iter().map(token));
                    continue;
                }
                let made = make(word)?;
                tokens.extend(made.iter().map(|token| Token {
                    from: start + token.from,
                    to: start + token.to,
                    ..*token
                }));
                if word.len() <= LONGEST && seen.len() + new.len() < MOST_WORDS {
                    // No place within so short a word is beyond a byte.
                    let kept = |token: &Token| Kept { id: token.id, from: token.from as u8, to: token.to as u8 };
                    new.insert(word, made.iter().map(kept).collect());
                }
            }
        }
        if !new.is_empty() {
            let mut seen = self.0.write().unwrap_or_else(PoisonError::into_inner);
            seen.extend(new.into_iter().map(|(word, kept)| (word.into(), kept)));
        }
        Ok(tokens)
    }
}

/// `text` in parts with their starts, each but the first beginning with a blank or a line feed.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let blank = rest.as_bytes().iter().skip(1).position(|byte| matches!(byte, b' ' | b'\n'));
        let word = &rest[..blank.map_or(rest.len(), |at| at + 1)];
        start += word.len();
        Some((start - word.len(), word))
    })
}
