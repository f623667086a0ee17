//! A folder of files that can be read; ids are relative paths with `/`.
//!
//! Hidden files, sidecars, `acl.jsonl` and an index that lies in the folder are no documents. Symbolic links are not
//! followed (a link can lead out of the folder, or round in a circle) and are listed as skipped.

mod seen;

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use safepassage_error::Result;
use walkdir::WalkDir;

pub(super) use self::seen::Seen;
use super::acl_file::{self, AclFile};
use super::records::{Records, Structure};
use super::sidecar::{self, Said};
use super::table::is_table;
use super::{At, Entry, Fault, Format, Listing, Local, SourceDocument};

/// A larger file is put aside.
pub(super) const MOST_BYTES: u64 = 64 << 20;

pub(super) struct Folder {
    root: PathBuf,
    only: Option<PathBuf>,
    acls: AclFile,
    /// CSV files whose rows are documents, as they were listed.
    records: Mutex<HashMap<Arc<Path>, Arc<RecordFile>>>,
}

/// A file whose rows are documents.
struct RecordFile {
    id: String,
    structure: Structure,
    bytes: u64,
    modified: Option<SystemTime>,
    records: Records,
}

impl Folder {
    pub fn new(root: PathBuf, acls: AclFile) -> Self {
        Self { root, only: None, acls, records: Mutex::default() }
    }

    /// The folder of `file`, of which only that file is a document.
    pub fn one(file: PathBuf, acls: AclFile) -> Self {
        let root = file.parent().unwrap_or(Path::new("")).to_owned();
        Self { root, only: Some(file), acls, records: Mutex::default() }
    }

    fn id(&self, path: &Path) -> Option<String> {
        let relative = path.strip_prefix(&self.root).ok()?;
        let parts: Option<Vec<&str>> = relative.components().map(|part| part.as_os_str().to_str()).collect();
        parts.map(|parts| parts.join("/"))
    }

    fn list_one(&self, path: &Path, bytes: u64, at: At, listing: &mut Listing) {
        let Some(id) = self.id(path) else {
            let relative = path.strip_prefix(&self.root).unwrap_or(path);
            listing.skipped.push((relative.display().to_string(), "the name is not UTF-8".into()));
            return;
        };
        if id.ends_with(sidecar::SUFFIX) {
            if !self.root.join(id.trim_end_matches(sidecar::SUFFIX)).is_file() {
                listing.warnings.push(format!("`{id}` belongs to no file"));
            }
        } else if id == acl_file::NAME {
        } else if id.chars().any(char::is_control) {
            listing.skipped.push((id.escape_debug().to_string(), "the name has control characters".into()));
        } else if Format::of(path).is_none() {
            let link = matches!(at, At::Link(_));
            let reason = match link {
                true => "symbolic links are not followed",
                false if is_table(path) => "a table among other files: give it as a source of its own, by its path",
                false => "no parser for this kind of file",
            };
            listing.skipped.push((id, reason.into()));
        } else if !could_have(path, &at) || self.list_records(path, &id, listing).is_none() {
            listing.entries.push(Entry { tenant: String::new(), place: id.clone(), id, bytes, at });
        }
    }

    /// Lists the rows of a CSV file, if its sidecar says that they are documents and all of that can be read. A file of
    /// which that cannot be read is listed as a document, so that it is named; which rows it had is not known then.
    fn list_records(&self, path: &Path, id: &str, listing: &mut Listing) -> Option<()> {
        let structure = match beside(path).transpose()? {
            Ok(said) => said.structure?,
            Err(_) => {
                listing.unidentified = true;
                return None;
            }
        };
        let found = fs::metadata(path).ok();
        let records = read_whole(path).and_then(|bytes| Records::of(&bytes, &structure));
        let (Ok(records), Some(found)) = (records, found) else {
            listing.unidentified = true;
            return None;
        };
        let file: Arc<Path> = path.into();
        for (row, span) in records.spans.iter().enumerate() {
            listing.entries.push(Entry {
                tenant: String::new(),
                id: format!("{id}#{}", row + 1),
                place: format!("{id}, row {}", row + 1),
                bytes: span.len() as u64,
                at: At::Record { file: Arc::clone(&file), offset: span.start as u64 },
            });
        }
        let modified = found.modified().ok();
        let file_of = RecordFile { id: id.to_owned(), structure, bytes: found.len(), modified, records };
        self.records.lock().unwrap_or_else(PoisonError::into_inner).insert(file, Arc::new(file_of));
        Some(())
    }

