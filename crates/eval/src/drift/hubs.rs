//! Here are vectors: are some of them near to everything?
//!
//! N_k of a passage is how many others have it among their k nearest (Radovanović, Nanopoulos and Ivanović 2010). Its mean
//! is k; in high dimensions few passages have very many and many have none. The skewness says how much so.

use serde::Serialize;

use super::dot;

/// Whose neighbours are counted.
const K: usize = 10;

/// How unevenly passages are near to others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Hubs {
    /// Vectors that were compared, all with all.
    pub compared: usize,
    /// The standardised third moment of N_10: 0 is even, above 3 is much.
    pub skewness: f64,
    /// The largest N_10.
    pub most: usize,
    /// The share of passages that are among the ten nearest of no other.
    pub of_nobody: f64,
}

/// Hubs among the first `most` vectors, by cosine.
#[must_use]
pub fn hubs(rows: &[&[f32]], most: usize) -> Hubs {
    let rows = &rows[..rows.len().min(most)];
    if rows.len() <= K {
        return Hubs { compared: rows.len(), ..Hubs::default() };
    }
    let lengths: Vec<f64> = rows.iter().map(|row| dot(row, row).sqrt().max(f64::MIN_POSITIVE)).collect();
    let mut counts = vec![0usize; rows.len()];
    for (i, row) in rows.iter().enumerate() {
        let cosine = |j: usize| dot(row, rows[j]) / lengths[j];
        let mut near: Vec<(f64, usize)> = (0..rows.len()).filter(|j| *j != i).map(|j| (cosine(j), j)).collect();
        near.select_nth_unstable_by(K - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        near[..K].iter().for_each(|(_, j)| counts[*j] += 1);
    }
    let n = rows.len() as f64;
    let moment = |power| counts.iter().map(|count| (*count as f64 - K as f64).powi(power)).sum::<f64>() / n;
    let deviation = moment(2).sqrt();
    Hubs {
        compared: rows.len(),
        skewness: if deviation > 0.0 { moment(3) / deviation.powi(3) } else { 0.0 },
        most: counts.iter().copied().max().unwrap_or_default(),
        of_nobody: counts.iter().filter(|count| **count == 0).count() as f64 / n,
    }
}
