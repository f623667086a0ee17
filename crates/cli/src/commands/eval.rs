//! `safepassage eval`

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use safepassage::system::Clock;
use safepassage::{Engine, Error, Identity, Kind, Reranker, Result};
use safepassage_eval::drift::{self, DriftSettings};
use safepassage_eval::{
    Collection, Gate, Learnt, OtherSide, Persona, Run, Wishes, assess, drift_table, learn, page, read_personas, table,
};
use safepassage_eval::{drifted, measured};

use crate::eval_args::{Askers, Drift, Eval, EvalCommand, Learn, Measure};
use crate::progress::Bar;
use crate::rerank::open;
use crate::{identity, output};

/// What the process ends with when something was given away, or a gate does not let it pass.
pub const GATE_FAILED: u8 = 7;

pub fn run(arguments: &Eval, json: bool) -> Result<ExitCode> {
    match (&arguments.command, &arguments.measure) {
        (Some(EvalCommand::Drift(drift)), _) => compare_embeddings(drift, json).map(|()| ExitCode::SUCCESS),
        (Some(EvalCommand::Learn(arguments)), _) => learn_fusion(arguments, json).map(|()| ExitCode::SUCCESS),
        (None, Measure { questions: Some(questions), index: Some(index), .. }) => {
            measure(&arguments.measure, questions, index, json)
        }
        (None, _) => Err(Error::invalid("read arguments", "say which questions, and which --index")),
    }
}

fn measure(arguments: &Measure, questions: &Path, index: &Path, json: bool) -> Result<ExitCode> {
    let engine = if arguments.candidate { Engine::open_candidate(index)? } else { Engine::open(index)? };
    let collection = asked(&engine, questions, arguments.split.as_deref(), &arguments.who)?;
    let run = Run {
        k: arguments.k.clone(),
        recall: arguments.recall,
        mode: arguments.mode.into(),
        fusion: arguments.fusion,
        least_score: arguments.least_score,
        seed: arguments.seed,
    };
    let rerank = arguments.rerank.open()?;
    let wishes = Wishes {
        against: other_side(arguments, &engine, rerank.clone())?,
        rerank,
        gate: arguments.gate.as_deref().map(Gate::read).transpose()?,
        show_questions: arguments.show_questions,
    };
    let report = assess(&engine, &collection, &run, &wishes, &Bar::new())?;
    if arguments.record {
        engine.usage()?.measured(measured(&report))?;
    }
    if let Some(file) = &arguments.html {
        write(file, &page(&report))?;
    }
    if json {
        output::json(&report)?;
    } else {
        output::line(output::printable(&table(&report)).trim_end())?;
    }
    for line in report.gate.iter().flat_map(|verdict| &verdict.lines).filter(|line| !line.passed) {
        eprintln!("safepassage: gate: {}", output::printable(&line.text()));
    }
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(GATE_FAILED) })
}

/// The questions, and who asks them.
fn asked(engine: &Engine, questions: &Path, split: Option<&str>, who: &Askers) -> Result<Collection> {
    let mut collection = Collection::read(questions, split)?;
    if let Some(personas) = askers(who, engine.clock())? {
        collection.personas = personas;
    }
    if collection.personas.is_empty() {
        let message =
            "nobody asks: give --personas FILE, --user U or --public, or put `personas.jsonl` beside the questions";
        return Err(Error::invalid("evaluate", message));
    }
    Ok(collection)
}

fn learn_fusion(arguments: &Learn, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.operate.index)?;
    let collection = asked(&engine, &arguments.questions, arguments.split.as_deref(), &arguments.who)?;
    let run = Run { k: vec![arguments.k], ..Run::default() };
    let learnt = learn(&engine, &collection, &run, &Bar::new())?;
    if json {
        return output::json(&learnt);
    }
    for weighed in &learnt.weights {
        output::line(&format!("words {:.2}  {} {:.4}", weighed.words, learnt.measure, weighed.mean))?;
    }
    let Learnt { questions, measure, held_out, default, argument, .. } = &learnt;
    output::line(&format!(
        "{questions} questions; {measure} {held_out:.4} with weights chosen on other questions, {default:.4} by default"
    ))?;
    output::line(&format!("use --fusion {argument}"))
}

/// Another index, or the same one asked in another way.
fn other_side(arguments: &Measure, engine: &Engine, rerank: Option<Arc<dyn Reranker>>) -> Result<Option<OtherSide>> {
    let index = arguments.against.as_ref().map(|index| index.display().to_string());
    let recall = arguments.against_recall.map(|recall| format!("recall {recall}"));
    let mode = arguments.against_mode.map(|mode| format!("{:?}", safepassage::Mode::from(mode)).to_lowercase());
    let fusion = arguments.against_fusion.map(|fusion| fusion.to_string());
    let model = arguments.against_rerank.as_deref();
    let reranked =
        model.map(|model| if model == "none" { "not reranked".into() } else { format!("reranked by {model}") });
    let name = [index, mode, fusion, recall, reranked].into_iter().flatten().collect::<Vec<_>>().join(", ");
    if name.is_empty() {
        return Ok(None);
    }
    let engine = arguments.against.as_ref().map(Engine::open).transpose()?.unwrap_or_else(|| engine.clone());
    Ok(Some(OtherSide {
        name,
        engine,
        recall: arguments.against_recall.unwrap_or(arguments.recall),
        mode: arguments.against_mode.unwrap_or(arguments.mode).into(),
        fusion: arguments.against_fusion.unwrap_or(arguments.fusion),
        rerank: match model {
            None => rerank,
            Some("none") => None,
            Some(model) => Some(open(model, arguments.rerank.models.as_deref())?),
        },
    }))
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).map_err(|e| {
        let message = format!("`{}` cannot be written: {e}", file.display());
        Error::new(Kind::Unavailable, "write report", message)
    })
}

/// Who asks; `None` if the arguments do not say.
pub fn askers(who: &Askers, clock: &Clock) -> Result<Option<Vec<Persona>>> {
    if let Some(file) = &who.personas {
        return read_personas(file).map(Some);
    }
    if let Some(one) = who.one() {
        let identity = identity::read(&one, clock)?;
        let name = identity.user().unwrap_or("anonymous").to_owned();
        return Ok(Some(vec![Persona::given(name, identity)]));
    }
    let public = || Ok(vec![Persona::given("public", Identity::anonymous().issue(clock)?)]);
    who.public.then(public).transpose()
}

fn compare_embeddings(arguments: &Drift, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.operate.index)?;
    let other = arguments.against.as_ref().map(Engine::open).transpose()?;
    let questions = match &arguments.questions {
        Some(path) => Collection::read(path, arguments.split.as_deref())?.questions,
        None => Vec::new(),
    };
    let settings = DriftSettings {
        drawn: arguments.drawn,
        least_score: arguments.least_score,
        seed: arguments.seed,
        ..DriftSettings::default()
    };
    let (from, to) = ((&engine, arguments.from), (other.as_ref().unwrap_or(&engine), arguments.to));
    let drift = drift::drift(from, to, &questions, &settings, &Bar::new())?;
    if arguments.record {
        let named = arguments.questions.as_ref().and_then(|path| path.file_name());
        let questions = named.map(|name| name.to_string_lossy().into_owned());
        engine.usage()?.measured(drifted(&drift, questions))?;
    }
    if json { output::json(&drift) } else { output::line(drift_table(&drift).trim_end()) }
}
