//! `safepassage sync`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use safepassage::system::{Clock, Stopwatch};
use safepassage::{
    ChunkSettings, Create, EmbedderChoice, Engine, Error, Fields, Kind, Labels, ParserProcess, Progress, Report,
    Result, SyncOptions,
};
use safepassage_index::storage::MemoryStorage;

use super::{fields, queue, watch};
use crate::args::Parse;
use crate::output;
use crate::progress::Bar;
use crate::sync_args::Sync;

pub fn run(arguments: &Sync, json: bool) -> Result<()> {
    let watch = Stopwatch::start();
    let engine = open_or_create(arguments)?;
    let mut options = SyncOptions {
        acl: arguments.acl.clone(),
        acl_objects: arguments.acl_objects.clone(),
        strict: arguments.strict,
        dry_run: arguments.dry_run,
        rehash: arguments.rehash,
        parser: parser(arguments.parser_memory)?,
        max_cost: arguments.max_cost,
        max_time: arguments.max_minutes.map(minutes).transpose()?,
        retry_refused: arguments.retry_dead_letters,
        stores: None,
        only: arguments.events.as_deref().map(|file| events::changed(file, &arguments.sources)).transpose()?,
    };
    let mut undeleted = Vec::new();
    if let Some(place) = &arguments.batch {
        let (report, left, spent) = batch::embed(&engine, arguments, place, &options)?;
        options.max_cost = options.max_cost.map(|most| (most - spent).max(0.0));
        if let Some(report) = report {
            return shown(&Report { warnings: [report.warnings.clone(), left].concat(), ..report }, &watch, json);
        }
        undeleted = left;
    }
    let Some(seconds) = arguments.watch else {
        let mut report = once(&engine, arguments, &options)?;
        report.warnings.extend(undeleted);
        return shown(&report, &watch, json);
    };
    match &arguments.queue {
        Some(queue) => queue::follow(&engine, arguments, options, queue, seconds, json),
        None => watch::follow(&engine, arguments, options, seconds, json),
    }
}

/// This program as one that parses a file.
fn parser(most_mb: u64) -> Result<Option<ParserProcess>> {
    if most_mb == 0 {
        return Ok(None);
    }
    let program = std::env::current_exe()
        .map_err(|e| Error::new(Kind::Unavailable, "sync", "this program cannot be found").because(e))?;
    ParserProcess::new(program, vec!["parse".into()], most_mb).map(Some)
}

/// What [`parser`] starts: parses the one file that comes in.
pub fn parse(arguments: &Parse) -> Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    ParserProcess::serve(&arguments.format, arguments.most_bytes, &mut input, &mut output)
}

pub fn once(engine: &Engine, arguments: &Sync, options: &SyncOptions) -> Result<Report> {
    let bar = Bar::new();
    let mut report = engine.sync(&arguments.sources, options, &bar)?;
    // What is merged half would be lost with the process.
    bar.begin("merging", 0);
    let merges = engine.wait_for_merges();
    bar.end();
    report.warnings.extend(merges.error.map(|error| format!("segments could not be merged: {error}")));
    Ok(report)
}

pub fn shown(report: &Report, watch: &Stopwatch, json: bool) -> Result<()> {
    if json { output::json(report) } else { show(report, watch.seconds()) }
}

pub fn minutes(minutes: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(minutes * 60.0)
        .map_err(|_| Error::invalid("sync", format!("`{minutes}` is no number of minutes")))
}

fn open_or_create(arguments: &Sync) -> Result<Engine> {
    let index = &arguments.operate.index;
    let engine = match Engine::open(index) {
        Err(error) if error.kind() == Kind::NotFound => return create(arguments),
        other => other?,
    };
    let stats = engine.stats()?;
    let differs = |what: &str, has: &dyn std::fmt::Display| {
        let message = format!("the index was made with {what} `{has}`; make a new index for another");
        Err(Error::invalid("sync", message))
    };
    if !stats.chunker.is_null() {
        let chunker = ChunkSettings::read(&stats.chunker)?;
        if arguments.chunker.is_some_and(|way| !way.is_like(chunker)) {
            return differs("--chunker", &chunker.way);
        }
        if arguments.chunk_tokens.is_some_and(|n| n != chunker.chunk_tokens) {
            return differs("--chunk-tokens", &chunker.chunk_tokens);
        }
        if arguments.overlap.is_some_and(|n| n != chunker.overlap_tokens) {
            return differs("--overlap", &chunker.overlap_tokens);
        }
    }
    if let Some(label) = arguments.default_label.as_ref().filter(|label| **label != stats.default_label) {
        Labels::default().rank(label)?;
        return differs("--default-label", &stats.default_label);
    }
    if arguments.language.is_some_and(|language| language != stats.language) {
        return differs("--language", &stats.language);
    }
    if let Some(schema) = &arguments.schema
        && fields::read(schema)? != engine.fields()?
    {
        let message = "the index has other fields; `safepassage fields set` changes them";
        return Err(Error::invalid("sync", message));
    }
    if let (Some(models), Some(name)) = (&arguments.models, &arguments.embedder) {
        return elsewhere::open(index, models, name);
    }
    match arguments.embedder.as_deref() {
        None => Ok(engine),
        Some("builtin") if stats.model["provider"] == "builtin" => Ok(engine),
        Some("builtin") => {
            let message = format!("the index is of the model `{}`; `re-embed` changes it", stats.model["model"]);
            Err(Error::invalid("sync", message))
        }
        Some(folder) => Engine::open_with(index, safepassage::open_folder(folder.as_ref())?),
    }
}

