//! Other fields can be asked for from now on: make a generation that says so.

use safepassage_error::{Kind, Result};

use super::Writer;
use crate::filter::Fields;

impl Writer<'_> {
    /// Makes a generation with the same content in which `fields` are declared; what is pending stays pending. Segments
    /// are left as they are: what they lack is made of the metadata by the first who asks in each process, and stored by
    /// the next merge. Returns the generation it made, or the newest if nothing else was declared.
    ///
    /// # Errors
    /// `Corrupted`; `Unavailable` if it cannot be written.
    pub fn set_fields(&mut self, fields: &Fields) -> Result<u64> {
        let generation = loop {
            self.base = self.index.snapshot()?;
            if self.base.manifest().settings.fields == *fields {
                return Ok(self.base.generation());
            }
            let mut next = self.index.next(&self.base, "fields")?;
            next.settings.fields = fields.clone();
            match next.publish(self.index.storage()) {
                Ok(()) => break next.generation,
                // A merge was first.
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        };
        self.base = self.index.snapshot()?;
        self.index.after_commit()?;
        Ok(generation)
    }
}
