//! Here are sources: what is new, changed, gone or only permitted otherwise, and make it so.
//!
//! First everything is listed and read once, without the texts being kept: that tells what to do (`plan`). Then ACL
//! objects (`objects`) and permissions are written, narrowing at once and widening only for the content they came with (`permit`). Then new
//! and changed documents are parsed, cut, embedded and committed, some thousands of chunks at a time (`content`), so
//! that a job that is killed goes on where it stopped. Last, what is gone is deleted.

mod acls;
mod batch;
mod content;
mod derived;
mod embedding;
mod objects;
mod permit;
mod plan;
mod progress;
mod report;
mod rows;
mod staged;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use safepassage_error::{Error, Result};
use safepassage_index::Index;
use safepassage_models::{Embedder, ModelStamp};

use crate::chunk::ChunkSettings;
use crate::parse::ParserProcess;
use crate::source::{ACL_FILE, FileStores, InStore, SourceSpec, read_acl_objects};
pub use batch::{Batch, Committed};
#[cfg(test)]
pub(crate) use content::cut;
pub(crate) use embedding::{Embedded, Embedding, Read, Spending};
pub(crate) use objects::event as object_event;
pub(crate) use plan::{IndexRules, Reader};
pub use progress::{Progress, Silent};
pub(crate) use report::name;
pub use report::{Report, Skipped};
pub use rows::{documents_of_rows, sync_rows};
pub use staged::BatchDocument;

/// How a sync is done.
#[derive(Debug, Clone, Default)]
pub struct SyncOptions {
    /// The ACL file, instead of the `acl.jsonl` beside each source.
    pub acl: Option<PathBuf>,
    /// The file that states ACL objects.
    pub acl_objects: Option<PathBuf>,
    /// Fail, before anything is written, if a document must be put aside or something looks like a mistake.
    pub strict: bool,
    /// Write nothing; the report says what would be done, and with a priced model what it would cost.
    pub dry_run: bool,
    /// Embeds no more once it would cost more than this, in the currency of the model's price. What was done stays, and the
    /// report says what is left. Local models cost nothing.
    pub max_cost: Option<f64>,
    /// Embeds no more after this time, in the same way.
    pub max_time: Option<Duration>,
    /// Tries texts again that the model refused in an earlier run.
    pub retry_refused: bool,
    /// Parses files that are more than text in processes of their own; in this one unless set, where nothing keeps one from
    /// taking all the memory.
    pub parser: Option<ParserProcess>,
    /// Opens sources that are URLs.
    pub stores: Option<Arc<dyn FileStores>>,
    /// Reads every file, also those that are surely as they were when they were last read.
    pub rehash: bool,
    /// Looks at these files alone, by their names below the URL of the one source, as messages of its store name them:
    /// those that are there are brought up to date, those that are not are deleted, and all others stay as they are. A
    /// sidecar stands for its document. A version, where the messages agree on one: if it was read before there is nothing
    /// to look at.
    pub only: Option<BTreeMap<String, Option<String>>>,
}

impl SyncOptions {
    /// Whether one of the files `changed` says who may read others: then the whole source has to be looked at, and they
    /// cannot be [`SyncOptions::only`].
    #[must_use]
    pub fn speak_of_others(&self, changed: &BTreeMap<String, Option<String>>) -> bool {
        self.acl.is_none() && changed.contains_key(ACL_FILE)
    }
}

/// Brings `index` up to date with `sources`. What other sources brought stays as it is. Small segments are merged in
/// the background, also after it returns.
///
/// # Errors
/// `Invalid` if a source, an ACL file or (with `strict`) a document cannot be read, if two sources have the same id, or
/// if the index is of another model; `Conflict` while another writer is at work; `Unavailable` if files cannot be
/// written or the embedder cannot be reached. What was committed before an error stays.
pub fn sync(
    index: &Arc<Index>,
    embedder: &dyn Embedder,
    sources: &[SourceSpec],
    options: &SyncOptions,
    progress: &dyn Progress,
) -> Result<Report> {
    let (acl, stores) = (options.acl.as_deref(), options.stores.as_deref());
    let memory = |source: &str| if options.rehash { Ok(None) } else { index.remembered(source) };
    let how = InStore { acl, stores, memory: &memory, only: options.only.as_ref(), since: index.clock().now() };
    let done = run(index, embedder, &mut || plan::open(sources, &how), options, progress);
    progress.end();
    done
}

