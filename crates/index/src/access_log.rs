//! How do permissions get onto disk and to every process?
//!
//! One file per epoch under `access/log/`, made by put-if-absent: the file's existence *is* the epoch, so two writers
//! cannot both make one and a reader that looks for the next file before a search cannot miss one. Log files are
//! never removed. Snapshots under `access/snapshot/` only shorten the opening.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use safepassage_access::{AccessEvent, AccessPlane, Labels};
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use crate::seal;
use crate::storage::Storage;

const LOG: &str = "access/log";
const SNAPSHOT: &str = "access/snapshot";
const KIND: &str = "access";
/// A snapshot is written when this many epochs have passed since the last.
const EPOCHS_PER_SNAPSHOT: u64 = 256;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    epoch: u64,
    events: Vec<AccessEvent>,
}

fn log_path(epoch: u64) -> String {
    format!("{LOG}/{epoch:012}.json")
}

fn snapshot_path(epoch: u64) -> String {
    format!("{SNAPSHOT}/{epoch:012}.json")
}

/// The access plane of one index, kept at the newest epoch of its log.
#[derive(Debug)]
pub struct AccessLog {
    plane: RwLock<AccessPlane>,
    /// Set when an epoch did not fit: what is remembered elsewhere may not fit a plane that is built anew.
    refuses: AtomicBool,
}

impl AccessLog {
    /// Starts the log of a new index with its labels, as epoch 1.
    ///
    /// # Errors
    /// `Conflict` if there is one already; `Unavailable` if it cannot be written.
    pub fn create(storage: &dyn Storage, labels: &Labels) -> Result<()> {
        let batch = Batch { epoch: 1, events: vec![AccessEvent::Created { labels: labels.clone() }] };
        seal::put(storage, KIND, &log_path(1), &batch)
    }

    /// Opens the log at its newest epoch, from the newest snapshot that can be read.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Corrupted` if an epoch is damaged, missing or does not fit.
    pub fn open(storage: &dyn Storage) -> Result<Self> {
        let mut plane = AccessPlane::default();
        if let Some(newest) = storage.list(SNAPSHOT)?.last() {
            let batch: Batch = seal::get(storage, KIND, &format!("{SNAPSHOT}/{newest}"))?;
            if snapshot_path(batch.epoch) != format!("{SNAPSHOT}/{newest}") {
                return Err(Error::corrupted("open access log", "a snapshot has another epoch's name"));
            }
            plane = AccessPlane::restore(batch.epoch, &batch.events)?;
        }
        let log = Self { plane: RwLock::new(plane), refuses: AtomicBool::new(false) };
        if log.refresh(storage)? == 0 {
            return Err(Error::new(Kind::NotFound, "open access log", "the index has no access log"));
        }
        let newest = storage.list(LOG)?.last().map(|name| format!("{LOG}/{name}"));
        if newest != Some(log_path(log.plane().epoch())) {
            return Err(Error::corrupted("open access log", "an epoch is missing from the log"));
        }
        Ok(log)
    }

    /// Takes in every epoch that exists by now; returns the newest. Two look-ups when there is none.
    ///
    /// # Errors
    /// `Corrupted` if an epoch is damaged or does not fit; the log then refuses everything.
    pub fn refresh(&self, storage: &dyn Storage) -> Result<u64> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::corrupted(
                "read access log",
                "an epoch did not fit; mend the log and open the index anew",
            ));
        }
        let mut epoch = self.plane().epoch();
        if !storage.exists(&log_path(epoch + 1))? {
            // A log that is gone (an unmounted disk, a removed folder) must not look like one without news.
            if epoch > 0 && !storage.exists(&log_path(epoch))? {
                let error = Error::new(Kind::Unavailable, "read access log", "the log cannot be reached any more");
                return Err(error.with("epoch", epoch));
            }
            return Ok(epoch);
        }
        let mut plane = self.plane_mut();
        loop {
            epoch = plane.epoch() + 1;
            if !storage.exists(&log_path(epoch))? {
                return Ok(epoch - 1);
            }
            let batch: Batch = seal::get(storage, KIND, &log_path(epoch))?;
            if let Err(error) = plane.apply(batch.epoch, &batch.events) {
                // Half a batch may be in the plane: forget it, and let nothing be seen until the log is opened anew.
                self.refuses.store(true, Ordering::SeqCst);
                *plane = AccessPlane::default();
                return Err(error);
            }
        }
    }

    /// The plane as of the last refresh. Do not hold it across a call that writes.
    pub fn plane(&self) -> RwLockReadGuard<'_, AccessPlane> {
        self.plane.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn plane_mut(&self) -> RwLockWriteGuard<'_, AccessPlane> {
        self.plane.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one epoch of what `propose` says of the newest plane, again and again until no other writer comes first.
    /// Durable and in force when it returns. No events make no epoch. Returns the epoch now in force.
    ///
    /// # Errors
    /// What `propose` fails with; `Unavailable` if the epoch cannot be written.
    pub fn commit(
        &self,
        storage: &dyn Storage,
        propose: &mut dyn FnMut(&AccessPlane) -> Result<Vec<AccessEvent>>,
    ) -> Result<u64> {
        loop {
            let epoch = self.refresh(storage)?;
            let events = {
                let plane = self.plane();
                if plane.epoch() != epoch {
                    continue;
                }
                propose(&plane)?
            };
            if events.is_empty() {
                return Ok(epoch);
            }
            let batch = Batch { epoch: epoch + 1, events };
            match seal::put(storage, KIND, &log_path(epoch + 1), &batch) {
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.refresh(storage)?;
                    return Ok(epoch + 1);
                }
            }
        }
    }

    /// Writes a snapshot if the log has grown long since the last; called by the writer after a commit.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written.
    pub fn snapshot_if_due(&self, storage: &dyn Storage) -> Result<()> {
        let last = storage.list(SNAPSHOT)?.last().and_then(|name| name.split('.').next()?.parse().ok()).unwrap_or(0u64);
        let (epoch, events) = {
            let plane = self.plane();
            if plane.epoch() < last + EPOCHS_PER_SNAPSHOT {
                return Ok(());
            }
            (plane.epoch(), plane.export())
        };
        match seal::put(storage, KIND, &snapshot_path(epoch), &Batch { epoch, events }) {
            Err(error) if error.kind() == Kind::Conflict => Ok(()),
            other => other,
        }
    }
}

/// Reads every epoch and snapshot and checks that they fit; returns the number of epochs.
///
/// # Errors
/// `Corrupted`, naming the file.
pub(crate) fn verify(storage: &dyn Storage) -> Result<u64> {
    let mut plane = AccessPlane::default();
    let snapshots = storage.list(SNAPSHOT)?;
    for (name, expected) in storage.list(LOG)?.iter().zip(1u64..) {
        let path = format!("{LOG}/{name}");
        if path != log_path(expected) {
            return Err(Error::corrupted("verify access log", "an epoch is missing").with("epoch", expected));
        }
        let batch: Batch = seal::get(storage, KIND, &path)?;
        plane.apply(batch.epoch, &batch.events).map_err(|e| e.with("path", &path))?;
        if snapshots.contains(&format!("{expected:012}.json")) {
            let snapshot: Batch = seal::get(storage, KIND, &snapshot_path(expected))?;
            if snapshot.epoch != expected || snapshot.events != plane.export() {
                return Err(Error::corrupted("verify access log", "a snapshot differs from the log")
                    .with("path", snapshot_path(expected)));
            }
        }
    }
    Ok(plane.epoch())
}
