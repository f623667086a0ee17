//! `safepassage eval`

use std::process::ExitCode;

use safepassage::system::Clock;
use safepassage::{Engine, Error, Identity, Result};
use safepassage_eval::{Collection, EngineRetriever, OfIndex, Persona, Report, Run, evaluate, read_personas, table};

use crate::eval_args::{Askers, Eval};
use crate::progress::Bar;
use crate::{identity, output};

/// What the process ends with when a gate does not let it pass.
const GATE_FAILED: u8 = 7;

pub fn run(arguments: &Eval, json: bool) -> Result<ExitCode> {
    let engine = Engine::open(&arguments.operate.index)?;
    let mut collection = Collection::read(&arguments.questions, arguments.split.as_deref())?;
    if let Some(personas) = askers(&arguments.who, engine.clock())? {
        collection.personas = personas;
    }
    if collection.personas.is_empty() {
        let message =
            "nobody asks: give --personas FILE, --user U or --public, or put `personas.jsonl` beside the questions";
        return Err(Error::invalid("evaluate", message));
    }
    let run = Run {
        k: arguments.k.clone(),
        recall: arguments.recall,
        least_score: arguments.least_score,
        seed: arguments.seed,
    };
    let mut retriever = EngineRetriever::new(engine.clone());
    let evaluation = evaluate(&mut retriever, &collection, &run, &Bar::new())?;
    let report = Report::new(&collection, OfIndex::of(&engine)?, &evaluation, arguments.show_questions);
    if json {
        output::json(&report)?;
    } else {
        output::line(output::printable(&table(&report)).trim_end())?;
    }
    Ok(if report.leaks.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(GATE_FAILED) })
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
