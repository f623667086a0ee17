//! Here is a table of any library that speaks Arrow: which rows does it have?
//!
//! By the Arrow PyCapsule interface: a capsule holds a C struct that its maker filled, and whoever takes it out leaves it
//! empty. Nothing is copied.

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StructArray};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors::invalid;

/// The rows of `table`, batch by batch as its maker gives them.
pub fn reader(operation: &'static str, table: &Bound<'_, PyAny>) -> PyResult<Box<dyn RecordBatchReader + Send>> {
    let refused = |what: &dyn std::fmt::Display| invalid(operation, format!("these rows cannot be read: {what}"));
    if table.hasattr("__arrow_c_stream__")? {
        let capsule = table.call_method0("__arrow_c_stream__")?;
        let stream = taken::<FFI_ArrowArrayStream>(&capsule, c"arrow_array_stream")?;
        return Ok(Box::new(RecordBatchStreamReader::try_new(stream).map_err(|e| refused(&e))?));
    }
    if table.hasattr("__arrow_c_array__")? {
        let (schema, array): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
            table.call_method0("__arrow_c_array__")?.extract()?;
        let schema = taken::<FFI_ArrowSchema>(&schema, c"arrow_schema")?;
        let batch = batch(taken(&array, c"arrow_array")?, &schema).map_err(|e| refused(&e))?;
        let schema = batch.schema();
        return Ok(Box::new(RecordBatchIterator::new([Ok(batch)], schema)));
    }
    Err(invalid(operation, "a table is needed that speaks Arrow (`__arrow_c_stream__`), as pyarrow's and polars' do"))
}

/// A C struct of Arrow that can be taken out of where it lies.
trait Movable {
    /// # Safety
    /// As the function of arrow-rs that it calls: `from` points at a struct of this kind that is valid or was released.
    #[expect(unsafe_code, reason = "the C interface of Arrow")]
    unsafe fn take(from: *mut Self) -> Self;
}

macro_rules! movable {
    ($($kind:ty),*) => {$(
        impl Movable for $kind {
            #[expect(unsafe_code, reason = "the C interface of Arrow")]
            unsafe fn take(from: *mut Self) -> Self {
                // SAFETY: passed on to the caller.
                unsafe { Self::from_raw(from) }
            }
        }
    )*};
}
movable!(FFI_ArrowArrayStream, FFI_ArrowArray, FFI_ArrowSchema);

/// What lies in a capsule called `name`; it is empty from then on.
fn taken<T: Movable>(capsule: &Bound<'_, PyAny>, name: &'static std::ffi::CStr) -> PyResult<T> {
    let pointer = capsule.cast::<PyCapsule>()?.pointer_checked(Some(name))?;
    // SAFETY: the name was checked, and the interface says that a capsule of this name holds a struct of this kind, filled
    // or released. The capsule is alive and the GIL is held, so nobody else takes it out meanwhile.
    #[expect(unsafe_code, reason = "the C interface of Arrow")]
    Ok(unsafe { T::take(pointer.cast::<T>().as_ptr()) })
}

fn batch(array: FFI_ArrowArray, schema: &FFI_ArrowSchema) -> Result<RecordBatch, String> {
    // SAFETY: both come from one call of `__arrow_c_array__`, which says that the schema is the array's.
    #[expect(unsafe_code, reason = "the C interface of Arrow")]
    let array = unsafe { from_ffi(array, schema) }.map_err(|e| e.to_string())?;
    if !matches!(array.data_type(), arrow_schema::DataType::Struct(_)) {
        return Err("it is an array and no table".into());
    }
    let rows = StructArray::from(array);
    if rows.null_count() > 0 {
        return Err("a row is null".into());
    }
    Ok(rows.into())
}
