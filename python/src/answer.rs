//! `Answer` and `AnswerStream`: what a model answered, and as it is written.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::exceptions::{PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;
use safepassage::Error;

use crate::awaiting::{Cancel, ended_with};
use crate::errors::run;
use crate::hit::Hit;
use crate::json::to_python;
use crate::twin::of_thread;

/// What a model answered, and from what.
#[pyclass(frozen, module = "safepassage")]
pub struct Answer {
    answer: safepassage::Answer,
    session: safepassage::Session,
    passages: PyOnceLock<Py<PyList>>,
}

impl Answer {
    pub fn new(answer: safepassage::Answer, session: safepassage::Session) -> Self {
        Self { answer, session, passages: PyOnceLock::new() }
    }
}

#[pymethods]
impl Answer {
    /// Its name in the audit log and in the ledger.
    #[getter]
    fn id(&self) -> &str {
        &self.answer.id
    }

    /// What the model wrote; empty if nothing was sent to it.
    #[getter]
    fn text(&self) -> &str {
        &self.answer.text
    }

    /// The passages that the answer names, in the order in which it does:
    /// `{"number", "document", "chunk", "span", "page", "title", "uri", "heading"}`.
    #[getter]
    fn citations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.answer.citations)
    }

    /// Numbers that the answer names and no passage had.
    #[getter]
    fn unknown_citations(&self) -> Vec<u64> {
        self.answer.unknown_citations.clone()
    }

    /// The passages of the prompt, as a list of `Hit`: the first has the number 1 there.
    #[getter]
    fn passages<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyList>> {
        let list = self.passages.get_or_try_init(py, || {
            let list = PyList::empty(py);
            let passages = self.answer.passages.iter().cloned();
            passages.into_iter().try_for_each(|hit| list.append(Py::new(py, Hit::new(py, hit)?)?))?;
            Ok::<_, PyErr>(list.unbind())
        })?;
        Ok(list.bind(py))
    }

    /// Whether anything was sent.
    #[getter]
    fn sent(&self) -> bool {
        self.answer.sent
    }

    /// How many passages were left out because the model is not cleared for their label.
    #[getter]
    fn withheld(&self) -> usize {
        self.answer.withheld
    }

    /// Texts that look like instructions to the model, where `suspected` asks to look:
    /// `{"document", "chunk", "score", "signs"}`; the question itself has no document.
    #[getter]
    fn suspects<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.answer.suspects)
    }

    /// Which model answered.
    #[getter]
    fn model(&self) -> &str {
        &self.answer.model
    }

    /// By which template, `name@version`.
    #[getter]
    fn template(&self) -> &str {
        &self.answer.template
    }

    /// Why the answer ended: `"end"`, `"length"`, `"stop_word"`, `"guardrail"`, `"filtered"`, `"tool"`, `"other"`, or None.
    #[getter]
    fn stop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.answer.stop)
    }

    /// `{"tokens_in", "tokens_out", "tokens_cached"}`, or None if the model's provider does not count.
    #[getter]
    fn usage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.answer.usage)
    }

    /// What the call cost, if the catalogue names prices and the provider counts, or None.
    #[getter]
    fn cost(&self) -> Option<f64> {
        self.answer.cost
    }

    /// Whether the call is in the ledger as far as calls are written down; False where its folder cannot be written.
    #[getter]
    fn recorded(&self) -> bool {
        self.answer.recorded
    }

    /// How often something of each kind was taken out.
    #[getter]
    fn redacted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.answer.redacted)
    }

    /// Whether there were as many passages as asked for, or as there are.
    #[getter]
    fn complete(&self) -> bool {
        self.answer.complete
    }

    /// Of the permissions right before the prompt left: for operators.
    #[getter]
    fn acl_epoch(&self) -> u64 {
        self.answer.acl_epoch
    }

    /// Writes into the audit log what the asker thinks of it: 1 if it was good, -1 if not, with a note. Raises `InvalidError`
    /// if the audit log is not switched on.
    #[pyo3(signature = (verdict, note = None))]
    fn feedback(&self, py: Python<'_>, verdict: i8, note: Option<&str>) -> PyResult<()> {
        run(py, || self.answer.feedback(&self.session, verdict, note))
    }

    /// All of it as a dict.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.answer)
    }

    fn __repr__(&self) -> String {
        let safepassage::Answer { model, passages, citations, .. } = &self.answer;
        format!("Answer(model={model:?}, passages={}, citations={})", passages.len(), citations.len())
    }
}

/// An answer as it is written: iterate over its pieces, with `for` or `async for`; `finish()` gives all of it. To close it,
/// or to let go of it, ends the call.
#[pyclass(frozen, module = "safepassage")]
pub struct AnswerStream {
    stream: Mutex<Option<safepassage::AnswerStream>>,
    /// Ends it also while somebody waits for the next piece.
    cancel: Py<Cancel>,
    session: safepassage::Session,
}

impl AnswerStream {
    pub fn new(stream: safepassage::AnswerStream, cancel: Py<Cancel>, session: safepassage::Session) -> Self {
        Self { stream: Mutex::new(Some(stream)), cancel, session }
    }

    fn stream(&self) -> MutexGuard<'_, Option<safepassage::AnswerStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, py: Python<'_>) -> PyResult<Option<String>> {
        run(py, || self.stream().as_mut().and_then(Iterator::next).transpose())
    }
}

#[pymethods]
impl AnswerStream {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<String> {
        self.advance(py)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// To cancel what it gives ends the call.
    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        ended_with(of_thread(slf, "_next")?, &slf.get().cancel)
    }

    /// As `__next__`, for a thread whose exceptions are passed on to what awaits.
    fn _next(&self, py: Python<'_>) -> PyResult<String> {
        self.advance(py)?.ok_or_else(|| PyStopAsyncIteration::new_err(()))
    }

    /// Waits for the rest, and gives all of it as an `Answer`. Raises what the answer breaks off with.
    fn finish(&self, py: Python<'_>) -> PyResult<Answer> {
        let closed = || Error::invalid("ask", "the answer was closed, or is finished");
        let stream = run(py, || self.stream().take().ok_or_else(closed))?;
        run(py, || stream.finish()).map(|answer| Answer::new(answer, self.session.clone()))
    }

    /// As `finish`, awaited; to cancel it ends the call.
    fn finish_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        ended_with(of_thread(slf, "finish")?, &slf.get().cancel)
    }

    /// Ends the call, also while another thread waits for the next piece.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.cancel.get().end(py)?;
        run(py, || {
            // Whoever has it waits for a piece, and gets that it was cancelled: perhaps only when this thread is free again.
            match self.stream.try_lock() {
                Ok(mut stream) => drop(stream.take()),
                Err(TryLockError::Poisoned(stream)) => drop(stream.into_inner().take()),
                Err(TryLockError::WouldBlock) => {}
            }
            Ok(())
        })
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        match &*self.stream() {
            Some(stream) => format!("AnswerStream(id={:?})", stream.answer().id),
            None => "AnswerStream(closed)".to_owned(),
        }
    }
}

impl Drop for AnswerStream {
    fn drop(&mut self) {
        // What a call still under way does when it ends needs no interpreter.
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        Python::attach(|py| py.detach(|| drop(stream)));
    }
}
