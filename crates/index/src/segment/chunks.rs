//! Here are rows: what are their texts, spans, headings and metadata?
//!
//! A Parquet file that any Arrow tool reads. Pages hold few rows and have an index, so that fetching ten passages
//! decodes ten small pages; there are no dictionaries, each of which would be decoded for the sake of one row.

use std::io;
use std::sync::{Arc, OnceLock};

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, Length};
use safepassage_error::{Error, Result};

use super::{Incoming, NewChunk, NewDocument};
use crate::blocks::CheckedBytes;

const ROWS_PER_PAGE: usize = 32;
const ROWS_PER_GROUP: usize = 16_384;
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

/// Rows on their way into a Parquet file.
#[derive(Default)]
struct Columns {
    rows: usize,
    document: StringBuilder,
    chunk: Vec<u32>,
    title: StringBuilder,
    uri: StringBuilder,
    heading: StringBuilder,
    text: StringBuilder,
    start: Vec<u64>,
    end: Vec<u64>,
    metadata: StringBuilder,
    hash: Vec<[u8; 16]>,
    page: Vec<Option<u32>>,
    parent: Vec<Option<u32>>,
}

impl Columns {
    fn add(&mut self, document: &NewDocument, chunk: &NewChunk) {
        self.rows += 1;
        self.document.append_value(&document.id);
        self.chunk.push(chunk.ordinal);
        self.title.append_option(document.title.as_deref());
        self.uri.append_option(document.uri.as_deref());
        self.heading.append_value(&chunk.heading);
        self.text.append_value(&chunk.text);
        self.start.push(chunk.span.0);
        self.end.push(chunk.span.1);
        self.metadata.append_option(document.metadata.as_deref());
        self.hash.push(chunk.hash.to_be_bytes());
        self.page.push(chunk.page);
        self.parent.push(chunk.parent);
    }

    /// The rows that were added; from now on there are none.
    fn take(&mut self, schema: &Arc<Schema>) -> io::Result<RecordBatch> {
        let mut own = std::mem::take(self);
        let hash = FixedSizeBinaryArray::try_from_iter(own.hash.into_iter()).map_err(io::Error::other)?;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(own.document.finish()),
            Arc::new(UInt32Array::from(own.chunk)),
            Arc::new(own.title.finish()),
            Arc::new(own.uri.finish()),
            Arc::new(own.heading.finish()),
            Arc::new(own.text.finish()),
            Arc::new(UInt64Array::from(own.start)),
            Arc::new(UInt64Array::from(own.end)),
            Arc::new(own.metadata.finish()),
            Arc::new(hash),
        ];
        for (name, numbers) in [(PAGE, own.page), (PARENT, own.parent)] {
            if schema.column_with_name(name).is_some() {
                columns.push(Arc::new(UInt32Array::from(numbers)));
            }
        }
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(io::Error::other)
    }
}

/// Gives the Parquet bytes of the documents' chunks, in order, to `out`, part by part.
pub(super) fn encode(documents: &[Incoming<'_>], out: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(ROWS_PER_PAGE)
        .set_write_batch_size(ROWS_PER_PAGE)
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .set_created_by("safepassage".into())
        .build();
    let pages = documents.iter().any(|document| document.has_pages());
    let parents = documents.iter().any(|document| document.has_parents());
    let schema = schema(pages, parents);
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
    let mut columns = Columns::default();
    let mut write = |columns: &mut Columns| {
        writer.write(&columns.take(&schema)?)?;
        // What is finished of the file goes; the writer counts by itself how long it is.
        let finished = writer.inner_mut();
        out(finished)?;
        finished.clear();
        io::Result::Ok(())
    };
    for document in documents {
        let document = document.whole().map_err(io::Error::other)?;
        for chunk in &document.chunks {
            columns.add(&document, chunk);
            if columns.rows == ROWS_PER_BATCH {
                write(&mut columns)?;
            }
        }
    }
    if columns.rows > 0 {
        write(&mut columns)?;
    }
    out(&writer.into_inner()?)
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
        let mut selectors = Vec::with_capacity(sorted.len() * 2);
        let mut next = 0;
        for &row in &sorted {
            selectors.push(RowSelector::skip((row - next) as usize));
            selectors.push(RowSelector::select(1));
            next = row + 1;
        }
        let mut found = Vec::with_capacity(sorted.len());
        self.read(Some(selectors.into()), &mut |chunk| {
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

    fn read(&self, selection: Option<RowSelection>, each: &mut dyn FnMut(ChunkRow) -> Result<()>) -> Result<()> {
        let metadata = match selection {
            Some(_) => self.metadata()?.clone(),
            None => self.load(PageIndexPolicy::Skip)?,
        };
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), metadata)
            .with_batch_size(ROWS_PER_BATCH);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
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
mod tests {
    use safepassage_access::{DocumentNumber, Version};

    use super::*;
    use crate::segment::NewChunk;

    fn document(pages: [Option<u32>; 3], parents: [Option<u32>; 3]) -> NewDocument {
        let chunk = |((page, parent), ordinal)| {
            let (text, heading) = (format!("text {ordinal}"), String::new());
            NewChunk { ordinal, text, span: (0, 6), heading, hash: 7, section: 0, page, parent }
        };
        let chunks = pages.into_iter().zip(parents).zip(0..).map(chunk).collect();
        let (number, version, id) = (DocumentNumber(0), Version(1), "d".to_owned());
        let (source, vectors) = ("test".into(), vec![0.0; 3].into());
        NewDocument { number, version, id, source, title: None, uri: None, metadata: None, chunks, vectors }
    }

    #[test]
    fn pages_and_parents_come_back_and_a_file_without_them_has_no_column() {
        let columns = |chunks: &Chunks| chunks.metadata().unwrap().schema().fields().len();
        let without = Chunks::of(&[&document([None; 3], [None; 3])]);
        assert_eq!(columns(&without), 10);
        assert!(without.fetch(&[2]).unwrap()[0].page.is_none());
        let with =
            Chunks::of(&[&document([None; 3], [None; 3]), &document([Some(1), None, Some(u32::MAX)], [None; 3])]);
        assert_eq!(columns(&with), 11);
        let pages: Vec<Option<u32>> = with.fetch(&[0, 3, 4, 5]).unwrap().iter().map(|row| row.page).collect();
        assert_eq!(pages, [None, Some(1), None, Some(u32::MAX)]);
        let parts = [Some(0), Some(0), Some(1)];
        for (pages, all) in [([None; 3], 11), ([None, Some(2), None], 12)] {
            let with = Chunks::of(&[&document(pages, parts)]);
            assert_eq!(columns(&with), all);
            let read = with.fetch(&[0, 1, 2]).unwrap();
            assert_eq!(read.iter().map(|row| row.parent).collect::<Vec<_>>(), parts);
            assert_eq!(read.iter().map(|row| row.page).collect::<Vec<_>>(), pages);
        }
    }
}
