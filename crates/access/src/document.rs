//! How does the access plane name documents and their versions?

use std::fmt;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bits::Bits;

/// A hard partition: its own segments, its own statistics. The empty name is the tenant of an index with only one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant(pub String);

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(default)" } else { &self.0 })
    }
}

/// The access plane's number of one (tenant, document id), given once and never re-used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentNumber(pub u32);

/// Which content of a document a row belongs to: the first 16 bytes of the SHA-256 of all that was ingested of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u128);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() != 32 {
            return Err(serde::de::Error::custom("a version has 32 hexadecimal digits"));
        }
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The documents of one segment, as the access plane sees them: document i has number `numbers[i]`, version
/// `versions[i]` and the rows `first_row[i]..first_row[i + 1]`.
#[derive(Debug, Clone)]
pub struct Column {
    tenant: Tenant,
    numbers: Vec<DocumentNumber>,
    versions: Vec<Version>,
    first_row: Vec<u32>,
    one_row_each: bool,
    /// Empty if every document is one part. Else each document begins with a part of section 0, which may have no rows.
    parts: Vec<Part>,
}

/// Neighbouring rows of one section of a document; they end where the next part begins.
#[derive(Debug, Clone, Copy)]
struct Part {
    first_row: u32,
    document: u32,
    section: u16,
}

impl Column {
    /// Checks the lengths and the order once.
    ///
    /// # Errors
    /// `Corrupted` if the lengths do not match, the rows do not ascend from 0, or a number appears twice.
    pub fn new(
        tenant: Tenant,
        numbers: Vec<DocumentNumber>,
        versions: Vec<Version>,
        first_row: Vec<u32>,
    ) -> Result<Self> {
        let fits = versions.len() == numbers.len()
            && first_row.len() == numbers.len() + 1
            && first_row[0] == 0
            && first_row.is_sorted();
        if !fits {
            return Err(Error::corrupted("read document column", "lengths or rows do not fit together"));
        }
        if repeats(&numbers) {
            return Err(Error::corrupted("read document column", "a document number appears twice"));
        }
        let one_row_each = first_row.iter().zip(0..).all(|(first, i)| *first == i);
        Ok(Self { tenant, numbers, versions, first_row, one_row_each, parts: Vec::new() })
    }

    /// The same documents, row i being of section `sections[i]` of its own: 0 for what is not narrower than the document.
    ///
    /// # Errors
    /// `Corrupted` if there are not as many as rows.
    pub fn with_sections(mut self, sections: &[u16]) -> Result<Self> {
        if sections.len() != self.rows() as usize {
            return Err(Error::corrupted("read document column", "there are not as many sections as rows"));
        }
        self.parts = Vec::new();
        if sections.iter().all(|section| *section == 0) {
            return Ok(self);
        }
        for (i, document) in (0..self.documents()).zip(0..) {
            let rows = self.rows_of(i);
            let mut last = Part { first_row: rows.start, document, section: 0 };
            self.parts.push(last);
            for row in rows {
                let section = sections[row as usize];
                if section != last.section {
                    last = Part { first_row: row, document, section };
                    self.parts.push(last);
                }
            }
        }
        Ok(self)
    }

    /// How many parts its documents have.
    pub(crate) fn parts(&self) -> usize {
        if self.parts.is_empty() { self.documents() } else { self.parts.len() }
    }

    /// The document of part `i`, and its section.
    pub(crate) fn part(&self, i: usize) -> (usize, u16) {
        self.parts.get(i).map_or((i, 0), |part| (part.document as usize, part.section))
    }

    /// The rows of part `i`.
    pub(crate) fn rows_of_part(&self, i: usize) -> std::ops::Range<u32> {
        if self.parts.is_empty() {
            return self.rows_of(i);
        }
        self.parts[i].first_row..self.parts.get(i + 1).map_or(self.rows(), |next| next.first_row)
    }

    /// The section of its document that `row` belongs to; 0 is not narrower than the document.
    #[must_use]
    pub fn section_of(&self, row: u32) -> u16 {
        let after = self.parts.partition_point(|part| part.first_row <= row);
        after.checked_sub(1).map_or(0, |part| self.parts[part].section)
    }

    /// Whether no document has narrower sections.
    pub(crate) fn undivided(&self) -> bool {
        self.parts.is_empty()
    }

