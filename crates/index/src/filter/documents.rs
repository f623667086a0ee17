//! Which documents of a segment? One bit each.

const WORD: usize = u64::BITS as usize;

/// A set of documents of a segment of so many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Documents {
    words: Vec<u64>,
    count: u32,
}

impl Documents {
    pub fn none(count: u32) -> Self {
        Self { words: vec![0; (count as usize).div_ceil(WORD)], count }
    }

    /// Those for which `has` says yes, asked in order.
    #[inline]
    pub fn of<T>(all: &[T], has: impl Fn(&T) -> bool) -> Self {
        let word = |some: &[T]| some.iter().rev().fold(0, |word, one| word << 1 | u64::from(has(one)));
        Self { words: all.chunks(WORD).map(word).collect(), count: all.len() as u32 }
    }

    /// Adds a document of the segment.
    #[inline]
    pub fn insert(&mut self, document: u32) {
        if let Some(word) = self.words.get_mut(document as usize / WORD) {
            *word |= 1 << (document % u64::BITS);
        }
    }

    /// Adds a range of them.
    pub fn insert_range(&mut self, range: std::ops::Range<u32>) {
        range.for_each(|document| self.insert(document));
    }

    /// Those that are not in it.
    pub fn inverted(mut self) -> Self {
        self.words.iter_mut().for_each(|word| *word = !*word);
        if let Some(last) = self.words.last_mut().filter(|_| !(self.count as usize).is_multiple_of(WORD)) {
            *last &= u64::MAX >> (u64::BITS - self.count % u64::BITS);
        }
        self
    }

    pub fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    pub fn unite(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// As bits: document `i` is bit `i % 64` of word `i / 64`.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The documents, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        ones(&self.words)
    }
}

/// The numbers of the bits that are set, ascending: `i` is bit `i % 64` of word `i / 64`.
pub(crate) fn ones(words: &[u64]) -> impl Iterator<Item = u32> + '_ {
    words.iter().zip((0u32..).step_by(WORD)).flat_map(|(&word, first)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let at = (left != 0).then(|| left.trailing_zeros())?;
            left &= left - 1;
            Some(first + at)
        })
    })
}
