//! Here are rows: what are their texts, spans, headings and metadata?
//!
//! A Parquet file that any Arrow tool reads. Pages hold few rows and have an index, so that fetching ten passages
//! decodes ten small pages; there are no dictionaries, each of which would be decoded for the sake of one row.

mod encode;

use std::io;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};
use safepassage_error::{Error, Result};

pub(super) use self::encode::encode;
#[cfg(test)]
use super::{Incoming, NewDocument};
use crate::blocks::CheckedBytes;

const ROWS_PER_BATCH: usize = 1024;

/// What is stored about one record besides its vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkRow {
    /// Id of its document.
    pub document: String,
    /// Its place within the document.
    pub chunk: u32,
    /// Of the document.
    pub title: Option<String>,
    /// Of the document.
    pub uri: Option<String>,
    /// Headings above it, joined by ` > `.
    pub heading: String,
    /// The passage.
    pub text: String,
    /// Bytes of the source text, half open.
    pub span: (u64, u64),
    /// A JSON object, of the document.
    pub metadata: Option<String>,
    /// Digest of what was embedded.
    pub hash: u128,
    /// The page it begins on, from 1, where the document has pages.
    pub page: Option<u32>,
    /// The number, within the document, of the larger chunk that it is given with.
    pub parent: Option<u32>,
}

const PAGE: &str = "page";
const PARENT: &str = "parent";

/// The columns; the last two only where some document has pages or larger chunks, so that files without are what they
/// always were.
fn schema(pages: bool, parents: bool) -> Arc<Schema> {
    let text = |name, nullable| Field::new(name, DataType::Utf8, nullable);
    let mut fields = vec![
        text("document", false),
        Field::new("chunk", DataType::UInt32, false),
        text("title", true),
        text("uri", true),
        text("heading", false),
        text("text", false),
        Field::new("start", DataType::UInt64, false),
        Field::new("end", DataType::UInt64, false),
        text("metadata", true),
        Field::new("hash", DataType::FixedSizeBinary(16), false),
    ];
    fields.extend(pages.then(|| Field::new(PAGE, DataType::UInt32, true)));
    fields.extend(parents.then(|| Field::new(PARENT, DataType::UInt32, true)));
    Arc::new(Schema::new(fields))
}

/// Reads rows of the Parquet file; blocks are checked as they are touched.
#[derive(Debug)]
pub(crate) struct Chunks {
    bytes: CheckedBytes,
    metadata: OnceLock<ArrowReaderMetadata>,
}

impl Length for CheckedBytes {
    fn len(&self) -> u64 {
        self.len() as u64
    }
}

impl ChunkReader for CheckedBytes {
    type T = io::Cursor<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let start = usize::try_from(start)?;
        Ok(io::Cursor::new(
            self.share(start..self.len()).map_err(|e| parquet::errors::ParquetError::External(e.into()))?,
        ))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let start = usize::try_from(start)?;
        self.share(start..start.saturating_add(length)).map_err(|e| parquet::errors::ParquetError::External(e.into()))
    }
}

fn corrupted(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::corrupted("read chunks", "the Parquet file cannot be read").because(e)
}

impl Chunks {
    pub fn new(bytes: CheckedBytes) -> Self {
        Self { bytes, metadata: OnceLock::new() }
    }

