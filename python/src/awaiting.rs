//! What a callable gives may have to be awaited: on which event loop, and what ends it?

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::twin::in_thread;

/// The keyword of the twins that are awaited, for themselves.
pub const CANCEL: &str = "_cancel";

/// The caller's event loop, for threads that await on it; `None` where the caller has none.
pub type OnLoop = Option<Py<PyAny>>;

/// Ends a question that nobody waits for any more, and what it awaits.
#[pyclass(frozen, name = "_Cancel", module = "safepassage")]
pub struct Cancel {
    pub cancel: safepassage::Cancel,
    pub on_loop: OnLoop,
}

#[pymethods]
impl Cancel {
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py)
    }
}

impl Cancel {
    /// Ends it, whoever waits for it.
    pub fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.cancel.cancel();
        self.on_loop.as_ref().map_or(Ok(()), |on_loop| on_loop.call_method0(py, "cancel").map(drop))
    }
}

/// What `safepassage._awaiting` has under `name`.
fn helper<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("safepassage._awaiting").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

/// `given`, or what it gives if it is to be awaited.
pub fn awaited<'py>(given: Bound<'py, PyAny>, on_loop: &OnLoop) -> PyResult<Bound<'py, PyAny>> {
    if !given.hasattr("__await__")? {
        return Ok(given);
    }
    let py = given.py();
    helper(py, "awaited")?.call1((given, on_loop))
}

/// The pieces of what `callable` gives for a prompt.
pub fn pieces<'py>(py: Python<'py>, arguments: impl pyo3::call::PyCallArgs<'py>) -> PyResult<Py<PyAny>> {
    helper(py, "Pieces")?.call1(arguments).map(Bound::unbind)
}

/// `call`, a coroutine, which `cancel` ends when nobody awaits it any more.
pub fn ended_with<'py>(call: Bound<'py, PyAny>, cancel: &Py<Cancel>) -> PyResult<Bound<'py, PyAny>> {
    let py = call.py();
    helper(py, "ended_with")?.call1((call, cancel.bind(py).getattr("cancel")?))
}

/// The method `name` in a thread, ended when whoever awaits it is cancelled. What callables give to be awaited runs on the
/// event loop that runs now, if one does.
pub fn method<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    // Without one nothing is awaited yet: the thread will have a loop of its own.
    let running = py.import("asyncio")?.call_method0("get_running_loop").ok();
    let on_loop = running.map(|own| helper(py, "OnLoop")?.call1((own,)).map(Bound::unbind)).transpose()?;
    let kwargs = kwargs.map_or_else(|| Ok(PyDict::new(py)), |kwargs| kwargs.copy())?;
    let cancel = Py::new(py, Cancel { cancel: safepassage::Cancel::default(), on_loop })?;
    kwargs.set_item(CANCEL, &cancel)?;
    ended_with(in_thread(object, name, args, Some(&kwargs))?, &cancel)
}
