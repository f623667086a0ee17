//! Here is a failure of the Rust face: which Python exception is it?
//!
//! The classes are made from the table in `safepassage::Kind`, one for each kind, below `SafepassageError`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use safepassage::{Error, Kind, Result};

/// One class for each kind, in the order of the table.
static CLASSES: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();

const BASE: &str = "SafepassageError";
const BASE_DOC: &str = "What every call of safepassage raises: `kind` and `retryable` tell a program what to do, \
                        `message` tells a person what happened.";

/// Makes the classes and adds them to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let exception = py.get_type::<PyException>();
    let base = class(py, BASE, std::slice::from_ref(&exception), BASE_DOC, Kind::Internal)?;
    module.add(BASE, &base)?;
    let mut classes = Vec::new();
    for kind in Kind::ALL {
        let mut bases = vec![base.cast::<PyType>()?.clone()];
        if kind == Kind::Invalid {
            bases.push(py.get_type::<PyValueError>());
        }
        let made = class(py, kind.python_class(), &bases, doc(kind), kind)?;
        module.add(kind.python_class(), &made)?;
        classes.push(made.unbind());
    }
    // A second import of the module in one process keeps the classes of the first.
    let _ = CLASSES.set(py, classes);
    Ok(())
}

fn class<'py>(
    py: Python<'py>,
    name: &str,
    bases: &[Bound<'py, PyType>],
    doc: &str,
    kind: Kind,
) -> PyResult<Bound<'py, PyAny>> {
    let attributes = PyDict::new(py);
    attributes.set_item("__module__", "safepassage")?;
    attributes.set_item("__doc__", doc)?;
    attributes.set_item("kind", kind.name())?;
    attributes.set_item("retryable", kind.is_retryable())?;
    attributes.set_item("message", "")?;
    py.get_type::<PyType>().call1((name, PyTuple::new(py, bases)?, attributes))
}

const fn doc(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "The input cannot be used as it is: change it.",
        Kind::NotFound => "There is no such thing, or the asker may not know of it.",
        Kind::Denied => "The identity may not do this, or is expired.",
        Kind::Conflict => "Somebody else holds or changed what this call needs.",
        Kind::Unavailable => "A part that this call needs cannot be reached now.",
        Kind::Throttled => "A limit was reached: slow down.",
        Kind::Corrupted => "Stored bytes are not what was written.",
        _ => "A fault of safepassage itself.",
    }
}

/// The exception that stands for `error`.
pub fn raise(error: &Error) -> PyErr {
    Python::attach(|py| make(py, error).unwrap_or_else(|failed| failed))
}

fn make(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let at = Kind::ALL.iter().position(|kind| *kind == error.kind()).unwrap_or(Kind::ALL.len() - 1);
    let class = CLASSES.get(py).and_then(|classes| classes.get(at));
    let Some(class) = class else { return Ok(PyException::new_err(error.to_string())) };
    let exception = class.bind(py).call1((error.to_string(),))?;
    exception.setattr("message", error.to_string())?;
    Ok(PyErr::from_value(exception))
}

/// The exception for input that cannot be used.
pub fn invalid(operation: &'static str, message: impl Into<String>) -> PyErr {
    raise(&Error::invalid(operation, message))
}

/// Runs `work` without the GIL. A panic is an `InternalError`, so that it ends the call and not the process.
pub fn run<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(internal(&*panic))))
        .map_err(|error| raise(&error))
}

fn internal(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    Error::new(Kind::Internal, "run", said.unwrap_or("a fault without a message"))
}
