//! `session.ask` and its twins: here is a question, what does a model make of the passages?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use safepassage::{AboveLabel, Filter, Hook, Redact, Template};

use crate::answer::{Answer, AnswerStream};
use crate::errors::{invalid, run};
use crate::filter;
use crate::generator::{Generator, generator};
use crate::hook::hook;
use crate::session::Session;
use crate::twin::in_thread;

/// What is said of a question besides itself.
struct Asked {
    generator: Arc<dyn safepassage::Generator>,
    k: usize,
    filter: Option<Filter>,
    mode: safepassage::Mode,
    recall: f32,
    template: Option<PathBuf>,
    inputs: BTreeMap<String, String>,
    tokens: u32,
    temperature: Option<f32>,
    stop: Vec<String>,
    above: AboveLabel,
    without_passages: bool,
    redact: Redact,
    feature: Option<String>,
    hooks: Vec<Arc<dyn Hook>>,
}

impl Asked {
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn read(
        given: &Bound<'_, PyAny>,
        k: usize,
        filter: Option<&Bound<'_, PyAny>>,
        mode: &str,
        recall: f32,
        template: Option<PathBuf>,
        inputs: Option<BTreeMap<String, String>>,
        tokens: u32,
        temperature: Option<f32>,
        stop: Option<Vec<String>>,
        above_label: &str,
        without_passages: bool,
        redact: Option<Vec<String>>,
        feature: Option<String>,
        hooks: Option<Vec<Py<PyAny>>>,
    ) -> PyResult<Self> {
        let above = match above_label {
            "drop" => AboveLabel::Drop,
            "refuse" => AboveLabel::Refuse,
            other => return Err(invalid("ask", format!("`above_label` is `drop` or `refuse`, not `{other}`"))),
        };
        let mut places = Redact::default();
        for place in redact.unwrap_or_default() {
            match place.as_str() {
                "question" => places.question = true,
                "passages" => places.passages = true,
                "answer" => places.answer = true,
                other => {
                    let message = format!("`redact` names `question`, `passages` and `answer`, not `{other}`");
                    return Err(invalid("ask", message));
                }
            }
        }
        let mode = run(given.py(), || mode.parse())?;
        Ok(Self {
            generator: generator(given, None)?,
            k,
            filter: filter::read(filter)?,
            mode,
            recall,
            template,
            inputs: inputs.unwrap_or_default(),
            tokens,
            temperature,
            stop: stop.unwrap_or_default(),
            above,
            without_passages,
            redact: places,
            feature,
            hooks: hooks.unwrap_or_default().into_iter().map(hook).collect(),
        })
    }

    fn stream(self, session: &safepassage::Session, question: &str) -> safepassage::Result<safepassage::AnswerStream> {
        let template = self.template.as_deref().map(Template::read).transpose()?;
        let mut ask = session.ask(question).generator(&*self.generator).most_tokens(self.tokens).search(|search| {
            let search = search.k(self.k).mode(self.mode).recall(self.recall);
            self.filter.into_iter().fold(search, safepassage::Search::filter)
        });
        if let Some(template) = &template {
            ask = ask.template(template);
        }
        if let Some(temperature) = self.temperature {
            ask = ask.temperature(temperature);
        }
        for (name, value) in &self.inputs {
            ask = ask.input(name, value);
        }
        if let Some(feature) = &self.feature {
            ask = ask.feature(feature);
        }
        for hook in &self.hooks {
            ask = ask.hook(Arc::clone(hook));
        }
        for word in &self.stop {
            ask = ask.stop(word);
        }
        let ask = if self.without_passages { ask.without_passages() } else { ask };
        ask.above_label(self.above).redact(self.redact).stream()
    }
}

