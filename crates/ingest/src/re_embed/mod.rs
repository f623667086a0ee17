//! An index shall have another model: embed every passage anew beside it, and then switch.
//!
//! The work is a candidate: segments with the same documents, chunks and numbers, and other vectors. It is brought up to
//! the newest generation as often as wanted (`catch_up`), committed some thousands of chunks at a time, so that a job that
//! is killed goes on where it stopped; searched and measured like any index; and published at once by [`switch`], which
//! first takes in what changed meanwhile. Permissions are the index's all the time: nothing here writes any.

mod catch_up;
mod inputs;
mod report;

use std::sync::Arc;
use std::time::Duration;

use safepassage_error::{Error, Kind, Result};
use safepassage_index::{Index, Settings};
use safepassage_models::Embedder;

use self::catch_up::CatchUp;
pub use self::report::ReEmbedReport;
use crate::chunk::ChunkSettings;
use crate::sync::{Embedding, IndexRules, Progress, Spending, check_model};

/// How a candidate is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReEmbedOptions {
    /// Write nothing and send nothing; the report says what would be done, and with a priced model what it would cost.
    pub dry_run: bool,
    /// Embeds no more once it would cost more than this, in the currency of the model's price. What was done stays.
    pub max_cost: Option<f64>,
    /// Embeds no more after this time, in the same way.
    pub max_time: Option<Duration>,
    /// Tries texts again that the model refused in an earlier run.
    pub retry_refused: bool,
    /// Does without documents that the model may not read, refuses, or that have no text; the report names them. Otherwise
    /// the first are refused before anything is sent, and the others before a switch.
    pub leave_out: bool,
}

impl ReEmbedOptions {
    fn spending(&self) -> Spending {
        let Self { dry_run, max_cost, max_time, retry_refused, .. } = *self;
        Spending { max_cost, max_time, retry_refused, dry_run }
    }
}

/// Makes a candidate of `index` whose vectors are of `embedder`, or brings it up to the newest generation; `hint` says how
/// that model is found again. The index is searched and written meanwhile as ever.
///
/// # Errors
/// `Invalid` if the index has no model or that one already, or cannot be cut for it; `Denied`, before anything is sent, if
/// texts are above what the model is cleared for; `Conflict` if there is a candidate of another model, or somebody is at
/// work on it; `Unavailable`. What was committed before an error stays.
pub fn re_embed(
    index: &Arc<Index>,
    embedder: &dyn Embedder,
    hint: Option<String>,
    options: &ReEmbedOptions,
    progress: &dyn Progress,
) -> Result<ReEmbedReport> {
    let settings = settings_for(index, embedder, hint)?;
    let done = if options.dry_run {
        let candidate = index.candidate()?.filter(|candidate| is_of(candidate, embedder).is_ok());
        prepared(index, embedder, options, progress)?.dry_run(candidate.as_ref())
    } else {
        let candidate = Arc::new(index.stage(settings)?);
        bring_up(index, &candidate, embedder, options, progress).map(|(report, _)| report)
    };
    progress.end();
    done
}

/// Brings the candidate of `index` up once more, then makes it the newest generation; whoever searches gets the old answer
/// or the new one. The candidate is gone then. Without a candidate of another model nothing is done.
///
/// # Errors
/// `NotFound` if there is no candidate; `Invalid` if it is not of the model `embedder`; `Conflict` if documents are left
/// that could not be embedded, or another writer is at work; as [`re_embed`].
pub fn switch(
    index: &Arc<Index>,
    embedder: &dyn Embedder,
    options: &ReEmbedOptions,
    progress: &dyn Progress,
) -> Result<ReEmbedReport> {
    let done = switched(index, embedder, options, progress);
    progress.end();
    done
}

