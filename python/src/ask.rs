//! `session.ask` and its twins: here is a question, what does a model make of the passages?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use safepassage::{AboveLabel, Filter, Hook, Redact, Suspected, Template};

use crate::answer::{Answer, AnswerStream};
use crate::awaiting::{self, CANCEL, Cancel};
use crate::errors::{invalid, run};
use crate::filter;
use crate::generator::generator;
use crate::guardrail::guardrail;
use crate::hook::hook;
use crate::session::Session;

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
    guardrails: Vec<Arc<dyn safepassage::Guardrail>>,
    suspected: Option<Suspected>,
    suspected_from: Option<f32>,
    cancel: Py<Cancel>,
}

/// Keywords, each taken once; what is left over is none.
struct Keywords<'a, 'py>(Option<&'a Bound<'py, PyDict>>, Vec<&'static str>);

impl<'py> Keywords<'_, 'py> {
    /// The value of `name`; `None` if it is left out or None.
    fn get(&mut self, name: &'static str) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.1.push(name);
        let given = self.0.map(|given| given.get_item(name)).transpose()?.flatten();
        Ok(given.filter(|value| !value.is_none()))
    }

    fn take<T: FromPyObjectOwned<'py>>(&mut self, name: &'static str) -> PyResult<Option<T>> {
        self.get(name)?.map(|value| value.extract::<T>().map_err(Into::into)).transpose()
    }

    fn finish(self) -> PyResult<()> {
        for (name, _) in self.0.into_iter().flatten() {
            let name: String = name.extract()?;
            if !self.1.contains(&name.as_str()) {
                return Err(PyTypeError::new_err(format!("ask() got an unexpected keyword argument '{name}'")));
            }
        }
        Ok(())
    }
}

impl Asked {
    fn read(given: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let py = given.py();
        let mut keywords = Keywords(options, Vec::new());
        let above = match keywords.take::<String>("above_label")?.as_deref().unwrap_or("drop") {
            "drop" => AboveLabel::Drop,
            "refuse" => AboveLabel::Refuse,
            other => return Err(invalid("ask", format!("`above_label` is `drop` or `refuse`, not `{other}`"))),
        };
        let mut redact = Redact::default();
        for place in keywords.take::<Vec<String>>("redact")?.unwrap_or_default() {
            match place.as_str() {
                "question" => redact.question = true,
                "passages" => redact.passages = true,
                "answer" => redact.answer = true,
                other => {
                    let message = format!("`redact` names `question`, `passages` and `answer`, not `{other}`");
                    return Err(invalid("ask", message));
                }
            }
        }
        let mode = keywords.take::<String>("mode")?;
        let suspected = keywords.take::<String>("suspected")?;
        let guardrails: Vec<Bound<'_, PyAny>> = keywords.take("guardrails")?.unwrap_or_default();
        let hooks: Vec<Py<PyAny>> = keywords.take("hooks")?.unwrap_or_default();
        let cancel = match keywords.get(CANCEL)? {
            Some(given) => given.cast::<Cancel>()?.clone().unbind(),
            None => Py::new(py, Cancel { cancel: safepassage::Cancel::default(), on_loop: None })?,
        };
        let on_loop = || cancel.get().on_loop.as_ref().map(|on_loop| on_loop.clone_ref(py));
        let asked = Self {
            generator: generator(given, on_loop())?,
            k: keywords.take("k")?.unwrap_or(6),
            filter: filter::read(keywords.get("filter")?.as_ref())?,
            mode: mode.map(|mode| run(py, || mode.parse())).transpose()?.unwrap_or_default(),
            recall: keywords.take("recall")?.unwrap_or(0.95),
            template: keywords.take("template")?,
            inputs: keywords.take("inputs")?.unwrap_or_default(),
            tokens: keywords.take("tokens")?.unwrap_or(512),
            temperature: keywords.take("temperature")?,
            stop: keywords.take("stop")?.unwrap_or_default(),
            above,
            without_passages: keywords.take("without_passages")?.unwrap_or_default(),
            redact,
            feature: keywords.take("feature")?,
            hooks: hooks.into_iter().map(|given| hook(given, on_loop())).collect(),
            guardrails: guardrails.iter().map(|given| guardrail(given, on_loop())).collect::<PyResult<_>>()?,
            suspected: suspected.map(|what| run(py, || what.parse())).transpose()?,
            suspected_from: keywords.take("suspected_from")?,
            cancel,
        };
        keywords.finish()?;
        Ok(asked)
    }

