//! Here are questions and vectors of two sides: are the scores they get still of the same kind?
//!
//! The best cosine of every question among the vectors drawn; the sides are compared by Kolmogorov and Smirnov's largest
//! difference of the two distributions, with a p-value of swapping the sides of each question.

use serde::Serialize;

use super::{DriftSettings, dot};
use crate::chance::Chance;
use crate::estimate::{mean, percentile};

/// What became of the scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreShift {
    /// The earlier side.
    pub from: Scores,
    /// The later side.
    pub to: Scores,
    /// The largest difference of the two distributions, 0 to 1.
    pub largest_difference: f64,
    /// How often chance alone gives as large a one.
    pub p: f64,
}

/// The best scores of questions on one side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// The mean.
    pub mean: f64,
    /// A tenth of the questions has less.
    pub p10: f64,
    /// The median.
    pub p50: f64,
    /// A tenth has more.
    pub p90: f64,
    /// The share below the least score, if there is such a bound.
    pub below_least_score: Option<f64>,
}

/// The scores of `questions` (row-major, `dim` numbers each, for each side) among the vectors of both sides; `None` if
/// there is no question or a side is empty.
#[must_use]
pub fn score_shift(
    sides: [&[&[f32]]; 2],
    questions: [&[f32]; 2],
    dim: usize,
    settings: &DriftSettings,
) -> Option<ScoreShift> {
    let mut best = [Vec::new(), Vec::new()];
    for side in [0, 1] {
        let lengths: Vec<f64> = sides[side].iter().map(|row| dot(row, row).sqrt().max(f64::MIN_POSITIVE)).collect();
        for question in questions[side].chunks_exact(dim) {
            let length = dot(question, question).sqrt().max(f64::MIN_POSITIVE);
            let cosines = sides[side].iter().zip(&lengths).map(|(row, own)| dot(question, row) / own / length);
            best[side].push(cosines.reduce(f64::max)?);
        }
    }
    let [from, to] = &best;
    let seen = largest_difference(from, to);
    let mut chance = Chance::new(settings.seed);
    let as_large = (0..settings.rounds)
        .filter(|_| {
            let swap = |(a, b): (&f64, &f64)| if chance.coin() { (*b, *a) } else { (*a, *b) };
            let (a, b): (Vec<f64>, Vec<f64>) = from.iter().zip(to).map(swap).unzip();
            largest_difference(&a, &b) >= seen - 1e-12
        })
        .count();
    let p = (as_large + 1) as f64 / f64::from(settings.rounds + 1);
    let of = |scores: &[f64]| summary(scores, settings.least_score);
    Some(ScoreShift { from: of(from)?, to: of(to)?, largest_difference: seen, p })
}

fn summary(scores: &[f64], least: Option<f32>) -> Option<Scores> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |p| percentile(&sorted, p);
    let below =
        |least: f32| scores.iter().filter(|score| **score < f64::from(least)).count() as f64 / scores.len() as f64;
    Some(Scores {
        mean: mean(sorted.iter().copied())?,
        p10: at(0.1)?,
        p50: at(0.5)?,
        p90: at(0.9)?,
        below_least_score: least.map(below),
    })
}

/// Kolmogorov and Smirnov's statistic of two samples.
fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(a), sorted(b));
    let (mut i, mut j, mut largest) = (0, 0, 0.0f64);
    while i < a.len() && j < b.len() {
        let at = a[i].min(b[j]);
        i += a[i..].iter().take_while(|value| **value <= at).count();
        j += b[j..].iter().take_while(|value| **value <= at).count();
        largest = largest.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_by_hand() {
        assert_eq!(largest_difference(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]), 0.0);
        assert_eq!(largest_difference(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(largest_difference(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]), 0.5);
    }
}
