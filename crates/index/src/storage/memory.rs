//! Memory: for tests and for indexes that need not outlive the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use safepassage_error::{Error, Kind, Result};

use super::{Lease, Storage, WriteBytes};

/// Files in memory; clones share them.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    files: Arc<Mutex<BTreeMap<String, Bytes>>>,
    holders: Holders,
}

impl std::fmt::Debug for MemoryStorage {
    /// The names of the files, and nothing of what is in them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStorage").field("files", &self.files().keys()).finish_non_exhaustive()
    }
}

/// Who holds the lease of each role.
type Holders = Arc<Mutex<BTreeMap<String, String>>>;

impl MemoryStorage {
    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy that shares nothing with this one: what a power cut would leave.
    #[must_use]
    pub fn durable_copy(&self) -> Self {
        Self { files: Arc::new(Mutex::new(self.files().clone())), holders: Arc::default() }
    }

    /// Every path with its bytes, in byte order.
    #[must_use]
    pub fn contents(&self) -> Vec<(String, Bytes)> {
        self.files().iter().map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
    }

    /// Replaces the bytes of `path`, against the contract: for tests of damaged files.
    pub fn damage(&self, path: &str, bytes: Bytes) {
        self.files().insert(path.to_owned(), bytes);
    }
}

impl Storage for MemoryStorage {
    fn put_if_absent(&self, path: &str, write: WriteBytes<'_>) -> Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes).map_err(|e| Error::new(Kind::Unavailable, "write file", e.to_string()).with("path", path))?;
        let mut files = self.files();
        if files.contains_key(path) {
            return Err(Error::new(Kind::Conflict, "write file", "it exists already").with("path", path));
        }
        files.insert(path.to_owned(), bytes.into());
        Ok(())
    }

    fn read(&self, path: &str) -> Result<Bytes> {
        let found = self.files().get(path).cloned();
        found.ok_or_else(|| Error::new(Kind::NotFound, "read file", "no such file").with("path", path))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.files().contains_key(path))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = format!("{folder}/");
        let below = |path: &String| path.strip_prefix(&prefix)?.split('/').next().map(str::to_owned);
        let mut names: Vec<String> = self.files().keys().filter_map(below).collect();
        names.dedup();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<()> {
        let prefix = format!("{path}/");
        self.files().retain(|name, _| name != path && !name.starts_with(&prefix));
        Ok(())
    }

    fn lease(&self, role: &str, holder: &str) -> Result<Box<dyn Lease>> {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = holders.get(role) {
            let message = format!("another {role} is at work: {other}");
            return Err(Error::new(Kind::Conflict, "take the lease", message));
        }
        holders.insert(role.to_owned(), holder.to_owned());
        Ok(Box::new(MemoryLease { holders: Arc::clone(&self.holders), role: role.to_owned() }))
    }
}

#[derive(Debug)]
struct MemoryLease {
    holders: Holders,
    role: String,
}

impl Lease for MemoryLease {}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.role);
    }
}
