//! Here is a set of records that never changes: how is it written, opened and read?
//!
//! ```text
//! segment/<id>/segment.json     sealed: counts, sizes of the other files, the checksum of the checksums
//!              sums.bin         the checksum of every page of every other file
//!              documents.bin    numbers, versions, first rows, sources and ids of the documents, in the order of the rows
//!              vectors.bin      rows × dim, little-endian f32 or f16; for cosine of unit norm
//!              codes.bin        the vectors as int8
//!              graph.bin        the links, and
//!              layers.bin       all else about the graph; both from a few thousand rows on
//!              lexical.bin      the inverted index of the words, if there is a word
//!              chunks.parquet   a row per record: ids, text, span, heading, metadata
//!              fields.bin       what documents have in the fields that were declared when it was written
//!              tombstones-<g>   roaring bitmap of document ordinals dead from generation g on
//! ```
//! Structure (documents, layers) is checked when a segment is opened, everything else when first touched. With a graph
//! the rows lie in an order in which neighbours are near each other; the rows of a document always lie together.
//!
//! A segment that was written before there was an index of words gets one in memory when it is first asked for words,
//! and a stored one when it is merged.
//!
//! Segments of format 1 have no codes and an older graph, which is left alone: they are scanned until a merge rewrites
//! them.

mod chunks;
mod documents;
mod incoming;
mod shared;
mod vectors;
mod write;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use safepassage_access::{DocumentNumber, SegmentAccess, Tenant, Version};
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use crate::blocks::{CheckedBytes, Sums};
use crate::code::Int8;
use crate::filter::{FieldPostings, Fields, Postings, PostingsWriter, SegmentFields};
use crate::graph::Graph;
use crate::lexical::{Language, Lexical, WordsWriter};
use crate::manifest::{SegmentEntry, Settings};
use crate::seal;
use crate::storage::Storage;

pub use chunks::ChunkRow;
pub(crate) use chunks::Chunks;
pub(crate) use documents::DocumentTable;
pub(crate) use incoming::{Incoming, SetAside};
pub use shared::SharedVectors;
#[cfg(test)]
pub(crate) use vectors::NewRows;
pub(crate) use vectors::{Vectors, score};
pub(crate) use write::{digest, write};

const KIND: &str = "segment";
const HEADER: &str = "segment.json";
const DOCUMENTS: &str = "documents.bin";
const VECTORS: &str = "vectors.bin";
const SUMS: &str = "sums.bin";
const CODES: &str = "codes.bin";
const LAYERS: &str = "layers.bin";
const GRAPH: &str = "graph.bin";
const CHUNKS: &str = "chunks.parquet";
const LEXICAL: &str = "lexical.bin";
const FIELDS: &str = "fields.bin";

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
    pub source: Cow<'static, str>,
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

/// One chunk on its way into a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// The narrower section of the document that it belongs to, as the access plane counts them; 0 for none.
    pub section: u16,
    /// The page it begins on, from 1, where the document has pages.
    pub page: Option<u32>,
    /// The number, within the document, of the larger chunk that it is given with; rows of one follow each other.
    pub parent: Option<u32>,
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
    /// The checksum of the file of checksums; format 1 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sums: Option<String>,
}

/// An open segment. Cheap to share, never changes.
pub(crate) struct Segment {
    pub id: String,
    pub tenant: Tenant,
    pub documents: DocumentTable,
    pub access: SegmentAccess,
    pub vectors: Vectors,
    pub codes: Option<Int8>,
    pub graph: Option<Graph>,
    pub chunks: Chunks,
    words: Option<CheckedBytes>,
    language: Language,
    /// The words, opened; `None` if there are none.
    lexical: OnceLock<Option<Lexical>>,
    opening: Mutex<()>,
    fields: SegmentFields,
    files: Vec<CheckedBytes>,
}

impl std::fmt::Debug for Segment {
    /// Nothing of what is in it: what is shown for debugging is logged, and statistics of columns quote passages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("id", &self.id).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

pub(crate) fn folder(id: &str) -> String {
    format!("segment/{id}")
}

impl Segment {
    /// Opens the segment that `entry` names and checks its structure.
    ///
    /// # Errors
    /// `NotFound` if it was removed; `Corrupted` if anything is not what was written.
    pub fn open(storage: &dyn Storage, entry: &SegmentEntry, settings: &Settings) -> Result<Self> {
        let dim = settings.dim;
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
        let sums = match &header.sums {
            None => Bytes::new(),
            Some(wanted) => {
                let bytes = storage.read(&path(SUMS))?;
                if digest(&bytes) != *wanted {
                    let error = Error::corrupted("open segment", "the checksums are not what was written");
                    return Err(error.with("path", path(SUMS)));
                }
                bytes
            }
        };
        let mut files = Vec::new();
        let mut open = |file: &str| match header.files.get(file) {
            Some(own) => {
                let bytes = CheckedBytes::new(path(file), storage.read(&path(file))?, own, &sums)?;
                files.push(bytes.clone());
                Ok(Some(bytes))
            }
            None => Ok(None),
        };
        let missing = |file: &str| Error::corrupted("open segment", "a file is missing").with("path", path(file));
        let documents = open(DOCUMENTS)?.ok_or_else(|| missing(DOCUMENTS))?;
        let vectors = open(VECTORS)?.ok_or_else(|| missing(VECTORS))?;
        let chunks = open(CHUNKS)?.ok_or_else(|| missing(CHUNKS))?;
        let words = open(LEXICAL)?;
        let codes = match open(CODES)? {
            Some(bytes) => {
                Some(Int8::open(bytes, header.rows, dim, settings.metric).map_err(|e| e.with("path", path(CODES)))?)
            }
            None => None,
        };
        let graph = match (open(GRAPH)?, open(LAYERS)?) {
            (Some(lowest), Some(layers)) => {
                let opened = Graph::open(lowest, layers.get(0..layers.len())?, header.rows);
                Some(opened.map_err(|e| e.with("path", path(LAYERS)))?)
            }
            _ => None,
        };
        let fields = match open(FIELDS)? {
            Some(bytes) => Some(Postings::open(bytes, header.documents).map_err(|e| e.with("path", path(FIELDS)))?),
            None => None,
        };
        let (documents, column) = DocumentTable::read(documents.share(0..documents.len())?, header.tenant.clone())
            .map_err(|e| e.with("path", path(DOCUMENTS)))?;
        if (documents.len() as u32, column.rows()) != (header.documents, header.rows) {
            return Err(Error::corrupted("open segment", "documents and header differ").with("path", path(DOCUMENTS)));
        }
        Ok(Self {
            id: header.id,
            tenant: header.tenant,
            documents,
            access: SegmentAccess::new(column),
            vectors: Vectors::new(vectors, header.rows, settings)?,
            codes,
            graph,
            chunks: Chunks::new(chunks),
            words,
            language: settings.language,
            lexical: OnceLock::new(),
            opening: Mutex::new(()),
            fields: SegmentFields::new(fields),
            files,
        })
    }