    fn read_record(&self, file: &Arc<Path>, entry: &Entry, offset: u64) -> std::result::Result<SourceDocument, Fault> {
        let changed = || Fault::hidden("it changed while it was read; run again");
        let listed = self.records.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned();
        let listed = listed.ok_or_else(changed)?;
        let Said { metadata, stated, label, structure } = beside(file)?.unwrap_or_default();
        let found = fs::metadata(file).map_err(|_| changed())?;
        let is_same = (found.len(), found.modified().ok()) == (listed.bytes, listed.modified);
        if !is_same || structure.as_ref() != Some(&listed.structure) {
            return Err(changed());
        }
        let said = self.acls.resolve_within(&entry.id, Some(&listed.id), stated.as_ref(), label.as_deref());
        let fault = |reason: String| Fault { reason, permission: Some(Box::new(said.clone())) };
        let mut row = vec![0; usize::try_from(entry.bytes).unwrap_or_default()];
        let mut open = fs::File::open(file).map_err(|e| fault(e.to_string()))?;
        open.seek(SeekFrom::Start(offset)).and_then(|_| open.read_exact(&mut row)).map_err(|e| fault(e.to_string()))?;
        let (text, of_row) = listed.records.read(&row).map_err(&fault)?;
        Ok(SourceDocument::of_record(text, of_row, metadata, said.clone()))
    }
}

/// Whether an index lies in this folder: its files are no documents.
fn is_index(entry: &walkdir::DirEntry) -> bool {
    let has = |name: &str| entry.path().join(name).is_dir();
    entry.file_type().is_dir() && has("manifest") && has("access/log")
}

impl Local for Folder {
    fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        if let Some(only) = &self.only {
            let bytes = fs::metadata(only).map_or(0, |m| m.len());
            self.list_one(only, bytes, At::File(only.clone()), &mut listing);
            return Ok(listing);
        }
        let hidden = |entry: &walkdir::DirEntry| {
            let named = |name: &str| name.starts_with('.');
            entry.depth() > 0 && (entry.file_name().to_str().is_some_and(named) || is_index(entry))
        };
        for found in WalkDir::new(&self.root).sort_by_file_name().into_iter().filter_entry(|entry| !hidden(entry)) {
            match found {
                Err(error) => {
                    let path = error.path().map_or_else(String::new, |path| path.display().to_string());
                    // A folder that cannot be read may hold documents we know: nothing is deleted then.
                    listing.unidentified = true;
                    listing.skipped.push((path, error.to_string()));
                }
                Ok(found) if found.path_is_symlink() => {
                    self.list_one(found.path(), 0, At::Link(found.path().to_owned()), &mut listing);
                }
                Ok(found) if found.file_type().is_file() => {
                    let bytes = found.metadata().map_or(0, |m| m.len());
                    self.list_one(found.path(), bytes, At::File(found.path().to_owned()), &mut listing);
                }
                Ok(_) => {}
            }
        }
        Ok(listing)
    }

    fn read(&self, entry: &Entry) -> std::result::Result<SourceDocument, Fault> {
        if let At::Record { file, offset } = &entry.at {
            return self.read_record(file, entry, *offset);
        }
        let (At::File(path) | At::Link(path)) = &entry.at else { return Err(Fault::hidden("not a file of a folder")) };
        let Said { metadata, stated, label, structure } = beside(path)?.unwrap_or_default();
        let said = self.acls.resolve(&entry.id, stated.as_ref(), label.as_deref());
        let fault = |reason: String| Fault { reason, permission: Some(Box::new(said.clone())) };
        if matches!(entry.at, At::Link(_)) {
            return Err(fault("symbolic links are not followed".into()));
        }
        let bytes = read_whole(path).map_err(fault)?;
        if let Some(structure) = structure {
            return Err(fault(no_records(path, &bytes, &structure)));
        }
        SourceDocument::of_file(path, bytes, said.clone(), Some(metadata)).map_err(fault)
    }

    fn unmatched_acls(&self, listing: &Listing) -> Vec<String> {
        if self.only.is_some() {
            return Vec::new();
        }
        let skipped = listing.skipped.iter().map(|(id, _)| id.as_str());
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let records = records.values().map(|listed| listed.id.as_str());
        self.acls.unmatched(listing.entries.iter().map(|entry| entry.id.as_str()).chain(skipped).chain(records))
    }
}

/// Whether the rows of a file could be documents.
fn could_have(path: &Path, at: &At) -> bool {
    matches!(at, At::File(_)) && Format::of(path) == Some(Format::Csv)
}

/// What the sidecar of a file says, if it has one.
fn beside(path: &Path) -> std::result::Result<Option<Said>, Fault> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(sidecar::SUFFIX);
    match fs::read(&beside) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Fault::hidden(format!("its sidecar cannot be read: {e}"))),
        Ok(bytes) => {
            sidecar::read(&bytes).map(Some).map_err(|what| Fault::hidden(format!("its sidecar cannot be read: {what}")))
        }
    }
}

fn read_whole(path: &Path) -> std::result::Result<Vec<u8>, String> {
    let bytes = fs::metadata(path).map_err(|e| e.to_string())?.len();
    if bytes > MOST_BYTES {
        return Err(format!("it has {bytes} bytes; the most is {MOST_BYTES}"));
    }
    fs::read(path).map_err(|e| e.to_string())
}

/// Why the rows of a file are no documents, though its sidecar says so.
pub(super) fn no_records(path: &Path, bytes: &[u8], structure: &Structure) -> String {
    if Format::of(path) != Some(Format::Csv) {
        return "its sidecar says that its rows are documents, and it is no CSV file".into();
    }
    match Records::of(bytes, structure) {
        Err(what) => what,
        Ok(_) => "it changed while it was read; run again".into(),
    }
}

#[cfg(test)]
mod tests;
