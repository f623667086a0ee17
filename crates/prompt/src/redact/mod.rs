//! Here is a text: what in it must not go on, and what stands there instead?
//!
//! A [`Redactor`] finds; [`redacted`] and [`Redacting`] take out. A text is looked at in parts that no identifier crosses
//! (`parts.rs`), the same parts whether it is there at once or still being written: so what comes out does not depend on the
//! pieces in which it came.

mod folded;
mod identifiers;
mod numbers;
mod parts;

use std::collections::BTreeMap;
use std::ops::Range;

pub use identifiers::Identifiers;

/// Something that must not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its bytes.
    pub range: Range<usize>,
    /// What it is, in one word: `email`, `card`.
    pub kind: &'static str,
}

/// Finds what must not go on.
pub trait Redactor: Send + Sync {
    /// What there is in `text`, in any order; what overlaps is taken out together. `text` is a part of a longer one: whole
    /// words, with all that belongs to an identifier of 128 bytes and more.
    fn find(&self, text: &str) -> Vec<Found>;
}

/// How often something of each kind was taken out.
pub type Counts = BTreeMap<&'static str, u64>;

/// `text` without what `redactor` finds: `[email]` stands for an address.
#[must_use]
pub fn redacted(redactor: &dyn Redactor, text: &str) -> (String, Counts) {
    let mut redacting = Redacting::new(redactor);
    let mut out = redacting.push(text);
    out.push_str(&redacting.finish());
    (out, redacting.counts)
}

/// A text being redacted while it is written. What it holds back is less than two words, but for what looks like numbers
/// and keys.
pub struct Redacting<R> {
    redactor: R,
    pending: String,
    counts: Counts,
}

impl<R: AsRedactor> Redacting<R> {
    /// Nothing is written yet.
    pub fn new(redactor: R) -> Self {
        Self { redactor, pending: String::new(), counts: Counts::new() }
    }

    /// What may go on after `piece`.
    pub fn push(&mut self, piece: &str) -> String {
        self.pending.push_str(piece);
        self.advance(false)
    }

    /// What is left when there is no more.
    pub fn finish(&mut self) -> String {
        self.advance(true)
    }

    /// How often something of each kind was taken out.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    fn advance(&mut self, over: bool) -> String {
        let (mut out, mut done) = (String::new(), 0);
        let redactor = self.redactor.redactor();
        while let Some(end) = parts::next(&self.pending[done..], over, &|text| merged(redactor, text)) {
            replace(redactor, &self.pending[done..done + end], &mut out, &mut self.counts);
            done += end;
        }
        self.pending.drain(..done);
        out
    }
}

/// What lends a [`Redactor`].
pub trait AsRedactor {
    /// It.
    fn redactor(&self) -> &dyn Redactor;
}

impl AsRedactor for &dyn Redactor {
    fn redactor(&self) -> &dyn Redactor {
        *self
    }
}

impl AsRedactor for std::sync::Arc<dyn Redactor> {
    fn redactor(&self) -> &dyn Redactor {
        &**self
    }
}

/// What `redactor` finds, in order, each byte once: of what overlaps, the kind of the longest.
fn merged(redactor: &dyn Redactor, text: &str) -> Vec<Found> {
    let mut found = redactor.find(text);
    found.retain(|found| found.range.start < found.range.end && text.get(found.range.clone()).is_some());
    found.sort_by_key(|found| (found.range.start, std::cmp::Reverse(found.range.end)));
    let mut merged: Vec<(Found, usize)> = Vec::new();
    for next in found {
        let length = next.range.len();
        match merged.last_mut() {
            Some((last, longest)) if next.range.start < last.range.end => {
                last.range.end = last.range.end.max(next.range.end);
                if length > *longest {
                    (last.kind, *longest) = (next.kind, length);
                }
            }
            _ => merged.push((next, length)),
        }
    }
    merged.into_iter().map(|(found, _)| found).collect()
}

fn replace(redactor: &dyn Redactor, text: &str, out: &mut String, counts: &mut Counts) {
    let mut done = 0;
    for Found { range, kind } in merged(redactor, text) {
        out.push_str(&text[done..range.start]);
        out.push('[');
        out.push_str(kind);
        out.push(']');
        *counts.entry(kind).or_default() += 1;
        done = range.end;
    }
    out.push_str(&text[done..]);
}

#[cfg(test)]
mod tests;
