//! Which lines speak of this user or this document?

use safepassage_error::Result;

use crate::line::Line;
use crate::log::AuditLog;

/// Which lines are wanted; all unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this number on.
    pub since: Option<u64>,
    /// Of this user.
    pub user: Option<String>,
    /// About this document. Of an answer of more than ten thousand only those are written out.
    pub document: Option<String>,
    /// Of this kind.
    pub action: Option<String>,
}

impl Filter {
    /// Whether `line` is wanted.
    #[must_use]
    pub fn takes(&self, line: &Line) -> bool {
        let entry = &line.entry;
        let is =
            |wanted: &Option<String>, has: Option<&str>| wanted.as_deref().is_none_or(|wanted| has == Some(wanted));
        let about = |id: &String| entry.documents.as_ref().is_some_and(|documents| documents.contains(id));
        self.since.is_none_or(|since| line.seq >= since)
            && is(&self.user, entry.user.as_deref())
            && is(&self.action, Some(&entry.action))
            && self.document.as_ref().is_none_or(about)
    }
}

impl AuditLog {
    /// Shows the wanted lines to `visit`, oldest first, while the whole log is verified.
    ///
    /// # Errors
    /// What `visit` fails with; `Corrupted` at the first line that is not as it was written, after those before it were
    /// shown; `NotFound`, `Unavailable`.
    pub fn show(&self, filter: &Filter, visit: &mut dyn FnMut(&Line) -> Result<()>) -> Result<()> {
        self.scan(&mut |_, line| if filter.takes(line) { visit(line) } else { Ok(()) }).map(drop)
    }
}
