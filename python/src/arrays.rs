//! Here is an array, or something like one: which float32 numbers are in it?
//!
//! C-contiguous float32 is copied once, in bulk. Anything else of numbers is converted by numpy first, once.

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::invalid;

/// Rows of numbers, row-major.
pub struct Matrix {
    /// rows × columns numbers.
    pub values: Vec<f32>,
    /// How many rows.
    pub rows: usize,
    /// How many numbers a row has.
    pub columns: usize,
}

/// The rows of a two-dimensional `array`.
pub fn matrix(operation: &'static str, name: &str, array: &Bound<'_, PyAny>) -> PyResult<Matrix> {
    let array = float32(operation, name, array, 2)?;
    let array = array.cast::<PyArray2<f32>>()?.readonly();
    let (rows, columns) = (array.shape()[0], array.shape()[1]);
    Ok(Matrix { values: array.as_slice()?.to_vec(), rows, columns })
}

/// The numbers of a one-dimensional `array`.
pub fn vector(operation: &'static str, name: &str, array: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
    let array = float32(operation, name, array, 1)?;
    Ok(array.cast::<PyArray1<f32>>()?.readonly().as_slice()?.to_vec())
}

/// `array` as C-contiguous float32, itself if it is so already.
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
    let options = PyDict::new(array.py());
    options.set_item("dtype", "float32")?;
    numpy.getattr("ascontiguousarray")?.call((&array,), Some(&options)).map_err(no_array)
}
