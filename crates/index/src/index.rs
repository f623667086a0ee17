//! Here is a folder: which index is in it, at which generation and epoch?
//!
//! Any number of processes read; each search looks for a newer generation and a newer epoch first (three look-ups), so
//! nobody has to be told. One process writes content at a time and one merges, each under its lease; permissions are
//! written without one.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use safepassage_access::{AccessEvent, AccessPlane, Identity, Labels, Permitted, PolicyCompiler};
use safepassage_error::system::{Clock, unique_name};
use safepassage_error::{Error, Kind, Result};
use serde::Serialize;

use crate::access_log::AccessLog;
use crate::asker::Asker;
use crate::freshness::Freshness;
use crate::graph::GraphSettings;
use crate::lexical::Language;
use crate::manifest::{Manifest, Settings};
use crate::snapshot::{Snapshot, VisibleRows};
use crate::storage::{Lease, Scratch, Storage};
use crate::write::Background;

/// The most numbers a vector may have.
const MOST_DIM: usize = 65_536;

/// An open index.
#[derive(Debug)]
pub struct Index {
    storage: Arc<dyn Storage>,
    /// For a candidate, where the published index lies.
    published: Option<Arc<dyn Storage>>,
    access: AccessLog,
    freshness: Freshness,
    current: RwLock<Arc<Snapshot>>,
    clock: Clock,
    graph: GraphSettings,
    background: Background,
}

/// Sizes of an index, for operators.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// The newest generation.
    pub generation: u64,
    /// The newest epoch.
    pub acl_epoch: u64,
    /// Live segments.
    pub segments: usize,
    /// Of which have a graph.
    pub graphs: usize,
    /// Live documents.
    pub documents: u64,
    /// Live passages.
    pub chunks: u64,
    /// Documents deleted or replaced and not yet merged away.
    pub tombstones: u64,
    /// Distinct effective ACLs.
    pub distinct_acls: usize,
    /// The label of unlabelled rows.
    pub default_label: String,
    /// Numbers per vector.
    pub dim: usize,
    /// The language of the passages.
    pub language: Language,
    /// The stamp of the model, `null` if the caller brings vectors.
    pub model: serde_json::Value,
    /// How documents are cut.
    pub chunker: serde_json::Value,
    /// Whether this process merges segments now.
    pub merging: bool,
    /// Why the last merge in the background failed.
    pub merge_error: Option<String>,
}

impl Index {
    /// Makes a new index in an empty storage.
    ///
    /// # Errors
    /// `Invalid` for a dimension outside 1 to 65,536; `Conflict` if there is an index already.
    pub fn create(storage: Arc<dyn Storage>, settings: Settings, labels: &Labels, clock: Clock) -> Result<Self> {
        if settings.dim == 0 || settings.dim > MOST_DIM {
            return Err(Error::invalid("create index", format!("dim must be 1 to {MOST_DIM}, not {}", settings.dim)));
        }
        let _lease = storage.lease("writer", &holder(&clock))?;
        if !Manifest::generations(&*storage)?.is_empty() {
            return Err(Error::new(Kind::Conflict, "create index", "there is an index here already; open it"));
        }
        match AccessLog::create(&*storage, labels) {
            // A creation that died after its first file is taken up where it stopped, if it wanted the same labels.
            Err(error) if error.kind() == Kind::Conflict => {
                let log = AccessLog::open(&*storage)?;
                let plane = log.plane();
                if plane.epoch() != 1 || plane.labels() != labels {
                    return Err(Error::new(
                        Kind::Conflict,
                        "create index",
                        "the folder holds another index's permissions",
                    ));
                }
            }
            other => other?,
        }
        Manifest::first(settings, 1, clock.now()).publish(&*storage)?;
        Self::open(Arc::clone(&storage), clock)
    }

