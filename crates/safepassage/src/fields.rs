//! Which fields of the metadata can be asked for? For operators; askers learn names and types of what is declared.

use safepassage_error::Result;
use safepassage_index::{FieldStats, Fields, Suggestion};

use crate::engine::Engine;

impl Engine {
    /// The declared fields.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn fields(&self) -> Result<Fields> {
        Ok(self.index().snapshot()?.manifest().settings.fields.clone())
    }

    /// Declares `fields` in place of those there were; writes no document. The first filter on a field that a segment was
    /// not written with reads the metadata of all its documents, once in each process, until a merge. Returns the
    /// generation from which it holds.
    ///
    /// # Errors
    /// `Conflict` while another writer is at work; `Corrupted`, `Unavailable`.
    pub fn set_fields(&self, fields: &Fields) -> Result<u64> {
        let made = self.index().writer().and_then(|mut writer| writer.set_fields(fields));
        self.noted_content("set_fields", made, |entry, made| {
            entry.generation = Some(*made);
            entry.change = serde_json::to_string(fields).ok();
        })
    }

    /// The declared fields, with how many live documents of all tenants have them.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn field_stats(&self) -> Result<Vec<FieldStats>> {
        self.index().snapshot()?.field_stats()
    }

    /// A schema that the metadata of all live documents fits, of all tenants, and what does not fit one type.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`; `Invalid` if there are more fields than can be declared.
    pub fn suggest_fields(&self) -> Result<Suggestion> {
        self.index().snapshot()?.suggest_fields()
    }
}