#[pymethods]
impl Session {
    /// Puts the question `text` to `generator` with the `k` best passages that the asker may read and the model is cleared
    /// for, as an `Answer` with its citations.
    ///
    /// `generator` is a `Generator`, or a callable `(messages, tokens) -> answer`. `filter`, `mode` and `recall` are those of
    /// `search`. `template` is a file that says what stands where in the prompt, `inputs` what it wants besides. `tokens`,
    /// `temperature` and `stop` are said to the model. A passage with a label above the model's is left out, or with
    /// `above_label="refuse"` the question is refused. Without a passage nothing is sent, unless `without_passages`.
    /// `redact` names where identifiers are taken out: `question`, `passages`, `answer`. `feature` is what it is for, in the
    /// ledger and for budgets. `hooks` are objects with any of `before_request(messages)`, `on_piece(text)` and
    /// `after_response(text)`; what these give replaces what they were given, and what they raise ends the call. All of it is decided again by the
    /// newest permissions right before the prompt leaves. Raises `DeniedError` where something may not be sent, and what
    /// the model fails with.
    #[pyo3(signature = (text, generator, *, k = 6, filter = None, mode = "hybrid", recall = 0.95, template = None, inputs = None, tokens = 512, temperature = None, stop = None, above_label = "drop", without_passages = false, redact = None, feature = None, hooks = None))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn ask(
        &self,
        py: Python<'_>,
        text: String,
        generator: &Bound<'_, PyAny>,
        k: usize,
        filter: Option<&Bound<'_, PyAny>>,
        mode: &str,
        recall: f32,
        template: Option<PathBuf>,
        inputs: Option<BTreeMap<String, String>>,
        tokens: u32,
        temperature: Option<f32>,
        stop: Option<Vec<String>>,
        above_label: &str,
        without_passages: bool,
        redact: Option<Vec<String>>,
        feature: Option<String>,
        hooks: Option<Vec<Py<PyAny>>>,
    ) -> PyResult<Answer> {
        let asked = Asked::read(
            generator,
            k,
            filter,
            mode,
            recall,
            template,
            inputs,
            tokens,
            temperature,
            stop,
            above_label,
            without_passages,
            redact,
            feature,
            hooks,
        )?;
        run(py, || asked.stream(&self.0, &text)?.finish()).map(Answer::new)
    }

    /// As `ask`, as soon as the model has begun to answer: an `AnswerStream` to iterate over.
    #[pyo3(signature = (text, generator, *, k = 6, filter = None, mode = "hybrid", recall = 0.95, template = None, inputs = None, tokens = 512, temperature = None, stop = None, above_label = "drop", without_passages = false, redact = None, feature = None, hooks = None))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn ask_stream(
        &self,
        py: Python<'_>,
        text: String,
        generator: &Bound<'_, PyAny>,
        k: usize,
        filter: Option<&Bound<'_, PyAny>>,
        mode: &str,
        recall: f32,
        template: Option<PathBuf>,
        inputs: Option<BTreeMap<String, String>>,
        tokens: u32,
        temperature: Option<f32>,
        stop: Option<Vec<String>>,
        above_label: &str,
        without_passages: bool,
        redact: Option<Vec<String>>,
        feature: Option<String>,
        hooks: Option<Vec<Py<PyAny>>>,
    ) -> PyResult<AnswerStream> {
        let asked = Asked::read(
            generator,
            k,
            filter,
            mode,
            recall,
            template,
            inputs,
            tokens,
            temperature,
            stop,
            above_label,
            without_passages,
            redact,
            feature,
            hooks,
        )?;
        run(py, || asked.stream(&self.0, &text)).map(AnswerStream::new)
    }

    /// Writes into the audit log what the asker thinks of the answer `id`: 1 if it was good, -1 if not, with a note. Raises
    /// `InvalidError` if the audit log is not switched on.
    #[pyo3(signature = (id, verdict, note = None))]
    fn feedback(&self, py: Python<'_>, id: &str, verdict: i8, note: Option<&str>) -> PyResult<()> {
        run(py, || self.0.feedback(id, verdict, note))
    }

    /// As `ask`, awaited. What a callable gives to be awaited runs on the same event loop.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, text, generator, *, k=6, filter=None, mode='hybrid', recall=0.95, template=None, inputs=None, tokens=512, temperature=None, stop=None, above_label='drop', without_passages=False, redact=None, feature=None, hooks=None)")]
    fn ask_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (args, kwargs) = on_this_loop(args, kwargs)?;
        in_thread(slf, "ask", &args, kwargs.as_ref())
    }

    /// As `ask_stream`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, text, generator, *, k=6, filter=None, mode='hybrid', recall=0.95, template=None, inputs=None, tokens=512, temperature=None, stop=None, above_label='drop', without_passages=False, redact=None, feature=None, hooks=None)")]
    fn ask_stream_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (args, kwargs) = on_this_loop(args, kwargs)?;
        in_thread(slf, "ask_stream", &args, kwargs.as_ref())
    }
}

/// The same arguments, with a callable bound to the event loop that runs now, if one does: the call will be made in a thread.
fn on_this_loop<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<(Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>)> {
    let py = args.py();
    let bound = |given: &Bound<'py, PyAny>| -> PyResult<Bound<'py, PyAny>> {
        if given.is_instance_of::<Generator>() || !given.is_callable() {
            return Ok(given.clone());
        }
        // Without one it is not awaited yet: the thread will have a loop of its own.
        let Ok(running) = py.import("asyncio")?.call_method0("get_running_loop") else { return Ok(given.clone()) };
        Ok(Py::new(py, Generator(generator(given, Some(&running))?))?.into_bound(py).into_any())
    };
    let mut all: Vec<Bound<'py, PyAny>> = args.iter().collect();
    if let Some(given) = all.get_mut(1) {
        *given = bound(given)?;
    }
    let kwargs = kwargs.map(|kwargs| kwargs.copy()).transpose()?;
    if let Some(kwargs) = &kwargs
        && let Some(given) = kwargs.get_item("generator")?
    {
        kwargs.set_item("generator", bound(&given)?)?;
    }
    Ok((PyTuple::new(py, all)?, kwargs))
}
