//! Here are vectors on their way into a segment: where do they lie until then?

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use safepassage_error::{Error, Result};

use super::Segment;
use crate::manifest::Metric;
use crate::storage::Scratch;

/// Vectors that may be part of a larger block, so that adding a matrix does not copy it row by row. The block lies in
/// memory, was set aside in a file, or is that of a segment.
#[derive(Debug, Clone)]
pub struct SharedVectors {
    block: Block,
    range: Range<usize>,
}

#[derive(Debug, Clone)]
enum Block {
    Here(Arc<Vec<f32>>),
    Aside(Arc<Aside>),
    Stored(Arc<Segment>),
}

/// A block in a file.
#[derive(Debug)]
struct Aside {
    file: Arc<dyn Scratch>,
    /// Its first byte there.
    at: u64,
}

impl Block {
    /// Which block it is, of those in memory; 0 for others.
    fn place(&self) -> usize {
        match self {
            Self::Here(block) => Arc::as_ptr(block) as usize,
            Self::Aside(_) | Self::Stored(_) => 0,
        }
    }
}

impl Default for SharedVectors {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl PartialEq for SharedVectors {
    fn eq(&self, other: &Self) -> bool {
        matches!((self.numbers(), other.numbers()), (Ok(a), Ok(b)) if a == b)
    }
}

impl From<Vec<f32>> for SharedVectors {
    fn from(values: Vec<f32>) -> Self {
        Self { range: 0..values.len(), block: Block::Here(Arc::new(values)) }
    }
}

impl SharedVectors {
    /// The numbers `range` of `block`.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the block.
    pub fn part_of(block: &Arc<Vec<f32>>, range: Range<usize>) -> Result<Self> {
        match block.get(range.clone()) {
            Some(_) => Ok(Self { block: Block::Here(Arc::clone(block)), range }),
            None => Err(Error::invalid("share vectors", "the range is not within the block")),
        }
    }

    /// The vectors of `rows` of a segment, read there when they are needed.
    pub(crate) fn stored(segment: &Arc<Segment>, rows: Range<u32>, dim: usize) -> Self {
        let range = rows.start as usize * dim..rows.end as usize * dim;
        Self { block: Block::Stored(Arc::clone(segment)), range }
    }

    /// How many numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The numbers; read from the file they are in, if they are not in memory.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be read; `Corrupted`.
    pub fn numbers(&self) -> Result<Cow<'_, [f32]>> {
        self.part(0..self.len())
    }

    /// Some of the numbers, counted from the first.
    pub(crate) fn part(&self, part: Range<usize>) -> Result<Cow<'_, [f32]>> {
        if part.is_empty() {
            return Ok(Cow::Borrowed(&[]));
        }
        let range = self.range.start + part.start..self.range.start + part.end;
        match &self.block {
            Block::Here(block) => Ok(Cow::Borrowed(&block[range])),
            Block::Aside(aside) => {
                let mut numbers = vec![0.0; range.len()];
                let at = aside.at + range.start as u64 * size_of::<f32>() as u64;
                aside.file.read(at, bytemuck::cast_slice_mut(&mut numbers))?;
                Ok(Cow::Owned(numbers))
            }
            Block::Stored(segment) => segment.vectors.numbers(range),
        }
    }

    /// The numbers, to be changed: in place if nobody shares the block, else in a copy of this part.
    pub(crate) fn make_mut(&mut self) -> Result<&mut [f32]> {
        let alone = match &mut self.block {
            Block::Here(block) => Arc::get_mut(block).is_some(),
            Block::Aside(_) | Block::Stored(_) => false,
        };
        if !alone {
            *self = self.numbers()?.into_owned().into();
        }
        match &mut self.block {
            Block::Here(block) => Ok(&mut Arc::make_mut(block)[self.range.clone()]),
            _ => Err(Error::invalid("share vectors", "only vectors in memory change")),
        }
    }

    /// Makes each of these vectors what is stored by `metric`: of unit norm for cosine. A block of which parts are
    /// elsewhere, or overlap, stays as it is; [`crate::Writer::upsert`] then does it in a copy.
    pub fn prepare<'v>(vectors: impl Iterator<Item = &'v mut Self>, metric: Metric) {
        for parts in by_block(&mut vectors.collect::<Vec<_>>()) {
            let apart = parts.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start);
            let Some(mut block) = take(parts) else { continue };
            if let Some(values) = Arc::get_mut(&mut block).filter(|_| apart) {
                for part in &*parts {
                    let vector = &mut values[part.range.clone()];
                    if !metric.is_prepared(vector) {
                        metric.prepare(vector);
                    }
                }
            }
            parts.iter_mut().for_each(|part| part.block = Block::Here(Arc::clone(&block)));
        }
    }

    /// Moves the blocks of these vectors from memory into `file`; a block of which parts are elsewhere is copied.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be written; those not yet written are still in memory.
    pub fn set_aside<'v>(vectors: impl Iterator<Item = &'v mut Self>, file: &Arc<dyn Scratch>) -> Result<()> {
        for parts in by_block(&mut vectors.collect::<Vec<_>>()) {
            let Block::Here(block) = &parts[0].block else { continue };
            if block.is_empty() {
                continue;
            }
            let at = file.append(bytemuck::cast_slice(block))?;
            let aside = Arc::new(Aside { file: Arc::clone(file), at });
            parts.iter_mut().for_each(|part| part.block = Block::Aside(Arc::clone(&aside)));
        }
        Ok(())
    }
}