    fn stream(&self, session: &safepassage::Session, question: &str) -> safepassage::Result<safepassage::AnswerStream> {
        let template = self.template.as_deref().map(Template::read).transpose()?;
        let mut ask = session.ask(question).generator(&*self.generator).most_tokens(self.tokens).search(|search| {
            let search = search.k(self.k).mode(self.mode).recall(self.recall);
            self.filter.clone().into_iter().fold(search, safepassage::Search::filter)
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
        for guardrail in &self.guardrails {
            ask = ask.guardrail(Arc::clone(guardrail));
        }
        if let Some(what) = self.suspected {
            ask = ask.suspected(what);
        }
        if let Some(score) = self.suspected_from {
            ask = ask.suspected_from(score);
        }
        for hook in &self.hooks {
            ask = ask.hook(Arc::clone(hook));
        }
        for word in &self.stop {
            ask = ask.stop(word);
        }
        let ask = ask.cancel(&self.cancel.get().cancel);
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
    /// `after_response(text)`; what these give replaces what they were given, and what they raise ends the call. `guardrails`
    /// are `Guardrail`s, or callables `(text, direction) -> str | None` with `"in"` or `"out"`: what one gives is said
    /// instead. All of these may be `async def`. `suspected` says what is done with passages that look like instructions to the model: `"mark"`, `"drop"`,
    /// `"refuse"`; from the score `suspected_from` on (0.5). All of it is decided again by the newest permissions right
    /// before the prompt leaves. Raises `DeniedError` where something may not be sent, and what
    /// the model fails with.
    #[pyo3(signature = (text, generator, **options), text_signature = "($self, text, generator, *, k=6, filter=None, mode='hybrid', recall=0.95, template=None, inputs=None, tokens=512, temperature=None, stop=None, above_label='drop', without_passages=False, redact=None, feature=None, hooks=None, guardrails=None, suspected=None, suspected_from=None)")]
    fn ask(
        &self,
        py: Python<'_>,
        text: String,
        generator: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Answer> {
        let asked = Asked::read(generator, options)?;
        run(py, || asked.stream(&self.0, &text)?.finish()).map(|answer| Answer::new(answer, self.0.clone()))
    }

    /// As `ask`, as soon as the model has begun to answer: an `AnswerStream` to iterate over.
    #[pyo3(signature = (text, generator, **options), text_signature = "($self, text, generator, *, k=6, filter=None, mode='hybrid', recall=0.95, template=None, inputs=None, tokens=512, temperature=None, stop=None, above_label='drop', without_passages=False, redact=None, feature=None, hooks=None, guardrails=None, suspected=None, suspected_from=None)")]
    fn ask_stream(
        &self,
        py: Python<'_>,
        text: String,
        generator: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<AnswerStream> {
        let asked = Asked::read(generator, options)?;
        let stream = run(py, || asked.stream(&self.0, &text))?;
        Ok(AnswerStream::new(stream, asked.cancel, self.0.clone()))
    }

    /// Writes into the audit log what the asker thinks of the answer `id`: 1 if it was good, -1 if not, with a note. Raises
    /// `InvalidError` if the audit log is not switched on.
    #[pyo3(signature = (id, verdict, note = None))]
    fn feedback(&self, py: Python<'_>, id: &str, verdict: i8, note: Option<&str>) -> PyResult<()> {
        run(py, || self.0.feedback(id, verdict, note))
    }

    /// As `ask`, awaited; to cancel it ends the call. What a callable gives to be awaited runs on the same event loop.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, text, generator, *, k=6, filter=None, mode='hybrid', recall=0.95, template=None, inputs=None, tokens=512, temperature=None, stop=None, above_label='drop', without_passages=False, redact=None, feature=None, hooks=None, guardrails=None, suspected=None, suspected_from=None)")]
    fn ask_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        awaiting::method(slf, "ask", args, kwargs)
    }

    /// As `ask_stream`, awaited; to cancel it ends the call.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, text, generator, *, k=6, filter=None, mode='hybrid', recall=0.95, template=None, inputs=None, tokens=512, temperature=None, stop=None, above_label='drop', without_passages=False, redact=None, feature=None, hooks=None, guardrails=None, suspected=None, suspected_from=None)")]
    fn ask_stream_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        awaiting::method(slf, "ask_stream", args, kwargs)
    }
}
