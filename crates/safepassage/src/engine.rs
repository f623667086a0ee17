//! Here is a folder: open the index in it, with its model.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatchReader;
use safepassage_access::{Explanation, Identity, Labels, Tenant};
use safepassage_audit::AuditLog;
use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};
use safepassage_index::storage::{LocalStorage, Storage};
use safepassage_index::{Fields, Index, Language, Manifest, MergeState, Metric, Precision, Settings, Stats, Verified};
use safepassage_ingest::{
    Batch, BatchDocument, ChunkSettings, ChunkWay, Committed, Progress, Report, SourceSpec, SyncOptions,
};
use safepassage_models::Embedder;
use safepassage_usage::Ledger;

use crate::audit;
use crate::decision;
use crate::model::{EmbedderChoice, Models};
use crate::session::Session;

/// How a new index is made.
#[derive(Clone, Default)]
pub struct Create {
    /// Which model makes the vectors.
    pub embedder: EmbedderChoice,
    /// By what documents are cut; by their structure unless set.
    pub chunker: ChunkWay,
    /// The most tokens of a chunk; as many as the model reads unless set, and 128 where chunks have parents.
    pub chunk_tokens: Option<usize>,
    /// How many tokens neighbouring chunks share; an eighth of a chunk unless set.
    pub overlap_tokens: Option<usize>,
    /// The labels, lowest first, and the one of unlabelled rows.
    pub labels: Labels,
    /// What near means; cosine unless set.
    pub metric: Metric,
    /// How exact vectors are kept; f32 unless set.
    pub precision: Precision,
    /// The language of the documents, for search by words; English unless set.
    pub language: Language,
    /// Which fields of the metadata can be asked for; none unless set. [`Engine::set_fields`] changes them.
    pub fields: Fields,
}

/// An index with its model. Cheap to clone; clones share everything, staged documents included.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    index: Arc<Index>,
    models: Models,
    batch: Mutex<Batch>,
    audit: Option<AuditLog>,
    usage: Option<Ledger>,
}

