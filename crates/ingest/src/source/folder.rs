//! A folder of files that can be read; ids are relative paths with `/`.
//!
//! Hidden files, sidecars, `acl.jsonl` and an index that lies in the folder are no documents. Symbolic links are not
//! followed (a link can lead out of the folder, or round in a circle) and are listed as skipped.

use std::fs;
use std::path::{Path, PathBuf};

use safepassage_error::Result;
use walkdir::WalkDir;

use super::acl_file::{self, AclFile};
use super::{At, Entry, Fault, Format, Listing, Local, SourceDocument, sidecar};

/// A larger file is put aside.
pub(super) const MOST_BYTES: u64 = 64 << 20;

pub(super) struct Folder {
    root: PathBuf,
    only: Option<PathBuf>,
    acls: AclFile,
}

impl Folder {
    pub fn new(root: PathBuf, acls: AclFile) -> Self {
        Self { root, only: None, acls }
    }

    /// The folder of `file`, of which only that file is a document.
    pub fn one(file: PathBuf, acls: AclFile) -> Self {
        Self { root: file.parent().unwrap_or(Path::new("")).to_owned(), only: Some(file), acls }
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
            let reason = if link { "symbolic links are not followed" } else { "no parser for this kind of file" };
            listing.skipped.push((id, reason.into()));
        } else {
            listing.entries.push(Entry { tenant: String::new(), place: id.clone(), id, bytes, at });
        }
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
        let (At::File(path) | At::Link(path)) = &entry.at else { return Err(Fault::hidden("not a file of a folder")) };
        let mut beside = path.clone().into_os_string();
        beside.push(sidecar::SUFFIX);
        let (metadata, stated) = match fs::read(&beside) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => (None, None),
            Err(e) => return Err(Fault::hidden(format!("its sidecar cannot be read: {e}"))),
            Ok(bytes) => {
                let (metadata, stated) = sidecar::read(&bytes)
                    .map_err(|what| Fault::hidden(format!("its sidecar cannot be read: {what}")))?;
                (Some(metadata), stated)
            }
        };
        let acl = self.acls.resolve(&entry.id, stated.as_ref());
        let fault = |reason: String| Fault { reason, permission: Some(Box::new((acl.clone(), None))) };
        if matches!(entry.at, At::Link(_)) {
            return Err(fault("symbolic links are not followed".into()));
        }
        if entry.bytes > MOST_BYTES {
            return Err(fault(format!("it has {} bytes; the most is {MOST_BYTES}", entry.bytes)));
        }
        let bytes = fs::read(path).map_err(|e| fault(e.to_string()))?;
        SourceDocument::of_file(path, bytes, acl.clone(), metadata).map_err(fault)
    }

    fn unmatched_acls(&self, listing: &Listing) -> Vec<String> {
        if self.only.is_some() {
            return Vec::new();
        }
        let skipped = listing.skipped.iter().map(|(id, _)| id.as_str());
        self.acls.unmatched(listing.entries.iter().map(|entry| entry.id.as_str()).chain(skipped))
    }
}
