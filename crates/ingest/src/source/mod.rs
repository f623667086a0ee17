//! Where do documents come from, and who may read them?
//!
//! A source lists what it has (cheaply, without the texts) and reads one document at a time. Faults are found here and
//! carry file and line; a fault never widens what somebody may see.

mod acl_file;
mod acl_objects;
mod folder;
mod format;
mod jsonl;
mod lines;
mod memory;
mod object;
mod records;
pub(crate) mod section;
mod sidecar;
mod store;
mod stored;
mod table;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rayon::prelude::*;
use safepassage_access::{Acl, Version};
use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub(crate) use acl_file::{AclFile, NAME as ACL_FILE, Resolved};
pub use acl_objects::{AclObject, read_acl_objects};
pub use format::Format;
pub(crate) use memory::Memory;
pub use memory::read_at;
pub(crate) use object::{Object, describe};
pub use section::Section;
use section::check as check_sections;
pub(crate) use sidecar::{SUFFIX as SIDECAR, permission as sidecar_permission};
pub use store::{FileStore, FileStores, StoredContent, StoredFile};
pub(crate) use table::{Columns, Rows};

/// A source as it is named on the command line: `PATH` or `NAME=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    /// Prefix of its ids, and what a sync deletes within.
    pub name: Option<String>,
    /// A folder, a BEIR folder, a `.jsonl` file, a table or a folder of them, one document, or the URL of a store.
    pub path: PathBuf,
}

impl SourceSpec {
    /// An unnamed source.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { name: None, path: path.into() }
    }

    /// Whether it is the URL of a store, and no path.
    #[must_use]
    pub fn is_url(&self) -> bool {
        self.url().is_some()
    }

    pub(crate) fn url(&self) -> Option<&str> {
        self.path.to_str().filter(|path| store::is_url(path))
    }
}

impl FromStr for SourceSpec {
    type Err = Error;

    /// Text before the first `=` is a name if it has no `/`; a path that exists is a path whatever it contains.
    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::invalid("read source", "a source is PATH or NAME=PATH"));
        }
        match text.split_once('=') {
            Some((name, path)) if !name.contains(['/', '\\']) && !Path::new(text).exists() => {
                if name.is_empty() || path.is_empty() {
                    return Err(Error::invalid("read source", format!("`{text}` is not NAME=PATH")));
                }
                Ok(Self { name: Some(name.to_owned()), path: path.into() })
            }
            _ => Ok(Self::new(text)),
        }
    }
}

/// Whether a folder with this file has it as a document.
pub(crate) fn is_document(path: &Path) -> bool {
    let is_sidecar = path.to_str().is_some_and(|path| path.ends_with(SIDECAR));
    Format::of(path).is_some() && !is_sidecar
}

/// A document that a source has, without its text.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub tenant: String,
    /// Unique within source and tenant; the source's name is not part of it.
    pub id: String,
    /// For messages: the file, or the file and line.
    pub place: String,
    /// Bytes, for the progress bar.
    pub bytes: u64,
    pub at: At,
}

/// Where an entry is read from.
#[derive(Debug, Clone)]
pub(crate) enum At {
    File(PathBuf),
    /// Not followed; who may read what stood there is still looked up.
    Link(PathBuf),
    Line {
        offset: u64,
        line: u64,
    },
    /// A row of a part of one of several tables.
    Row {
        file: u32,
        part: u32,
        row: u32,
    },
    /// A row of a CSV file, from byte `offset` on.
    Record {
        file: Arc<Path>,
        offset: u64,
    },
    /// A file of a store, by the entry's id.
    Stored,
    /// A row of a CSV file of a store.
    StoredRecord {
        file: Arc<str>,
        row: u32,
    },
    /// Known from the index only.
    Nowhere,
}

/// Everything a source has.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub entries: Vec<Entry>,
    /// What cannot be read, with the reason.
    pub skipped: Vec<(String, String)>,
    /// Whether something skipped could not be told by id; then nothing is deleted.
    pub unidentified: bool,
    pub warnings: Vec<String>,
    /// If only these files were looked at: of the others nothing is known.
    pub only: Option<BTreeSet<String>>,
}

/// One document as a source gives it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceDocument {
    pub title: Option<String>,
    pub uri: Option<String>,
    /// What was found, as it was found; for a textual format it is UTF-8 ([`Format::check`]).
    pub content: Vec<u8>,
    pub format: Format,
    /// `None` if nobody said anything: visible to nobody, and listed in the report.
    pub acl: Option<Acl>,
    pub label: Option<String>,
    /// Parts of the text that fewer may read, ascending and without overlap; of textual formats only.
    pub sections: Vec<Section>,
    /// Ids of the documents, of the same source and tenant, that the text was derived from.
    pub derived_from: Vec<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// One document without its content: what is planned by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    pub version: Version,
    pub acl: Option<Acl>,
    pub label: Option<String>,
    /// ACLs of its sections.
    pub sections: Vec<Acl>,
    /// Whether sections, which are bytes of a text, can be of it.
    pub is_text: bool,
    pub derived_from: Vec<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// What became of each entry.
