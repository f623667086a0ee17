//! Which documents are there, that a source of permissions speaks of?
//!
//! Paths relative to the source's root, with `/`, without the prefix that ids have here.

use std::collections::BTreeSet;
use std::path::Path;

use safepassage_error::{Error, Kind, Result};
use walkdir::{DirEntry, WalkDir};

use super::{ImportOptions, MOST_FOLDERS};
use crate::source::is_document;

/// The documents that the options name; `None` if they name none.
pub(super) fn named(options: &ImportOptions) -> Result<Option<BTreeSet<String>>> {
    if let Some(root) = &options.root {
        return below(root).map(Some);
    }
    let strip = |id: &String| id.strip_prefix(&options.prefix).map(str::to_owned);
    Ok(options.documents.as_ref().map(|ids| ids.iter().filter_map(strip).collect()))
}

/// As [`named`], for formats that say nothing of which documents there are.
pub(super) fn needed(options: &ImportOptions) -> Result<BTreeSet<String>> {
    named(options)?.ok_or_else(|| {
        let message = "this format does not say which documents there are; name their folder or an index";
        Error::invalid("import permissions", message)
    })
}

/// The documents in the folder `root` and below, as a sync finds them: no hidden files, no links.
pub(super) fn below(root: &Path) -> Result<BTreeSet<String>> {
    let hidden = |entry: &DirEntry| entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
    let files = walked(root, |entry| !hidden(entry))?;
    let documents = files.iter().filter(|file| file.file_type().is_file() && is_document(file.path()));
    Ok(documents.filter_map(|file| relative(root, file.path())).collect())
}

/// Every file, hidden ones too, but what Git keeps for itself.
pub(super) fn files(root: &Path) -> Result<Vec<DirEntry>> {
    walked(root, |entry| entry.file_name() != ".git")
}

fn walked(root: &Path, wanted: impl Fn(&DirEntry) -> bool) -> Result<Vec<DirEntry>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(wanted) {
        let entry = entry.map_err(|e| failed(&e))?;
        if entry.depth() > MOST_FOLDERS {
            let message = format!("a path has more than {MOST_FOLDERS} folders");
            return Err(Error::invalid("list folder", message).with("path", entry.path().display()));
        }
        if !entry.file_type().is_dir() {
            files.push(entry);
        }
    }
    Ok(files)
}

/// `path` below `root`, with `/`; `None` if it is not UTF-8.
pub(super) fn relative(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> =
        path.strip_prefix(root).ok()?.components().map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

/// The folder that `path` is in; the root is the empty path, and nothing is above it.
pub(super) fn above(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('/').map_or("", |(folder, _)| folder))
}

fn failed(error: &walkdir::Error) -> Error {
    let missing = error.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    let kind = if missing { Kind::NotFound } else { Kind::Unavailable };
    Error::new(kind, "list folder", error.to_string())
}
