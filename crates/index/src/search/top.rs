//! Keeps the k best of a stream of scored rows.

use std::cmp::Ordering;

/// The best k so far. Of equal scores the row with the lower `tie` is better, so that order never depends on the way a
/// row was found.
#[derive(Debug)]
pub(crate) struct TopK<T> {
    k: usize,
    best: Vec<(f32, u32)>,
    tie: T,
}

impl TopK<fn(u32) -> u64> {
    /// Of equal scores the lower row is better.
    pub fn new(k: usize) -> Self {
        Self::with_ties(k, |row| row.into())
    }
}

impl<T: Fn(u32) -> u64> TopK<T> {
    pub fn with_ties(k: usize, tie: T) -> Self {
        Self { k, best: Vec::with_capacity(k.min(1024) + 1), tie }
    }

    fn order(&self, a: (f32, u32), b: (f32, u32)) -> Ordering {
        b.0.total_cmp(&a.0).then_with(|| (self.tie)(a.1).cmp(&(self.tie)(b.1)))
    }

    #[inline]
    pub fn push(&mut self, score: f32, row: u32) {
        let new = (score, row);
        if self.best.len() >= self.k && self.best.last().is_none_or(|&last| self.order(new, last).is_gt()) {
            return;
        }
        let at = self.best.partition_point(|&other| self.order(other, new).is_lt());
        self.best.insert(at, new);
        self.best.truncate(self.k);
    }

    /// The score that a row must reach, if there are k already.
    pub fn bar(&self) -> Option<f32> {
        if self.best.len() < self.k { None } else { self.best.last().map(|(score, _)| *score) }
    }

    /// Best first.
    pub fn into_sorted(self) -> Vec<(f32, u32)> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_best_and_breaks_ties() {
        let mut top = TopK::new(3);
        let mut backwards = TopK::with_ties(3, |row| u64::from(u32::MAX - row));
        for (score, row) in [(0.5, 9), (0.1, 1), (0.5, 2), (0.9, 4), (0.5, 3)] {
            top.push(score, row);
            backwards.push(score, row);
        }
        assert_eq!(top.bar(), Some(0.5));
        assert_eq!(top.into_sorted(), [(0.9, 4), (0.5, 2), (0.5, 3)]);
        assert_eq!(backwards.into_sorted(), [(0.9, 4), (0.5, 9), (0.5, 3)]);
        let mut none = TopK::new(0);
        none.push(1.0, 1);
        assert!(none.into_sorted().is_empty());
    }
}
