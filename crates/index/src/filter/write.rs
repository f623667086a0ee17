//! Here is the metadata of the documents of a segment, one after the other: write down what filters will ask for.
//!
//! ```text
//! magic · u64: bytes of the directory · directory, JSON · for each declared field, by name:
//!   its values, ascending     string, list: their ends u64 · their bytes; number, bool, date: high u64 · low u32
//!   their documents           where those of each value end u64 · the documents, by value, u32
//!   the values of documents   u32 for each document: the place of its value; list: where its places begin, u64 for each
//!                             document and one more · the places u32
//!   mistyped documents        roaring
//! ```
//! The lists of documents answer what few documents have, the places what many have, and what one document has. Lists
//! are not roaring: read into bits they took a fifth to an eighth of the time (`benches/record/filters.md`), and beside
//! the places they are no more than as much again.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use safepassage_error::{Error, Kind, Result};
use serde_json::{Map, Value};

use super::fields::{FieldType, Fields};
use super::postings::{Directory, MAGIC, NONE, Stored};
use super::value::{Point, Reading, read};

/// Takes documents in and gives the bytes of their fields.
#[derive(Debug)]
pub(crate) struct PostingsWriter {
    documents: u32,
    fields: Vec<Collected>,
}

#[derive(Debug)]
struct Collected {
    name: String,
    kind: FieldType,
    values: Found,
    mistyped: RoaringBitmap,
}

/// Documents by value; those of a string ascending.
#[derive(Debug)]
enum Found {
    Texts(BTreeMap<String, Vec<u32>>),
    Points(Vec<(Point, u32)>),
}

impl PostingsWriter {
    /// For a segment of so many documents.
    pub fn new(fields: &Fields, documents: u32) -> Self {
        let collected = fields.iter().map(|(name, kind)| {
            let values = match kind {
                FieldType::String | FieldType::List => Found::Texts(BTreeMap::new()),
                FieldType::Number | FieldType::Bool | FieldType::Date => Found::Points(Vec::new()),
            };
            Collected { name: name.to_owned(), kind, values, mistyped: RoaringBitmap::new() }
        });
        Self { documents, fields: collected.collect() }
    }

    /// Adds a document; they come in the order of their ordinals, each once. Metadata that is no JSON object has no
    /// fields.
    pub fn add(&mut self, document: u32, metadata: Option<&str>) {
        let Some(metadata) = metadata.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok()) else {
            return;
        };
        for field in &mut self.fields {
            match (read(&metadata, &field.name, field.kind), &mut field.values) {
                (Reading::Text(text), Found::Texts(values)) => put(values, text, document),
                (Reading::Texts(texts), Found::Texts(values)) => {
                    texts.into_iter().for_each(|text| put(values, text, document));
                }
                (Reading::Point(point), Found::Points(values)) => values.push((point, document)),
                (Reading::Absent, _) => {}
                _ => drop(field.mistyped.insert(document)),
            }
        }
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// `Invalid` for more distinct values than can be numbered.
    pub fn finish(self) -> Result<Vec<u8>> {
        let (mut fields, mut sections) = (Vec::new(), Vec::new());
        for field in self.fields {
            let Collected { name, kind, values, mistyped } = field;
            let (count, mut parts) = match values {
                Found::Texts(values) => texts(&values, kind, self.documents)?,
                Found::Points(values) => points(values, self.documents)?,
            };
            parts.push(serialised(&mistyped)?);
            let lengths = parts.iter().map(|part| part.len() as u64).collect();
            fields.push(Stored { name, kind, values: count, sections: lengths });
            sections.extend(parts);
        }
        let directory = serde_json::to_vec(&Directory { documents: self.documents, fields })
            .map_err(|e| Error::new(Kind::Internal, "write fields of segment", "no JSON").because(e))?;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&(directory.len() as u64).to_le_bytes());
        out.extend(directory);
        sections.iter().for_each(|section| out.extend_from_slice(section));
        Ok(out)
    }
}

