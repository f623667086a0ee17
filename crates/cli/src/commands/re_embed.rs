//! `safepassage re-embed` and `switch`

use safepassage::{Engine, ReEmbedOptions, ReEmbedReport, Result};
use serde_json::json;

use super::sync::{choice, minutes, truncated};
use crate::output;
use crate::progress::Bar;
use crate::re_embed_args::{Limits, ReEmbed, Switch};

fn options(limits: &Limits) -> Result<ReEmbedOptions> {
    let Limits { max_cost, max_minutes, leave_out } = *limits;
    let max_time = max_minutes.map(minutes).transpose()?;
    Ok(ReEmbedOptions { max_cost, max_time, leave_out, ..ReEmbedOptions::default() })
}

pub fn re_embed(arguments: &ReEmbed, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.operate.index)?;
    if arguments.drop {
        let dropped = engine.drop_candidate()?;
        if json {
            return output::json(&json!({"dropped": dropped}));
        }
        return output::line(if dropped { "the candidate is gone" } else { "there is no candidate" });
    }
    let embedder = choice(arguments.models.as_deref(), arguments.embedder.as_deref())?;
    let (dry_run, retry_refused) = (arguments.dry_run, arguments.retry_dead_letters);
    let options = ReEmbedOptions { dry_run, retry_refused, ..options(&arguments.limits)? };
    let report = engine.re_embed(&embedder, &options, &Bar::new())?;
    if json {
        return output::json(&report);
    }
    show(&report)?;
    output::line(match (report.dry_run, report.ready) {
        (true, _) => "nothing was written",
        (false, true) => "the candidate is ready: measure it with `eval --candidate`, then `switch`",
        (false, false) => "the candidate is not ready; run again to go on",
    })
}

pub fn switch(arguments: &Switch, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.operate.index)?;
    let bar = Bar::new();
    let mut report = engine.switch(&options(&arguments.limits)?, &bar)?;
    // What is merged half would be lost with the process.
    let merges = engine.wait_for_merges();
    report.warnings.extend(merges.error.map(|error| format!("segments could not be merged: {error}")));
    if json {
        return output::json(&report);
    }
    show(&report)?;
    output::line(&format!("generation {}", report.generation))
}

fn show(report: &ReEmbedReport) -> Result<()> {
    let would = if report.dry_run { "would be " } else { "" };
    let ReEmbedReport { from_model, to_model, documents, chunks, embedded, left, tokens, .. } = report;
    output::line(&output::printable(&format!("from {from_model} to {to_model}: {documents} documents, {left} left")))?;
    output::line(&format!("{chunks} chunks, {embedded} {would}embedded"))?;
    if report.truncated > 0 {
        output::line(&output::printable(&truncated(report.truncated, &report.truncated_documents)))?;
    }
    if let (Some(cost), Some(currency)) = (report.cost, &report.currency) {
        let day = report.priced.as_ref().map_or_else(String::new, |day| format!(", at the price of {day}"));
        output::line(&format!("{tokens} tokens, {cost:.4} {currency}{day}"))?;
    }
    if let Some(stopped) = &report.stopped {
        output::line(&format!("stopped: {stopped}"))?;
    }
    for skipped in &report.skipped {
        output::line(&output::printable(&format!("left out {}: {}", skipped.document, skipped.reason)))?;
    }
    for warning in &report.warnings {
        output::line(&output::printable(&format!("warning: {warning}")))?;
    }
    Ok(())
}