pub(crate) type Outlines = Vec<std::result::Result<Outline, Fault>>;

impl Outline {
    /// Of content about which nothing is stated.
    fn of(version: Version) -> Self {
        let (sections, derived_from) = (Vec::new(), Vec::new());
        Self { version, acl: None, label: None, sections, is_text: true, derived_from, metadata: None }
    }
}

impl SourceDocument {
    /// A file called `path`; why it is none of its kind otherwise.
    fn of_file(
        path: &Path,
        content: Vec<u8>,
        (acl, label): Resolved,
        metadata: Option<Map<String, Value>>,
    ) -> std::result::Result<Self, String> {
        let format = Format::of(path).unwrap_or(Format::Plain);
        format.check(&content)?;
        let title = (format == Format::Plain).then(|| path.file_stem().and_then(|s| s.to_str()).map(str::to_owned));
        Ok(Self {
            title: title.flatten(),
            uri: None,
            content,
            format,
            acl,
            label,
            sections: Vec::new(),
            derived_from: Vec::new(),
            metadata: metadata.filter(|metadata| !metadata.is_empty()),
        })
    }

    /// A row of a CSV file; what its sidecar says holds whatever the row says.
    fn of_record(
        text: String,
        of_row: Map<String, Value>,
        of_file: Map<String, Value>,
        (acl, label): Resolved,
    ) -> Self {
        let mut metadata = of_row;
        metadata.extend(of_file);
        Self {
            title: None,
            uri: None,
            content: text.into_bytes(),
            format: Format::Plain,
            acl,
            label,
            sections: Vec::new(),
            derived_from: Vec::new(),
            metadata: Some(metadata).filter(|metadata| !metadata.is_empty()),
        }
    }

    pub fn outline(self) -> Outline {
        let (version, is_text) = (self.version(), self.format.is_text());
        let sections = self.sections.into_iter().map(|section| section.acl).collect();
        let Self { acl, label, derived_from, metadata, .. } = self;
        Outline { version, acl, label, sections, is_text, derived_from, metadata }
    }

    /// The digest of everything its rows are made of; permissions are no part of it.
    pub fn version(&self) -> Version {
        let mut hash = Sha256::new();
        let metadata = self.metadata.as_ref().map(metadata_text);
        let stated = [self.title.as_deref(), self.uri.as_deref(), metadata.as_deref()];
        let parts = stated.map(|part| part.map(str::as_bytes)).into_iter().chain([Some(&self.content[..])]);
        hash.update([self.format as u8]);
        for part in parts {
            hash.update([u8::from(part.is_some())]);
            hash.update((part.map_or(0, <[u8]>::len) as u64).to_le_bytes());
            hash.update(part.unwrap_or_default());
        }
        // Where it is cut is part of the content; who may read the parts is not.
        for section in &self.sections {
            hash.update((section.span.0 as u64).to_le_bytes());
            hash.update((section.span.1 as u64).to_le_bytes());
        }
        Version(first_16(&hash.finalize()))
    }
}

/// The first 16 bytes of a digest as a number.
pub(crate) fn first_16(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |all, &byte| all << 8 | u128::from(byte))
}

/// Metadata as it is stored and as versions are made of it: fields in the order of their names, whatever the program was
/// built with.
pub(crate) fn metadata_text(metadata: &Map<String, Value>) -> String {
    let mut value = Value::Object(metadata.clone());
    value.sort_all_objects();
    value.to_string()
}

/// What was stated about a document's permission, where the text itself cannot be used.
#[derive(Debug)]
pub(crate) struct Fault {
    pub reason: String,
    /// The ACL and label if they could be read; `None` hides the document until the fault is mended.
    pub permission: Option<Box<Resolved>>,
}

impl Fault {
    fn hidden(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), permission: None }
    }
}

pub(crate) trait Source: Send + Sync {
    fn list(&self) -> Result<Listing>;
    /// What each of `entries` says, of which the index has the content `live`.
    fn outlines(&self, entries: &[&Entry], live: &[Option<Version>]) -> Result<Outlines>;
    /// Each of `entries` whole.
    fn read_all(&self, entries: &[&Entry]) -> Result<Vec<std::result::Result<SourceDocument, Fault>>>;
    /// Of which store this run read what, for the next one; nothing where reading costs nothing.
    fn memory(&self) -> Option<(String, Memory)> {
        None
    }
    /// After the listing: lines of the ACL file that match no document.
    fn unmatched_acls(&self, listing: &Listing) -> Vec<String>;
}

