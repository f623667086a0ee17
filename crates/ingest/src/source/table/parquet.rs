//! A Parquet file, row group by row group: of each only the rows that are asked for, some at a time.

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;

use super::bytes::{Chunks, Place};
use super::columns::Columns;

/// Bytes that are decoded at once, as far as the file says how long its rows are.
const BYTES_AT_ONCE: u64 = 16 << 20;
const ROWS_AT_ONCE: u64 = 1_024;

/// What an open file says of itself.
#[derive(Debug)]
pub(super) struct Parquet {
    place: Place,
    metadata: ArrowReaderMetadata,
    columns: Columns,
}

impl Parquet {
    pub fn open(place: Place) -> Result<Self, String> {
        // With it the rows before those that are wanted are passed over unread.
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let bytes = Chunks(place.open().map_err(|e| e.to_string())?);
        let metadata = ArrowReaderMetadata::load(&bytes, options).map_err(|e| e.to_string())?;
        let columns = Columns::of(metadata.schema(), false)?;
        Ok(Self { place, metadata, columns })
    }

    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// How many row groups there are.
    pub fn parts(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Bytes of a row of `group`, on average and at least one.
    pub fn row_bytes(&self, group: usize) -> u64 {
        let group = self.metadata.metadata().row_group(group);
        let sizes = [group.total_byte_size(), group.num_rows()].map(|size| u64::try_from(size).unwrap_or(0));
        (sizes[0] / sizes[1].max(1)).max(1)
    }

    fn reader(
        &self,
        group: usize,
        of: ProjectionMask,
        rows: Option<RowSelection>,
        at_once: u64,
    ) -> Result<ParquetRecordBatchReader, String> {
        let bytes = Chunks(self.place.open().map_err(|e| e.to_string())?);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, self.metadata.clone());
        let builder = builder.with_row_groups(vec![group]).with_projection(of).with_batch_size(at_once as usize);
        let builder = match rows {
            Some(rows) => builder.with_row_selection(rows),
            None => builder,
        };
        builder.build().map_err(|e| e.to_string())
    }

    /// Calls `each` with all rows of a group, of which there is only what says which documents they are.
    pub fn ids(
        &self,
        group: usize,
        each: &mut dyn FnMut(&RecordBatch, &Columns) -> Result<(), String>,
    ) -> Result<(), String> {
        let of = ProjectionMask::roots(self.metadata.parquet_schema(), self.columns.of_id());
        let columns = self.columns.only_id();
        for batch in self.reader(group, of, None, ROWS_AT_ONCE)? {
            each(&batch.map_err(|e| e.to_string())?, &columns)?;
        }
        Ok(())
    }

    /// Calls `each` with these rows of a group, ascending numbers from 0.
    pub fn rows(&self, group: usize, rows: &[u32], each: &mut dyn FnMut(&RecordBatch, usize)) -> Result<(), String> {
        let mut selected = Vec::new();
        let mut next = 0;
        for run in rows.chunk_by(|a, b| *b == a + 1) {
            selected.extend([RowSelector::skip((run[0] - next) as usize), RowSelector::select(run.len())]);
            next = run[0] + run.len() as u32;
        }
        let at_once = (BYTES_AT_ONCE / self.row_bytes(group)).clamp(1, ROWS_AT_ONCE);
        for batch in self.reader(group, ProjectionMask::all(), Some(selected.into()), at_once)? {
            let batch = batch.map_err(|e| e.to_string())?;
            (0..batch.num_rows()).for_each(|row| each(&batch, row));
        }
        Ok(())
    }
}
