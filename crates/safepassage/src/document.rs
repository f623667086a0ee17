//! For operators: where does a document come from?

use safepassage_access::Tenant;
use safepassage_error::{Error, Kind, Result};
use safepassage_ingest::{StoredFile, read_at};
use serde::Serialize;

use crate::engine::Engine;

/// Where a document of the index comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentSource {
    /// Its id.
    pub document: String,
    /// Its tenant; empty for the default one.
    pub tenant: String,
    /// The source that brought it, as the index calls it.
    pub source: String,
    /// Where people find it.
    pub uri: Option<String>,
    /// A digest of its content, permissions not included.
    pub content: String,
    /// How many passages it has.
    pub passages: u32,
    /// The file of a store that this content was read from, with its tag and, where the store keeps versions, the version.
    pub file: Option<StoredFile>,
}

impl Engine {
    /// Where the document `id` comes from.
    ///
    /// # Errors
    /// `NotFound` if there is no such document; `Corrupted`, `Unavailable`.
    pub fn source_of(&self, tenant: &Tenant, id: &str) -> Result<DocumentSource> {
        let snapshot = self.index().snapshot()?;
        let missing = || Error::new(Kind::NotFound, "look up document", format!("no document `{id}`"));
        let live = snapshot.find(tenant, id).ok_or_else(missing)?;
        let uri = snapshot.without_vectors(&[live])?.pop().and_then(|document| document.uri);
        let file = uri.as_deref().map(|uri| read_at(self.index(), uri, live.version)).transpose()?.flatten();
        Ok(DocumentSource {
            document: id.to_owned(),
            tenant: tenant.0.clone(),
            source: live.source.to_owned(),
            uri,
            content: live.version.to_string(),
            passages: live.chunks,
            file,
        })
    }
}
