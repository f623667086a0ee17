//! Signs that stand for a letter or a digit of ASCII, and signs that nobody sees: what does a text say without them?
//!
//! Digits of every script are read as digits, full-width forms as what they are the wide form of, and what is not shown is
//! left out: `４１１１` and `41\u{200b}11` are `4111`. What is found there is at a place of the text as it is.

use std::borrow::Cow;
use std::ops::Range;

use crate::question::is_unseen;

/// The zero of every run of decimal digits (general category Nd of Unicode 17) beyond ASCII.
const ZEROS: &[u32] = &[
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
    0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0,
    0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50,
    0x11D50, 0x11DA0, 0x11DE0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8,
    0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

/// The sign of ASCII that `c` stands for.
pub(super) fn plain(c: char) -> Option<char> {
    let code = c as u32;
    match c {
        '\0'..='\x7f' => None,
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(code - 0xFF01 + 0x21),
        '\u{3000}' => Some(' '),
        _ => {
            let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= code)].last()?;
            char::from_digit(code.checked_sub(*zero).filter(|digit| *digit < 10)?, 10)
        }
    }
}

/// A text as it is read.
pub(super) struct Folded<'a> {
    pub text: Cow<'a, str>,
    /// The byte of the text as it is for each byte of `text`, and its end; empty where they are the same.
    places: Vec<usize>,
}

impl<'a> Folded<'a> {
    pub fn of(text: &'a str) -> Self {
        if !text.chars().any(|c| plain(c).is_some() || is_unseen(c)) {
            return Self { text: Cow::Borrowed(text), places: Vec::new() };
        }
        let (mut folded, mut places) = (String::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        for (at, c) in text.char_indices().filter(|(_, c)| !is_unseen(*c)) {
            folded.push(plain(c).unwrap_or(c));
            places.resize(folded.len(), at);
        }
        places.push(text.len());
        Self { text: Cow::Owned(folded), places }
    }

    /// Where in the text as it is `range` stands, with what nobody sees within it.
    pub fn place(&self, range: Range<usize>, text: &str) -> Range<usize> {
        let (Some(start), Some(last)) = (self.places.get(range.start), self.places.get(range.end.saturating_sub(1)))
        else {
            return range;
        };
        let end = last + text[*last..].chars().next().map_or(0, char::len_utf8);
        *start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_of_digits_is_known_once_and_none_that_is_no_digit() {
        assert!(ZEROS.windows(2).all(|pair| pair[0] + 10 <= pair[1]));
        for (digits, want) in [("٤١١", "411"), ("４１１", "411"), ("𝟒𝟏𝟏", "411"), ("४११", "411"), ("ａ＠ｂ．", "a@b.")]
        {
            assert_eq!(Folded::of(digits).text, want);
        }
        for none in ["é", "漢字", "½", "a b", "①"] {
            assert_eq!(Folded::of(none).text, none);
        }
        // What the standard library calls a number is one of ours, or stands for more than a digit.
        let digit = |c: char| plain(c).is_some_and(|c| c.is_ascii_digit());
        assert_eq!(('\u{80}'..=char::MAX).filter(|c| digit(*c)).count(), ZEROS.len() * 10);
        assert!(('\u{80}'..=char::MAX).filter(|c| digit(*c)).all(char::is_numeric));
    }

    #[test]
    fn places_are_those_of_the_text_as_it_is() {
        let text = "é ４１\u{200b}１ x";
        let folded = Folded::of(text);
        let at = folded.text.find("411").unwrap();
        assert_eq!(&text[folded.place(at..at + 3, text)], "４１\u{200b}１");
    }
}
