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
mod object;
pub(crate) mod section;
mod sidecar;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use safepassage_access::Acl;
use safepassage_error::{Error, Kind, Result};
use serde_json::{Map, Value};

use acl_file::AclFile;
pub use acl_objects::{AclObject, read_acl_objects};
pub use format::Format;
pub(crate) use object::{Object, describe};
pub use section::Section;
use section::check as check_sections;
pub(crate) use sidecar::{SUFFIX as SIDECAR, acl as sidecar_acl};

/// A source as it is named on the command line: `PATH` or `NAME=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    /// Prefix of its ids, and what a sync deletes within.
    pub name: Option<String>,
    /// A folder, a BEIR folder, a `.jsonl` file, or one document.
    pub path: PathBuf,
}

impl SourceSpec {
    /// An unnamed source.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { name: None, path: path.into() }
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
    pub permission: Option<Box<(Option<Acl>, Option<String>)>>,
}

impl Fault {
    fn hidden(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), permission: None }
    }
}

pub(crate) trait Source: Send + Sync {
    fn list(&self) -> Result<Listing>;
    fn read(&self, entry: &Entry) -> std::result::Result<SourceDocument, Fault>;
    /// After the listing: lines of the ACL file that match no document.
    fn unmatched_acls(&self, listing: &Listing) -> Vec<String>;
}

/// Opens the source at `spec`, with the ACL file `acl`, or the `acl.jsonl` beside it if there is one.
pub(crate) fn open(spec: &SourceSpec, acl: Option<&Path>) -> Result<Box<dyn Source>> {
    let path = &spec.path;
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
    if found.is_dir() && corpus.is_file() {
        Ok(Box::new(jsonl::Jsonl::beir(corpus, acls)))
    } else if found.is_dir() {
        Ok(Box::new(folder::Folder::new(path.clone(), acls)))
    } else if matches!(extension.as_str(), "jsonl" | "ndjson") {
        Ok(Box::new(jsonl::Jsonl::documents(path.clone(), acls)))
    } else if Format::of(path).is_some() {
        Ok(Box::new(folder::Folder::one(path.clone(), acls)))
    } else {
        let message = "a source is a folder, a `.jsonl` file, or a file of a kind that can be read";
        Err(Error::invalid("open source", message).with("path", path.display()))
    }
}

fn is_there(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(Error::new(Kind::Unavailable, "read ACL file", e.to_string()).with("path", path.display())),
    }
}
