//! A local folder.
//!
//! A file is written under `tmp/`, synced, linked to its name (which fails if the name exists), and the folder is
//! synced: at every moment the name is absent or whole. Reads are memory maps. A lease is an advisory lock on
//! `<role>.lock`, and whoever writes a temporary file has one on that; the system drops them with the process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use safepassage_error::system::{Clock, unique_name};
use safepassage_error::{Error, Kind, Result};

use super::scratch::LocalScratch;
use super::{Lease, Scratch, Storage, WriteBytes};

const TEMPORARY: &str = "tmp";
/// From this many bytes on the system is asked for huge pages.
#[cfg(target_os = "linux")]
const HUGE_FROM: u64 = 4 << 20;

/// A folder of the local file system.
#[derive(Debug)]
pub struct LocalStorage {
    root: PathBuf,
}

impl LocalStorage {
    /// Uses the folder `root`; it is created with the first file.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn resolve(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn put(&self, path: &str, write: WriteBytes<'_>) -> io::Result<()> {
        let target = self.resolve(path);
        let parent = target.parent().unwrap_or(&self.root);
        let temporaries = self.root.join(TEMPORARY);
        create_folder(&temporaries)?;
        create_folder(parent)?;
        let kind = path.split('/').next().unwrap_or_default();
        let (temporary, file) = create_temporary(&temporaries, kind)?;
        let written = write_synced(&file, write).and_then(|()| fs::hard_link(&temporary, &target));
        let removed = fs::remove_file(&temporary);
        written?;
        sync_folder(parent)?;
        removed
    }

    /// Removes what those who died left under `tmp/`. What somebody writes now is locked and stays.
    fn remove_leftovers(&self) {
        let Ok(entries) = fs::read_dir(self.root.join(TEMPORARY)) else { return };
        for entry in entries.flatten() {
            let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
            if file.try_lock().is_ok() {
                // Not being able to remove a leftover costs space and nothing else.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A new file that is locked for as long as it is open, so that it is not taken for a leftover.
fn create_temporary(folder: &Path, kind: &str) -> io::Result<(PathBuf, File)> {
    loop {
        let path = folder.join(format!("{kind}-{}", unique_name(&Clock::system())));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        // Where files cannot be locked nobody gets a lease, so nobody removes leftovers either.
        let _ = file.lock();
        // Before it was locked, somebody who has just got a lease may have taken it for one.
        if path.try_exists()? {
            return Ok((path, file));
        }
    }
}

fn write_synced(file: &File, write: WriteBytes<'_>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    write(&mut out)?;
    out.flush()?;
    file.sync_all()
}

/// Creates `path` and syncs every parent that got a new entry.
fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    parent.map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(path)?.sync_all()
}

pub(super) fn failed(operation: &'static str, path: &str, source: io::Error) -> Error {
    let (kind, what) = match source.kind() {
        io::ErrorKind::AlreadyExists => (Kind::Conflict, "it exists already".to_owned()),
        io::ErrorKind::NotFound => (Kind::NotFound, "no such file".to_owned()),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (Kind::Unavailable, "the disk is full; free some space and run again, nothing committed is lost".to_owned())
        }
        io::ErrorKind::FileTooLarge => {
            let what = "a file grew beyond what this process may write; nothing committed is lost";
            (Kind::Unavailable, what.to_owned())
        }
        io::ErrorKind::NotADirectory => {
            (Kind::Invalid, "the index, or what is above it, is a file, not a folder".to_owned())
        }
        _ => (Kind::Unavailable, source.to_string()),
    };
    Error::new(kind, operation, what).with("path", path).because(source)
}

impl Storage for LocalStorage {
    fn put_if_absent(&self, path: &str, write: WriteBytes<'_>) -> Result<()> {
        self.put(path, write).map_err(|e| failed("write file", path, e))
    }

    fn read(&self, path: &str) -> Result<Bytes> {
        let file = File::open(self.resolve(path)).map_err(|e| failed("read file", path, e))?;
        let length = file.metadata().map_err(|e| failed("read file", path, e))?.len();
        if length == 0 {
            return Ok(Bytes::new());
        }
        // SAFETY: the map is read-only, and by the storage contract a file is never written after its name exists.
        // Somebody who shortens a file underneath us breaks that contract and gets SIGBUS, as with any mapped file.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|e| failed("map file", path, e))?;
        #[cfg(target_os = "linux")]
        if length >= HUGE_FROM {
            // Fewer, larger pages for what is read here and there; most file systems have none, and that is no error.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Ok(Bytes::from_owner(map))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.resolve(path).try_exists().map_err(|e| failed("look for file", path, e))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(self.resolve(folder)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| failed("list folder", folder, e))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| failed("list folder", folder, e))?.file_name();
            names.extend(name.into_string().ok().filter(|name| !name.starts_with('.')));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<()> {
        let target = self.resolve(path);
        let removed = if target.is_dir() { fs::remove_dir_all(&target) } else { fs::remove_file(&target) };
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("delete", path, e)),
            _ => Ok(()),
        }
    }

    fn scratch(&self) -> Result<Option<Arc<dyn Scratch>>> {
        let temporaries = self.root.join(TEMPORARY);
        let create = create_folder(&temporaries).and_then(|()| create_temporary(&temporaries, "scratch"));
        let (path, file) = create.map_err(|e| failed("create scratch file", TEMPORARY, e))?;
        // Where an open file keeps its name it is a leftover like any other once it is closed.
        let _ = fs::remove_file(path);
        Ok(Some(Arc::new(LocalScratch::new(file))))
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn lease(&self, role: &str, holder: &str) -> Result<Box<dyn Lease>> {
        let lock = format!("{role}.lock");
        let path = self.resolve(&lock);
        let refused = |e| failed("take the lease", &lock, e);
        create_folder(&self.root).map_err(refused)?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                // Without the holder's name the refusal is still right.
                let _ = file.read_to_string(&mut other);
                let message = format!("another {role} is at work: {}", other.trim());
                return Err(Error::new(Kind::Conflict, "take the lease", message));
            }
            Err(TryLockError::Error(e)) => return Err(refused(e)),
        }
        let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{holder}"));
        noted.map_err(refused)?;
        self.remove_leftovers();
        Ok(Box::new(LocalLease { _locked: file }))
    }
}

#[derive(Debug)]
struct LocalLease {
    _locked: File,
}

impl Lease for LocalLease {}
