//! Somebody was answered: was it of use to them?

use safepassage_error::{Error, Result};

use super::answer::Answer;
use crate::decision::entry_of;
use crate::session::Session;

/// No note is longer.
const MOST_BYTES: usize = 2_000;

impl Session {
    /// Writes into the audit log what the asker thinks of the answer `id`: 1 if it was good, -1 if not, with a note in their
    /// own words. Lines of the log and of the ledger that have the same `answer` are about the same answer.
    ///
    /// # Errors
    /// `Invalid` for another number, a name that is none, a note that is too long, or an index whose decisions are not
    /// written down; `Denied` if the identity has expired; what the log fails with.
    pub fn feedback(&self, id: &str, verdict: i8, note: Option<&str>) -> Result<()> {
        let invalid = |message: &str| Err(Error::invalid("give feedback", message));
        if !matches!(verdict, -1 | 1) {
            return invalid("feedback is 1 or -1");
        }
        if id.is_empty() || id.len() > 128 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return invalid("that is no name of an answer");
        }
        if note.is_some_and(|note| note.len() > MOST_BYTES) {
            return invalid("the note is too long");
        }
        self.identity().check_expiry(self.engine.clock().now())?;
        let Some((log, _)) = self.engine.deciding()? else {
            return invalid("the audit log is not switched on: feedback has no place to be kept");
        };
        let mut entry = entry_of(self.identity(), "feedback", "ok");
        entry.answer = Some(id.to_owned());
        entry.verdict = Some(if verdict > 0 { "good" } else { "bad" }.to_owned());
        entry.reason = note.map(str::to_owned);
        log.append(vec![entry]).map(drop)
    }
}

impl Answer {
    /// Writes into the audit log what the asker of `session` thinks of it: [`Session::feedback`].
    ///
    /// # Errors
    /// As there.
    pub fn feedback(&self, session: &Session, verdict: i8, note: Option<&str>) -> Result<()> {
        session.feedback(&self.id, verdict, note)
    }
}
