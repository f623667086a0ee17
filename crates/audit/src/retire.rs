//! Which old files may go?
//!
//! A line says from where on the log is kept, and only then are files removed, oldest first. So a log that begins later
//! than its first line is either one that was retired, or one that was damaged.

use std::sync::PoisonError;

use safepassage_error::{Error, Result};
use serde::Serialize;

use crate::entry::{Entry, Kept};
use crate::log::AuditLog;
use crate::tail::file;

const MS_PER_DAY: u64 = 86_400_000;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every line of the last so many days.
    Days(u32),
    /// The newest so many files.
    Files(u32),
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retired {
    /// How many files.
    pub files: usize,
    /// The number of the first line that is kept.
    pub first_seq: u64,
}

impl AuditLog {
    /// Removes whole files that are older than what is to be kept, never the one that is written to, and nothing from a
    /// log that is damaged. `reason` is written down.
    ///
    /// # Errors
    /// `Invalid` for fewer days than the settings keep, or no file; `Corrupted`; `NotFound` if there is no log; `Unavailable`.
    pub fn retire(&self, keep: Keep, reason: &str) -> Result<Retired> {
        let floor = self.settings()?.keep_days;
        match keep {
            Keep::Days(days) if days < floor => {
                let message = format!("the log keeps at least {floor} days by its settings, not {days}");
                return Err(Error::invalid("retire audit log", message));
            }
            Keep::Files(0) => return Err(Error::invalid("retire audit log", "at least 1 file is kept")),
            _ => {}
        }
        // The first line of every file. Files are only added meanwhile, and those stay.
        let mut begins: Vec<(Kept, u64)> = Vec::new();
        let verified = self.scan(&mut |file, line| {
            if begins.last().is_none_or(|(kept, _)| kept.file != file) {
                begins.push((Kept { file, seq: line.seq, prev: line.prev }, line.at()?.0));
            }
            Ok(())
        })?;
        let now_ms = self.clock.now().0;
        let older_than = |days: u32, ms: u64| ms < now_ms.saturating_sub(u64::from(days) * MS_PER_DAY);
        let goes = |n: usize| {
            // A file ends where the next begins.
            let Some((_, ended_ms)) = begins.get(n + 1) else { return false };
            older_than(floor, *ended_ms)
                && match keep {
                    Keep::Days(days) => older_than(days, *ended_ms),
                    Keep::Files(files) => n + (files as usize) < begins.len(),
                }
        };
        let files = (0..begins.len()).take_while(|&n| goes(n)).count();
        let Some((kept, _)) = begins.get(files).filter(|_| files > 0) else {
            return Ok(Retired { files: 0, first_seq: verified.first_seq });
        };
        let mut entry = Entry::new("retired", "ok");
        entry.reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        entry.kept = Some(kept.clone());
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&mut tail, |appending| appending.push(entry))?;
        let _lock = self.folder.lock(true)?;
        begins[..files].iter().try_for_each(|(gone, _)| self.folder.remove(&file(gone.file)))?;
        Ok(Retired { files, first_seq: kept.seq })
    }
}
