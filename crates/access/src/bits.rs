//! Which numbers below a bound are in this set? One bit each, so that a question costs a nanosecond.
//!
//! Bit `i % 64` of word `i / 64` stands for `i`; bits at and beyond the bound are zero. Numbers beyond the bound may be
//! asked for and are not in the set.

use std::ops::Range;

use roaring::RoaringBitmap;

const WORD: usize = u64::BITS as usize;

/// A dense set of numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of numbers below `bound`.
    pub fn none(bound: usize) -> Self {
        Self(vec![0; bound.div_ceil(WORD)])
    }

    /// The positions in `keys` of those keys that are in `wanted`; one pass.
    pub fn positions(keys: &[u32], wanted: &Self) -> Self {
        Self::of(keys, |key| wanted.contains(*key))
    }

    /// The positions in `all` of what `wanted` says yes to; one pass.
    pub fn of<T>(all: &[T], wanted: impl Fn(&T) -> bool) -> Self {
        let word = |some: &[T]| some.iter().rev().fold(0, |word, one| word << 1 | u64::from(wanted(one)));
        Self(all.chunks(WORD).map(word).collect())
    }

    /// The words.
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    #[inline]
    fn bit(&self, i: u32) -> u64 {
        self.0.get(i as usize / WORD).map_or(0, |word| word >> (i % u64::BITS) & 1)
    }

    /// Whether `i` is in it.
    #[inline]
    pub fn contains(&self, i: u32) -> bool {
        self.bit(i) == 1
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Adds `i`, which must be below the bound; says whether it is new.
    pub fn insert(&mut self, i: u32) -> bool {
        let (word, bit) = (&mut self.0[i as usize / WORD], 1 << (i % u64::BITS));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Removes `i` if it is there.
    pub fn remove(&mut self, i: u32) {
        if let Some(word) = self.0.get_mut(i as usize / WORD) {
            *word &= !(1 << (i % u64::BITS));
        }
    }

    /// Removes what is not in `words`; words that are missing are empty.
    pub fn intersect(&mut self, words: &[u64]) {
        let others = words.iter().copied().chain(std::iter::repeat(0));
        self.0.iter_mut().zip(others).for_each(|(word, other)| *word &= other);
    }

    /// Adds a range, whose end must not be above the bound.
    pub fn insert_range(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        let (first, last) = (range.start as usize / WORD, (range.end - 1) as usize / WORD);
        let from = u64::MAX << (range.start % u64::BITS);
        let to = u64::MAX >> (u64::BITS - 1 - (range.end - 1) % u64::BITS);
        if first == last {
            self.0[first] |= from & to;
        } else {
            self.0[first] |= from;
            self.0[first + 1..last].fill(u64::MAX);
            self.0[last] |= to;
        }
    }

    /// How many numbers are in it.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().zip((0u32..).step_by(WORD)).flat_map(|(&word, first)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let at = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(first + at)
            })
        })
    }

    /// Ranges of numbers that follow each other, ascending.
    pub fn runs(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let end = u32::try_from(self.0.len() * WORD).unwrap_or(u32::MAX);
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = self.first_from(next, end, |word| word)?;
            next = self.first_from(start, end, |word| !word).unwrap_or(end);
            Some(start..next)
        })
    }

    /// The first number from `i` on whose bit is set in what `see` makes of its word.
    fn first_from(&self, i: u32, end: u32, see: impl Fn(u64) -> u64) -> Option<u32> {
        let mut from = u64::MAX << (i % u64::BITS);
        for at in i as usize / WORD..end as usize / WORD {
            let left = see(self.0[at]) & from;
            if left != 0 {
                return Some((at * WORD) as u32 + left.trailing_zeros());
            }
            from = u64::MAX;
        }
        None
    }

    /// The same numbers, small at rest.
    pub fn to_roaring(&self) -> RoaringBitmap {
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        RoaringBitmap::from_lsb0_bytes(0, &bytes)
    }

    /// The numbers of `set` that are below `bound`.
    pub fn from_roaring(set: &RoaringBitmap, bound: u32) -> Self {
        let mut bits = Self::none(bound as usize);
        set.range(..bound).for_each(|i| {
            bits.insert(i);
        });
        bits
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, rng_seed: proptest::test_runner::RngSeed::Fixed(11), failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_is_the_set_it_was_made_of(
            bound in 1..400u32,
            ranges in proptest::collection::vec((0..400u32, 0..90u32), 0..6),
            singles in proptest::collection::vec(0..400u32, 0..20),
            gone in proptest::collection::vec(0..500u32, 0..20),
            cut in 0..9usize,
        ) {
            let (mut bits, mut plain) = (Bits::none(bound as usize), BTreeSet::new());
            for (start, len) in ranges {
                let range = start.min(bound)..(start + len).min(bound);
                bits.insert_range(range.clone());
                plain.extend(range);
            }
            for i in singles.into_iter().filter(|i| *i < bound) {
                prop_assert_eq!(bits.insert(i), plain.insert(i));
            }
            for i in gone {
                bits.remove(i);
                plain.remove(&i);
            }
            prop_assert_eq!(bits.words().len(), bound.div_ceil(64) as usize);
            prop_assert_eq!((bits.len(), bits.is_empty()), (plain.len() as u64, plain.is_empty()));
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.runs().flatten().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            let runs: Vec<_> = bits.runs().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert!((0..bound + 200).all(|i| bits.contains(i) == plain.contains(&i)));
            prop_assert_eq!(bits.to_roaring(), plain.iter().copied().collect::<RoaringBitmap>());
            prop_assert_eq!(&Bits::from_roaring(&bits.to_roaring(), bound), &bits);
            let mut within = bits.clone();
            within.intersect(&vec![0x5555_5555_5555_5555; cut]);
            prop_assert_eq!(within.words().len(), bits.words().len());
            let kept = plain.iter().copied().filter(|i| i % 2 == 0 && (*i as usize) < cut * 64);
            prop_assert_eq!(within.iter().collect::<Vec<_>>(), kept.collect::<Vec<_>>());
        }

        #[test]
        fn positions_are_those_of_wanted_keys(
            keys in proptest::collection::vec(prop_oneof![0..70u32, Just(u32::MAX), Just(u32::MAX - 1)], 0..300),
            wanted in proptest::collection::btree_set(0..64u32, 0..30),
        ) {
            let mut dense = Bits::none(64);
            wanted.iter().for_each(|i| assert!(dense.insert(*i)));
            let found = Bits::positions(&keys, &dense);
            let plain: Vec<u32> = (0..keys.len()).filter(|&i| wanted.contains(&keys[i])).map(|i| i as u32).collect();
            prop_assert_eq!(found.words().len(), keys.len().div_ceil(64));
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), plain);
        }
    }
}
