//! `lexical.bin`: the files of one tantivy segment, one after the other.
//!
//! ```text
//! "SPWORDS1", then for each part offset and length as little-endian u64, then the parts
//! ```
//! tantivy gives its segments random names. They are left out, so that the same documents make the same bytes: a part is
//! known by its place. What tantivy reads goes through checked blocks, as everything else of a segment does.

use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use safepassage_error::{Error, Result};
use tantivy::directory::error::{DeleteError, OpenReadError, OpenWriteError};
use tantivy::directory::{Directory, FileHandle, OwnedBytes, WatchCallback, WatchHandle, WritePtr};
use tantivy::index::{SegmentComponent, SegmentReader};
use tantivy::{HasLen, Index};

use super::schema;
use crate::blocks::CheckedBytes;

const MAGIC: &[u8; 8] = b"SPWORDS1";

/// The parts that are kept, in this order.
pub(super) const PARTS: [SegmentComponent; 6] = [
    SegmentComponent::FieldNorms,
    SegmentComponent::FastFields,
    SegmentComponent::Terms,
    SegmentComponent::Postings,
    SegmentComponent::Positions,
    SegmentComponent::Store,
];
const ENDINGS: [&str; PARTS.len()] = ["fieldnorm", "fast", "term", "idx", "pos", "store"];
const NAME: &str = "00000000-0000-0000-0000-000000000000";
const HEAD: usize = MAGIC.len() + PARTS.len() * 16;

/// What stands before parts of these lengths.
pub(super) fn head(lengths: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD);
    out.extend_from_slice(MAGIC);
    let mut offset = HEAD as u64;
    for length in lengths {
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&(length as u64).to_le_bytes());
        offset += length as u64;
    }
    out
}

/// Opens the inverted index of `rows` passages.
///
/// # Errors
/// `Corrupted` if it is not one.
pub(super) fn open(bytes: CheckedBytes, rows: u32) -> Result<SegmentReader> {
    let corrupted = |what: &str| Error::corrupted("open words", what);
    let head = bytes.get(0..HEAD.min(bytes.len()))?;
    if head.len() < HEAD || head[..MAGIC.len()] != *MAGIC {
        return Err(corrupted("not an inverted index"));
    }
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let mut parts = Vec::new();
    for at in (MAGIC.len()..HEAD).step_by(16) {
        let (from, length) = (number(at) as usize, number(at + 8) as usize);
        let to = from.checked_add(length).filter(|to| *to <= bytes.len());
        parts.push(from..to.ok_or_else(|| corrupted("a part ends beyond the file"))?);
    }
    let meta = serde_json::json!({
        "index_settings": {"docstore_compression": "none", "docstore_blocksize": 16384},
        "segments": [{"segment_id": NAME, "max_doc": rows, "deletes": null}],
        "schema": schema(),
        "opstamp": 0,
    });
    let directory = Parts { bytes, parts: parts.into(), meta: meta.to_string().into() };
    let failed = |e: tantivy::TantivyError| corrupted("the inverted index cannot be read").because(e);
    let index = Index::open(directory).map_err(failed)?;
    let segment = index.searchable_segments().map_err(failed)?.pop().ok_or_else(|| corrupted("no segment"))?;
    let reader = SegmentReader::open(&segment).map_err(failed)?;
    Ok(reader)
}

/// One segment's parts, for reading only.
#[derive(Debug, Clone)]
struct Parts {
    bytes: CheckedBytes,
    parts: Arc<[Range<usize>]>,
    meta: Arc<str>,
}

/// One part.
#[derive(Debug)]
struct Part {
    bytes: CheckedBytes,
    range: Range<usize>,
}

impl HasLen for Part {
    fn len(&self) -> usize {
        self.range.len()
    }
}

impl FileHandle for Part {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let range = self.range.start.saturating_add(range.start)..self.range.start.saturating_add(range.end);
        if range.end > self.range.end {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(OwnedBytes::new(Shared(self.bytes.share(range).map_err(io::Error::other)?)))
    }
}

/// Bytes that stay where they are while they are shared.
struct Shared(Bytes);

impl Deref for Shared {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

// SAFETY: `Bytes` points to memory that is not part of it and that lives and stays unchanged as long as any of its
// clones does, so moving it moves nothing it points to.
unsafe impl stable_deref_trait::StableDeref for Shared {}

impl Parts {
    fn range(&self, path: &Path) -> Option<Range<usize>> {
        let place = ENDINGS.iter().position(|ending| path.extension().is_some_and(|own| own == *ending))?;
        self.parts.get(place).cloned()
    }

    fn missing(path: &Path) -> OpenReadError {
        OpenReadError::FileDoesNotExist(path.to_owned())
    }
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "segments never change")
}

impl Directory for Parts {
    fn get_file_handle(&self, path: &Path) -> std::result::Result<Arc<dyn FileHandle>, OpenReadError> {
        let range = self.range(path).ok_or_else(|| Self::missing(path))?;
        Ok(Arc::new(Part { bytes: self.bytes.clone(), range }))
    }

    fn exists(&self, path: &Path) -> std::result::Result<bool, OpenReadError> {
        Ok(path == Path::new("meta.json") || self.range(path).is_some())
    }

    fn atomic_read(&self, path: &Path) -> std::result::Result<Vec<u8>, OpenReadError> {
        let meta = (path == Path::new("meta.json")).then(|| self.meta.as_bytes().to_vec());
        meta.ok_or_else(|| Self::missing(path))
    }

    fn open_write(&self, path: &Path) -> std::result::Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(unsupported(), path.to_owned()))
    }

    fn delete(&self, path: &Path) -> std::result::Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(unsupported()), filepath: path.to_owned() })
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(unsupported())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
