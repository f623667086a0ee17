//! Here are values: what is their mean, how sure is it, and what are their percentiles?

use serde::Serialize;

use crate::chance::Chance;

/// A mean with the interval that holds it in 95 of 100 resamplings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

const ROUNDS: usize = 1000;

/// The mean of the values of all clusters, and its percentile bootstrap interval over clusters (Efron and Tibshirani
/// 1993): values of one cluster, such as one question asked by several people, are drawn together. `None` of no value.
#[must_use]
pub fn estimate(clusters: &[Vec<f64>], seed: u64) -> Option<Estimate> {
    let sums: Vec<(f64, usize)> = clusters
        .iter()
        .filter(|cluster| !cluster.is_empty())
        .map(|cluster| (cluster.iter().sum(), cluster.len()))
        .collect();
    let mean = mean_of(sums.iter().copied())?;
    let mut chance = Chance::new(seed);
    let mut means: Vec<f64> =
        (0..ROUNDS).filter_map(|_| mean_of((0..sums.len()).map(|_| sums[chance.below(sums.len())]))).collect();
    means.sort_unstable_by(f64::total_cmp);
    Some(Estimate { mean, low: percentile(&means, 0.025)?, high: percentile(&means, 0.975)? })
}

fn mean_of(sums: impl Iterator<Item = (f64, usize)>) -> Option<f64> {
    let (sum, count) = sums.fold((0.0, 0), |(sum, count), (s, n)| (sum + s, count + n));
    (count > 0).then(|| sum / count as f64)
}

/// The smallest value that at least the share `p` of the ascending `values` does not exceed (nearest rank).
#[must_use]
pub fn percentile(values: &[f64], p: f64) -> Option<f64> {
    let place = (p * values.len() as f64).ceil() as usize;
    values.get(place.clamp(1, values.len().max(1)) - 1).copied()
}

/// The mean; `None` of no value.
#[must_use]
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    mean_of(values.into_iter().map(|value| (value, 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), Some(50.0));
        assert_eq!(percentile(&values, 0.99), Some(99.0));
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&values, 1.0), Some(100.0));
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[3.0], 0.01), Some(3.0));
    }

    #[test]
    fn the_interval_holds_the_mean_and_narrows_with_more_values() {
        let clusters = |n: usize| (0..n).map(|i| vec![(i % 5) as f64]).collect::<Vec<_>>();
        let (few, many) = (estimate(&clusters(20), 1).unwrap(), estimate(&clusters(2000), 1).unwrap());
        assert_eq!((few.mean, many.mean), (2.0, 2.0));
        assert!(few.low < 2.0 && 2.0 < few.high && many.low < 2.0 && 2.0 < many.high);
        // The standard error of 0..4 uniform is √2/√n.
        assert!((many.high - many.low - 2.0 * 1.96 * (2.0f64 / 2000.0).sqrt()).abs() < 0.02, "{many:?}");
        assert!(few.high - few.low > 5.0 * (many.high - many.low));
    }

    #[test]
    fn one_value_and_none() {
        assert_eq!(estimate(&[vec![0.25]], 1), Some(Estimate { mean: 0.25, low: 0.25, high: 0.25 }));
        assert_eq!(estimate(&[vec![]], 1), None);
        assert_eq!(mean([]), None);
    }
}
