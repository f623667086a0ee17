//! How do permissions get onto disk and to every process?
//!
//! One file per epoch under `access/log/`, made by put-if-absent: the file's existence *is* the epoch, so two writers
//! cannot both make one and a reader that looks for the next file before a search cannot miss one. Log files are
//! never removed. Snapshots (`access_snapshot.rs`) only shorten the opening.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use safepassage_access::{AccessEvent, AccessPlane, Labels, PolicyCompiler};
use safepassage_error::{Error, Kind, Result};

use crate::access_snapshot::{self as snapshot, Batch};
use crate::seal;
use crate::storage::Storage;

const LOG: &str = "access/log";
const KIND: &str = "access";
/// A snapshot is written when this many epochs have passed since the last,
const EPOCHS_PER_SNAPSHOT: u64 = 256;
/// or when this many documents changed, and a sixteenth of all.
const DOCUMENTS_PER_SNAPSHOT: usize = 5_000;

fn log_path(epoch: u64) -> String {
    format!("{LOG}/{epoch:012}.json")
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
        // Listed first: others may write more epochs meanwhile, and what is listed here must all be taken in.
        let listed = storage.list(LOG)?.last().map(|name| format!("{LOG}/{name}"));
        let plane = snapshot::newest(storage)?.unwrap_or_default();
        let log = Self { plane: RwLock::new(plane), refuses: AtomicBool::new(false) };
        if log.refresh(storage)? == 0 {
            return Err(Error::new(Kind::NotFound, "open access log", "the index has no access log"));
        }
        if listed.is_some_and(|newest| newest > log_path(log.plane().epoch())) {
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
                let compiler = plane.policy_compiler();
                *plane = AccessPlane::default();
                compiler.into_iter().for_each(|compiler| plane.set_policy_compiler(compiler));
                return Err(error);
            }
        }
    }

    /// The plane as it was at `epoch`, made again from the log.
    ///
    /// # Errors
    /// `NotFound` for an epoch that there was not; `Corrupted`, `Unavailable`.
    pub fn plane_at(&self, storage: &dyn Storage, epoch: u64) -> Result<AccessPlane> {
        let newest = self.refresh(storage)?;
        if epoch == 0 || epoch > newest {
            let message = format!("there is no epoch {epoch}; the first is 1 and the newest {newest}");
            return Err(Error::new(Kind::NotFound, "look up epoch", message));
        }
        let earlier = snapshot::all(storage)?.into_iter().rev().find(|(at, _)| *at <= epoch);
        let mut plane = match earlier {
            Some((at, path)) => snapshot::read(storage, at, &path)?,
            None => AccessPlane::default(),
        };
        if let Some(compiler) = self.compiler() {
            plane.set_policy_compiler(compiler);
        }
        for next in plane.epoch() + 1..=epoch {
            let batch: Batch = seal::get(storage, KIND, &log_path(next))?;
            plane.apply(batch.epoch, &batch.events)?;
        }
        Ok(plane)
    }

    fn compiler(&self) -> Option<Arc<dyn PolicyCompiler>> {
        self.plane().policy_compiler()
    }

    /// Gives the plane, and every later one, somebody who knows the language of its policies.
    pub fn set_policy_compiler(&self, compiler: Arc<dyn PolicyCompiler>) {
        self.plane_mut().set_policy_compiler(compiler);
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
    /// What `propose` fails with; `Invalid` for a principal that could not be read back; `Unavailable` if the epoch cannot
    /// be written.
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
                let events = propose(&plane)?;
                plane.check(&events)?;
                events
            };
            if events.is_empty() {
                return Ok(epoch);
            }
            let batch = Batch { epoch: epoch + 1, events };
            match seal::put(storage, KIND, &log_path(epoch + 1), &batch) {
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    // It is read back: two copies of many events would be much memory.
                    drop(batch);
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
        let last = snapshot::all(storage)?.last().map_or(0, |(epoch, _)| *epoch);
        let plane = self.plane();
        let many = DOCUMENTS_PER_SNAPSHOT.max(plane.next_number() as usize / 16);
        let due = plane.epoch() >= last + EPOCHS_PER_SNAPSHOT
            || plane.epoch() > last && plane.changes_since(last).nth(many - 1).is_some();
        if !due {
            return Ok(());
        }
        let (epoch, columns) = (plane.epoch(), plane.to_columns());
        drop(plane);
        match columns {
            // More than columns can hold: opening takes longer, and nothing else is lost.
            Err(error) if error.kind() == Kind::Invalid => Ok(()),
            columns => snapshot::write(storage, epoch, &columns?),
        }
    }
}

/// Reads every epoch and snapshot and checks that they fit; returns the number of epochs.
///
/// # Errors
/// `Corrupted`, naming the file.
pub(crate) fn verify(storage: &dyn Storage) -> Result<u64> {
    let mut plane = AccessPlane::default();
    let snapshots = snapshot::all(storage)?;
    for (name, expected) in storage.list(LOG)?.iter().zip(1u64..) {
        let path = format!("{LOG}/{name}");
        if path != log_path(expected) {
            return Err(Error::corrupted("verify access log", "an epoch is missing").with("epoch", expected));
        }
        let batch: Batch = seal::get(storage, KIND, &path)?;
        plane.apply(batch.epoch, &batch.events).map_err(|e| e.with("path", &path))?;
        for (_, path) in snapshots.iter().filter(|(epoch, _)| *epoch == expected) {
            if !snapshot::read(storage, expected, path)?.says_the_same_as(&plane) {
                return Err(Error::corrupted("verify access log", "a snapshot differs from the log").with("path", path));
            }
        }
    }
    crate::freshness::verify(storage)?;
    Ok(plane.epoch())
}

