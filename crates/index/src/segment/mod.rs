//! Here is a set of records that never changes: how is it written, opened and read?
//!
//! ```text
//! segment/<id>/segment.json     sealed: counts, and the checksums of every block of every other file
//!              documents.bin    numbers, versions, first rows, sources and ids of the documents, in the order of the ids
//!              vectors.bin      rows × dim, little-endian f32, unit norm
//!              graph.bin        from a few thousand rows on
//!              chunks.parquet   a row per record: ids, text, span, heading, metadata
//!              tombstones-<g>   roaring bitmap of document ordinals dead from generation g on
//! ```
//! Structure (documents, graph) is checked when a segment is opened, vectors and text when first touched.

mod chunks;
mod documents;
mod vectors;
mod write;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use safepassage_access::{DocumentNumber, SegmentAccess, Tenant, Version};
use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::blocks::{CheckedBytes, Sums};
use crate::graph::Graph;
use crate::manifest::SegmentEntry;
use crate::seal;
use crate::storage::Storage;

pub use chunks::ChunkRow;
pub(crate) use chunks::Chunks;
pub(crate) use documents::DocumentTable;
pub(crate) use vectors::Vectors;
pub(crate) use write::{digest, write};

const KIND: &str = "segment";
const HEADER: &str = "segment.json";
const DOCUMENTS: &str = "documents.bin";
const VECTORS: &str = "vectors.bin";
const GRAPH: &str = "graph.bin";
const CHUNKS: &str = "chunks.parquet";

/// One document on its way into a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// The access plane's number; it must be bound to an ACL before the segment is published.
    pub number: DocumentNumber,
    /// The content that the ACL was bound to.
    pub version: Version,
    /// Unique within the tenant.
    pub id: String,
    /// Which source it came from; a sync deletes only within its own source.
    pub source: String,
    /// For people.
    pub title: Option<String>,
    /// Where it can be opened.
    pub uri: Option<String>,
    /// A JSON object.
    pub metadata: Option<String>,
    /// In the order of the text.
    pub chunks: Vec<NewChunk>,
    /// chunks × dim, row-major.
    pub vectors: SharedVectors,
}

/// Vectors that may be part of a larger block, so that adding a matrix does not copy it row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharedVectors {
    block: Arc<Vec<f32>>,
    range: Range<usize>,
}

impl SharedVectors {
    /// The numbers `range` of `block`.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the block.
    pub fn part_of(block: &Arc<Vec<f32>>, range: Range<usize>) -> Result<Self> {
        match block.get(range.clone()) {
            Some(_) => Ok(Self { block: Arc::clone(block), range }),
            None => Err(Error::invalid("share vectors", "the range is not within the block")),
        }
    }

    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.block[self.range.clone()]
    }
}

impl From<Vec<f32>> for SharedVectors {
    fn from(values: Vec<f32>) -> Self {
        Self { range: 0..values.len(), block: Arc::new(values) }
    }
}

/// One chunk on its way into a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct NewChunk {
    /// Its place within the document, from 0.
    pub ordinal: u32,
    /// The passage.
    pub text: String,
    /// Bytes of the source text, half open.
    pub span: (u64, u64),
    /// Headings above it, outermost first, joined by ` > `.
    pub heading: String,
    /// A digest of what was embedded, so that an unchanged chunk is never embedded again.
    pub hash: u128,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    id: String,
    tenant: Tenant,
    documents: u32,
    rows: u32,
    dim: usize,
    files: BTreeMap<String, Sums>,
}

/// An open segment. Cheap to share, never changes.
#[derive(Debug)]
pub(crate) struct Segment {
    pub id: String,
    pub tenant: Tenant,
    pub documents: DocumentTable,
    pub access: SegmentAccess,
    pub vectors: Vectors,
    pub graph: Option<Graph>,
    pub chunks: Chunks,
    files: Vec<CheckedBytes>,
}

pub(crate) fn folder(id: &str) -> String {
    format!("segment/{id}")
}

impl Segment {
    /// Opens the segment that `entry` names and checks its structure.
    ///
    /// # Errors
    /// `NotFound` if it was removed; `Corrupted` if anything is not what was written.
    pub fn open(storage: &dyn Storage, entry: &SegmentEntry, dim: usize) -> Result<Self> {
        let path = |file: &str| format!("{}/{file}", folder(&entry.id));
        let bytes = storage.read(&path(HEADER))?;
        if digest(&bytes) != entry.digest {
            return Err(
                Error::corrupted("open segment", "the header is not what was written").with("path", path(HEADER))
            );
        }
        let header: Header = seal::unseal(KIND, &path(HEADER), &bytes)?;
        let fits = header.id == entry.id
            && header.tenant == entry.tenant
            && (header.documents, header.rows, header.dim) == (entry.documents, entry.rows, dim);
        if !fits {
            return Err(Error::corrupted("open segment", "header and manifest differ").with("path", path(HEADER)));
        }
        let open = |file: &str| match header.files.get(file) {
            Some(sums) => CheckedBytes::new(path(file), storage.read(&path(file))?, sums).map(Some),
            None => Ok(None),
        };
        let need = |file: &str| {
            open(file)?.ok_or_else(|| Error::corrupted("open segment", "a file is missing").with("path", path(file)))
        };
        let (documents, vectors, chunks) = (need(DOCUMENTS)?, need(VECTORS)?, need(CHUNKS)?);
        let mut files = vec![documents.clone(), vectors.clone(), chunks.clone()];
        let graph = match open(GRAPH)? {
            Some(bytes) => {
                files.push(bytes.clone());
                Some(Graph::read(bytes.get(0..bytes.len())?, header.rows).map_err(|e| e.with("path", path(GRAPH)))?)
            }
            None => None,
        };
        let (documents, column) = DocumentTable::read(documents.get(0..documents.len())?, header.tenant.clone())
            .map_err(|e| e.with("path", path(DOCUMENTS)))?;
        if (documents.len() as u32, column.rows()) != (header.documents, header.rows) {
            return Err(Error::corrupted("open segment", "documents and header differ").with("path", path(DOCUMENTS)));
        }
        Ok(Self {
            id: header.id,
            tenant: header.tenant,
            documents,
            access: SegmentAccess::new(column),
            vectors: Vectors::new(vectors, header.rows, dim)?,
            graph,
            chunks: Chunks::new(chunks),
            files,
        })
    }

    pub fn rows(&self) -> u32 {
        self.access.column().rows()
    }

    /// Checks every byte and every rule of the format; returns the bytes checked.
    pub fn verify(&self) -> Result<u64> {
        for file in &self.files {
            file.verify()?;
        }
        self.vectors.verify()?;
        if let Some(graph) = &self.graph {
            graph.verify_reachable()?;
        }
        self.chunks.verify(self.rows(), |row| {
            let column = self.access.column();
            let document = column.document_of(row)?;
            Some((self.documents.id(document), row - column.rows_of(document).start))
        })?;
        Ok(self.files.iter().map(|file| file.len() as u64).sum())
    }
}