/// The model that `--embedder` names, with `--models` in that catalogue.
pub fn choice(models: Option<&Path>, embedder: Option<&str>) -> Result<EmbedderChoice> {
    match (models, embedder) {
        (Some(models), Some(name)) => elsewhere::choice(models, name),
        (None, None | Some("builtin")) => Ok(EmbedderChoice::Builtin),
        (_, None) => Err(Error::invalid("read arguments", "--models needs --embedder, a name in it")),
        (None, Some(folder)) => Ok(EmbedderChoice::Folder(folder.into())),
    }
}

fn create(arguments: &Sync) -> Result<Engine> {
    let embedder = choice(arguments.models.as_deref(), arguments.embedder.as_deref())?;
    let mut labels = Labels::default();
    if let Some(label) = &arguments.default_label {
        labels = labels.with_default(label)?;
    }
    let (chunk_tokens, overlap_tokens) = (arguments.chunk_tokens, arguments.overlap);
    let chunker = arguments.chunker.unwrap_or_default();
    let language = arguments.language.unwrap_or_default();
    let fields = arguments.schema.as_deref().map_or_else(|| Ok(Fields::default()), fields::read)?;
    let create =
        Create { embedder, chunker, chunk_tokens, overlap_tokens, labels, language, fields, ..Create::default() };
    if arguments.dry_run {
        return Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::system());
    }
    // A source that is not there is found before an empty index is made.
    for source in arguments.sources.iter().filter(|source| !source.is_url()) {
        if !source.path.exists() {
            let message = format!("there is no `{}`", source.path.display());
            return Err(Error::new(Kind::NotFound, "open source", message));
        }
    }
    Engine::create(&arguments.operate.index, create)
}

/// Batch jobs.
#[cfg(feature = "aws")]
mod batch {
    use std::time::Duration;

    use safepassage::aws::bedrock::batch::{BatchSettings, Batched};

    use super::{Bar, Engine, Report, Result, Sync, SyncOptions, output};

    /// Embeds by batch jobs. A report if that is all for now, what could not be deleted from the bucket, and what it cost.
    pub fn embed(
        engine: &Engine,
        arguments: &Sync,
        place: &str,
        options: &SyncOptions,
    ) -> Result<(Option<Report>, Vec<String>, f64)> {
        let settings = BatchSettings {
            place: place.to_owned(),
            role: arguments.batch_role.clone().unwrap_or_default(),
            endpoint_url: arguments.batch_endpoint.clone(),
            poll: Duration::from_secs(arguments.batch_poll.max(1)),
            patience: options.max_time,
            most: BatchSettings::MOST,
        };
        let (report, batched) = engine.embed_in_batch(&arguments.sources, options, &settings, &Bar::new())?;
        let Batched { submitted, resumed, embedded, failed, open, undeleted, cost } = batched;
        if !options.dry_run {
            output::note(&format!(
                "batch jobs: {submitted} submitted, {resumed} resumed, {embedded} texts embedded, {failed} not"
            ));
        }
        let stopped = (open > 0).then(|| format!("{open} batch jobs are under way; run again to go on with them"));
        let report = match stopped.or(report.stopped.clone()) {
            Some(stopped) => Some(Report { stopped: Some(stopped), ..report }),
            None => options.dry_run.then_some(report),
        };
        Ok((report, undeleted, cost.unwrap_or(0.0)))
    }
}

/// Batch jobs.
#[cfg(not(feature = "aws"))]
mod batch {
    use super::{Engine, Error, Report, Result, Sync, SyncOptions};

    pub fn embed(_: &Engine, _: &Sync, _: &str, _: &SyncOptions) -> Result<(Option<Report>, Vec<String>, f64)> {
        Err(Error::invalid("sync", "this program was built without Bedrock (`--features aws`)"))
    }
}

