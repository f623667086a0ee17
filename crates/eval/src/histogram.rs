//! Here are values: how are they spread?

use serde::Serialize;

use crate::estimate::percentile;

/// How many values lie in each of equal parts of a range.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// Where the first part begins.
    pub from: f64,
    /// Where the last part ends.
    pub to: f64,
    /// Values in each part; one on a border is in the upper of the two.
    pub counts: Vec<usize>,
    /// Values above the range.
    pub above: usize,
}

impl Histogram {
    /// Of `values`, from the least up to that which the share `most` does not exceed, in `parts` parts.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = f64>, parts: usize, most: f64) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let (Some(from), Some(to)) = (values.first().copied(), percentile(&values, most)) else {
            return Self::default();
        };
        let (mut counts, mut above) = (vec![0; parts], 0);
        for value in values {
            let part = if to > from { (value - from) / (to - from) * parts as f64 } else { 0.0 };
            if value > to { above += 1 } else { counts[(part as usize).min(parts - 1)] += 1 }
        }
        Self { from, to, counts, above }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let found = Histogram::new((0..100).map(f64::from), 10, 1.0);
        assert_eq!((found.from, found.to, found.above), (0.0, 99.0, 0));
        assert_eq!(found.counts, [10; 10]);
        let cut = Histogram::new((0..100).map(f64::from), 10, 0.9);
        assert_eq!((cut.to, cut.above, cut.counts.iter().sum::<usize>()), (89.0, 10, 90));
        assert_eq!(Histogram::new([2.0, 2.0], 4, 1.0).counts, [2, 0, 0, 0]);
        assert_eq!(Histogram::new([f64::NAN], 4, 1.0), Histogram::default());
    }
}
