//! The rows found so far, best first, and which of them to look behind next.
//!
//! One sorted array serves as both queues of algorithm 2 of arXiv 1603.09320. Rows that may only be walked through are
//! in it but do not count towards ef; it ends with the ef-th row that does.

/// One number for a row: ascending order is best first, ties by row.
type Key = u64;

const EXPANDED: Key = 1;
const KEPT: Key = 2;
/// Rows of a segment with a graph: two bits of the key are flags.
pub(crate) const MOST_ROWS: u32 = 1 << 30;

fn key(score: i32, row: u32, kept: bool) -> Key {
    let inverted = !((score as u32) ^ (1 << 31));
    u64::from(inverted) << 32 | u64::from(row) << 2 | if kept { KEPT } else { 0 }
}

fn score_of(key: Key) -> i32 {
    (!((key >> 32) as u32) ^ (1 << 31)) as i32
}

fn row_of(key: Key) -> u32 {
    (key as u32) >> 2
}

#[derive(Debug, Default)]
pub(crate) struct Pool {
    keys: Vec<Key>,
    /// Everything before it is expanded.
    cursor: usize,
    ef: usize,
    kept: usize,
}

impl Pool {
    /// Empties it, to hold `ef` kept rows.
    pub fn start(&mut self, ef: usize) {
        self.keys.clear();
        (self.cursor, self.ef, self.kept) = (0, ef.max(1), 0);
    }

    /// The score that a row must exceed to be taken in, once it is full.
    #[inline]
    pub fn bar(&self) -> i32 {
        if self.kept < self.ef { i32::MIN } else { self.keys.last().map_or(i32::MIN, |&last| score_of(last)) }
    }

    /// Takes in `row`, which was never given before, if it is good enough.
    #[inline]
    pub fn push(&mut self, score: i32, row: u32, kept: bool) {
        let key = key(score, row, kept);
        if self.kept >= self.ef && self.keys.last().is_some_and(|&last| key > last) {
            return;
        }
        let at = self.keys.partition_point(|&other| other < key);
        self.keys.insert(at, key);
        self.cursor = self.cursor.min(at);
        self.kept += usize::from(kept);
        if kept && self.kept >= self.ef {
            self.cut();
        }
    }

    /// Ends it with the ef-th kept row.
    fn cut(&mut self) {
        if self.kept > self.ef {
            self.keys.pop();
            self.kept -= 1;
        }
        while self.keys.last().is_some_and(|last| last & KEPT == 0) {
            self.keys.pop();
        }
        self.cursor = self.cursor.min(self.keys.len());
    }

    /// The best row that was not looked behind, marked as looked behind.
    #[inline]
    pub fn next(&mut self) -> Option<u32> {
        while let Some(key) = self.keys.get_mut(self.cursor) {
            self.cursor += 1;
            if *key & EXPANDED == 0 {
                *key |= EXPANDED;
                return Some(row_of(*key));
            }
        }
        None
    }

    /// The row that [`Pool::next`] would give, unless a better one comes.
    #[inline]
    pub fn peek(&self) -> Option<u32> {
        self.keys[self.cursor..].iter().find(|key| *key & EXPANDED == 0).map(|&key| row_of(key))
    }

    /// The kept rows with their scores, best first.
    pub fn kept(&self) -> impl Iterator<Item = (i32, u32)> + '_ {
        self.keys.iter().filter(|key| *key & KEPT != 0).map(|&key| (score_of(key), row_of(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(8), failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_is_two_sorted_queues(
            scores in proptest::collection::vec((any::<i32>(), any::<bool>(), any::<bool>()), 1..60),
            ef in 1usize..12,
        ) {
            let mut pool = Pool::default();
            pool.start(ef);
            let mut all: Vec<(i32, u32, bool)> = Vec::new();
            let mut expanded = Vec::new();
            for (row, (score, kept, look)) in (0..).zip(scores) {
                pool.push(score, row, kept);
                all.push((score, row, kept));
                all.sort_by_key(|&(score, row, _)| (std::cmp::Reverse(score), row));
                let end = all.iter().enumerate().filter(|(_, (.., kept))| *kept).nth(ef - 1).map_or(all.len(), |(i, _)| i + 1);
                let best: Vec<(i32, u32)> = all[..end].iter().filter(|(.., kept)| *kept).map(|&(s, r, _)| (s, r)).collect();
                prop_assert_eq!(pool.kept().collect::<Vec<_>>(), best);
                if look {
                    let right = all[..end].iter().map(|&(_, row, _)| row).find(|row| !expanded.contains(row));
                    prop_assert_eq!(pool.peek(), right);
                    prop_assert_eq!(pool.next(), right);
                    expanded.extend(right);
                }
            }
        }
    }
}
