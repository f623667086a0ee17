//! Files that lie in a store elsewhere, as S3 has them: what must such a store offer?
//!
//! It lists everything it has, or fails: what is not listed is deleted. It gives a file as it was listed, or says that it
//! is another one by now. Whoever implements it deals with pages, waits and further attempts.

use std::fmt::Debug;

use safepassage_error::Result;
use serde::{Deserialize, Serialize};

/// A file as a listing names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name below the store's URL, with `/`: the id of the document.
    pub key: String,
    /// Its length.
    pub bytes: u64,
    /// Another one whenever the content is another (`ETag`); without one a file counts as changed every time.
    pub tag: Option<String>,
    /// When it was written, as the store writes times.
    pub modified: Option<String>,
    /// Which version of it this is, where the store keeps versions and says so: listings seldom do, contents do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl StoredFile {
    /// Whether this is surely the same file as `other`, unread.
    pub(super) fn is_surely(&self, other: &Self) -> bool {
        match (&self.version, &other.version) {
            // A version never changes.
            (Some(mine), Some(theirs)) => self.key == other.key && mine == theirs,
            _ => self.tag.is_some() && self.listed() == other.listed(),
        }
    }

    /// What a listing says of it.
    fn listed(&self) -> (&str, u64, Option<&str>, Option<&str>) {
        (&self.key, self.bytes, self.tag.as_deref(), self.modified.as_deref())
    }
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContent {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Of which version it is, where the store keeps versions.
    pub version: Option<String>,
}

impl From<Vec<u8>> for StoredContent {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, version: None }
    }
}

/// A place of a store that documents come from.
pub trait FileStore: Debug + Send + Sync {
    /// What it is called, such as `s3://BUCKET/FOLDER`: documents belong to it by this name.
    fn url(&self) -> &str;

    /// Every file, in any order.
    ///
    /// # Errors
    /// Whatever keeps it from listing all: a listing that is not whole would delete what it lacks.
    fn list(&self) -> Result<Vec<StoredFile>>;

    /// The file `key` as it is now, if there is one.
    ///
    /// # Errors
    /// As [`FileStore::list`].
    fn find(&self, key: &str) -> Result<Option<StoredFile>>;

    /// The whole content of each of `files`, in their order, with the version that it is of. An inner error is of that file alone: `Conflict` if it is
    /// another one by now, `NotFound` if it is gone, `Denied` if it alone may not be read, `Corrupted` if it does not arrive
    /// whole.
    ///
    /// # Errors
    /// `Unavailable`, `Throttled`, `Denied` if the store itself gives nothing.
    fn get(&self, files: &[&StoredFile]) -> Result<Vec<Result<StoredContent>>>;
}

/// Opens stores by their URLs.
pub trait FileStores: Debug + Send + Sync {
    /// The store at `url`, a word and `://` in front.
    ///
    /// # Errors
    /// `Invalid` if it is no URL of such a store.
    fn open(&self, url: &str) -> Result<Box<dyn FileStore>>;
}

/// Whether a source is a URL and no path.
pub(super) fn is_url(path: &str) -> bool {
    let scheme = path.split_once("://").map_or("", |(scheme, _)| scheme);
    !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric())
}
