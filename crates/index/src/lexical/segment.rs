//! Here is one segment and one thing that is asked for: which rows have it, and how much of it?

use safepassage_access::Visible;
use safepassage_error::{Error, Result};
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::{InvertedIndexReader, SegmentReader};
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;

use super::statistics::{Lengths, Weights};
use super::{Clause, Field, Wanted, phrase, stored};
use crate::blocks::CheckedBytes;

/// The words of one segment.
pub(crate) struct Lexical {
    reader: SegmentReader,
    lengths: [FieldNormReader; Field::ALL.len()],
}

/// Rows with what they have of something, in no order; each row once.
pub(crate) type Weighted = Vec<(u32, f32)>;

/// Below one visible row for so many postings, the postings are searched for the rows instead of read.
const SPARSE: u64 = 32;

fn unreadable(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::corrupted("read words", "the inverted index cannot be read").because(source)
}

impl std::fmt::Debug for Lexical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lexical").field("rows", &self.reader.max_doc()).finish_non_exhaustive()
    }
}

impl Lexical {
    /// Opens what a [`super::WordsWriter`] made of `rows` passages.
    pub fn open(bytes: CheckedBytes, rows: u32) -> Result<Self> {
        let reader = stored::open(bytes, rows)?;
        let lengths = |field: Field| {
            let read = reader.fieldnorms_readers().get_field(field.stored()).map_err(unreadable)?;
            let read = read.unwrap_or_else(|| FieldNormReader::constant(rows, 0));
            if read.num_docs() == rows {
                Ok(read)
            } else {
                Err(Error::corrupted("read words", "lengths of other passages"))
            }
        };
        let [title, heading, text, metadata] = Field::ALL.map(lengths);
        Ok(Self { lengths: [title?, heading?, text?, metadata?], reader })
    }

    /// The sums of the lengths of the fields over `visible`.
    pub fn lengths(&self, visible: &Visible) -> Lengths {
        self.lengths.each_ref().map(|field| {
            let mut times = [0u64; 256];
            for_each_row(visible, |row| times[usize::from(field.fieldnorm_id(row))] += 1);
            let lengths = (0..=255).map(|id| u64::from(FieldNormReader::id_to_fieldnorm(id)));
            times.iter().zip(lengths).map(|(times, length)| times * length).sum()
        })
    }

    /// The rows of `visible` that have what `clause` asks for, with its weighted frequency.
    pub fn rows(&self, clause: &Clause, visible: &Visible, weights: &Weights, room: &mut Room) -> Result<Weighted> {
        for field in Field::ALL.into_iter().filter(|field| clause.field.is_none_or(|only| only == *field)) {
            let index = self.reader.inverted_index(field.stored()).map_err(unreadable)?;
            let (of, lengths) = (weights.of(field), &self.lengths[field as usize]);
            let mut take = |row: u32, frequency: u32| {
                room.add(row, frequency as f32 * of[usize::from(lengths.fieldnorm_id(row))]);
            };
            match &clause.wanted {
                Wanted::Term(term) => {
                    if let Some(found) = index.terms().get(term).map_err(unreadable)? {
                        read(&index, &found, visible, &mut take)?;
                    }
                }
                Wanted::Prefix(start) => {
                    // All words that begin so, however many: a limit would show how many there are in passages that
                    // the asker may not read.
                    let mut terms = index.terms().range().ge(start);
                    let after = after(start);
                    if let Some(after) = &after {
                        terms = terms.lt(after);
                    }
                    let mut terms = terms.into_stream().map_err(unreadable)?;
                    while terms.advance() {
                        read(&index, terms.value(), visible, &mut take)?;
                    }
                }
                Wanted::Phrase(terms) => phrase::read(&index, terms, visible, &mut take).map_err(unreadable)?,
            }
        }
        Ok(room.drain())
    }
}

/// The first text in byte order after all that begin with `start`.
fn after(start: &str) -> Option<Vec<u8>> {
    let mut end = start.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

fn for_each_row(visible: &Visible, mut each: impl FnMut(u32)) {
    for (at, &word) in (0..).step_by(64).zip(visible.words()) {
        let mut word = word;
        while word != 0 {
            each(at + word.trailing_zeros());
            word &= word - 1;
        }
    }
}

/// Gives the visible rows of a term with its frequency in each, ascending.
fn read(
    index: &InvertedIndexReader,
    term: &TermInfo,
    visible: &Visible,
    take: &mut impl FnMut(u32, u32),
) -> Result<()> {
    let option = IndexRecordOption::WithFreqs;
    let mut blocks = index.read_block_postings_from_terminfo(term, option).map_err(unreadable)?;
    if visible.len().saturating_mul(SPARSE) < u64::from(term.doc_freq) {
        for &row in visible.list() {
            let place = blocks.seek(row);
            if place < blocks.block_len() && blocks.doc(place) == row {
                take(row, blocks.freq(place));
            }
        }
        return Ok(());
    }
    while blocks.block_len() > 0 {
        let (rows, frequencies) = (blocks.docs(), blocks.freqs());
        for (&row, &frequency) in rows.iter().zip(frequencies) {
            if visible.contains(row) {
                take(row, frequency);
            }
        }
        blocks.advance();
    }
    Ok(())
}

/// A number for every row of the largest segment met so far, kept between searches.
#[derive(Debug, Default)]
pub(crate) struct Room {
    weights: Vec<f32>,
    touched: Vec<u32>,
}

impl Room {
    /// Makes room for `rows` rows, with nothing in it: a search that failed may have left something.
    pub fn start(&mut self, rows: u32) {
        self.touched.drain(..).for_each(|row| self.weights[row as usize] = 0.0);
        if self.weights.len() < rows as usize {
            self.weights.resize(rows as usize, 0.0);
        }
    }

    /// Adds to a row; `weight` is above zero.
    #[inline]
    pub fn add(&mut self, row: u32, weight: f32) {
        let own = &mut self.weights[row as usize];
        if *own == 0.0 {
            self.touched.push(row);
        }
        *own += weight;
    }

    pub fn of(&self, row: u32) -> f32 {
        self.weights.get(row as usize).copied().unwrap_or_default()
    }

    /// All that was added, and nothing is left.
    pub fn drain(&mut self) -> Weighted {
        let Self { weights, touched } = self;
        touched.drain(..).map(|row| (row, std::mem::take(&mut weights[row as usize]))).collect()
    }
}
