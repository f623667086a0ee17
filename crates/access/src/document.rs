//! How does the access plane name documents and their versions?

use std::fmt;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
        let mut sorted: Vec<u32> = numbers.iter().map(|n| n.0).collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|w| w[0] == w[1]) {
            return Err(Error::corrupted("read document column", "a document number appears twice"));
        }
        Ok(Self { tenant, numbers, versions, first_row })
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
        Some(self.first_row.partition_point(|&first| first <= row) - 1)
    }
}