/// A source that is read from this machine, one document at a time.
trait Local: Send + Sync {
    fn list(&self) -> Result<Listing>;
    fn read(&self, entry: &Entry) -> std::result::Result<SourceDocument, Fault>;
    fn unmatched_acls(&self, listing: &Listing) -> Vec<String>;
}

impl<L: Local> Source for L {
    fn list(&self) -> Result<Listing> {
        Local::list(self)
    }

    fn outlines(&self, entries: &[&Entry], _: &[Option<Version>]) -> Result<Outlines> {
        Ok(entries.par_iter().map(|entry| self.read(entry).map(SourceDocument::outline)).collect())
    }

    fn read_all(&self, entries: &[&Entry]) -> Result<Vec<std::result::Result<SourceDocument, Fault>>> {
        Ok(entries.par_iter().map(|entry| self.read(entry)).collect())
    }

    fn unmatched_acls(&self, listing: &Listing) -> Vec<String> {
        Local::unmatched_acls(self, listing)
    }
}

/// Which part of a store or a folder is opened, and how.
pub(crate) struct InStore<'a> {
    /// The ACL file, instead of the `acl.jsonl` in it.
    pub acl: Option<&'a Path>,
    pub stores: Option<&'a dyn FileStores>,
    /// What was read of a store or folder last time.
    pub memory: &'a dyn Fn(&str) -> Result<Option<Memory>>,
    /// These files alone, with the versions that they should have by now.
    pub only: Option<&'a BTreeMap<String, Option<String>>>,
    /// When the sync began.
    pub since: Timestamp,
}

/// Opens the store at the URL `url`; gives what it is called.
pub(crate) fn open_store(url: &str, how: &InStore<'_>) -> Result<(String, Box<dyn Source>)> {
    let Some(stores) = how.stores else {
        let message = format!("`{url}` is in a store that this program cannot open; S3 needs the feature `aws`");
        return Err(Error::invalid("open source", message));
    };
    let store = stores.open(url)?;
    let name = store.url().to_owned();
    let memory = (how.memory)(&name)?.unwrap_or_default();
    let stored = stored::Stored::new(store, how.acl.map(AclFile::read).transpose()?, memory);
    let stored = match how.only {
        Some(only) => stored.only(only)?,
        None => stored,
    };
    Ok((name, Box::new(stored)))
}

/// Opens the source at `spec`, with the ACL file that is given, or the `acl.jsonl` beside it if there is one.
pub(crate) fn open(spec: &SourceSpec, how: &InStore<'_>) -> Result<Box<dyn Source>> {
    let (path, acl) = (&spec.path, how.acl);
    let found = std::fs::metadata(path).map_err(|e| {
        let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Unavailable };
        Error::new(kind, "open source", e.to_string()).with("path", path.display())
    })?;
    let folder = if found.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
    let beside = folder.join(acl_file::NAME);
    let acls = match acl {
        Some(file) => AclFile::read(file)?,
        // One that is there and cannot be read might hold a deny: that is an error, not an absent file.
        None if beside != *path && is_there(&beside)? => AclFile::read(&beside)?,
        None => AclFile::default(),
    };
    let corpus = path.join("corpus.jsonl");
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let tables = if found.is_dir() { table::of_folder(path) } else { None };
    if let Some(tables) = tables {
        Ok(Box::new(table::Tables::folder(tables, acls)?))
    } else if found.is_file() && table::is_table(path) {
        Ok(Box::new(table::Tables::one(path, acls)?))
    } else if found.is_dir() && corpus.is_file() {
        Ok(Box::new(jsonl::Jsonl::beir(corpus, acls)))
    } else if found.is_dir() {
        seen(folder::Folder::new(path.clone(), acls), path, how)
    } else if matches!(extension.as_str(), "jsonl" | "ndjson") {
        Ok(Box::new(jsonl::Jsonl::documents(path.clone(), acls)))
    } else if Format::of(path).is_some() {
        seen(folder::Folder::one(path.clone(), acls), path, how)
    } else {
        let message = "a source is a folder, a `.jsonl` file, a table (`.parquet`, `.arrow`), or a file of a kind that can be read";
        Err(Error::invalid("open source", message).with("path", path.display()))
    }
}

/// `folder`, with what was read of `path` last time.
fn seen(folder: folder::Folder, path: &Path, how: &InStore<'_>) -> Result<Box<dyn Source>> {
    let unreadable = |e: std::io::Error| Error::new(Kind::Unavailable, "open source", e.to_string());
    let name = format!("(folder) {}", path.canonicalize().map_err(unreadable)?.display());
    let memory = (how.memory)(&name)?.unwrap_or_default();
    Ok(Box::new(folder::Seen::new(folder, name, memory, how.since)))
}

fn is_there(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(Error::new(Kind::Unavailable, "read ACL file", e.to_string()).with("path", path.display())),
    }
}
