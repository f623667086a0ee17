//! Here is an array, or something like one: which float32 numbers are in it?
//!
//! A C-contiguous float32 array of numpy is borrowed as it is, without a call into numpy. Arrow's lists of a fixed size
//! are looked at through numpy without a copy. Anything else of numbers is converted by numpy first, once.

use std::ops::Deref;

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray, PyUntypedArray, PyUntypedArrayMethods, ndarray};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::invalid;

/// An array of numbers that lies in memory as Rust wants it; dereferences to its numbers, row by row.
pub struct Numbers<'py, D: ndarray::Dimension>(PyReadonlyArray<'py, f32, D>);

/// Rows of numbers.
pub type Matrix<'py> = Numbers<'py, ndarray::Ix2>;
/// One row of numbers.
pub type Vector<'py> = Numbers<'py, ndarray::Ix1>;

impl Matrix<'_> {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.0.shape()[0]
    }

    /// How many numbers a row has.
    pub fn columns(&self) -> usize {
        self.0.shape()[1]
    }
}

impl<D: ndarray::Dimension> Deref for Numbers<'_, D> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_slice().expect("C-contiguous and aligned, as checked when it was borrowed")
    }
}

impl<'py, D: ndarray::Dimension> Numbers<'py, D> {
    /// Borrows `array` if it lies in memory as it must.
    fn borrow(array: &Bound<'py, numpy::PyArray<f32, D>>) -> Option<Self> {
        let array = array.is_c_contiguous().then(|| array.try_readonly().ok())??;
        array.as_slice().is_ok().then_some(Self(array))
    }
}

/// The rows of a two-dimensional `array`.
pub fn matrix<'py>(operation: &'static str, name: &str, array: &Bound<'py, PyAny>) -> PyResult<Matrix<'py>> {
    let ready = |array: &Bound<'py, PyAny>| Numbers::borrow(array.cast::<PyArray2<f32>>().ok()?);
    if let Some(matrix) = ready(array) {
        return Ok(matrix);
    }
    let array = match arrow_rows(operation, name, array)? {
        Some(rows) => rows,
        None => array.clone(),
    };
    let array = float32(operation, name, &array, 2)?;
    ready(&array).ok_or_else(|| invalid(operation, format!("`{name}` is being written to")))
}

/// The numbers of a one-dimensional `array`.
pub fn vector<'py>(operation: &'static str, name: &str, array: &Bound<'py, PyAny>) -> PyResult<Vector<'py>> {
    let ready = |array: &Bound<'py, PyAny>| Numbers::borrow(array.cast::<PyArray1<f32>>().ok()?);
    if let Some(vector) = ready(array) {
        return Ok(vector);
    }
    let array = float32(operation, name, array, 1)?;
    ready(&array).ok_or_else(|| invalid(operation, format!("`{name}` is being written to")))
}

/// The rows of an Arrow array of lists of one fixed size, as numpy sees its buffer; `None` if it is nothing of Arrow's.
fn arrow_rows<'py>(
    operation: &'static str,
    name: &str,
    array: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = array.py();
    let speaks = |protocol| array.hasattr(protocol);
    if !speaks("__arrow_array__")? && !speaks("__arrow_c_array__")? && !speaks("__arrow_c_stream__")? {
        return Ok(None);
    }
    let refused = |e: PyErr| invalid(operation, format!("`{name}` is no array of vectors: {}", e.value(py)));
    let read = || {
        let pyarrow = py.import("pyarrow")?;
        let stream = speaks("__arrow_c_stream__")? && !speaks("__arrow_c_array__")?;
        let chunks = pyarrow.call_method1(if stream { "chunked_array" } else { "array" }, (array,))?;
        let whole = if stream { chunks.call_method0("combine_chunks")? } else { chunks };
        let rows = whole.len()?;
        let dim: usize = whole.getattr("type")?.getattr("list_size")?.extract()?;
        let numbers = whole.call_method0("flatten")?;
        let options = PyDict::new(py);
        options.set_item("zero_copy_only", true)?;
        // A row that is null has no numbers and leaves too few.
        numbers.call_method("to_numpy", (), Some(&options))?.call_method1("reshape", (rows, dim))
    };
    read().map(Some).map_err(refused)
}

/// `array` as C-contiguous, aligned float32, itself if it is so already.
fn float32<'py>(
    operation: &'static str,
    name: &str,
    array: &Bound<'py, PyAny>,
    dimensions: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let numpy = array.py().import("numpy")?;
    let no_array = |e: PyErr| invalid(operation, format!("`{name}` is no array of numbers: {}", e.value(array.py())));
    let array = numpy.getattr("asarray")?.call1((array,)).map_err(no_array)?;
    let untyped = array.cast::<PyUntypedArray>()?;
    let kind: String = untyped.dtype().getattr("kind")?.extract()?;
    if !matches!(kind.as_str(), "f" | "i" | "u") {
        return Err(invalid(operation, format!("`{name}` has the type {}, not float32", untyped.dtype())));
    }
    if untyped.ndim() != dimensions {
        let shape = untyped.shape();
        let wanted = if dimensions == 1 { "one vector of dim numbers" } else { "n × dim" };
        return Err(invalid(operation, format!("`{name}` has the shape {shape:?}; {wanted} is needed")));
    }
    numpy.getattr("require")?.call1((&array, "float32", ["C", "A"])).map_err(no_array)
}
