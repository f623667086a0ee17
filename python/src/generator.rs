//! Models that answer: of a catalogue, on this machine, or a callable.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use safepassage::{Error, Finished, GenerateWith, Kind, Piece, Request, Result, Role, StopReason, Usage};

use crate::awaiting::{OnLoop, pieces};
use crate::errors::{invalid, run};

/// Tokens that a callable takes, prompt and answer together, unless it is said.
const WINDOW: usize = 8192;

/// A model that answers prompts, opened once and used by many questions.
#[pyclass(frozen, module = "safepassage")]
pub struct Generator(pub Arc<dyn safepassage::Generator>);

#[pymethods]
impl Generator {
    /// The model that `callable` is: `(messages, tokens) -> answer`, where `messages` are dicts with `role` and `content`,
    /// and the answer is a str, an iterable of str, or either of them to be awaited; a dict at its end may say
    /// `{"tokens_in", "tokens_out"}`. `window` is how many tokens prompt and answer may have together.
    #[new]
    #[pyo3(signature = (callable, *, name = None, window = 8192))]
    fn new(callable: &Bound<'_, PyAny>, name: Option<String>, window: usize) -> PyResult<Self> {
        of_callable(callable, name, window, None).map(Self)
    }

    /// The generator `name` of the catalogue in the file `models`. It is sent the question, and passages up to the label
    /// that it is cleared for. Raises `DeniedError` if it is not in the catalogue or has expired there.
    #[staticmethod]
    fn from_catalogue(py: Python<'_>, models: PathBuf, name: &str) -> PyResult<Self> {
        run(py, || safepassage::models::open_generator(&models, name)).map(Self)
    }

    /// The model `model` of a server on this machine that speaks OpenAI's interface at `url`; passages up to `highest_label`
    /// are sent to it. Raises `DeniedError` for a server elsewhere: that needs a catalogue.
    #[staticmethod]
    #[pyo3(signature = (url, model, *, highest_label, window = 4096))]
    fn local(py: Python<'_>, url: &str, model: &str, highest_label: &str, window: usize) -> PyResult<Self> {
        run(py, || safepassage::models::open_local_generator(url, model, highest_label, window)).map(Self)
    }

    /// What it is called in the audit log.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    fn __repr__(&self) -> String {
        format!("Generator({:?})", self.0.name())
    }
}

/// A [`Generator`], or a callable; what that gives to be awaited runs on `on_loop`, if there is one.
pub fn generator(given: &Bound<'_, PyAny>, on_loop: OnLoop) -> PyResult<Arc<dyn safepassage::Generator>> {
    match given.cast::<Generator>() {
        Ok(opened) => Ok(Arc::clone(&opened.get().0)),
        Err(_) => of_callable(given, None, WINDOW, on_loop),
    }
}

fn of_callable(
    given: &Bound<'_, PyAny>,
    name: Option<String>,
    window: usize,
    on_loop: OnLoop,
) -> PyResult<Arc<dyn safepassage::Generator>> {
    if !given.is_callable() {
        return Err(invalid(
            "open model",
            "a generator is a `Generator`, or a callable `(messages, tokens) -> answer`",
        ));
    }
    let own = || given.getattr("__name__").and_then(|name| name.extract()).unwrap_or_else(|_| "callable".to_owned());
    let name = name.unwrap_or_else(own);
    let callable = given.clone().unbind();
    let answer = move |request: &Request| Pulled::new(&callable, &on_loop, request);
    run(given.py(), || Ok(Arc::new(GenerateWith::new(&name, window, answer)?) as Arc<dyn safepassage::Generator>))
}

/// The messages of a prompt, as dicts with `role` and `content`.
pub fn messages<'py>(py: Python<'py>, request: &Request) -> PyResult<Bound<'py, PyList>> {
    let messages = PyList::empty(py);
    for message in &request.messages {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let said = PyDict::new(py);
        said.set_item("role", role)?;
        said.set_item("content", &message.text)?;
        messages.append(said)?;
    }
    Ok(messages)
}

/// The pieces of a callable's answer, as they are asked for.
struct Pulled {
    pieces: Py<PyAny>,
    usage: Option<Usage>,
    over: bool,
}

impl Pulled {
    fn new(callable: &Py<PyAny>, on_loop: &OnLoop, request: &Request) -> Result<Self> {
        let pieces = called(|py| pieces(py, (callable, messages(py, request)?, request.most_tokens, on_loop)))?;
        Ok(Self { pieces, usage: None, over: false })
    }
}

impl Iterator for Pulled {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            let given = called(|py| {
                let given = self.pieces.bind(py).call_method0("next")?;
                if let Ok(usage) = given.cast::<PyDict>() {
                    let count = |name: &str| usage.get_item(name)?.map_or(Ok(0), |count| count.extract::<u64>());
                    let (tokens_in, tokens_out) = (count("tokens_in")?, count("tokens_out")?);
                    return Ok(Given::Usage(Usage { tokens_in, tokens_out, tokens_cached: 0 }));
                }
                given.extract().map(Given::Text)
            });
            match given {
                Ok(Given::Text(Some(text))) => return Some(Ok(Piece::Text(text))),
                Ok(Given::Usage(usage)) => self.usage = Some(usage),
                Ok(Given::Text(None)) => {
                    self.over = true;
                    return Some(Ok(Piece::Finished(Finished { reason: StopReason::End, usage: self.usage })));
                }
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

enum Given {
    Text(Option<String>),
    Usage(Usage),
}

impl Drop for Pulled {
    fn drop(&mut self) {
        // What fails while it is given up is of no more interest.
        drop(called(|py| self.pieces.bind(py).call_method0("close").map(drop)));
    }
}

/// What the callable gives.
fn called<T>(call: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
    Python::attach(|py| call(py).map_err(|error| raised(py, &error, "generate", "the callable")))
}

/// `what` raised `error`. Only its class is told: the words may be those of the prompt.
pub fn raised(py: Python<'_>, error: &PyErr, operation: &'static str, what: &str) -> Error {
    let class = error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    Error::new(Kind::Invalid, operation, format!("{what} raised `{class}`"))
}
