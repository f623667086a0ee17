//! Keeps the k best of a stream of scored rows.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A row with its score. Higher scores are greater; of equal scores the lower row is, so that order never depends on
/// the way a row was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub score: f32,
    pub row: u32,
}

impl Eq for Scored {}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.row.cmp(&self.row))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best k so far.
#[derive(Debug)]
pub(crate) struct TopK {
    k: usize,
    heap: BinaryHeap<Reverse<Scored>>,
}

impl TopK {
    pub fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::with_capacity(k.min(4096) + 1) }
    }

    #[inline]
    pub fn push(&mut self, score: f32, row: u32) {
        let scored = Scored { score, row };
        if self.heap.len() < self.k {
            self.heap.push(Reverse(scored));
        } else if self.heap.peek().is_some_and(|Reverse(worst)| scored > *worst) {
            self.heap.pop();
            self.heap.push(Reverse(scored));
        }
    }

    /// Best first.
    pub fn into_sorted(self) -> Vec<(f32, u32)> {
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|Reverse(s)| (s.score, s.row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_best_and_breaks_ties_by_row() {
        let mut top = TopK::new(3);
        for (score, row) in [(0.5, 9), (0.1, 1), (0.5, 2), (0.9, 4), (0.5, 3)] {
            top.push(score, row);
        }
        assert_eq!(top.into_sorted(), [(0.9, 4), (0.5, 2), (0.5, 3)]);
        let mut none = TopK::new(0);
        none.push(1.0, 1);
        assert!(none.into_sorted().is_empty());
    }
}
