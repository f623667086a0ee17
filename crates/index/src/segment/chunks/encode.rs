//! Here are documents: what are the bytes of their chunks' Parquet file?

use std::io;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::{PAGE, PARENT, ROWS_PER_BATCH, schema};
use crate::segment::{Incoming, NewChunk, NewDocument};

const ROWS_PER_PAGE: usize = 32;
/// Within a group each page is passed over on the way to a row.
pub(super) const ROWS_PER_GROUP: usize = 4_096;

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
pub(in crate::segment) fn encode(
    documents: &[Incoming<'_>],
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
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
