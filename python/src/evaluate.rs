//! `safepassage.evaluate`: here are questions with known answers; does the index find them, and nothing else?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use safepassage::{Error, Fusion, Kind, Mode, Reranker, Result, Silent};
use safepassage_eval::{Collection, Gate, OtherSide, Persona, Run, Wishes, assess, learn, page, read_personas};

use crate::errors::{invalid, run};
use crate::identity::Identity;
use crate::index::Index;
use crate::json::{object, to_python};
use crate::models;

const OPERATION: &str = "evaluate";

/// Asks every question at `questions` (a BEIR folder, or a file or folder with `questions.jsonl`) as every persona and
/// reports what came, as `safepassage eval --json` prints it, with `passed`: whether nothing leaked and the gate holds.
///
/// `personas` is a file, or a dict of names and `Identity`s; without it the `personas.jsonl` beside the questions. `k` is one
/// number or several, ascending. `gate` is a file, or a dict of the same shape. `rerank` is that of
/// `Session.search`. `against` is another index; `against_mode`, `against_fusion`, `against_recall` and `against_rerank` (a
/// reranker, or `"none"`) say how the other side is asked. With `html` the report is written as a page too.
///
/// Raises `InvalidError`, naming file and line, for questions, personas or a gate that are not understood.
#[pyfunction]
#[pyo3(signature = (index, questions, *, personas = None, k = None, split = None, mode = "hybrid", fusion = None, recall = 0.95, least_score = None, seed = 1, rerank = None,
    against = None, against_mode = None, against_fusion = None, against_recall = None, against_rerank = None, gate = None, html = None, show_questions = false),
    text_signature = "(index, questions, *, personas=None, k=10, split=None, mode='hybrid', fusion=None, recall=0.95, least_score=None, seed=1, rerank=None, against=None, against_mode=None, against_fusion=None, against_recall=None, against_rerank=None, gate=None, html=None, show_questions=False)")]
#[expect(clippy::too_many_arguments, reason = "as many as the command has")]
pub fn evaluate<'py>(
    py: Python<'py>,
    index: &Bound<'py, Index>,
    questions: PathBuf,
    personas: Option<&Bound<'py, PyAny>>,
    k: Option<Depths>,
    split: Option<String>,
    mode: &str,
    fusion: Option<&str>,
    recall: f32,
    least_score: Option<f32>,
    seed: u64,
    rerank: Option<&Bound<'py, PyAny>>,
    against: Option<&Bound<'py, Index>>,
    against_mode: Option<&str>,
    against_fusion: Option<&str>,
    against_recall: Option<f32>,
    against_rerank: Option<&Bound<'py, PyAny>>,
    gate: Option<&Bound<'py, PyAny>>,
    html: Option<PathBuf>,
    show_questions: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let engine = index.get().engine.clone();
    let other = against.map(|index| index.get().engine.clone());
    let personas = personas.map(personas_of).transpose()?;
    let gate = gate.map(gate_of).transpose()?;
    let rerank = rerank.map(models::reranker).transpose()?;
    let against_rerank = against_rerank.map(other_reranker).transpose()?;
    let k = match k {
        None => vec![10],
        Some(Depths::One(k)) => vec![k],
        Some(Depths::Several(several)) => several,
    };
    let report = run(py, || {
        let collection = asked(&questions, split.as_deref(), personas)?;
        let mode: Mode = mode.parse()?;
        let fusion: Fusion = fusion.map(str::parse).transpose()?.unwrap_or_default();
        let wanted = Run { k, recall, mode, fusion, least_score, seed };
        let index = other.is_some().then(|| "the other index".to_owned());
        let ways = [against_mode.map(str::to_owned), against_fusion.map(str::to_owned)];
        let at = against_recall.map(|recall| format!("recall {recall}"));
        let reranked = against_rerank.as_ref().map(|other| match other {
            Some(model) => format!("reranked by {}", model.name()),
            None => "not reranked".to_owned(),
        });
        let name =
            index.into_iter().chain(ways.into_iter().flatten()).chain(at).chain(reranked).collect::<Vec<_>>().join(" ");
        let against = if name.is_empty() {
            None
        } else {
            Some(OtherSide {
                name,
                engine: other.unwrap_or_else(|| engine.clone()),
                recall: against_recall.unwrap_or(recall),
                mode: against_mode.map(str::parse).transpose()?.unwrap_or(mode),
                fusion: against_fusion.map(str::parse).transpose()?.unwrap_or(fusion),
                rerank: against_rerank.unwrap_or_else(|| rerank.clone()),
            })
        };
        let gate = match gate {
            Some(GateOf::File(file)) => Some(Gate::read(&file)?),
            Some(GateOf::Json(json)) => Some(Gate::from_json(&json)?),
            None => None,
        };
        let wishes = Wishes { against, rerank, gate, show_questions };
        let report = assess(&engine, &collection, &wanted, &wishes, &Silent)?;
        if let Some(file) = &html {
            std::fs::write(file, page(&report)).map_err(|e| {
                let message = format!("`{}` cannot be written: {e}", file.display());
                Error::new(Kind::Unavailable, "write report", message)
            })?;
        }
        let passed = report.passed();
        let mut value = serde_json::to_value(&report)
            .map_err(|e| Error::new(Kind::Internal, OPERATION, "the report is no JSON").because(e))?;
        value["passed"] = passed.into();
        Result::Ok(value)
    })?;
    to_python(py, &report)
}

