//! The end of the log is damaged: how does it go on, without hiding that?
//!
//! A power cut can take lines that were only `written`, and a disk can lose the head. Until somebody says so with a
//! reason, nothing is appended and so nothing given out. Then the last file goes on behind the last line that is whole;
//! what lies behind that stays in the file and is named, with its digest, by the line that says what happened.

use std::sync::{Arc, PoisonError};

use safepassage_error::{Error, Result};
use serde::Serialize;

use crate::entry::Entry;
use crate::head::Head;
use crate::log::{AuditLog, no_log};
use crate::tail::{Appending, HEAD, Tail, corrupted, file, read_head};
use crate::verify::files;
use crate::walk::Walk;

/// How the log goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mended {
    /// The number of the line that says so.
    pub seq: u64,
    /// The last number that the head knew, if it could be read: lines after the last whole one up to it are lost.
    pub head_seq: Option<u64>,
    /// Bytes of the last file that are no part of the log any more.
    pub set_aside_bytes: u64,
}

impl AuditLog {
    /// Lets a log whose end is damaged go on. Damage before its last file stays and is found by [`AuditLog::verify`].
    ///
    /// # Errors
    /// `Invalid` without a reason, or if the end is not damaged; `Corrupted` if nothing of the last file can be read;
    /// `NotFound` if there is no log; `Unavailable`.
    pub fn mend(&self, reason: &str) -> Result<Mended> {
        if reason.trim().is_empty() {
            return Err(Error::invalid("mend audit log", "a reason is needed"));
        }
        let mut known = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = &*self.folder;
        let Some(&last) = files(folder)?.last() else { return Err(no_log("mend audit log")) };
        let _lock = folder.lock(true)?;
        let now = self.clock.now();
        *known = None;
        let head = read_head(folder);
        if let Ok(Some(_)) = head
            && Appending::at_end(folder, None, now).is_ok()
        {
            return Err(Error::invalid("mend audit log", "the end of the log is whole"));
        }
        let head = head.ok().flatten();
        let mut bytes = folder.read(&file(last), 0, None)?.unwrap_or_default();
        let feed: &[u8] = if bytes.last().is_some_and(|&last| last != b'\n') { b"\n" } else { b"" };
        bytes.extend_from_slice(feed);
        let (tail, whole) = last_whole(&bytes, last)?;
        let rest = &bytes[whole..];
        let mut entry = Entry::new("mended", "ok");
        entry.reason = Some(reason.to_owned());
        if let Some(head) = &head {
            entry.change = Some(format!("the head knew line {} with the hash {}", head.seq, head.hash));
        }
        let mut appending = Appending::at(folder, tail, now);
        appending.mend(feed, rest, entry)?;
        folder.remove(HEAD)?;
        let tail = known.insert(appending.finish()?);
        let (seq, head_seq) = (tail.head.seq, head.map(|head| head.seq));
        Ok(Mended { seq, head_seq, set_aside_bytes: rest.len() as u64 })
    }
}

/// The last line of file `number` that follows from its first one, and where it ends.
fn last_whole(bytes: &[u8], number: u32) -> Result<(Tail, usize)> {
    let mut walk = Walk::new(bytes, Head { file: number, ..Head::default() }, false);
    let mut standing = None;
    while let Ok(Some(line)) = walk.next() {
        standing = line.entry.standing.or(standing);
    }
    let standing = standing.ok_or_else(|| {
        corrupted("nothing of the last file can be read; put it back, or move the log away", &file(number))
    })?;
    Ok((Tail { head: walk.head, standing: Arc::new(standing) }, bytes.len() - walk.rest().len()))
}
