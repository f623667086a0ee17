//! Over which rows is counted, and what follows for scores?

use std::sync::{Arc, OnceLock};

use safepassage_access::Visible;
use tantivy::fieldnorm::FieldNormReader;

use super::Field;

/// BM25: how soon more of the same word stops to count.
const K1: f32 = 1.2;
/// How much a word counts in each field.
const WEIGHTS: [f32; Field::ALL.len()] = [2.0, 1.0, 1.0, 0.3];
/// How much the length of each field counts: not at all at 0.
const LENGTHS: [f32; Field::ALL.len()] = [0.75; Field::ALL.len()];
/// What counts as an average length where nothing is counted.
const TYPICAL: [f32; Field::ALL.len()] = [6.0, 6.0, 120.0, 10.0];

/// The rows over which is counted: all that an asker may see, whatever else narrows a search of theirs.
#[derive(Debug, Clone)]
pub(crate) enum Statistics {
    /// These rows.
    Counted(Arc<Counted>),
    /// Nothing is counted: every term is as rare as any other. For askers of whom is not known what they may see.
    Flat,
}

/// The rows that are counted over.
#[derive(Debug)]
pub(crate) struct Counted {
    /// By segment.
    pub parts: Vec<(usize, Visible)>,
    /// The sums of their lengths, when they were asked for.
    lengths: OnceLock<Lengths>,
}

/// The sum of the lengths of each field, in terms.
pub(crate) type Lengths = [u64; Field::ALL.len()];

impl Statistics {
    pub fn over(parts: Vec<(usize, Visible)>) -> Self {
        Self::Counted(Arc::new(Counted { parts, lengths: OnceLock::new() }))
    }

    /// What scores are made with; `lengths` sums those of one part.
    pub fn weights<E>(&self, lengths: impl Fn(usize, &Visible) -> Result<Lengths, E>) -> Result<Weights, E> {
        let Self::Counted(counted) = self else { return Ok(Weights::new(None, TYPICAL)) };
        let rows: u64 = counted.parts.iter().map(|(_, part)| part.len()).sum();
        let sums = match counted.lengths.get() {
            Some(known) => known,
            None => {
                let mut all = Lengths::default();
                for (s, part) in &counted.parts {
                    all.iter_mut().zip(lengths(*s, part)?).for_each(|(all, own)| *all += own);
                }
                counted.lengths.get_or_init(|| all)
            }
        };
        Ok(Weights::new(Some(rows), sums.map(|sum| (sum as f64 / rows.max(1) as f64) as f32)))
    }
}

/// What scores are made with.
#[derive(Debug)]
pub(crate) struct Weights {
    rows: Option<u64>,
    /// By field and stored length: what one occurrence counts.
    occurrence: [Box<[f32; 256]>; Field::ALL.len()],
}

impl Weights {
    fn new(rows: Option<u64>, averages: [f32; Field::ALL.len()]) -> Self {
        let occurrence = Field::ALL.map(|field| {
            let (weight, b, average) = (WEIGHTS[field as usize], LENGTHS[field as usize], averages[field as usize]);
            let length = |id: usize| FieldNormReader::id_to_fieldnorm(id as u8) as f32;
            let relative = |id: usize| if average > 0.0 { length(id) / average } else { 1.0 };
            Box::new(std::array::from_fn(|id| weight / (1.0 - b + b * relative(id))))
        });
        Self { rows, occurrence }
    }

    /// By stored length: what one occurrence in `field` counts.
    pub fn of(&self, field: Field) -> &[f32; 256] {
        &self.occurrence[field as usize]
    }

    /// How much a term counts that `found` rows have.
    pub fn rarity(&self, found: u64) -> f32 {
        let Some(rows) = self.rows else { return 1.0 };
        let (rows, found) = (rows as f64, found as f64);
        ((rows - found + 0.5) / (found + 0.5)).ln_1p() as f32
    }

    /// What `weight` occurrences give of that.
    pub fn saturated(weight: f32) -> f32 {
        weight * (K1 + 1.0) / (weight + K1)
    }
}
