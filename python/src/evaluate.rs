//! `safepassage.evaluate`: here are questions with known answers; does the index find them, and nothing else?

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use safepassage::{Error, Fusion, Kind, Mode, Result, Silent};
use safepassage_eval::{Collection, Gate, OtherSide, Persona, Run, Wishes, assess, page, read_personas};

use crate::errors::{invalid, run};
use crate::identity::Identity;
use crate::index::Index;
use crate::json::{object, to_python};

const OPERATION: &str = "evaluate";

/// Asks every question at `questions` (a BEIR folder, or a file or folder with `questions.jsonl`) as every persona and
/// reports what came, as `safepassage eval --json` prints it, with `passed`: whether nothing leaked and the gate holds.
///
/// `personas` is a file, or a dict of names and `Identity`s; without it the `personas.jsonl` beside the questions. `k` is one
/// number or several, ascending. `gate` is a file, or a dict of the same shape. `against` is another index; `against_mode`,
/// `against_fusion` and `against_recall` say how the other side is asked. With `html` the report is written as a page too.
///
/// Raises `InvalidError`, naming file and line, for questions, personas or a gate that are not understood.
#[pyfunction]
#[pyo3(signature = (index, questions, *, personas = None, k = None, split = None, mode = "hybrid", fusion = None, recall = 0.95, least_score = None, seed = 1,
    against = None, against_mode = None, against_fusion = None, against_recall = None, gate = None, html = None, show_questions = false),
    text_signature = "(index, questions, *, personas=None, k=10, split=None, mode='hybrid', fusion=None, recall=0.95, least_score=None, seed=1, against=None, against_mode=None, against_fusion=None, against_recall=None, gate=None, html=None, show_questions=False)")]
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
    against: Option<&Bound<'py, Index>>,
    against_mode: Option<&str>,
    against_fusion: Option<&str>,
    against_recall: Option<f32>,
    gate: Option<&Bound<'py, PyAny>>,
    html: Option<PathBuf>,
    show_questions: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let engine = index.get().engine.clone();
    let other = against.map(|index| index.get().engine.clone());
    let personas = personas.map(personas_of).transpose()?;
    let gate = gate.map(gate_of).transpose()?;
    let k = match k {
        None => vec![10],
        Some(Depths::One(k)) => vec![k],
        Some(Depths::Several(several)) => several,
    };
    let report = run(py, || {
        let mut collection = Collection::read(&questions, split.as_deref())?;
        match personas {
            Some(Personas::File(file)) => collection.personas = read_personas(&file)?,
            Some(Personas::Named(named)) => collection.personas = named,
            None => {}
        }
        let mode: Mode = mode.parse()?;
        let fusion: Fusion = fusion.map(str::parse).transpose()?.unwrap_or_default();
        let wanted = Run { k, recall, mode, fusion, least_score, seed };
        let index = other.is_some().then(|| "the other index".to_owned());
        let ways = [against_mode.map(str::to_owned), against_fusion.map(str::to_owned)];
        let at = against_recall.map(|recall| format!("recall {recall}"));
        let name = index.into_iter().chain(ways.into_iter().flatten()).chain(at).collect::<Vec<_>>().join(" ");
        let against = if name.is_empty() {
            None
        } else {
            Some(OtherSide {
                name,
                engine: other.unwrap_or_else(|| engine.clone()),
                recall: against_recall.unwrap_or(recall),
                mode: against_mode.map(str::parse).transpose()?.unwrap_or(mode),
                fusion: against_fusion.map(str::parse).transpose()?.unwrap_or(fusion),
            })
        };
        let gate = match gate {
            Some(GateOf::File(file)) => Some(Gate::read(&file)?),
            Some(GateOf::Json(json)) => Some(Gate::from_json(&json)?),
            None => None,
        };
        let wishes = Wishes { against, gate, show_questions };
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

/// One k, or several.
#[derive(FromPyObject)]
pub enum Depths {
    One(usize),
    Several(Vec<usize>),
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
