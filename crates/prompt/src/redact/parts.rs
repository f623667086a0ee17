//! A text is being written: where can it be cut so that no identifier is cut?
//!
//! After white space between two plain words, and between two signs of scripts that no identifier has. Where neither comes
//! for long, at a place that nothing found crosses. Every decision depends on the text up to a bounded distance behind
//! the cut, never on how much of it had arrived: that is what makes whole texts and pieces come out alike.

use super::Found;
use super::folded::plain;
use crate::question::is_unseen;

/// A part that cannot be cut where words end is no longer than this and what it looks ahead.
const MOST: usize = 4096;
/// Longer than any identifier.
const AHEAD: usize = 512;
/// A longer word may be a key.
const PLAIN: usize = 15;
/// Signs from here on stand in no identifier, but for those that are read as others: Chinese, Japanese, Korean.
const BEYOND: char = '\u{2E80}';

/// Where the first part of `text` ends; `None` if more of the text is needed to tell, or there is no more. `over` says that
/// there is no more, `found` what must not be cut.
pub(super) fn next(text: &str, over: bool, found: &dyn Fn(&str) -> Vec<Found>) -> Option<usize> {
    let long = text.len() > MOST + AHEAD;
    let window = if long { &text[..text.floor_char_boundary(MOST + AHEAD)] } else { text };
    match first_cut(window, over && !long) {
        Some(end) => Some(end),
        None if long => Some(forced(window, &found(window))),
        None if over && !text.is_empty() => Some(text.len()),
        None => None,
    }
}

/// The first place where words or signs can be parted.
fn first_cut(text: &str, over: bool) -> Option<usize> {
    let mut before: Option<(usize, char)> = None;
    for (at, c) in text.char_indices() {
        if let Some((_, last)) = before {
            if is_beyond(last) && is_beyond(c) {
                return Some(at);
            }
            if last.is_whitespace() && !c.is_whitespace() {
                let word = text[..at].trim_end().rsplit(char::is_whitespace).next().unwrap_or("");
                // A word is known when it has ended.
                let next = match text[at..].split_once(char::is_whitespace) {
                    Some((next, _)) => Some(next),
                    None if over => Some(&text[at..]),
                    None => (text.len() - at > PLAIN).then_some(&text[at..]),
                };
                let next = next?;
                if is_plain(word) && is_plain(next) {
                    return Some(at);
                }
            }
        }
        before = Some((at, c));
    }
    None
}

/// Whether a sign stands in no identifier.
fn is_beyond(c: char) -> bool {
    c >= BEYOND && plain(c).is_none() && !is_unseen(c)
}

/// Whether a word can be no part of an identifier of several words.
fn is_plain(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| c.is_ascii_punctuation());
    word.len() <= PLAIN
        && !word.bytes().any(|byte| byte.is_ascii_digit() || b"@=+_/:".contains(&byte))
        && !bare.eq_ignore_ascii_case("bearer")
        && word.chars().all(|c| !c.is_numeric() && plain(c).is_none() && !is_unseen(c))
}

/// Where to cut what has no such place: after the last white space, or anywhere, but in nothing that was found.
fn forced(window: &str, found: &[Found]) -> usize {
    let free = |at: usize| !found.iter().any(|found| found.range.start < at && at < found.range.end);
    let ends = window.char_indices().map(|(at, c)| (at + c.len_utf8(), c.is_whitespace()));
    let within: Vec<(usize, bool)> = ends.filter(|(end, _)| *end <= MOST && free(*end)).collect();
    let words = within.iter().rev().find(|(_, white)| *white);
    words.or(within.last()).map_or(window.len(), |(end, _)| *end)
}
