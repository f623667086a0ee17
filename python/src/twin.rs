//! The asynchronous twin of a long call: the same call in a thread, which needs no GIL while Rust works.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// `asyncio.to_thread(object.method, *args, **kwargs)`: a coroutine.
pub fn in_thread<'py>(
    object: &Bound<'py, PyAny>,
    method: &str,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut all = vec![object.getattr(method)?];
    all.extend(args.iter());
    let to_thread = object.py().import("asyncio")?.getattr("to_thread")?;
    to_thread.call(PyTuple::new(object.py(), all)?, kwargs)
}

/// As [`in_thread`], of a method without arguments.
pub fn of_thread<'py>(object: &Bound<'py, PyAny>, method: &str) -> PyResult<Bound<'py, PyAny>> {
    in_thread(object, method, &PyTuple::empty(object.py()), None)
}