/// What S3 says that changed.
#[cfg(feature = "aws")]
mod events {
    use std::collections::BTreeMap;
    use std::io::Read;

    use safepassage::SourceSpec;
    use safepassage::aws::s3::{ObjectEvents, changed_below};

    use super::{Error, Kind, Path, Result};

    pub fn changed(file: &Path, sources: &[SourceSpec]) -> Result<BTreeMap<String, Option<String>>> {
        let unread = |e: std::io::Error| {
            let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Unavailable };
            Error::new(kind, "read S3 message", e.to_string()).with("path", file.display())
        };
        let mut messages = String::new();
        if file == Path::new("-") {
            std::io::stdin().read_to_string(&mut messages).map_err(unread)?;
        } else {
            messages = std::fs::read_to_string(file).map_err(unread)?;
        }
        let events = ObjectEvents::read_all(&messages)?;
        match sources {
            [source] if source.is_url() => changed_below(&source.path.to_string_lossy(), &events),
            _ => Err(Error::invalid("sync", "--events needs one source, s3://BUCKET/FOLDER")),
        }
    }
}

/// What S3 says that changed.
#[cfg(not(feature = "aws"))]
mod events {
    use std::collections::BTreeMap;

    use safepassage::SourceSpec;

    use super::{Error, Path, Result};

    pub fn changed(_: &Path, _: &[SourceSpec]) -> Result<BTreeMap<String, Option<String>>> {
        Err(Error::invalid("sync", "this program was built without S3 (`--features aws`)"))
    }
}

/// Models elsewhere.
#[cfg(feature = "remote")]
mod elsewhere {
    use super::{EmbedderChoice, Engine, Path, Result};

    pub fn choice(models: &Path, name: &str) -> Result<EmbedderChoice> {
        Ok(EmbedderChoice::Catalogued(models.to_owned(), name.to_owned()))
    }

    pub fn open(index: &Path, models: &Path, name: &str) -> Result<Engine> {
        let cache = index.join("embeddings.sqlite");
        Engine::open_with(index, safepassage::models::open_model(models, name, Some(&cache))?)
    }
}

/// Models elsewhere.
#[cfg(not(feature = "remote"))]
mod elsewhere {
    use super::{EmbedderChoice, Engine, Error, Path, Result};

    fn without<T>() -> Result<T> {
        Err(Error::invalid("sync", "this program was built without models elsewhere (`--features remote`)"))
    }

    pub fn choice(_: &Path, _: &str) -> Result<EmbedderChoice> {
        without()
    }

    pub fn open(_: &Path, _: &Path, _: &str) -> Result<Engine> {
        without()
    }
}

/// Of whose passages a model knows the beginning only.
pub fn truncated(passages: u64, documents: &[String]) -> String {
    let shown = documents.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    let more = if documents.len() > 10 { ", …" } else { "" };
    format!("{passages} of them longer than the model reads, which knows their beginning only: {shown}{more}")
}

fn show(report: &Report, seconds: f64) -> Result<()> {
    let would = if report.dry_run { "would be " } else { "" };
    let Report { added, changed, permission_only, deleted, unchanged, chunks, embedded, .. } = report;
    output::line(&format!(
        "{would}added {added}, changed {changed}, permission only {permission_only}, deleted {deleted}, unchanged {unchanged}"
    ))?;
    output::line(&format!("{chunks} chunks, {embedded} embedded, in {seconds:.1} s"))?;
    if report.truncated > 0 {
        output::line(&output::printable(&truncated(report.truncated, &report.truncated_documents)))?;
    }
    if let (Some(cost), Some(currency)) = (report.cost, &report.currency) {
        let day = report.priced.as_ref().map_or_else(String::new, |day| format!(", at the price of {day}"));
        output::line(&format!("{} tokens, {cost:.4} {currency}{day}", report.tokens))?;
    }
    if let Some(stopped) = &report.stopped {
        output::line(&format!("stopped: {stopped}; {} documents are left, run again to go on", report.left))?;
    }
    for skipped in &report.skipped {
        output::line(&output::printable(&format!("skipped {}: {}", skipped.document, skipped.reason)))?;
    }
    for warning in &report.warnings {
        output::line(&output::printable(&format!("warning: {warning}")))?;
    }
    if report.without_acl > 0 {
        let shown = report.without_acl_documents.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
        let more = if report.without_acl > 10 { ", …" } else { "" };
        output::line(&output::printable(&format!(
            "{} without ACL, visible to nobody: {shown}{more}",
            report.without_acl
        )))?;
    }
    output::line(&format!("generation {}, acl_epoch {}", report.generation, report.acl_epoch))
}
