//! Here are vectors of two sides: how far did they move, and was it chance?
//!
//! The energy distance (Székely and Rizzo 2013) is 0 exactly where two distributions are the same, and sees what means do
//! not; its p-value comes of mixing the sides. Dimensions are compared by the difference of their means in standard
//! deviations of both sides together.

use serde::Serialize;

use super::DriftSettings;
use super::dot;
use crate::chance::Chance;

/// How far vectors moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shift {
    /// One less the cosine of the two means.
    pub mean_angle: f64,
    /// The distance of the two means.
    pub mean_distance: f64,
    /// Root mean square, over dimensions, of the difference of means in standard deviations.
    pub standardised: f64,
    /// The dimensions that moved most, and by how many standard deviations.
    pub most_moved: Vec<(usize, f64)>,
    /// The energy distance of as many vectors as are compared.
    pub energy: f64,
    /// How often chance alone gives as large a one.
    pub energy_p: f64,
}

/// How far `after` is from `before`; `None` if a side is empty.
#[must_use]
pub fn shift(before: &[&[f32]], after: &[&[f32]], settings: &DriftSettings) -> Option<Shift> {
    let dim = before.first()?.len();
    after.first()?;
    let [a, b] = [moments(before, dim), moments(after, dim)];
    let distance = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
    let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let inner: f64 = a.0.iter().zip(&b.0).map(|(x, y)| x * y).sum();
    let lengths = length(&a.0) * length(&b.0);
    let mut moved: Vec<(usize, f64)> = (0..dim)
        .map(|d| {
            let deviation = (a.1[d] + b.1[d]).sqrt() / std::f64::consts::SQRT_2;
            let difference = b.0[d] - a.0[d];
            (d, if difference == 0.0 { 0.0 } else { difference / deviation.max(1e-9) })
        })
        .collect();
    let standardised = (moved.iter().map(|(_, by)| by * by).sum::<f64>() / dim.max(1) as f64).sqrt();
    moved.sort_by(|x, y| y.1.abs().total_cmp(&x.1.abs()).then(x.0.cmp(&y.0)));
    moved.truncate(5);
    let few = |side: &[&[f32]]| side.iter().take(settings.compared).map(|row| row.to_vec()).collect::<Vec<_>>();
    let (energy, energy_p) = energy(&few(before), &few(after), settings);
    Some(Shift {
        mean_angle: if lengths > 0.0 { 1.0 - inner / lengths } else { 0.0 },
        mean_distance: distance(&a.0, &b.0),
        standardised,
        most_moved: moved,
        energy,
        energy_p,
    })
}

/// Mean and variance of every dimension.
fn moments(rows: &[&[f32]], dim: usize) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len() as f64;
    let mut mean = vec![0.0; dim];
    for row in rows {
        mean.iter_mut().zip(*row).for_each(|(mean, value)| *mean += f64::from(*value) / n);
    }
    let mut variance = vec![0.0; dim];
    for row in rows {
        let parts = variance.iter_mut().zip(row.iter().zip(&mean));
        parts.for_each(|(variance, (value, mean))| *variance += (f64::from(*value) - mean).powi(2) / n);
    }
    (mean, variance)
}

/// The energy distance, and the share of mixtures with as large a one, the one that was seen among them.
fn energy(before: &[Vec<f32>], after: &[Vec<f32>], settings: &DriftSettings) -> (f64, f64) {
    let all: Vec<&Vec<f32>> = before.iter().chain(after).collect();
    let n = all.len();
    let squares: Vec<f64> = all.iter().map(|row| dot(row, row)).collect();
    let mut distances = vec![0.0f32; n * n];
    for i in 0..n {
        for j in 0..i {
            let distance = (squares[i] + squares[j] - 2.0 * dot(all[i], all[j])).max(0.0).sqrt() as f32;
            distances[i * n + j] = distance;
            distances[j * n + i] = distance;
        }
    }
    let total: f64 = distances.iter().map(|d| f64::from(*d)).sum();
    let of = |first: &[bool]| {
        // Sums within the first side and between the sides; what is left is within the second.
        let (mut within, mut between) = (0.0, 0.0);
        for (row, _) in distances.chunks_exact(n).zip(first).filter(|(_, first)| **first) {
            for (distance, first) in row.iter().zip(first) {
                if *first { within += f64::from(*distance) } else { between += f64::from(*distance) }
            }
        }
        let a = first.iter().filter(|first| **first).count() as f64;
        let b = n as f64 - a;
        2.0 * between / (a * b) - within / (a * a) - (total - within - 2.0 * between) / (b * b)
    };
    let mut sides: Vec<bool> = (0..n).map(|i| i < before.len()).collect();
    let seen = of(&sides);
    let mut chance = Chance::new(settings.seed);
    let as_large = (0..settings.rounds)
        .filter(|_| {
            chance.shuffle(&mut sides);
            of(&sides) >= seen - 1e-12
        })
        .count();
    (seen.max(0.0), (as_large + 1) as f64 / f64::from(settings.rounds + 1))
}