    /// Opens the newest generation.
    ///
    /// # Errors
    /// `NotFound` if there is no index; `Corrupted`, also if the access log is an older copy than the content.
    pub fn open(storage: Arc<dyn Storage>, clock: Clock) -> Result<Self> {
        // Each checks megabytes of a large index: side by side.
        let (snapshot, access) = std::thread::scope(|scope| {
            let open = || AccessLog::open(&*storage);
            let access = std::thread::Builder::new().spawn_scoped(scope, open);
            let snapshot = open_newest(&*storage, None);
            // Where no thread can be started, one after the other.
            let access = access.map_or_else(|_| Ok(open()), std::thread::ScopedJoinHandle::join);
            (snapshot, access.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let (snapshot, access) = (snapshot?, access?);
        if access.plane().epoch() < snapshot.manifest().acl_epoch {
            // It was opened before somebody published what was opened here.
            access.refresh(&*storage)?;
        }
        if access.plane().epoch() < snapshot.manifest().acl_epoch {
            return Err(Error::corrupted(
                "open index",
                "the access log ends before the content was published: it is an old copy; restore the newest one",
            ));
        }
        snapshot.prepare(&access.plane());
        Ok(Self {
            storage,
            published: None,
            access,
            freshness: Freshness::default(),
            current: RwLock::new(Arc::new(snapshot)),
            clock,
            graph: GraphSettings::default(),
            background: Background::default(),
        })
    }

    /// Uses other settings for the graphs this process builds.
    #[must_use]
    pub fn with_graph_settings(mut self, graph: GraphSettings) -> Self {
        self.graph = graph;
        self
    }

    /// Room beside this index for what need not stay in memory; `None` if there is none.
    ///
    /// # Errors
    /// `Unavailable` if a file cannot be made.
    pub fn scratch(&self) -> Result<Option<Arc<dyn Scratch>>> {
        self.storage.scratch()
    }

    /// The local folder that its files lie in; `None` if there is none.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.storage.folder()
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    pub(crate) fn shared_storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Where the published index lies, if this is its candidate.
    pub(crate) fn published(&self) -> Option<&dyn Storage> {
        self.published.as_deref()
    }

    /// Makes it the candidate of the index in `published`.
    pub(crate) fn beside(mut self, published: Arc<dyn Storage>) -> Self {
        self.published = Some(published);
        self
    }

    pub(crate) fn graph_settings(&self) -> &GraphSettings {
        &self.graph
    }

    /// The clock of this index.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The newest generation there is, whoever published it.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        if !Manifest::exists(&*self.storage, current.generation() + 1)? {
            return Ok(current);
        }
        let newest = Arc::new(open_newest(&*self.storage, Some(&current))?);
        let mut held = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if newest.generation() > held.generation() {
            *held = newest;
        }
        Ok(Arc::clone(&held))
    }

    /// An earlier generation, as far as it is kept: for operators. Nobody searches it: what it has may since have been taken
    /// back.
    ///
    /// # Errors
    /// `NotFound` if it or one of its segments is not kept any more; `Corrupted`, `Unavailable`.
    pub fn generation(&self, generation: u64) -> Result<Snapshot> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let gone = |error: Error| match error.kind() {
            Kind::NotFound => {
                Error::new(Kind::NotFound, "open generation", format!("generation {generation} is not kept"))
                    .because(error)
            }
            _ => error,
        };
        let manifest = Manifest::read(&*self.storage, generation).map_err(gone)?;
        Snapshot::open(&*self.storage, manifest, Some(&current)).map_err(gone)
    }

    /// Calls `use_plane` with the plane at the newest epoch there is, whoever made it.
    ///
    /// # Errors
    /// What `use_plane` fails with; `Corrupted`, `Unavailable`.
    pub fn with_plane<T>(&self, use_plane: impl FnOnce(&AccessPlane) -> Result<T>) -> Result<T> {
        self.access.refresh(&*self.storage)?;
        use_plane(&self.access.plane())
    }

    /// Calls `use_plane` with the plane at the epoch of the last look: for what goes with an answer already made.
    pub fn with_known_plane<T>(&self, use_plane: impl FnOnce(&AccessPlane) -> T) -> T {
        use_plane(&self.access.plane())
    }

    /// What `identity` may see now: the newest generation and its rows at the newest epoch.
    ///
    /// # Errors
    /// `Denied` if the identity has expired; `Invalid` for an unknown clearance; `Unavailable`, also if permissions were not
    /// confirmed in time; `Corrupted`.
    pub fn visible(&self, identity: &Identity) -> Result<(Arc<Snapshot>, VisibleRows)> {
        let snapshot = self.snapshot()?;
        let rows = self.with_plane(|plane| snapshot.visible(plane, &self.permitted(plane, identity)?))?;
        Ok((snapshot, rows))
    }

