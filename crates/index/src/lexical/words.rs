//! Where does a word begin and end?
//!
//! Words are runs of letters and digits. An underscore stays within a word, so that names in programs are found whole;
//! an English possessive goes. Scripts that put no space between words are cut into overlapping pairs of characters.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

#[derive(Debug, Clone, Copy)]
pub(super) struct WordTokenizer;

#[derive(Debug)]
pub(super) struct WordStream<'a> {
    text: &'a str,
    /// Where to go on, in bytes.
    at: usize,
    token: Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { text, at: 0, token: Token::default() }
    }
}

/// Characters of scripts without spaces between words: Han, kana, Hangul, Thai, Lao, Khmer, Myanmar.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1100}'..='\u{11FF}' | '\u{1780}'..='\u{17FF}'
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

fn is_word(c: char) -> bool {
    (c.is_alphanumeric() || c == '_') && !is_unspaced(c)
}

impl WordStream<'_> {
    fn give(&mut self, from: usize, to: usize) -> bool {
        let token = &mut self.token;
        (token.offset_from, token.offset_to) = (from, to);
        token.position = token.position.wrapping_add(1);
        token.text.clear();
        token.text.push_str(&self.text[from..to]);
        true
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some((from, first)) = rest.char_indices().find(|(_, c)| is_word(*c) || is_unspaced(*c)) else {
            self.at = self.text.len();
            return false;
        };
        let from = self.at + from;
        let rest = &self.text[from..];
        if is_unspaced(first) {
            let next = from + first.len_utf8();
            let second = self.text[next..].chars().next().filter(|c| is_unspaced(*c));
            let before = self.text[..from].chars().next_back().is_some_and(is_unspaced);
            self.at = next;
            return match second {
                Some(second) => self.give(from, next + second.len_utf8()),
                // The last of several was the second of the pair before.
                None if before => self.advance(),
                None => self.give(from, next),
            };
        }
        let to = from + rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at = to;
        if matches!(&self.text[from..to], "s" | "S") && self.text[..from].ends_with(['\'', '’']) {
            let owner = self.text[..from].trim_end_matches(['\'', '’']);
            if owner.chars().next_back().is_some_and(is_word) {
                return self.advance();
            }
        }
        self.give(from, to)
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        WordTokenizer.token_stream(text).process(&mut |token| words.push(token.text.clone()));
        words
    }

    #[test]
    fn words_by_example() {
        assert_eq!(words("Ann's e-mail: ann_b@x.org, 3.5 %"), ["Ann", "e", "mail", "ann_b", "x", "org", "3", "5"]);
        assert_eq!(words("'s s S's"), ["s", "s", "S"]);
        assert_eq!(words("東京都の price 円"), ["東京", "京都", "都の", "price", "円"]);
        assert_eq!(words(" …—!"), [""; 0]);
    }

    proptest! {
        #[test]
        fn tokens_are_where_they_say(text in "\\PC{0,60}") {
            let mut last = None;
            WordTokenizer.token_stream(&text).process(&mut |token| {
                assert_eq!(&text[token.offset_from..token.offset_to], token.text);
                assert_eq!(token.position, last.map_or(0, |last: usize| last + 1));
                last = Some(token.position);
            });
        }
    }
}