    /// What documents have in the field `name` of `fields`; nothing if it is not declared. For a field that was declared
    /// after the segment was written the metadata of all documents is read, once: about two microseconds a document.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn field(&self, fields: &Fields, name: &str) -> Result<Option<Arc<FieldPostings>>> {
        self.fields.field(fields, name, |missing| self.derive(missing)).map_err(|e| e.with("segment", &self.id))
    }

    /// The postings of `fields`, from the metadata of the documents.
    fn derive(&self, fields: &Fields) -> Result<Postings> {
        let count = self.documents.len() as u32;
        let mut writer = PostingsWriter::new(fields, count);
        self.each_metadata(&mut |document, metadata| {
            writer.add(document, metadata);
            Ok(())
        })?;
        Postings::open(CheckedBytes::made_here(writer.finish()?.into()), count)
    }

    /// Calls `each` with the metadata of every document that has passages, in the order of the documents.
    ///
    /// # Errors
    /// What `each` fails with; `Corrupted`.
    pub fn each_metadata(&self, each: &mut dyn FnMut(u32, Option<&str>) -> Result<()>) -> Result<()> {
        let column = self.access.column();
        let (mut row, mut last) = (0, None);
        self.chunks.scan_metadata(&mut |metadata| {
            let document = column.document_of(row);
            let document = document.ok_or_else(|| Error::corrupted("read metadata", "more chunks than rows"))?;
            row += 1;
            if last.replace(document) != Some(document) {
                each(document as u32, metadata)?;
            }
            Ok(())
        })?;
        if row == column.rows() { Ok(()) } else { Err(Error::corrupted("read metadata", "fewer chunks than rows")) }
    }

    pub fn rows(&self) -> u32 {
        self.access.column().rows()
    }

    /// What decides between rows of equal scores: the lower document id first, as in the order of a whole answer.
    pub fn tie(&self, row: u32) -> u64 {
        let document = self.access.column().document_of(row).unwrap_or_default();
        u64::from(self.documents.place(document)) << 32 | u64::from(row)
    }

    /// The words of its passages, opened when first asked for; `None` if there are none.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn lexical(&self) -> Result<Option<&Lexical>> {
        if let Some(opened) = self.lexical.get() {
            return Ok(opened.as_ref());
        }
        // One thread opens it, or makes it, and the others wait.
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.lexical.get().is_none() {
            let bytes = match &self.words {
                Some(bytes) => Some(bytes.clone()),
                None => self.read_words()?.map(|bytes| CheckedBytes::made_here(bytes.into())),
            };
            let path = || format!("{}/{LEXICAL}", folder(&self.id));
            let open = |bytes| Lexical::open(bytes, self.rows()).map_err(|e| e.with("path", path()));
            let opened = bytes.map(open).transpose()?;
            self.lexical.get_or_init(|| opened);
        }
        Ok(self.lexical.get().and_then(Option::as_ref))
    }

    /// Makes the index of words of a segment that has none stored.
    fn read_words(&self) -> Result<Option<Vec<u8>>> {
        let mut writer = WordsWriter::new(self.language, None)?;
        self.chunks.scan(&mut |chunk| {
            writer.add(chunk.title.as_deref(), &chunk.heading, &chunk.text, chunk.metadata.as_deref())
        })?;
        let Some(written) = writer.finish()? else { return Ok(None) };
        let mut bytes = Vec::new();
        let in_memory = written.each_part(&mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        });
        in_memory
            .map_err(|e| Error::new(Kind::Internal, "index words", "the words cannot be read again").because(e))?;
        Ok(Some(bytes))
    }

    /// Checks every byte and every rule of the format; returns the bytes checked.
    pub fn verify(&self) -> Result<u64> {
        for file in &self.files {
            file.verify()?;
        }
        self.documents.verify()?;
        self.vectors.verify()?;
        if let Some(graph) = &self.graph {
            graph.verify()?;
        }
        if self.words.is_some() {
            self.lexical()?;
        }
        if let Some(fields) = self.fields.stored() {
            fields.verify()?;
        }
        self.chunks.verify(self.rows(), |row| {
            let column = self.access.column();
            let document = column.document_of(row)?;
            Some((self.documents.id(document), row - column.rows_of(document).start))
        })?;
        Ok(self.files.iter().map(|file| file.len() as u64).sum())
    }
}
