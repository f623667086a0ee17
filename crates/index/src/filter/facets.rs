//! Here are visible documents: which values do they have in a field, and how many have each?
//!
//! Counted are documents that somebody may see and nothing else: a value that only others have is not there, and where
//! buckets begin and end is decided by visible values alone.

use std::collections::BTreeMap;

use safepassage_error::{Error, Result};
use serde::Serialize;
use serde_json::Value;

use super::fields::FieldType;
use super::histogram;
use super::postings::{FieldPostings, Values};
use super::value::Point;

/// So many values or buckets can be asked for.
const MOST: usize = 10_000;

/// How many there are that somebody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counted {
    /// Documents of which a passage is visible.
    pub documents: u64,
    /// Visible passages.
    pub passages: u64,
}

/// The values of a field among visible documents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facets {
    /// The field.
    pub field: String,
    /// What is in it.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Visible documents, after the filter.
    pub documents: u64,
    /// Those of them that have the field.
    pub present: u64,
    /// What they have in it.
    #[serde(flatten)]
    pub values: FacetValues,
}

/// What visible documents have in a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FacetValues {
    /// Of a string, a list or a bool.
    Values {
        /// How many different ones there are.
        distinct: u64,
        /// The most frequent; equally frequent ones in their order.
        values: Vec<FacetValue>,
    },
    /// Of a number or a date.
    Range {
        /// The least; a number, or an RFC 3339 date-time.
        min: Option<Value>,
        /// The greatest.
        max: Option<Value>,
        /// Those with documents in them, ascending.
        buckets: Vec<Bucket>,
    },
}

/// A value and how many visible documents have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FacetValue {
    /// A string or a bool.
    pub value: Value,
    /// Documents; one that has it in a list more than once counts once.
    pub count: u64,
}

/// An interval and how many visible documents have a value in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bucket {
    /// Where it begins, which is part of it.
    pub from: Value,
    /// Where it ends, which is part of the next one; the last bucket of numbers has it.
    pub to: Value,
    /// Documents.
    pub count: u64,
}

/// # Errors
/// `Invalid` if so many values or buckets cannot be asked for.
pub(crate) fn check_limit(limit: usize) -> Result<()> {
    match limit {
        1..=MOST => Ok(()),
        _ => Err(Error::invalid("count values", format!("the limit is 1 to {MOST}, not {limit}"))),
    }
}

/// Counts documents, segment by segment.
#[derive(Debug)]
pub(crate) struct Tally {
    kind: FieldType,
    documents: u64,
    present: u64,
    texts: BTreeMap<String, u64>,
    points: BTreeMap<Point, u64>,
}

impl Tally {
    pub fn new(kind: FieldType) -> Self {
        Self { kind, documents: 0, present: 0, texts: BTreeMap::new(), points: BTreeMap::new() }
    }

    /// Adds `documents` of a segment, each once. `O(documents + distinct values of the segment)`.
    pub fn add(&mut self, field: &FieldPostings, documents: impl Iterator<Item = u32>) {
        let mut counts = vec![0u64; field.values().len() as usize];
        for document in documents {
            self.documents += 1;
            let mut has = false;
            for rank in field.ranks(document) {
                counts[rank as usize] += 1;
                has = true;
            }
            self.present += u64::from(has);
        }
        for (count, place) in counts.into_iter().zip(0..).filter(|(count, _)| *count > 0) {
            match field.values() {
                Values::Texts(texts) => *self.texts.entry(texts.text(place).to_owned()).or_default() += count,
                Values::Points(points) => *self.points.entry(points.get(place)).or_default() += count,
            }
        }
    }

    /// At most `limit` values or buckets of what was added.
    pub fn facets(self, field: &str, limit: usize) -> Facets {
        let Self { kind, documents, present, texts, points } = self;
        let values = match kind {
            FieldType::String | FieldType::List => {
                most_frequent(texts.into_iter().map(|(text, n)| (text.into(), n)), limit)
            }
            FieldType::Bool => most_frequent(points.into_iter().map(|(point, n)| ((point.high == 1).into(), n)), limit),
            FieldType::Number => histogram::numbers(&points, limit),
            FieldType::Date => histogram::dates(&points, limit),
        };
        Facets { field: field.to_owned(), kind, documents, present, values }
    }
}

/// Of values in their order.
fn most_frequent(counts: impl Iterator<Item = (Value, u64)>, limit: usize) -> FacetValues {
    let mut values: Vec<FacetValue> = counts.map(|(value, count)| FacetValue { value, count }).collect();
    let distinct = values.len() as u64;
    // Stable: equally frequent ones stay in their order.
    values.sort_by_key(|value| std::cmp::Reverse(value.count));
    values.truncate(limit);
    FacetValues::Values { distinct, values }
}