fn switched(
    index: &Arc<Index>,
    embedder: &dyn Embedder,
    options: &ReEmbedOptions,
    progress: &dyn Progress,
) -> Result<ReEmbedReport> {
    let none = || Error::new(Kind::NotFound, "switch", "there is no candidate; `safepassage re-embed` makes one");
    let settings = index.candidate()?.ok_or_else(none)?.snapshot()?.manifest().settings.clone();
    let newest = index.snapshot()?;
    let now = &newest.manifest().settings;
    if now.same_model(&settings) {
        // Somebody switched, and died before it was tidied up.
        index.unstage()?;
        let [from_model, to_model] = [now.model_name().to_owned(), now.model_name().to_owned()];
        let generation = newest.generation();
        return Ok(ReEmbedReport { from_model, to_model, generation, ..ReEmbedReport::default() });
    }
    let candidate = Arc::new(index.stage(settings)?);
    // What takes long is done while others still write.
    let (before, _) = bring_up(index, &candidate, embedder, options, progress)?;
    let mut writer = index.writer()?;
    let max_cost = options.max_cost.map(|most| (most - before.cost.unwrap_or_default()).max(0.0));
    let rest = ReEmbedOptions { max_cost, retry_refused: false, ..*options };
    let (mut report, left_out) = bring_up(index, &candidate, embedder, &rest, progress)?;
    if report.left > 0 || (!report.skipped.is_empty() && !options.leave_out) {
        let left = report.left + report.skipped.len() as u64;
        let why = report.stopped.or_else(|| report.skipped.first().map(|skipped| skipped.reason.clone()));
        let message = format!("{left} documents have no vector of the new model: {}", why.unwrap_or_default());
        return Err(Error::new(Kind::Conflict, "switch", message));
    }
    report.generation = writer.switch(&candidate, &left_out)?;
    drop(writer);
    report.add(&before);
    // It is published by now. What cannot be tidied up is tidied up by the next who tries.
    drop(index.unstage());
    Ok(report)
}

/// The candidate of `index` as it is told from others.
fn is_of(candidate: &Index, embedder: &dyn Embedder) -> Result<()> {
    let snapshot = candidate.snapshot()?;
    let settings = &snapshot.manifest().settings;
    check_model(&settings.model, embedder).map_err(|error| {
        let message = format!(
            "there is a candidate of the model `{}` already; switch to it, or take it away (`re-embed --drop`)",
            settings.model_name()
        );
        Error::new(Kind::Conflict, "re-embed", message).because(error)
    })
}

/// What the index would be with `embedder`.
fn settings_for(index: &Index, embedder: &dyn Embedder, hint: Option<String>) -> Result<Settings> {
    let snapshot = index.snapshot()?;
    let settings = snapshot.manifest().settings.clone();
    if check_model(&settings.model, embedder).is_ok() {
        let message = format!("the index is of the model `{}` already", settings.model_name());
        return Err(Error::invalid("re-embed", message));
    }
    if settings.model.is_null() {
        let message = "the index was made for vectors that the caller brings; there is no model to be changed";
        return Err(Error::invalid("re-embed", message));
    }
    ChunkSettings::read(&settings.chunker)?.check_embedder(embedder)?;
    let model = serde_json::to_value(embedder.stamp())
        .map_err(|e| Error::new(Kind::Internal, "re-embed", "the model's stamp is no JSON").because(e))?;
    Ok(Settings { dim: embedder.stamp().dim, model, embedder: hint, ..settings })
}

fn prepared<'a>(
    index: &'a Arc<Index>,
    embedder: &'a dyn Embedder,
    options: &ReEmbedOptions,
    progress: &'a dyn Progress,
) -> Result<CatchUp<'a>> {
    let embedding = Embedding::new(embedder, options.spending(), progress)?;
    let rules = IndexRules::of(index, &[], Some(embedder))?;
    CatchUp::new(index, embedding, rules, options.leave_out, progress)
}

/// Brings `candidate` up to the newest generation; with it the documents that were left out.
fn bring_up(
    index: &Arc<Index>,
    candidate: &Arc<Index>,
    embedder: &dyn Embedder,
    options: &ReEmbedOptions,
    progress: &dyn Progress,
) -> Result<(ReEmbedReport, catch_up::LeftOut)> {
    let mut writer = candidate.writer()?;
    is_of(candidate, embedder)?;
    let done = prepared(index, embedder, options, progress)?.bring_up(candidate, &mut writer)?;
    drop(writer);
    Ok(done)
}
