//! `safepassage ask`: the answer as it is written, then what it cites.

use std::io::Write;
use std::sync::Arc;

use safepassage::{AboveLabel, Answer, Citation, Engine, Error, Generator, Guardrail, Kind, Redact, Result, Template};

use crate::ask_args::{self, Ask, Where};
use crate::{identity, output};

pub fn run(arguments: &Ask, json: bool) -> Result<()> {
    let generator = open(&arguments.generator)?;
    let template = arguments.template.as_deref().map(Template::read).transpose()?;
    let engine = Engine::open(&arguments.who.operate.index)?;
    let session = identity::session(&engine, &arguments.who)?;
    let filter = arguments.narrowed.filter()?;
    let mut ask = session.ask(&arguments.query).generator(&*generator).most_tokens(arguments.tokens).search(|search| {
        let search = search.k(arguments.k).mode(arguments.mode.into()).recall(arguments.recall);
        filter.into_iter().fold(search, safepassage::Search::filter)
    });
    if let Some(template) = &template {
        ask = ask.template(template);
    }
    for (name, value) in &arguments.input {
        ask = ask.input(name, value);
    }
    if let Some(temperature) = arguments.temperature {
        ask = ask.temperature(temperature);
    }
    for guardrail in guardrails(&arguments.generator)? {
        ask = ask.guardrail(guardrail);
    }
    if let Some(feature) = &arguments.feature {
        ask = ask.feature(feature);
    }
    if let Some(what) = arguments.suspected {
        ask = ask.suspected(what);
    }
    if let Some(score) = arguments.suspected_from {
        ask = ask.suspected_from(score);
    }
    if arguments.refuse_above_label {
        ask = ask.above_label(AboveLabel::Refuse);
    }
    if arguments.without_passages {
        ask = ask.without_passages();
    }
    let within = |place| arguments.redact.iter().any(|own| *own == place || *own == Where::All);
    let (question, passages, answer) = (within(Where::Question), within(Where::Passages), within(Where::Answer));
    let mut stream = ask.redact(Redact { question, passages, answer }).stream()?;
    if json {
        let answer = stream.finish()?;
        unrecorded(&answer);
        return output::json(&answer);
    }
    for piece in stream.by_ref() {
        written(&output::printable(&piece?))?;
    }
    let answer = stream.finish()?;
    unrecorded(&answer);
    output::line("")?;
    after(&answer)
}

/// Says so where the ledger did not take the call.
fn unrecorded(answer: &Answer) {
    if !answer.recorded {
        output::note("the call is not in the usage ledger: its folder cannot be written");
    }
}

/// What stands below an answer.
fn after(answer: &Answer) -> Result<()> {
    if !answer.sent {
        let withheld = if answer.withheld > 0 { " that the model is cleared for" } else { "" };
        return output::line(&format!("nothing was sent: there is no passage for this question{withheld}"));
    }
    for citation in &answer.citations {
        let Citation { number, document, page, heading, title, .. } = citation;
        let page = page.map_or_else(String::new, |page| format!("  p. {page}"));
        let place = if heading.is_empty() { title.as_deref().unwrap_or("") } else { heading };
        output::line(&output::printable(&format!("[{number}] {document}{page}  {place}")))?;
    }
    let mut said = format!("{} passages, {} cited", answer.passages.len(), answer.citations.len());
    if !answer.unknown_citations.is_empty() {
        said.push_str(&format!(", {} made up", answer.unknown_citations.len()));
    }
    if !answer.suspects.is_empty() {
        said.push_str(&format!(", {} look like instructions", answer.suspects.len()));
    }
    if let Some(usage) = answer.usage {
        said.push_str(&format!("; {} tokens in, {} out", usage.tokens_in, usage.tokens_out));
    }
    output::line(&said)
}

/// Prints a piece at once. Whoever does not listen any more wants no more of it either.
fn written(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| Error::new(Kind::Unavailable, "print answer", e.to_string()))
}

#[cfg(feature = "remote")]
fn open(given: &ask_args::Generator) -> Result<Arc<dyn Generator>> {
    let ask_args::Generator { generator, models, highest_label, window, .. } = given;
    if let Some(models) = models {
        return safepassage::models::open_generator(models, generator);
    }
    let local = generator.strip_prefix("openai:").and_then(|rest| rest.rsplit_once('#'));
    match (local, highest_label) {
        (Some((url, model)), Some(label)) => safepassage::models::open_local_generator(url, model, label, *window),
        (Some(_), None) => {
            let message = format!("up to which label may `{generator}` be sent passages? say `--highest-label`");
            Err(Error::new(Kind::Denied, "open model", message))
        }
        (None, _) => {
            let message = format!("`{generator}` is no model without a catalogue; name one with `--models`");
            Err(Error::new(Kind::Denied, "open model", message))
        }
    }
}

#[cfg(feature = "remote")]
fn guardrails(given: &ask_args::Generator) -> Result<Vec<Arc<dyn Guardrail>>> {
    let open = |models| move |name: &String| safepassage::models::open_guardrail(models, name);
    given.models.iter().flat_map(|models| given.guardrail.iter().map(open(models))).collect()
}

#[cfg(not(feature = "remote"))]
fn guardrails(_: &ask_args::Generator) -> Result<Vec<Arc<dyn Guardrail>>> {
    Ok(Vec::new())
}

#[cfg(not(feature = "remote"))]
fn open(_: &ask_args::Generator) -> Result<Arc<dyn Generator>> {
    let message = "models that answer need a program that is built with the feature `remote`";
    Err(Error::invalid("open model", message))
}