/// How much words should count beside meaning, by judged questions: a dict with `argument` for `fusion=` of
/// `Session.search`, what came of every weight, and `held_out` and `default`: what the choice and the default are worth on
/// questions that the choice was not made with. `questions`, `personas`, `k` and `split` are those of `evaluate`.
///
/// Raises `InvalidError` with fewer than 20 judged questions.
#[pyfunction]
#[pyo3(signature = (index, questions, *, personas = None, k = 10, split = None))]
pub fn learn_fusion<'py>(
    py: Python<'py>,
    index: &Bound<'py, Index>,
    questions: PathBuf,
    personas: Option<&Bound<'py, PyAny>>,
    k: usize,
    split: Option<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let engine = index.get().engine.clone();
    let personas = personas.map(personas_of).transpose()?;
    let learnt = run(py, || {
        let collection = asked(&questions, split.as_deref(), personas)?;
        let learnt = learn(&engine, &collection, &Run { k: vec![k], ..Run::default() }, &Silent)?;
        serde_json::to_value(&learnt)
            .map_err(|e| Error::new(Kind::Internal, OPERATION, "what was learnt is no JSON").because(e))
    })?;
    to_python(py, &learnt)
}

/// The questions, and who asks them.
fn asked(questions: &Path, split: Option<&str>, personas: Option<Personas>) -> Result<Collection> {
    let mut collection = Collection::read(questions, split)?;
    match personas {
        Some(Personas::File(file)) => collection.personas = read_personas(&file)?,
        Some(Personas::Named(named)) => collection.personas = named,
        None => {}
    }
    Ok(collection)
}

/// One k, or several.
#[derive(FromPyObject)]
pub enum Depths {
    One(usize),
    Several(Vec<usize>),
}

/// The model of the other side, or `"none"`.
fn other_reranker(given: &Bound<'_, PyAny>) -> PyResult<Option<Arc<dyn Reranker>>> {
    let none = given.extract::<String>().is_ok_and(|text| text == "none");
    if none { Ok(None) } else { models::reranker(given).map(Some) }
}

enum Personas {
    File(PathBuf),
    Named(Vec<Persona>),
}

fn personas_of(given: &Bound<'_, PyAny>) -> PyResult<Personas> {
    let Ok(named) = given.cast::<PyDict>() else {
        return given
            .extract()
            .map(Personas::File)
            .map_err(|_| PyTypeError::new_err("personas are a file, or a dict of names and identities"));
    };
    let named: BTreeMap<String, PyRef<'_, Identity>> = named.extract()?;
    Ok(Personas::Named(named.into_iter().map(|(name, identity)| Persona::given(name, identity.0.clone())).collect()))
}

enum GateOf {
    File(PathBuf),
    Json(String),
}

fn gate_of(given: &Bound<'_, PyAny>) -> PyResult<GateOf> {
    if given.is_instance_of::<PyDict>() {
        let json = object(given).map_err(|what| invalid("read gate", what))?;
        return Ok(GateOf::Json(serde_json::Value::Object(json).to_string()));
    }
    given.extract().map(GateOf::File).map_err(|_| PyTypeError::new_err("a gate is a file, or a dict"))
}
