//! Here is a text: where does its meaning change?
//!
//! Percentile breakpoints as Greg Kamradt published them (2023) and LangChain and LlamaIndex have them: where what is said
//! before and after a sentence's end is further apart than a percentile of all such distances, a chunk ends. They compare
//! three sentences with three of which two are the same, which puts a break a sentence early or late; here two are
//! compared with the next two. What is longer than the budget is then cut by its structure.

use std::collections::VecDeque;
use std::ops::Range;

use safepassage_error::{Error, Kind, Result};
use safepassage_models::{Embedder, Purpose};

use super::boundaries::Boundaries;
use super::cutter::{Cutter, Piece, Text};
use super::sentences::sentences;
use super::structure::Structure;

/// Sentences embedded at once.
const AT_ONCE: usize = 256;

/// Where sentences are least like those before them.
pub(super) struct Semantic<'a> {
    pub embedder: &'a dyn Embedder,
    pub percentile: u8,
    pub overlap_tokens: usize,
}

impl Cutter for Semantic<'_> {
    fn cut(&self, text: &Text<'_>) -> Result<Vec<Piece>> {
        let sentences = sentences(text);
        let distances = self.distances(text, &sentences)?;
        let threshold = percentile(&distances, self.percentile);
        let boundaries = Boundaries::new(text.parsed);
        let structure = Structure { overlap_tokens: self.overlap_tokens };
        let (mut pieces, mut start) = (Vec::new(), text.first());
        for (sentence, n) in sentences.iter().zip(0..) {
            if distances.get(n).is_some_and(|distance| *distance <= threshold) {
                continue;
            }
            pieces.extend(structure.within(text, &boundaries, start..sentence.end, &|token| text.budget(token))?);
            start = sentence.end;
        }
        Ok(pieces)
    }
}

impl Semantic<'_> {
    /// How far the two sentences that end with each are from the two that follow it: 1 less the cosine.
    fn distances(&self, text: &Text<'_>, sentences: &[Range<usize>]) -> Result<Vec<f32>> {
        let Some(last) = sentences.len().checked_sub(1) else { return Ok(Vec::new()) };
        // Each with the one before it, and the last one alone: two of these that are two apart have none in common.
        let pair = |n: usize| {
            let tokens = sentences[n.saturating_sub(1)].start..sentences[n.min(last)].end;
            &text.parsed.text[text.range(&tokens)]
        };
        let pairs: Vec<&str> = (0..=sentences.len()).map(pair).collect();
        let (mut distances, mut before) = (Vec::with_capacity(last), VecDeque::<Vec<f32>>::with_capacity(3));
        for part in pairs.chunks(AT_ONCE) {
            let embeddings = self.embedder.embed(part, Purpose::Document)?;
            if embeddings.rows().len() != part.len() {
                let message = "the model gave another number of vectors than texts";
                return Err(Error::new(Kind::Unavailable, "embed", message));
            }
            for row in embeddings.rows() {
                if before.len() == 2 {
                    let far = before.pop_front();
                    distances.extend(far.map(|far| 1.0 - far.iter().zip(row).map(|(a, b)| a * b).sum::<f32>()));
                }
                before.push_back(row.to_vec());
            }
        }
        Ok(distances)
    }
}

/// The value that `percentile` percent of `values` are below, between two where it falls between them.
fn percentile(values: &[f32], percentile: u8) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f32::INFINITY };
    let place = last as f32 * f32::from(percentile) / 100.0;
    let (below, share) = (place.floor() as usize, place.fract());
    let above = sorted[(below + 1).min(last)];
    sorted[below] + (above - sorted[below]) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_numpy() {
        let values = [0.4, 0.1, 0.2, 0.3];
        assert!((percentile(&values, 50) - 0.25).abs() < 1e-6);
        assert!((percentile(&values, 95) - 0.385).abs() < 1e-6);
        assert!((percentile(&[0.5], 95) - 0.5).abs() < 1e-6);
        assert!(percentile(&[], 95).is_infinite());
    }
}