/// The vectors by the block in memory that they are part of, each block's in order.
fn by_block<'a, 'v>(vectors: &'a mut [&'v mut SharedVectors]) -> impl Iterator<Item = &'a mut [&'v mut SharedVectors]> {
    vectors.sort_by_key(|part| (part.block.place(), part.range.start));
    vectors.chunk_by_mut(|a, b| a.block.place() == b.block.place())
}

/// The block of all these parts, taken away from them; none if it is not in memory.
fn take(parts: &mut [&mut SharedVectors]) -> Option<Arc<Vec<f32>>> {
    let nothing = Arc::default();
    let mut block = None;
    for part in parts {
        if let Block::Here(own) = &mut part.block {
            block = Some(std::mem::replace(own, Arc::clone(&nothing)));
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{LocalStorage, Storage};

    /// Two parts of one block, and one of another.
    fn parts() -> [SharedVectors; 3] {
        let block = Arc::new(vec![3.0, 4.0, 0.0, 2.0]);
        let part = |range| SharedVectors::part_of(&block, range).unwrap();
        [part(0..2), part(2..4), vec![5.0, 0.0].into()]
    }

    #[test]
    fn vectors_set_aside_are_the_same_vectors() {
        let folder = tempfile::tempdir().unwrap();
        let file = LocalStorage::new(folder.path()).scratch().unwrap().unwrap();
        let (mut aside, elsewhere) = (parts(), parts());
        // A part that is elsewhere keeps its block.
        let kept = aside[0].clone();
        SharedVectors::set_aside(aside.iter_mut(), &file).unwrap();
        assert_eq!((&aside, &kept), (&elsewhere, &elsewhere[0]));
        assert_eq!(*aside[1].part(1..2).unwrap(), [2.0]);
        assert!(aside.iter().all(|part| matches!(part.block, Block::Aside(_))));
        // Once more changes nothing, and neither does preparing; who changes one gets a copy.
        SharedVectors::set_aside(aside.iter_mut(), &file).unwrap();
        SharedVectors::prepare(aside.iter_mut(), Metric::Cosine);
        assert_eq!(aside, elsewhere);
        aside[0].make_mut().unwrap()[0] = 9.0;
        assert_eq!(*aside[0].numbers().unwrap(), [9.0, 4.0]);
        assert_eq!(aside[1], elsewhere[1]);
    }

    #[test]
    fn a_block_that_nobody_else_has_is_prepared_where_it_lies() {
        let mut vectors = parts();
        let place = vectors[0].block.place();
        SharedVectors::prepare(vectors.iter_mut(), Metric::Cosine);
        let numbers = vectors.each_ref().map(|part| part.numbers().unwrap().into_owned());
        assert_eq!(numbers, [[0.6, 0.8], [0.0, 1.0], [1.0, 0.0]]);
        assert_eq!((vectors[0].block.place(), vectors[1].block.place()), (place, place));
        let kept = vectors[0].clone();
        vectors[0].make_mut().unwrap()[0] = 9.0;
        assert_eq!(*kept.numbers().unwrap(), [0.6, 0.8]);
    }
}