    /// As [`Index::visible`], for somebody who asks again: looks for a newer generation and a newer epoch (three
    /// look-ups) and at the clock, and only works anew if there is one.
    ///
    /// # Errors
    /// As [`Index::visible`].
    pub fn visible_to(&self, asker: &Asker) -> Result<(Arc<Snapshot>, Arc<VisibleRows>)> {
        asker.identity().check_expiry(self.clock.now())?;
        let snapshot = self.snapshot()?;
        let epoch = self.access.refresh(&*self.storage)?;
        let plane = self.access.plane();
        self.check_age(&plane)?;
        if let Some(rows) = asker.seen(&snapshot, epoch) {
            return Ok((snapshot, rows));
        }
        let rows = Arc::new(snapshot.visible(&plane, &self.permitted(&plane, asker.identity())?)?);
        asker.saw(&snapshot, &rows);
        Ok((snapshot, rows))
    }

    /// The ids of the documents that `identity` may see now, in byte order.
    ///
    /// # Errors
    /// As [`Index::visible`].
    pub fn visible_documents(&self, identity: &Identity) -> Result<Vec<String>> {
        let snapshot = self.snapshot()?;
        self.with_plane(|plane| snapshot.visible_documents(plane, &self.permitted(plane, identity)?))
    }

    /// What `identity` passes by a plane of this index, now. The only way to it outside the access crate: the age of the
    /// permissions is checked here.
    ///
    /// # Errors
    /// As [`AccessPlane::permitted`], and `Unavailable` if permissions were not confirmed within the age the index states.
    pub fn permitted(&self, plane: &AccessPlane, identity: &Identity) -> Result<Permitted> {
        self.check_age(plane)?;
        plane.permitted(identity, self.clock.now())
    }

    pub(crate) fn plane_at(&self, epoch: u64) -> Result<AccessPlane> {
        self.access.plane_at(&*self.storage, epoch)
    }

    /// Whether permissions are young enough for anybody to see anything.
    ///
    /// # Errors
    /// `Unavailable` if they were not confirmed within the age the index states.
    fn check_age(&self, plane: &AccessPlane) -> Result<()> {
        let Some(max_age_ms) = plane.max_age_ms() else { return Ok(()) };
        self.freshness.check(&*self.storage, self.clock.now(), max_age_ms)
    }

    /// Says that the permissions there are now are the newest, if they were known to be so within the age the index
    /// states. If they were not, this may be an old copy, and only [`Index::confirm_access`] says otherwise.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written; `Corrupted`.
    pub fn still_newest(&self) -> Result<()> {
        let (epoch, max_age_ms) = self.with_plane(|plane| Ok((plane.epoch(), plane.max_age_ms())))?;
        let (Some(max_age_ms), now) = (max_age_ms, self.clock.now()) else { return Ok(()) };
        if self.freshness.is_fresh(&*self.storage, now, max_age_ms)? {
            self.freshness.confirm(&*self.storage, now, epoch, max_age_ms)?;
        }
        Ok(())
    }

    /// A person says that the permissions there are now are the newest; the access log keeps the reason. Returns the
    /// epoch.
    ///
    /// # Errors
    /// `Invalid` without a reason; `Unavailable` if it cannot be written.
    pub fn confirm_access(&self, reason: &str) -> Result<u64> {
        let at = self.clock.now();
        let confirmed = AccessEvent::Confirmed { at_ms: at.0, reason: reason.to_owned() };
        let epoch = self.access.commit(&*self.storage, &mut |_| Ok(vec![confirmed.clone()]))?;
        if let Some(max_age_ms) = self.with_plane(|plane| Ok(plane.max_age_ms()))? {
            self.freshness.confirm(&*self.storage, at, epoch, max_age_ms)?;
        }
        Ok(epoch)
    }

    /// States for how long permissions that nobody confirmed open anything; `None`: for ever. From now on they count as
    /// confirmed now. Returns the epoch.
    ///
    /// # Errors
    /// `Invalid` without a reason, or for an age below a second; `Unavailable` if it cannot be written, or if permissions
    /// are too old by what was stated before.
    pub fn set_max_access_age(&self, max_age_ms: Option<u64>, reason: &str) -> Result<u64> {
        if max_age_ms.is_some_and(|age| age < 1000) {
            return Err(Error::invalid("set permissions' age", "the age is a second or more"));
        }
        self.with_plane(|plane| self.check_age(plane))?;
        let age = AccessEvent::MaxAge { max_age_ms, reason: reason.to_owned() };
        age.check()?;
        let epoch = self.with_plane(|plane| Ok(plane.epoch()))?;
        if let Some(max_age_ms) = max_age_ms {
            self.freshness.confirm(&*self.storage, self.clock.now(), epoch, max_age_ms)?;
        }
        self.access.commit(&*self.storage, &mut |_| Ok(vec![age.clone()]))
    }