    /// The tenant of every document in it.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// How many documents.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.numbers.len()
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.first_row[self.numbers.len()]
    }

    /// Whether part i has row i and no other.
    #[must_use]
    pub fn one_row_each(&self) -> bool {
        self.one_row_each && self.parts.is_empty()
    }

    /// The number of the document of every part, and the part, by number.
    pub(crate) fn by_number(&self) -> Vec<(u32, u32)> {
        let number = |part: u32| (self.numbers[self.part(part as usize).0].0, part);
        let mut sorted: Vec<(u32, u32)> = (0..self.parts() as u32).map(number).collect();
        sorted.sort_unstable();
        sorted
    }

    /// The number and version of document `i`.
    #[must_use]
    pub fn document(&self, i: usize) -> (DocumentNumber, Version) {
        (self.numbers[i], self.versions[i])
    }

    /// The rows of document `i`.
    #[must_use]
    pub fn rows_of(&self, i: usize) -> std::ops::Range<u32> {
        self.first_row[i]..self.first_row[i + 1]
    }

    /// The document that `row` belongs to.
    #[must_use]
    pub fn document_of(&self, row: u32) -> Option<usize> {
        if row >= self.rows() {
            return None;
        }
        if self.one_row_each {
            return Some(row as usize);
        }
        Some(self.first_row.partition_point(|&first| first <= row) - 1)
    }
}

/// Whether a number appears twice: by one bit a number where they lie close together, as those of one index do.
fn repeats(numbers: &[DocumentNumber]) -> bool {
    if numbers.is_sorted_by(|a, b| a < b) {
        return false;
    }
    let (lowest, highest) = numbers.iter().fold((u32::MAX, 0), |(low, high), n| (low.min(n.0), high.max(n.0)));
    let span = (highest - lowest) as usize + 1;
    if span / 64 > numbers.len() {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        return !sorted.is_sorted_by(|a, b| a < b);
    }
    let mut seen = Bits::none(span);
    numbers.iter().any(|n| !seen.insert(n.0 - lowest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_is_of_its_document_and_its_section(
            documents in proptest::collection::vec(proptest::collection::vec(prop_oneof![3 => Just(0u16), 2 => 1..3u16], 0..5), 1..8),
        ) {
            let mut first_row = vec![0];
            for sections in &documents {
                first_row.push(first_row[first_row.len() - 1] + sections.len() as u32);
            }
            let n = documents.len();
            let numbers = (0..n as u32).map(DocumentNumber).collect();
            let sections: Vec<u16> = documents.concat();
            let column = Column::new(Tenant::default(), numbers, vec![Version(0); n], first_row).unwrap();
            prop_assert!(column.clone().with_sections(&[&sections[..], &[0]].concat()).is_err());
            let column = column.with_sections(&sections).unwrap();
            prop_assert_eq!(column.undivided(), sections.iter().all(|section| *section == 0));
            for (row, section) in (0..).zip(&sections) {
                prop_assert_eq!(column.section_of(row), *section);
            }
            prop_assert_eq!(column.document_of(sections.len() as u32), None);
            // Parts follow each other and are all there is.
            let mut next = 0;
            for part in 0..column.parts() {
                let (document, section) = column.part(part);
                let rows = column.rows_of_part(part);
                prop_assert_eq!(rows.start, next);
                for row in rows.clone() {
                    prop_assert_eq!((column.document_of(row), sections[row as usize]), (Some(document), section));
                }
                next = rows.end;
            }
            prop_assert_eq!(next as usize, sections.len());
            prop_assert_eq!(column.one_row_each(), column.undivided() && documents.iter().all(|rows| rows.len() == 1));
        }

        #[test]
        fn a_repeated_number_is_refused(
            close in proptest::collection::vec(0..60u32, 0..12),
            far in proptest::collection::vec(prop_oneof![0..9u32, 4_000_000_000..4_000_000_009u32], 0..6),
        ) {
            for numbers in [close, far] {
                let distinct: std::collections::BTreeSet<u32> = numbers.iter().copied().collect();
                let n = numbers.len();
                let column = Column::new(
                    Tenant::default(),
                    numbers.iter().copied().map(DocumentNumber).collect(),
                    vec![Version(0); n],
                    vec![0; n + 1],
                );
                prop_assert_eq!(column.is_ok(), distinct.len() == n);
            }
        }
    }
}
