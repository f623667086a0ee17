//! Here are rows that a caller brings, batch by batch: documents to stage, or a source of their own.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, DataType};
use safepassage_access::Tenant;
use safepassage_error::{Error, Result};
use safepassage_index::{Index, SharedVectors};
use safepassage_models::Embedder;

use super::{BatchDocument, Progress, Report, SyncOptions, plan, run};
use crate::source::{AclFile, Columns, Rows};

/// The documents that the rows of `reader` are, for [`super::Batch::add`]; a column `vector` has their vectors, as lists of
/// floating-point numbers. The columns are those of a table that is a source.
///
/// # Errors
/// `Invalid` if there is a column that is none of a document, or a row that cannot be one.
pub fn documents_of_rows(reader: &mut dyn RecordBatchReader) -> Result<Vec<BatchDocument>> {
    let columns = Columns::of(&reader.schema(), true).map_err(|what| Error::invalid("add", what))?;
    let mut documents = Vec::new();
    for batch in reader {
        let batch = batch.map_err(unreadable)?;
        for row in 0..batch.num_rows() {
            let document = document(&columns, &batch, row);
            documents.push(document.map_err(|what| Error::invalid("add", what).with("row", documents.len()))?);
        }
    }
    Ok(documents)
}

/// Brings what `index` has of the source `name` up to date with the rows of `reader`, as [`super::sync`] does with files:
/// what is no longer among them is deleted. The rows are set aside beside the index while it goes on, so that memory does
/// not grow with them.
///
/// # Errors
/// As [`super::sync`], and `Invalid` for a column that is none of a document or an id that stands twice.
pub fn sync_rows(
    index: &Arc<Index>,
    embedder: &dyn Embedder,
    name: &str,
    reader: &mut dyn RecordBatchReader,
    options: &SyncOptions,
    progress: &dyn Progress,
) -> Result<Report> {
    let mut open = || {
        let columns = Columns::of(&reader.schema(), false).map_err(|what| Error::invalid("sync", what))?;
        let acls = options.acl.as_deref().map_or_else(|| Ok(AclFile::default()), AclFile::read)?;
        let mut rows = Rows::new(columns, acls, index.scratch()?);
        progress.begin("reading", 0);
        for batch in &mut *reader {
            rows.add(&batch.map_err(unreadable)?)?;
        }
        Ok(vec![plan::Opened::rows(name, rows)?])
    };
    let done = run(index, embedder, &mut open, options, progress);
    progress.end();
    done
}

/// What gives the rows failed; it says itself why.
fn unreadable(error: ArrowError) -> Error {
    Error::invalid("read rows", error.to_string()).because(error)
}

fn document(columns: &Columns, batch: &RecordBatch, row: usize) -> std::result::Result<BatchDocument, String> {
    let vector = columns.vector.map(|at| vector(batch.column(at), row)).transpose()?.flatten();
    let mut written = columns.cells(batch, row).written(vector.is_some()).map_err(|fault| fault.reason)?;
    let stated = written.own()?;
    Ok(BatchDocument {
        tenant: Tenant(written.tenant.unwrap_or_default()),
        acl: AclFile::default().resolve(&written.id, stated.as_ref(), None).0,
        id: written.id,
        text: (!written.text.is_empty() || vector.is_none()).then_some(written.text),
        vector,
        label: written.label,
        title: written.title.filter(|title| !title.is_empty()),
        uri: written.uri,
        metadata: written.metadata.filter(|metadata| !metadata.is_empty()),
        sections: written.sections.into_iter().map(|section| section.0).collect(),
        derived_from: written.derived_from,
    })
}

/// The vector in a row, if there is one.
fn vector(array: &dyn Array, row: usize) -> std::result::Result<Option<SharedVectors>, String> {
    if array.is_null(row) {
        return Ok(None);
    }
    let numbers = match array.data_type() {
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(row),
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::Null => return Ok(None),
        other => return Err(format!("column `vector`: it is of the type {other}, and lists of numbers are needed")),
    };
    if numbers.null_count() > 0 {
        return Err("column `vector`: a number is missing".into());
    }
    let numbers: Vec<f32> = match numbers.data_type() {
        DataType::Float32 => numbers.as_primitive::<Float32Type>().values().to_vec(),
        DataType::Float64 => numbers.as_primitive::<Float64Type>().values().iter().map(|x| *x as f32).collect(),
        DataType::Float16 => numbers.as_primitive::<Float16Type>().values().iter().map(|x| x.to_f32()).collect(),
        other => return Err(format!("column `vector`: numbers of the type {other} are no floating-point numbers")),
    };
    Ok(Some(numbers.into()))
}
