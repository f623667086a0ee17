//! Here is a folder: open the index in it, with its model.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use safepassage_access::{Explanation, Identity, Labels, Tenant};
use safepassage_audit::AuditLog;
use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};
use safepassage_index::storage::{LocalStorage, Storage};
use safepassage_index::{Fields, Index, Language, Manifest, MergeState, Metric, Precision, Settings, Stats, Verified};
use safepassage_ingest::{
    Batch, BatchDocument, ChunkSettings, ChunkWay, Progress, Report, SourceSpec, SyncOptions, check_model,
};
use safepassage_models::{Embedder, open_folder};

use crate::audit;
use crate::decision;
use crate::session::Session;

/// Before a catalogue's path and a model's name, where an index remembers its model.
const CATALOGUE: &str = "catalogue:";
/// What was embedded, beside an index's files.
#[cfg(feature = "remote")]
const CACHE: &str = "embeddings.sqlite";

/// Which model makes the vectors.
#[derive(Clone, Default)]
pub enum EmbedderChoice {
    /// all-MiniLM-L6-v2 inside the program (feature `builtin`).
    #[default]
    Builtin,
    /// A folder of the BERT family, or of static tokens (model2vec).
    Folder(std::path::PathBuf),
    /// A model of a catalogue: the file, and its name there (feature `remote`). The index remembers both, and keeps a
    /// cache of what was embedded beside its files.
    #[cfg(feature = "remote")]
    Catalogued(std::path::PathBuf, String),
    /// One that the caller made.
    Given(Arc<dyn Embedder>),
    /// The caller brings vectors of this many dimensions.
    Vectors(usize),
}

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
    given: Option<Arc<dyn Embedder>>,
    loaded: OnceLock<Arc<dyn Embedder>>,
    batch: Mutex<Batch>,
    audit: Option<AuditLog>,
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

    fn with(index: Index, given: Option<Arc<dyn Embedder>>, audit: Option<AuditLog>) -> Result<Self> {
        if let Some(embedder) = &given {
            check_model(&index.snapshot()?.manifest().settings.model, &**embedder)?;
        }
        #[cfg(feature = "cedar")]
        index.set_policy_compiler(Arc::new(safepassage_policy::CedarCompiler));
        let (index, loaded, batch) = (Arc::new(index), OnceLock::new(), Mutex::default());
        Ok(Self(Arc::new(Inner { index, given, loaded, batch, audit })))
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
        let (embedder, hint): (Option<Arc<dyn Embedder>>, _) = match &create.embedder {
            EmbedderChoice::Builtin => (Some(builtin()?), Some("builtin".to_owned())),
            EmbedderChoice::Folder(path) => {
                let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                (Some(open_folder(path)?), Some(absolute.display().to_string()))
            }
            #[cfg(feature = "remote")]
            EmbedderChoice::Catalogued(path, name) => {
                let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let hint = format!("{CATALOGUE}{}#{name}", absolute.display());
                (Some(crate::remote::open_model(path, name, None)?), Some(hint))
            }
            EmbedderChoice::Given(embedder) => (Some(Arc::clone(embedder)), None),
            EmbedderChoice::Vectors(_) => (None, None),
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
        // One of a catalogue is opened again when it is needed, with its cache.
        #[cfg(feature = "remote")]
        let embedder = embedder.filter(|_| !matches!(create.embedder, EmbedderChoice::Catalogued(..)));
        Self::with(Index::create(storage, settings, &create.labels, clock)?, embedder, audit)
    }

    pub(crate) fn index(&self) -> &Index {
        &self.0.index
    }

    pub(crate) fn audit_log(&self) -> Option<&AuditLog> {
        self.0.audit.as_ref()
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

    /// The model of this index, loaded when first asked for.
    ///
    /// # Errors
    /// `Invalid` if the index has none, if it must be given to [`Engine::open_with`], or if the model at hand is not
    /// the one the index was made with.
    pub fn embedder(&self) -> Result<&dyn Embedder> {
        if let Some(embedder) = self.0.given.as_ref().or(self.0.loaded.get()) {
            return Ok(&**embedder);
        }
        let snapshot = self.0.index.snapshot()?;
        let settings = &snapshot.manifest().settings;
        let embedder: Arc<dyn Embedder> = match settings.embedder.as_deref() {
            Some("builtin") => builtin()?,
            Some(hint) if hint.starts_with(CATALOGUE) => self.catalogued(&hint[CATALOGUE.len()..])?,
            Some(folder) => open_folder(Path::new(folder))?,
            None if settings.model.is_null() => {
                return Err(Error::invalid(
                    "embed",
                    "the index has vectors and no model; search by vector, or by words alone",
                ));
            }
            None => return Err(Error::invalid("embed", "open the index with the embedder it was made with")),
        };
        check_model(&settings.model, &*embedder)?;
        Ok(&**self.0.loaded.get_or_init(|| embedder))
    }

    /// The model that the index remembers as `PATH#NAME`, with the cache beside the index's files.
    #[cfg(feature = "remote")]
    fn catalogued(&self, hint: &str) -> Result<Arc<dyn Embedder>> {
        let (path, name) = hint.rsplit_once('#').unwrap_or((hint, ""));
        let cache = self.0.index.folder().map(|folder| folder.join(CACHE));
        crate::remote::open_model(Path::new(path), name, cache.as_deref())
    }

    #[cfg(not(feature = "remote"))]
    fn catalogued(&self, _: &str) -> Result<Arc<dyn Embedder>> {
        Err(Error::invalid("embed", "the index's model is elsewhere, and this program was built without `remote`"))
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
        let with_s3 = SyncOptions {
            stores: options.stores.clone().or_else(|| Some(Arc::new(safepassage_aws::s3::S3Stores::default()) as _)),
            ..options.clone()
        };
        #[cfg(feature = "aws")]
        let options = &with_s3;
        let report = safepassage_ingest::sync(&self.0.index, self.embedder()?, sources, options, progress);
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

    /// Stages a deletion. Returns whether there is such a document.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn delete(&self, tenant: &Tenant, id: &str) -> Result<bool> {
        self.batch().delete(&self.0.index, tenant, id)
    }

    /// Makes a generation of everything staged and returns its number. Small segments are then merged in the background;
    /// that changes no content and makes generations of its own.
    ///
    /// # Errors
    /// `Invalid` if texts must be embedded and there is no model; `Conflict` while another writer is at work;
    /// `Unavailable`. After an error everything stays staged.
    pub fn commit(&self) -> Result<u64> {
        let has_model = !self.0.index.snapshot()?.manifest().settings.model.is_null();
        let embedder = if has_model { self.embedder().ok() } else { None };
        let generation = self.batch().commit(&self.0.index, embedder);
        if generation.is_ok() {
            self.0.index.merge_in_background();
        }
        self.noted_content("commit", generation, |entry, generation| entry.generation = Some(*generation))
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

#[cfg(feature = "builtin")]
fn builtin() -> Result<Arc<dyn Embedder>> {
    Ok(Arc::new(safepassage_models::builtin()?))
}

#[cfg(not(feature = "builtin"))]
fn builtin() -> Result<Arc<dyn Embedder>> {
    let message = "this program was built without the feature `builtin`; build it with it, or give an embedder";
    Err(Error::invalid("load model", message))
}