impl Engine {
    /// Opens the index in the folder `path`, with the model it names when one is first needed.
    ///
    /// # Errors
    /// `NotFound` if there is no index; `Corrupted`; `Invalid` if it was written by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_storage(Arc::new(LocalStorage::new(path.as_ref())), None, Clock::system())
    }

    /// As [`Engine::open`], with a model that must be the one the index was made with.
    ///
    /// # Errors
    /// As [`Engine::open`], and `Invalid` if the model is another one.
    pub fn open_with(path: impl AsRef<Path>, embedder: Arc<dyn Embedder>) -> Result<Self> {
        Self::open_storage(Arc::new(LocalStorage::new(path.as_ref())), Some(embedder), Clock::system())
    }

    /// Opens the index in any storage, by any clock.
    ///
    /// # Errors
    /// As [`Engine::open_with`].
    pub fn open_storage(storage: Arc<dyn Storage>, embedder: Option<Arc<dyn Embedder>>, clock: Clock) -> Result<Self> {
        let audit = audit::log_of(&*storage, clock.clone());
        Self::with(Index::open(storage, clock)?, embedder, audit)
    }

    pub(crate) fn with(index: Index, given: Option<Arc<dyn Embedder>>, audit: Option<AuditLog>) -> Result<Self> {
        let models = Models::new(&index, given)?;
        #[cfg(feature = "cedar")]
        index.set_policy_compiler(Arc::new(safepassage_policy::CedarCompiler));
        let (index, batch) = (Arc::new(index), Mutex::default());
        let usage = index.folder().map(|folder| Ledger::new(folder, index.clock().clone()));
        Ok(Self(Arc::new(Inner { index, models, batch, audit, usage })))
    }

    /// Makes a new index in the folder `path`.
    ///
    /// # Errors
    /// `Conflict` if there is one already; `Invalid` for settings that make no sense or a model that cannot be loaded.
    pub fn create(path: impl AsRef<Path>, create: Create) -> Result<Self> {
        Self::create_in(Arc::new(LocalStorage::new(path.as_ref())), create, Clock::system())
    }

    /// Makes a new index in any storage, by any clock.
    ///
    /// # Errors
    /// As [`Engine::create`].
    pub fn create_in(storage: Arc<dyn Storage>, create: Create, clock: Clock) -> Result<Self> {
        let (embedder, hint) = match &create.embedder {
            EmbedderChoice::Vectors(_) => (None, None),
            choice => {
                let (embedder, hint) = choice.open(None)?;
                (Some(embedder), hint)
            }
        };
        let settings = match (&embedder, &create.embedder) {
            (Some(embedder), _) => {
                let most = embedder.tokenizer().max_tokens();
                let Create { chunker, chunk_tokens, overlap_tokens, .. } = create;
                let chunker = ChunkSettings::by(chunker, most, chunk_tokens, overlap_tokens)?;
                chunker.check_embedder(&**embedder)?;
                Settings {
                    model: json(embedder.stamp())?,
                    embedder: hint,
                    chunker: json(&chunker)?,
                    ..Settings::vectors(embedder.stamp().dim)
                }
            }
            (None, EmbedderChoice::Vectors(dim)) => Settings::vectors(*dim),
            (None, _) => return Err(Error::invalid("create index", "a model is needed, or the dimension of vectors")),
        };
        let Create { metric, precision, language, fields, .. } = create;
        let settings = Settings { metric, precision, language, fields, ..settings };
        let audit = audit::log_of(&*storage, clock.clone());
        let engine = Self::with(Index::create(storage, settings, &create.labels, clock)?, None, audit)?;
        match (embedder, create.embedder) {
            (Some(embedder), EmbedderChoice::Given(_)) => engine.0.models.give(embedder),
            (Some(embedder), choice) if !choice.is_elsewhere() => engine.0.models.hold(engine.index(), embedder)?,
            // One of a catalogue is opened again when it is needed, with its cache.
            _ => {}
        }
        Ok(engine)
    }

    pub(crate) fn shared_index(&self) -> &Arc<Index> {
        &self.0.index
    }

    pub(crate) fn models(&self) -> &Models {
        &self.0.models
    }

    pub(crate) fn index(&self) -> &Index {
        &self.0.index
    }

    pub(crate) fn audit_log(&self) -> Option<&AuditLog> {
        self.0.audit.as_ref()
    }

    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.0.usage.as_ref()
    }

    /// The clock that identities are issued and checked by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.0.index.clock()
    }

    /// The language of its documents, as search by words takes them.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn language(&self) -> Result<Language> {
        Ok(self.0.index.snapshot()?.manifest().settings.language)
    }

    /// How many numbers a vector of this index has.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn dim(&self) -> Result<usize> {
        Ok(self.0.index.snapshot()?.manifest().settings.dim)
    }

    /// The engine as `identity` sees it. Expiry is checked here and by every call of the session.
    ///
    /// # Errors
    /// `Denied` if the identity has expired; `Invalid` if its clearance is not a label of this index; `Corrupted`,
    /// `Unavailable`.
    pub fn session(&self, identity: Identity) -> Result<Session> {
        let index = &self.0.index;
        let permitted = index.with_plane(|plane| index.permitted(plane, &identity).map(drop));
        match permitted {
            Ok(()) => Ok(Session::new(self.clone(), identity)),
            Err(error) => self.decided(&identity, "session", Err(error), |_, _| {}),
        }
    }

    /// Brings the index up to date with `sources`; with the feature `aws` those may be `s3://BUCKET/FOLDER`. Small segments are merged in the background, also after it returns.
    ///
    /// # Errors
    /// `Invalid` if a source cannot be read, two have the same id, or (with `strict`) anything had to be put aside;
    /// `Conflict` while another writer is at work; `Unavailable`. What was committed before an error stays.
    pub fn sync(&self, sources: &[SourceSpec], options: &SyncOptions, progress: &dyn Progress) -> Result<Report> {
        #[cfg(feature = "aws")]
        let options = &self.with_stores(options);
        let report = safepassage_ingest::sync(&self.0.index, &*self.embedder()?, sources, options, progress);
        self.synced(options, report)
    }

    /// Brings what the index has of the source `name` up to date with the rows of `reader`: each is a document with the
    /// columns `id`, `text` and, or not, `title`, `uri`, `acl`, `acl_object`, `label`, `tenant`, `sections`, `derived_from`
    /// and `metadata`. What is no longer among them is deleted. The rows wait in a file of no name, not in memory.
    ///
    /// # Errors
    /// As [`Engine::sync`], and `Invalid` for any other column.
    pub fn sync_rows(
        &self,
        name: &str,
        reader: &mut dyn RecordBatchReader,
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<Report> {
        let embedder = self.embedder()?;
        let report = safepassage_ingest::sync_rows(&self.0.index, &*embedder, name, reader, options, progress);
        self.synced(options, report)
    }

    /// `options` with S3 for stores, where no others are given.
    #[cfg(feature = "aws")]
    pub(crate) fn with_stores(&self, options: &SyncOptions) -> SyncOptions {
        SyncOptions {
            stores: options.stores.clone().or_else(|| Some(Arc::new(safepassage_aws::s3::S3Stores::default()) as _)),
            ..options.clone()
        }
    }

    fn synced(&self, options: &SyncOptions, report: Result<Report>) -> Result<Report> {
        if options.dry_run {
            return report;
        }
        if report.is_ok() {
            // All of it is done by now. A confirmation that cannot be written lets permissions age, and no more.
            drop(self.0.index.still_newest());
        }
        self.noted_content("sync", report, |entry, report| {
            let Report { added, changed, permission_only, deleted, .. } = report;
            let counts =
                format!("added {added}, changed {changed}, permission only {permission_only}, deleted {deleted}");
            entry.change = Some(counts);
            (entry.acl_epoch, entry.generation) = (Some(report.acl_epoch), Some(report.generation));
        })
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.0.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stages documents for the next [`Engine::commit`].
    ///
    /// # Errors
    /// `Invalid`, and nothing of `documents` is staged, if an id is empty or stands twice, a label is unknown, a vector
    /// is not of the index's dimension or not finite, or a document has neither text nor vector.
    pub fn add(&self, documents: Vec<BatchDocument>) -> Result<()> {
        self.batch().add(&self.0.index, documents)
    }

    /// As [`Engine::add`], with the documents that the rows of `reader` are: the columns of [`Engine::sync_rows`], and
    /// `vector`, lists of floating-point numbers. Returns how many there were.
    ///
    /// # Errors
    /// As [`Engine::add`], and `Invalid` for any other column.
    pub fn add_rows(&self, reader: &mut dyn RecordBatchReader) -> Result<usize> {
        let documents = safepassage_ingest::documents_of_rows(reader)?;
        let count = documents.len();
        self.add(documents)?;
        Ok(count)
    }

    /// Stages a deletion. Returns whether there is such a document.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn delete(&self, tenant: &Tenant, id: &str) -> Result<bool> {
        self.batch().delete(&self.0.index, tenant, id)
    }

    /// Makes a generation of everything staged; says which, and what of it the model could not read whole. Small segments are then merged in the background;
    /// that changes no content and makes generations of its own.
    ///
    /// # Errors
    /// `Invalid` if texts must be embedded and there is no model; `Conflict` while another writer is at work;
    /// `Unavailable`. After an error everything stays staged.
    pub fn commit(&self) -> Result<Committed> {
        let committed =
            self.model_for_batch().and_then(|embedder| self.batch().commit(&self.0.index, embedder.as_deref()));
        if committed.is_ok() {
            self.0.index.merge_in_background();
        }
        self.noted_content("commit", committed, |entry, committed| entry.generation = Some(committed.generation))
    }

    /// The model for texts that are staged. One that cannot be opened is missed by nobody who brings vectors.
    fn model_for_batch(&self) -> Result<Option<Arc<dyn Embedder>>> {
        if self.0.index.snapshot()?.manifest().settings.model.is_null() {
            return Ok(None);
        }
        match self.embedder() {
            Err(error) if error.kind() == Kind::Conflict && self.batch().has_texts() => Err(error),
            other => Ok(other.ok()),
        }
    }

    /// Why `identity` may or may not read a document: for operators. [`Session::explain`] is what the asker may see.
    ///
    /// # Errors
    /// `NotFound` if no such document is live in the identity's tenant; `Denied` if the identity has expired.
    pub fn explain(&self, identity: &Identity, id: &str) -> Result<Explanation> {
        let explained = self.explained(identity, id);
        self.decided(identity, "explain_for", explained, |entry, explained| {
            entry.documents = Some(vec![id.to_owned()]);
            let visible = explained.as_ref().is_ok_and(|explanation| explanation.visible);
            entry.verdict = decision::verdict(self, identity.tenant(), id, visible);
        })
    }

    /// As [`Engine::explain`], before it is written down.
    pub(crate) fn explained(&self, identity: &Identity, id: &str) -> Result<Explanation> {
        let snapshot = self.0.index.snapshot()?;
        identity.check_expiry(self.clock().now())?;
        let live = snapshot
            .find(identity.tenant(), id)
            .map(|document| document.version)
            .ok_or_else(|| Error::new(Kind::NotFound, "explain", format!("no document `{id}` in this tenant")))?;
        self.0.index.with_plane(|plane| plane.explain(identity, id, Some(live), self.clock().now()))
    }

    /// All generations, oldest first.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn generations(&self) -> Result<Vec<Manifest>> {
        self.0.index.generations()
    }

    /// Makes a generation with the content of an earlier one; permissions stay as they are now.
    ///
    /// # Errors
    /// `NotFound` if it is not kept any more; `Conflict` while another writer is at work.
    pub fn rollback(&self, generation: u64) -> Result<u64> {
        let made = self.0.index.writer().and_then(|mut writer| writer.rollback(generation));
        self.noted_content("rollback", made, |entry, made| {
            entry.generation = Some(*made);
            entry.change = Some(format!("the content of generation {generation}"));
        })
    }

    /// Merges all segments of each tenant into one and drops what is dead, beside whoever reads or writes. Waits for
    /// the merge in the background. Returns the generation now current.
    ///
    /// # Errors
    /// `Conflict` while another process merges; `Corrupted`, `Unavailable`.
    pub fn merge(&self) -> Result<u64> {
        self.0.index.merge()
    }

    /// Returns when this process does not merge any more, with how the last merge ended. A job that ends waits for it,
    /// so that work half done is not lost.
    pub fn wait_for_merges(&self) -> MergeState {
        self.0.index.wait_for_merges()
    }

    /// Checks every byte and every rule of the format, the audit log included.
    ///
    /// # Errors
    /// `Corrupted`, naming the first thing that is not as it should be.
    pub fn verify(&self) -> Result<Verified> {
        let verified = self.0.index.verify()?;
        match self.audit_log().map(|log| log.verify(None)).transpose() {
            Err(error) if error.kind() != Kind::NotFound => Err(error),
            _ => Ok(verified),
        }
    }

    /// A digest of everything that can be asked of the index, 64 hexadecimal digits: the same for two indexes that say the
    /// same, however they came to it. For operators; it tells nothing of what is in the index.
    ///
    /// # Errors
    /// `Conflict` if permissions change meanwhile; `Corrupted`, `Unavailable`.
    pub fn digest(&self) -> Result<String> {
        self.0.index.digest()
    }

    /// Sizes, for operators.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn stats(&self) -> Result<Stats> {
        self.0.index.stats()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("index", &self.0.index).finish_non_exhaustive()
    }
}

fn json(value: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value)
        .map_err(|e| Error::new(Kind::Internal, "create index", "settings are no JSON").because(e))
}
