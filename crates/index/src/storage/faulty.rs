//! A storage that fails on purpose: for tests of crashes and full disks.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use safepassage_error::{Error, Kind, Result};

use super::{Lease, MemoryStorage, Storage, WriteBytes};

/// What happens at the chosen write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Power is cut just before the file is durable: this write and everything after it fails.
    CutBefore,
    /// Power is cut just after: the file is durable, but the writer never learns it.
    CutAfter,
    /// This one write finds the disk full; later ones succeed.
    FullOnce,
}

/// Memory storage that fails at its `n`-th write or delete.
#[derive(Debug)]
pub struct FaultyStorage {
    memory: MemoryStorage,
    at: u64,
    fault: Fault,
    count: AtomicU64,
}

impl FaultyStorage {
    /// Fails with `fault` at the `at`-th write or delete, counted from 0.
    #[must_use]
    pub fn new(memory: MemoryStorage, at: u64, fault: Fault) -> Self {
        Self { memory, at, fault, count: AtomicU64::new(0) }
    }

    /// How many writes and deletes were tried.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    fn change(&self, path: &str, change: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let n = self.count.fetch_add(1, Ordering::SeqCst);
        let fail = |what: &str| Err(Error::new(Kind::Unavailable, "write file", what).with("path", path));
        match self.fault {
            Fault::FullOnce if n == self.at => fail("the disk is full"),
            Fault::CutBefore if n >= self.at => fail("power cut"),
            Fault::CutAfter if n > self.at => fail("power cut"),
            Fault::CutAfter if n == self.at => change().and_then(|()| fail("power cut")),
            _ => change(),
        }
    }
}

impl Storage for FaultyStorage {
    fn put_if_absent(&self, path: &str, write: WriteBytes<'_>) -> Result<()> {
        self.change(path, &mut || self.memory.put_if_absent(path, write))
    }

    fn read(&self, path: &str) -> Result<Bytes> {
        self.memory.read(path)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.memory.exists(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.memory.list(folder)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.change(path, &mut || self.memory.delete(path))
    }

    fn lease(&self, role: &str, holder: &str) -> Result<Box<dyn Lease>> {
        self.memory.lease(role, holder)
    }
}