fn put(values: &mut BTreeMap<String, Vec<u32>>, text: &str, document: u32) {
    match values.get_mut(text) {
        // A member may stand in a list more than once.
        Some(documents) if documents.last() == Some(&document) => {}
        Some(documents) => documents.push(document),
        None => drop(values.insert(text.to_owned(), vec![document])),
    }
}

fn count(values: usize) -> Result<u32> {
    let count = u32::try_from(values).ok().filter(|count| *count < NONE);
    count.ok_or_else(|| Error::invalid("write segment", "a field has more than 2^32 values"))
}

fn serialised(documents: &RoaringBitmap) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(documents.serialized_size());
    let written = documents.serialize_into(&mut bytes);
    written.map_err(|e| Error::new(Kind::Internal, "write fields of segment", "cannot be written").because(e))?;
    Ok(bytes)
}

type Sections = (u32, Vec<Vec<u8>>);

fn texts(values: &BTreeMap<String, Vec<u32>>, kind: FieldType, documents: u32) -> Result<Sections> {
    let count = count(values.len())?;
    let (mut ends, mut all) = (Vec::new(), Vec::new());
    let (mut last, mut list_ends, mut lists) = (0u64, Vec::new(), Vec::new());
    for (text, documents) in values {
        all.extend_from_slice(text.as_bytes());
        ends.extend_from_slice(&(all.len() as u64).to_le_bytes());
        last += documents.len() as u64;
        list_ends.extend_from_slice(&last.to_le_bytes());
        lists.extend(documents.iter().flat_map(|document| document.to_le_bytes()));
    }
    let of_each = || values.values().zip(0u32..);
    let mut sections = vec![ends, all, list_ends, lists];
    if kind == FieldType::List {
        let mut firsts = vec![0u64; documents as usize + 1];
        of_each().for_each(|(documents, _)| documents.iter().for_each(|d| firsts[*d as usize + 1] += 1));
        (1..firsts.len()).for_each(|i| firsts[i] += firsts[i - 1]);
        let mut next = firsts.clone();
        let mut ranks = vec![0u32; firsts.last().map_or(0, |all| *all as usize)];
        for (documents, rank) in of_each() {
            for &document in documents {
                let at = &mut next[document as usize];
                ranks[*at as usize] = rank;
                *at += 1;
            }
        }
        sections.push(firsts.iter().flat_map(|first| first.to_le_bytes()).collect());
        sections.push(ranks.iter().flat_map(|rank| rank.to_le_bytes()).collect());
    } else {
        let mut ranks = vec![NONE; documents as usize];
        of_each().for_each(|(documents, rank)| documents.iter().for_each(|d| ranks[*d as usize] = rank));
        sections.push(ranks.iter().flat_map(|rank| rank.to_le_bytes()).collect());
    }
    Ok((count, sections))
}

fn points(mut values: Vec<(Point, u32)>, documents: u32) -> Result<Sections> {
    values.sort_unstable();
    let mut ranks = vec![NONE; documents as usize];
    let (mut highs, mut lows, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = 0u64;
    for same in values.chunk_by(|a, b| a.0 == b.0) {
        let rank = count(lows.len() / 4)?;
        same.iter().for_each(|(_, document)| ranks[*document as usize] = rank);
        highs.extend_from_slice(&same[0].0.high.to_le_bytes());
        lows.extend_from_slice(&same[0].0.low.to_le_bytes());
        last += same.len() as u64;
        ends.extend_from_slice(&last.to_le_bytes());
    }
    let distinct = count(lows.len() / 4)?;
    let ordinals = values.iter().flat_map(|(_, document)| document.to_le_bytes()).collect();
    Ok((distinct, vec![highs, lows, ends, ordinals, ranks.iter().flat_map(|rank| rank.to_le_bytes()).collect()]))
}