fn run(
    index: &Arc<Index>,
    embedder: &dyn Embedder,
    open: &mut dyn FnMut() -> Result<Vec<plan::Opened>>,
    options: &SyncOptions,
    progress: &dyn Progress,
) -> Result<Report> {
    // Once nobody else writes, the model stays what it is.
    let writer = if options.dry_run { None } else { Some(index.writer()?) };
    let settings = chunk_settings(index, embedder)?;
    let snapshot = index.snapshot()?;
    let base_epoch = index.with_plane(|plane| Ok(plane.epoch()))?;
    let mut report = Report { dry_run: options.dry_run, ..Report::default() };
    let objects = options.acl_objects.as_deref().map_or(Ok(Vec::new()), read_acl_objects)?;
    objects::check(index, &objects)?;
    let rules = IndexRules::of(index, &objects, Some(embedder))?;
    let SyncOptions { max_cost, max_time, retry_refused, dry_run, .. } = *options;
    let embedding = Embedding::new(embedder, Spending { max_cost, max_time, retry_refused, dry_run }, progress)?;
    let mut plan = plan::make(open()?, &snapshot, &rules, &mut report, progress)?;
    plan.parser.clone_from(&options.parser);
    if options.strict {
        for (document, reason) in content::unreadable(&snapshot, &plan)? {
            report.skip(document, reason);
        }
    }
    if options.strict && !(report.skipped.is_empty() && report.warnings.is_empty()) {
        return Err(refused(&report));
    }
    objects::state(index, &objects, options.dry_run, &mut report)?;
    permit::permit(index, &plan, base_epoch, options.dry_run, &mut report)?;
    content::write(index, &embedding, settings, writer, &snapshot, &plan, &mut report, progress)?;
    for (store, memory) in plan.sources.iter().filter_map(|source| source.memory()).filter(|_| !options.dry_run) {
        index.remember(&store, &memory)?;
    }
    report.acl_epoch = index.with_plane(|plane| Ok(plane.epoch()))?;
    Ok(report)
}

fn refused(report: &Report) -> Error {
    let skipped = report.skipped.iter().map(|s| format!("{}: {}", s.document, s.reason));
    let mut all: Vec<String> = skipped.chain(report.warnings.iter().cloned()).collect();
    let more = all.len().saturating_sub(10);
    all.truncate(10);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Error::invalid("sync", format!("nothing was written, because of --strict: {}{more}", all.join("; ")))
}

/// The index and the embedder must be of one model, and the index knows how it is cut.
fn chunk_settings(index: &Index, embedder: &dyn Embedder) -> Result<ChunkSettings> {
    let snapshot = index.snapshot()?;
    let settings = &snapshot.manifest().settings;
    check_model(&settings.model, embedder)?;
    ChunkSettings::read(&settings.chunker)
}

/// Whether `embedder` is the model that an index was made with; `index_model` is its stamp as JSON.
///
/// # Errors
/// `Invalid`, naming what differs.
pub fn check_model(index_model: &serde_json::Value, embedder: &dyn Embedder) -> Result<()> {
    if index_model.is_null() {
        let message = "the index was made for vectors that the caller brings; it has no model";
        return Err(Error::invalid("check model", message));
    }
    let stored: ModelStamp = serde_json::from_value(index_model.clone())
        .map_err(|e| Error::corrupted("check model", "the index's model stamp does not parse").because(e))?;
    embedder.stamp().check(&stored)
}