#[cfg(test)]
mod tests {
    use safepassage_access::{Acl, Binding, DocumentNumber, Principal, Tenant, Version};

    use super::*;
    use crate::storage::MemoryStorage;

    /// A log of `documents` documents of which user u1 lost the second, in three epochs.
    fn log(documents: u32) -> (MemoryStorage, AccessLog) {
        let storage = MemoryStorage::default();
        AccessLog::create(&storage, &Labels::default()).unwrap();
        let log = AccessLog::open(&storage).unwrap();
        let mut events = Vec::new();
        for n in 0..documents {
            let (number, acl) = (DocumentNumber(n), Acl::new([Principal::user(&format!("u{}", n % 2))], []));
            let (version, label) = (Version(u128::from(n)), Labels::default().default_rank());
            let binding = Binding::by_source(version, acl, label);
            events.push(AccessEvent::Numbered { tenant: Tenant::default(), id: format!("d{n}").into(), number });
            events.push(AccessEvent::Bound { number, binding });
        }
        let revoked = AccessEvent::Revoked { number: DocumentNumber(1), principal: Principal::user("u1") };
        log.commit(&storage, &mut |_| Ok(events.clone())).unwrap();
        log.commit(&storage, &mut |_| Ok(vec![revoked.clone()])).unwrap();
        (storage, log)
    }

    fn snapshots(storage: &MemoryStorage) -> Vec<String> {
        snapshot::all(storage).unwrap().into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn a_snapshot_comes_after_many_documents_or_epochs_and_says_what_the_log_says() {
        let (storage, log) = log(4_999);
        log.snapshot_if_due(&storage).unwrap();
        let revoked = AccessEvent::Revoked { number: DocumentNumber(2), principal: Principal::user("u0") };
        assert_eq!(snapshots(&storage), ["access/snapshot/000000000003.bin"], "4,999 bound and 1 revoked");
        assert!(log.plane().says_the_same_as(&AccessLog::open(&storage).unwrap().plane()));
        for epoch in 4..=260 {
            log.commit(&storage, &mut |_| Ok(vec![revoked.clone()])).unwrap();
            log.snapshot_if_due(&storage).unwrap();
            assert_eq!(snapshots(&storage).len(), if epoch < 259 { 1 } else { 2 });
        }
        let opened = AccessLog::open(&storage).unwrap();
        assert!(log.plane().says_the_same_as(&opened.plane()));
        assert_eq!(verify(&storage).unwrap(), 260);
        // A log opened from a snapshot goes on, and its next snapshot is right as well.
        opened.commit(&storage, &mut |_| Ok(vec![revoked.clone()])).unwrap();
        let (epoch, columns) = (opened.plane().epoch(), opened.plane().to_columns().unwrap());
        snapshot::write(&storage, epoch, &columns).unwrap();
        assert_eq!(snapshots(&storage), ["access/snapshot/000000000259.bin", "access/snapshot/000000000261.bin"]);
        assert_eq!(verify(&storage).unwrap(), 261);
    }

    #[test]
    fn every_damaged_byte_of_a_snapshot_is_found() {
        let (storage, log) = log(3);
        snapshot::write(&storage, 3, &log.plane().to_columns().unwrap()).unwrap();
        let path = "access/snapshot/000000000003.bin";
        let bytes = storage.read(path).unwrap();
        assert!(AccessLog::open(&storage).is_ok());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 1 << bit;
                storage.damage(path, damaged.into());
                assert_eq!(AccessLog::open(&storage).unwrap_err().kind(), Kind::Corrupted, "byte {at} bit {bit}");
            }
            storage.damage(path, bytes.slice(..at));
            assert_eq!(AccessLog::open(&storage).unwrap_err().kind(), Kind::Corrupted, "cut at {at}");
        }
        // An intact snapshot under another epoch's name is not taken for that epoch's.
        storage.damage(path, bytes.clone());
        storage.damage("access/snapshot/000000000004.bin", bytes);
        assert_eq!(AccessLog::open(&storage).unwrap_err().kind(), Kind::Corrupted);
    }

    #[test]
    fn a_snapshot_that_says_something_else_than_the_log_is_found() {
        let (storage, log) = log(3);
        let mut lied = AccessPlane::from_columns(3, Arc::new(log.plane().to_columns().unwrap())).unwrap();
        let restored = AccessEvent::Restored {
            number: DocumentNumber(1),
            principal: Principal::user("u1"),
            reason: "a lie".into(),
        };
        lied.apply(4, &[restored]).unwrap();
        snapshot::write(&storage, 3, &lied.to_columns().unwrap()).unwrap();
        assert_eq!(verify(&storage).unwrap_err().kind(), Kind::Corrupted);
    }

    #[test]
    fn snapshots_of_format_1_are_read() {
        let (storage, log) = log(3);
        let batch = Batch { epoch: 3, events: log.plane().export() };
        let path = "access/snapshot/000000000003.json";
        seal::put(&storage, KIND, path, &batch).unwrap();
        let opened = AccessLog::open(&storage).unwrap();
        assert!(log.plane().says_the_same_as(&opened.plane()));
        assert_eq!(verify(&storage).unwrap(), 3);
        // Its numbers of ACLs may be others than the log's; a snapshot made of it says the same.
        snapshot::write(&storage, 3, &opened.plane().to_columns().unwrap()).unwrap();
        assert_eq!(verify(&storage).unwrap(), 3);
        let mut damaged = storage.read(path).unwrap().to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        storage.damage(path, damaged.into());
        assert_eq!(verify(&storage).unwrap_err().kind(), Kind::Corrupted);
    }
}