    /// Gives the index somebody who knows the language of its policies.
    pub fn set_policy_compiler(&self, compiler: Arc<dyn PolicyCompiler>) {
        self.access.set_policy_compiler(compiler);
    }

    /// Writes the permission events that `propose` makes of the newest plane. Durable, and in force for every search
    /// that starts after it returns, in every process. Writes no chunk and no vector.
    ///
    /// # Errors
    /// What `propose` fails with; `Invalid`, and nothing is written, for a principal without a name; `Unavailable` if they
    /// cannot be written.
    pub fn commit_access(&self, propose: &mut dyn FnMut(&AccessPlane) -> Result<Vec<AccessEvent>>) -> Result<u64> {
        let epoch = self.access.commit(&*self.storage, propose)?;
        // The change is in force by now. A confirmation that cannot be written lets permissions age, and no more.
        drop(self.still_newest());
        Ok(epoch)
    }

    pub(crate) fn lease(&self, role: &str) -> Result<Box<dyn Lease>> {
        self.storage.lease(role, &self.holder())
    }

    pub(crate) fn holder(&self) -> String {
        holder(&self.clock)
    }

    pub(crate) fn background(&self) -> &Background {
        &self.background
    }

    /// The manifest after `base`, with the same content until changed.
    pub(crate) fn next(&self, base: &Snapshot, operation: &str) -> Result<Manifest> {
        // Looked up after `base`, so that epochs never run backwards from one generation to the next.
        let acl_epoch = self.with_plane(|plane| Ok(plane.epoch()))?;
        Ok(base.manifest().next(operation, acl_epoch, self.clock.now()))
    }

    pub(crate) fn after_commit(&self) -> Result<()> {
        self.access.snapshot_if_due(&*self.storage)
    }

    /// All generations, oldest first.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn generations(&self) -> Result<Vec<Manifest>> {
        Manifest::generations(&*self.storage)?.into_iter().map(|n| Manifest::read(&*self.storage, n)).collect()
    }

    /// Sizes, for operators.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn stats(&self) -> Result<Stats> {
        let snapshot = self.snapshot()?;
        let (acl_epoch, distinct_acls, default_label) = self.with_plane(|plane| {
            let labels = plane.labels();
            Ok((plane.epoch(), plane.distinct_acls(), labels.name(labels.default_rank()).to_owned()))
        })?;
        let settings = &snapshot.manifest().settings;
        let merges = self.merge_state();
        Ok(Stats {
            generation: snapshot.generation(),
            acl_epoch,
            segments: snapshot.segments().len(),
            graphs: snapshot.segments().iter().filter(|live| live.segment.graph.is_some()).count(),
            documents: snapshot.documents().count() as u64,
            chunks: snapshot.documents().map(|document| u64::from(document.chunks)).sum(),
            tombstones: snapshot.segments().iter().map(|live| live.dead.len()).sum(),
            distinct_acls,
            default_label,
            dim: settings.dim,
            language: settings.language,
            model: settings.model.clone(),
            chunker: settings.chunker.clone(),
            merging: merges.running,
            merge_error: merges.error,
        })
    }
}

fn holder(clock: &Clock) -> String {
    format!("process {} (pid-since-count)", unique_name(clock))
}

/// Opens the newest generation; if a merge removed its segments meanwhile there is a newer one.
fn open_newest(storage: &dyn Storage, previous: Option<&Snapshot>) -> Result<Snapshot> {
    let mut manifest = Manifest::newest(storage)?;
    loop {
        match Snapshot::open(storage, manifest.clone(), previous) {
            Err(error) if error.kind() == Kind::NotFound => {
                let newer = Manifest::newest(storage)?;
                if newer.generation == manifest.generation {
                    return Err(
                        Error::corrupted("open index", "a file of the newest generation is missing").because(error)
                    );
                }
                manifest = newer;
            }
            other => return other,
        }
    }
}
