//! A local folder.
//!
//! Nothing stays open between two calls: what was removed or put back underneath is seen at once, and a process that
//! forked shares no lock with its parent. The lock is an advisory one on a file; the system drops it with the process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use safepassage_error::system::Stopwatch;
use safepassage_error::{Error, Kind, Result};

use super::{Folder, Lock};

const LOCK: &str = "audit/append.lock";
/// How long somebody may hold the log before others give up: far longer than any append takes.
const PATIENCE_MS: u64 = 10_000;
/// The longest pause between two looks at the lock.
const PAUSE_US: u64 = 2_000;

/// The folder of an index.
#[derive(Debug)]
pub struct LocalFolder {
    root: PathBuf,
    patience_ms: u64,
}

#[derive(Debug)]
struct Locked(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

impl Lock for Locked {}

impl LocalFolder {
    /// The log of the index in the folder `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), patience_ms: PATIENCE_MS }
    }

    /// Waits no longer than `ms` for others; ten seconds unless set.
    #[must_use]
    pub fn patience_ms(mut self, ms: u64) -> Self {
        self.patience_ms = ms;
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

fn failed(operation: &'static str, name: &str, source: io::Error) -> Error {
    let (kind, what) = match source.kind() {
        io::ErrorKind::AlreadyExists => (Kind::Conflict, "it exists already".to_owned()),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (Kind::Unavailable, "the disk is full; free some space and ask again".to_owned())
        }
        io::ErrorKind::FileTooLarge => (Kind::Unavailable, "a file grew beyond what this process may write".to_owned()),
        _ => (Kind::Unavailable, source.to_string()),
    };
    Error::new(kind, operation, what).with("path", name).because(source)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(path)?.sync_all() }
}

/// Makes the folder of `path` if there is none; the index above it is there.
fn create_parent(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if parent.is_dir() {
        return Ok(());
    }
    match fs::create_dir(parent) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    parent.parent().map_or(Ok(()), sync_folder)
}

fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn append(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let new = !path.try_exists()?;
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(bytes)?;
    if new || sync {
        file.sync_data()?;
    }
    if new { path.parent().map_or(Ok(()), sync_folder) } else { Ok(()) }
}

fn read(path: &Path, from: u64, to: Option<u64>) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to.map_or(u64::MAX, |to| to.saturating_sub(from))).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_parent(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), sync_folder)
}

impl Folder for LocalFolder {
    fn lock(&self, alone: bool) -> Result<Box<dyn Lock>> {
        let refused = |e| failed("lock audit log", LOCK, e);
        let path = self.path(LOCK);
        create_parent(&path).map_err(refused)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(refused)?;
        let watch = Stopwatch::start();
        let mut pause_us = 20;
        loop {
            match if alone { file.try_lock() } else { file.try_lock_shared() } {
                Ok(()) => return Ok(Box::new(Locked(file))),
                Err(TryLockError::Error(e)) => return Err(refused(e)),
                Err(TryLockError::WouldBlock) if watch.seconds() * 1e3 >= self.patience_ms as f64 => {
                    let message = "another process holds the log; ask again";
                    return Err(Error::new(Kind::Unavailable, "lock audit log", message).with("path", LOCK));
                }
                // The system has no lock that is waited for with a limit.
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(Duration::from_micros(pause_us)),
            }
            pause_us = (pause_us * 2).min(PAUSE_US);
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let refused = |e| failed("list audit log", folder, e);
        let Some(entries) = absent(fs::read_dir(self.path(folder))).map_err(refused)? else { return Ok(Vec::new()) };
        let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name())).collect();
        let mut names: Vec<String> =
            names.map_err(refused)?.into_iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn length(&self, name: &str) -> Result<Option<u64>> {
        let found = absent(fs::metadata(self.path(name))).map_err(|e| failed("look for audit log", name, e))?;
        Ok(found.map(|found| found.len()))
    }

    fn read(&self, name: &str, from: u64, to: Option<u64>) -> Result<Option<Vec<u8>>> {
        absent(read(&self.path(name), from, to)).map_err(|e| failed("read audit log", name, e))
    }

    fn append(&self, name: &str, bytes: &[u8], sync: bool) -> Result<()> {
        append(&self.path(name), bytes, sync).map_err(|e| failed("write audit log", name, e))
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> Result<()> {
        overwrite(&self.path(name), bytes).map_err(|e| failed("write audit head", name, e))
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<()> {
        create(&self.path(name), bytes).map_err(|e| failed("write audit log", name, e))
    }

    fn remove(&self, name: &str) -> Result<()> {
        absent(fs::remove_file(self.path(name))).map_err(|e| failed("remove audit log", name, e)).map(drop)
    }
}
