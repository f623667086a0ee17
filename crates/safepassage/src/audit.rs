//! Who was given what, and what was refused? The operator's side of the audit log.
//!
//! Whether an index is audited is stored in the log itself, beside the index, so no process and no surface can forget
//! it. An index that does not lie in a local folder has no log: nothing can be switched on there, and nobody can break
//! its glass.

use std::sync::Arc;

use safepassage_audit::folder::LocalFolder;
use safepassage_audit::{AuditLog, Entry, Filter, Keep, Line, Mended, Receipt, Retired, VerifiedLog};
use safepassage_error::system::Clock;
use safepassage_error::{Error, Result};
use safepassage_index::storage::Storage;

pub use safepassage_audit::{
    Aside, Entry as AuditEntry, Filter as AuditFilter, Keep as KeepAudit, Kept, Line as AuditLine,
    Mended as MendedAudit, Receipt as AuditHead, Retired as RetiredAudit, VerifiedLog as VerifiedAudit,
};
pub use safepassage_audit::{AuditSettings, Digest, Durability, Secret};

use crate::engine::Engine;

/// The audit log of an index, for operators.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a>(&'a AuditLog);

/// The log of the index in `storage`, if it can have one.
pub(crate) fn log_of(storage: &dyn Storage, clock: Clock) -> Option<AuditLog> {
    let folder = LocalFolder::new(storage.folder()?);
    Some(AuditLog::new(Arc::new(folder), clock))
}

impl Engine {
    /// The audit log, for operators.
    ///
    /// # Errors
    /// `Invalid` if the index does not lie in a local folder.
    pub fn audit(&self) -> Result<Audit<'_>> {
        let none = || Error::invalid("open audit log", "only an index in a local folder has an audit log");
        self.audit_log().map(Audit).ok_or_else(none)
    }
}

impl Audit<'_> {
    /// How the index is audited now.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn settings(&self) -> Result<AuditSettings> {
        self.0.settings()
    }

    /// Changes how the index is audited, for every search that starts after it returns, in every process. That it was
    /// changed is a line of the log. Returns what is in force now.
    ///
    /// # Errors
    /// `Invalid` for settings that make no sense; `Unavailable`, `Corrupted` if it cannot be written; then nothing is changed.
    pub fn set(&self, change: impl FnOnce(&mut AuditSettings)) -> Result<AuditSettings> {
        let mut now = None;
        self.0.change(Entry::new("audit_settings", "ok"), |standing, entry| {
            let was = standing.settings.on;
            change(&mut standing.settings);
            match (was, standing.settings.on) {
                (false, true) => entry.action = "audit_on".to_owned(),
                (true, false) => entry.action = "audit_off".to_owned(),
                _ => {}
            }
            now = Some(standing.settings.clone());
            Ok(())
        })?;
        Ok(now.unwrap_or_default())
    }

    /// The number and the hash of the last line: kept somewhere else they show a log that was written anew.
    ///
    /// # Errors
    /// `NotFound` if there is no log yet; `Corrupted`, `Unavailable`.
    pub fn head(&self) -> Result<Receipt> {
        self.0.head()
    }

    /// Reads the whole log. With `expect` the line that had this hash when it was noted must still be there.
    ///
    /// # Errors
    /// `Corrupted`, naming the file and the line, for anything that was changed, dropped, put in or reordered; `NotFound` if
    /// there is no log yet; `Unavailable`.
    pub fn verify(&self, expect: Option<Digest>) -> Result<VerifiedLog> {
        self.0.verify(expect)
    }

    /// Shows the wanted lines to `visit`, oldest first.
    ///
    /// # Errors
    /// What `visit` fails with; as [`Audit::verify`], after the lines before the damage were shown.
    pub fn show(&self, filter: &Filter, visit: &mut dyn FnMut(&Line) -> Result<()>) -> Result<()> {
        self.0.show(filter, visit)
    }

    /// Removes whole files older than what is to be kept; a line says so.
    ///
    /// # Errors
    /// `Invalid` for fewer days than the settings keep; as [`Audit::verify`]: nothing is removed from a damaged log.
    pub fn retire(&self, keep: Keep, reason: &str) -> Result<Retired> {
        self.0.retire(keep, reason)
    }

    /// Lets a log whose end is damaged go on behind its last whole line; a line says so and why.
    ///
    /// # Errors
    /// `Invalid` without a reason, or if the end is whole; `Corrupted` if nothing of the last file can be read.
    pub fn mend(&self, reason: &str) -> Result<Mended> {
        self.0.mend(reason)
    }
}
