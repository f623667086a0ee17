//! Here are permissions that were read from another product: put them in force, or say what that would change.
//!
//! One epoch for all of them: no search sees half an import. Documents that the index does not have are left out; those
//! that the import does not speak of stay as they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use safepassage_access::Tenant;
use safepassage_audit::Entry;
use safepassage_error::Result;
use safepassage_index::SharedVectors;
use safepassage_index::storage::MemoryStorage;
use safepassage_ingest::{BatchDocument, Imported};
use serde::Serialize;

use crate::decision::Subject;
use crate::diff::AclDiff;
use crate::engine::{Create, Engine};
use crate::model::EmbedderChoice;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AppliedImport {
    /// ACL objects and documents that now say something else.
    pub changed: usize,
    /// Documents of the import that the index does not know.
    pub unknown: usize,
    /// The epoch from which it holds.
    pub acl_epoch: u64,
}

impl Engine {
    /// Puts what was imported in force, for the documents of `tenant` that are in the index. What a person set holds
    /// until the source says something else than it did then; revocations stay. A later sync says again what its own
    /// source says, so a source that is synced is given the files that [`Imported::write`] makes.
    ///
    /// # Errors
    /// `Invalid` for ACL objects that would be above themselves; `Unavailable` if it cannot be written.
    pub fn apply_import(&self, tenant: &Tenant, imported: &Imported) -> Result<AppliedImport> {
        let (objects, documents) = (imported.objects.len(), imported.documents.len());
        let change = format!("{objects} ACL objects, {documents} documents");
        let entry = Entry { tenant: Some(tenant.0.clone()), change: Some(change), ..Entry::new("acl_import", "begun") };
        let (mut changed, mut unknown) = (0, 0);
        let acl_epoch = self.noted_change(entry, Subject::Index, || {
            self.index().commit_access(&mut |plane| {
                let events = imported.events(plane, tenant);
                (changed, unknown) = (events.len(), imported.unknown(plane, tenant));
                Ok(events)
            })
        })?;
        Ok(AppliedImport { changed, unknown, acl_epoch })
    }

    /// What [`Engine::apply_import`] would make visible and invisible to every principal by itself, as [`Engine::diff`]
    /// says it. Writes nothing.
    ///
    /// # Errors
    /// As [`Engine::apply_import`].
    pub fn preview_import(&self, tenant: &Tenant, imported: &Imported) -> Result<AclDiff> {
        let history = self.index().proposed(|plane| Ok(imported.events(plane, tenant)))?;
        self.changes(tenant, &history)
    }

    /// The ids of all live documents of `tenant`: for operators.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn documents(&self, tenant: &Tenant) -> Result<BTreeSet<String>> {
        let snapshot = self.index().snapshot()?;
        Ok(snapshot.documents().filter(|live| live.tenant == tenant).map(|live| live.id.to_owned()).collect())
    }

    /// An index in memory that has the documents of an import, closed to all: what the import would open is a preview in it.
    ///
    /// # Errors
    /// `Invalid` for an id that cannot be one.
    pub fn imagined(tenant: &Tenant, imported: &Imported) -> Result<Self> {
        let create = Create { embedder: EmbedderChoice::Vectors(1), ..Create::default() };
        let engine =
            Self::create_in(Arc::new(MemoryStorage::default()), create, safepassage_error::system::Clock::system())?;
        let vector = SharedVectors::from(vec![1.0]);
        let document = |id: &String| BatchDocument {
            tenant: tenant.clone(),
            id: id.clone(),
            vector: Some(vector.clone()),
            ..BatchDocument::default()
        };
        engine.add(imported.documents.keys().map(document).collect())?;
        engine.commit()?;
        Ok(engine)
    }
}