    /// The chunks of these documents, in memory.
    #[cfg(test)]
    pub fn of(documents: &[&NewDocument]) -> Self {
        let mut bytes = Vec::new();
        let documents: Vec<Incoming<'_>> = documents.iter().map(|&document| Incoming::Here(document)).collect();
        let written = encode(&documents, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        });
        written.map(|()| Self::new(CheckedBytes::made_here(bytes.into()))).expect("memory takes everything")
    }

    fn metadata(&self) -> Result<&ArrowReaderMetadata> {
        if let Some(metadata) = self.metadata.get() {
            return Ok(metadata);
        }
        let loaded = self.load(PageIndexPolicy::Required)?;
        Ok(self.metadata.get_or_init(|| loaded))
    }

    /// What the file says of itself; where its pages lie takes the more memory the more there are.
    fn load(&self, pages: PageIndexPolicy) -> Result<ArrowReaderMetadata> {
        let options = ArrowReaderOptions::new().with_page_index_policy(pages);
        let loaded = ArrowReaderMetadata::load(&self.bytes, options).map_err(corrupted)?;
        let has = |name| loaded.schema().column_with_name(name).is_some();
        if loaded.schema().fields() != schema(has(PAGE), has(PARENT)).fields() {
            return Err(Error::corrupted("read chunks", "the columns are not those of this format"));
        }
        Ok(loaded)
    }

    /// The chunks of `rows`, in the order asked for; a row may repeat.
    pub fn fetch(&self, rows: &[u32]) -> Result<Vec<ChunkRow>> {
        let mut sorted = rows.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut found = Vec::with_capacity(sorted.len());
        self.read(Some(&sorted), &mut |chunk| {
            found.push(chunk);
            Ok(())
        })?;
        if found.len() != sorted.len() {
            return Err(Error::corrupted("read chunks", "a row is missing"));
        }
        Ok(rows.iter().filter_map(|row| found.get(sorted.binary_search(row).ok()?).cloned()).collect())
    }

    /// Every chunk in row order.
    pub fn scan(&self, each: &mut dyn FnMut(ChunkRow) -> Result<()>) -> Result<()> {
        self.read(None, each)
    }

    /// The metadata of every row, in row order; nothing else is read.
    pub fn scan_metadata(&self, each: &mut dyn FnMut(Option<&str>) -> Result<()>) -> Result<()> {
        let metadata = self.metadata()?.clone();
        let only = ProjectionMask::columns(metadata.metadata().file_metadata().schema_descr(), ["metadata"]);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), metadata)
            .with_projection(only)
            .with_batch_size(ROWS_PER_BATCH);
        for batch in builder.build().map_err(corrupted)? {
            let batch = batch.map_err(corrupted)?;
            batch.column(0).as_string::<i32>().iter().try_for_each(&mut *each)?;
        }
        Ok(())
    }

    /// These rows, ascending and each once, or all of them.
    fn read(&self, rows: Option<&[u32]>, each: &mut dyn FnMut(ChunkRow) -> Result<()>) -> Result<()> {
        let metadata = match rows {
            Some(_) => self.metadata()?.clone(),
            None => self.load(PageIndexPolicy::Skip)?,
        };
        let places = rows.map(|rows| places(metadata.metadata(), rows));
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), metadata)
            .with_batch_size(ROWS_PER_BATCH);
        if let Some((groups, selection)) = places {
            builder = builder.with_row_groups(groups).with_row_selection(selection);
        }
        for batch in builder.build().map_err(corrupted)? {
            let batch = batch.map_err(corrupted)?;
            for i in 0..batch.num_rows() {
                each(row_of(&batch, i))?;
            }
        }
        Ok(())
    }

    /// Reads everything and checks that each row belongs to the document and place that `expected` names.
    pub fn verify<'a>(&self, rows: u32, expected: impl Fn(u32) -> Option<(&'a str, u32)>) -> Result<()> {
        let mut row = 0;
        self.scan(&mut |chunk| {
            let fits = expected(row).is_some_and(|(id, place)| chunk.document == id && chunk.chunk == place);
            row += 1;
            if fits {
                Ok(())
            } else {
                Err(Error::corrupted("verify chunks", "a row is of another document").with("row", row - 1))
            }
        })?;
        if row == rows { Ok(()) } else { Err(Error::corrupted("verify chunks", "rows are missing")) }
    }
}

/// The row groups that `rows` lie in, and which of the rows of these groups they are; of other groups nothing is looked at,
/// not even where their pages lie. Rows that are not there are left out.
fn places(metadata: &ParquetMetaData, mut rows: &[u32]) -> (Vec<usize>, RowSelection) {
    let (mut groups, mut selectors) = (Vec::new(), Vec::with_capacity(rows.len() * 2));
    // Where the group begins in the file; how many rows before it are in no chosen group; the next row of those that are.
    let (mut first, mut passed_over, mut next) = (0, 0, 0);
    for (group, data) in metadata.row_groups().iter().enumerate() {
        let length = usize::try_from(data.num_rows()).unwrap_or(0);
        let (here, later) = rows.split_at(rows.partition_point(|&row| (row as usize) < first + length));
        if here.is_empty() {
            passed_over += length;
        } else {
            groups.push(group);
        }
        for &row in here {
            let place = row as usize - passed_over;
            selectors.push(RowSelector::skip(place - next));
            selectors.push(RowSelector::select(1));
            next = place + 1;
        }
        first += length;
        rows = later;
    }
    (groups, selectors.into())
}

fn row_of(batch: &RecordBatch, i: usize) -> ChunkRow {
    let optional = |column: usize| {
        let column = batch.column(column).as_string::<i32>();
        column.is_valid(i).then(|| column.value(i).to_owned())
    };
    let text = |column| optional(column).unwrap_or_default();
    let named = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive::<UInt32Type>();
        column.is_valid(i).then(|| column.value(i))
    };
    let number = |column: usize| batch.column(column).as_primitive::<UInt64Type>().value(i);
    let mut hash = [0; 16];
    hash.copy_from_slice(batch.column(9).as_fixed_size_binary().value(i));
    ChunkRow {
        document: text(0),
        chunk: batch.column(1).as_primitive::<UInt32Type>().value(i),
        title: optional(2),
        uri: optional(3),
        heading: text(4),
        text: text(5),
        span: (number(6), number(7)),
        metadata: optional(8),
        hash: u128::from_be_bytes(hash),
        page: named(PAGE),
        parent: named(PARENT),
    }
}

#[cfg(test)]
mod tests;
