//! What was read of a store or a folder last time: what need not be fetched again?
//!
//! It saves work and decides nothing by itself: a file counts as read only if the store lists the very same file, and the
//! index holds the very content that was made of it then.

use std::collections::BTreeMap;

use safepassage_access::Version;
use safepassage_error::Result;
use safepassage_index::Index;
use serde::{Deserialize, Serialize};

use super::store::StoredFile;

/// What is known of the files of one store or folder, by id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory(pub BTreeMap<String, Remembered>);

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub file: StoredFile,
    /// The sidecar and what stood in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<(StoredFile, String)>,
    /// Its metadata, where the sidecar is read every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// The version that was made of both, in hex.
    version: String,
}

impl Remembered {
    pub fn new(file: StoredFile, sidecar: Option<(StoredFile, String)>, version: Version) -> Self {
        Self { file, sidecar, metadata: None, version: hex(version) }
    }

    /// The same content beside another sidecar.
    pub fn with_sidecar(&self, sidecar: Option<(StoredFile, String)>) -> Self {
        Self { sidecar, ..self.clone() }
    }

    /// The same, of a file with this metadata.
    pub fn with_metadata(self, metadata: Option<String>) -> Self {
        Self { metadata, ..self }
    }

    /// Whether the content that was read then is `live` now.
    pub fn is(&self, live: Option<Version>) -> bool {
        live.is_some_and(|live| hex(live) == self.version)
    }
}

/// The file that the content `live` at `uri` was made of when it was last read, if the index remembers it.
///
/// # Errors
/// `Unavailable` if files cannot be read.
pub fn read_at(index: &Index, uri: &str, live: Version) -> Result<Option<StoredFile>> {
    // The store that it lies in is called by some beginning of it.
    for (at, _) in uri.rmatch_indices('/') {
        let known = index.remembered::<Memory>(&uri[..at])?.and_then(|mut memory| memory.0.remove(&uri[at + 1..]));
        if let Some(known) = known.filter(|known| known.is(Some(live))) {
            return Ok(Some(known.file));
        }
    }
    Ok(None)
}

fn hex(version: Version) -> String {
    format!("{:032x}", version.0)
}
