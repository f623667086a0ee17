//! Is every line what was written, and is every line that was written there?
//!
//! The lines are read in their order; each must follow the one before. Bytes that are no line must be named by the line
//! behind them. What is missing at the beginning must have been retired, and the end must be where the head says.

use safepassage_error::{Error, Result};
use serde::Serialize;

use crate::digest::Digest;
use crate::folder::Folder;
use crate::head::Head;
use crate::line::Line;
use crate::log::{AuditLog, no_log, read_salt};
use crate::tail::{HEAD, MARK, ROOM, corrupted, file, read_head};
use crate::walk::Walk;

/// What was found, if nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedLog {
    /// Files read.
    pub files: u64,
    /// Lines read.
    pub lines: u64,
    /// The number of the first; more than 1 after files were retired.
    pub first_seq: u64,
    /// The number of the last.
    pub seq: u64,
    /// The hash of the last: to be kept somewhere else.
    pub hash: Digest,
    /// How often bytes were set aside: appends that were not finished, or what was mended. See `recovered` and `mended`.
    pub set_aside: u64,
    /// Bytes behind the head: an append that was not finished, about which nothing was given out.
    pub unfinished_bytes: u64,
}

impl AuditLog {
    /// Reads the whole log. With `expect` the line that had this hash when it was noted must still be there.
    ///
    /// # Errors
    /// `Corrupted`, naming the file and the line, for anything that was changed, dropped, put in or reordered; `NotFound` if
    /// there is no log; `Unavailable`.
    pub fn verify(&self, expect: Option<Digest>) -> Result<VerifiedLog> {
        let mut met = false;
        let verified = self.scan(&mut |_, line| {
            met |= Some(line.hash) == expect;
            Ok(())
        })?;
        if let Some(expect) = expect.filter(|_| !met) {
            return Err(Error::corrupted("verify audit log", format!("no line has the hash `{expect}`")));
        }
        Ok(verified)
    }

    /// Shows every line to `visit`, with the number of its file.
    pub(crate) fn scan(&self, visit: &mut dyn FnMut(u32, &Line) -> Result<()>) -> Result<VerifiedLog> {
        let folder = &*self.folder;
        if folder.length(HEAD)?.is_none() && folder.length(MARK)?.is_none() && folder.list(ROOM)?.is_empty() {
            return Err(no_log("verify audit log"));
        }
        let _lock = folder.lock(false)?;
        let head = read_head(folder)?.ok_or_else(|| corrupted("the head of the log is missing", HEAD))?;
        let mut scan =
            Scan { folder, head, at: Head::default(), first: None, kept: Vec::new(), verified: false, set_aside: 0 };
        let numbers = files(folder)?;
        for (place, &number) in numbers.iter().enumerate() {
            scan.file(number, place + 1 == numbers.len(), visit)?;
        }
        scan.end(numbers.len() as u64)
    }
}

/// The numbers of all files, which must be without a gap.
pub(crate) fn files(folder: &dyn Folder) -> Result<Vec<u32>> {
    let mut numbers: Vec<u32> = Vec::new();
    for name in folder.list(ROOM)? {
        if ["head", "append.lock", "salt"].contains(&&*name) || name.starts_with('.') {
            continue;
        }
        let path = format!("{ROOM}/{name}");
        let number = name.strip_suffix(".jsonl").and_then(|number| number.parse().ok());
        let number = number.filter(|&number| file(number) == path);
        let number = number.ok_or_else(|| corrupted("not a file of the log", &path))?;
        if let Some(missing) = numbers.last().map(|last| last + 1).filter(|&next| next != number) {
            return Err(corrupted("a file of the log is missing", &file(missing)));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

struct Scan<'a> {
    folder: &'a dyn Folder,
    head: Head,
    /// The last line that was read.
    at: Head,
    first: Option<(u32, Line)>,
    /// What lines said of the beginning: file, number of its first line, hash before.
    kept: Vec<(u32, u64, Digest)>,
    /// Whether the line that the head knows was met.
    verified: bool,
    set_aside: u64,
}

impl Scan<'_> {
    fn file(&mut self, number: u32, last: bool, visit: &mut dyn FnMut(u32, &Line) -> Result<()>) -> Result<()> {
        let name = file(number);
        let bytes = self.folder.read(&name, 0, None)?.ok_or_else(|| corrupted("the file is gone", &name))?;
        let Head { seq, hash, .. } = self.at;
        // The very first line is held against what was retired, at the end.
        let mut walk = Walk::new(&bytes, Head { seq, hash, file: number, ..Head::default() }, self.first.is_some());
        loop {
            match walk.next() {
                Ok(Some(line)) => {
                    self.at = walk.head;
                    self.step(&line)?;
                    visit(number, &line)?;
                }
                Ok(None) => break,
                // Nothing was given out yet when its process died.
                Err(_) if last && self.verified && walk.is_torn() => break,
                Err(error) => {
                    let before = &bytes[..bytes.len() - walk.rest().len()];
                    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
                    let error = Error::corrupted("verify audit log", error.message());
                    return Err(error.with("path", &name).with("line", line));
                }
            }
        }
        let empty = walk.head.end == 0;
        if empty && !(last && self.verified) { Err(corrupted("the file has no line", &name)) } else { Ok(()) }
    }

    fn step(&mut self, line: &Line) -> Result<()> {
        if let Some(kept) = &line.entry.kept {
            self.kept.push((kept.file, kept.seq, kept.prev));
        }
        self.verified |= self.at == self.head;
        self.set_aside += u64::from(line.entry.aside.is_some());
        if self.first.is_none() {
            self.first = Some((self.at.file, line.clone()));
        }
        if let Some(standing) = &line.entry.standing {
            read_salt(self.folder, standing)?;
            let mark = self.folder.read(MARK, 0, None)?;
            if mark != Some(format!("{}\n", standing.log).into_bytes()) {
                return Err(corrupted("the mark of the log is missing or of another log", MARK));
            }
        }
        Ok(())
    }

    fn end(self, files: u64) -> Result<VerifiedLog> {
        if !self.verified {
            return Err(corrupted("the end of the log is missing, or the head is not the log's", HEAD)
                .with("seq", self.head.seq));
        }
        let (number, first) = self.first.ok_or_else(|| corrupted("the log has no line", ROOM))?;
        let whole = number == 1 && first.follows(0, Digest::default());
        // Retiring removes the oldest files first; whoever died in between left some that could be gone.
        let retired = self.kept.iter().any(|&(file, seq, prev)| {
            (number < file && first.seq < seq) || (number, first.seq, first.prev) == (file, seq, prev)
        });
        if !whole && !retired {
            return Err(corrupted("the beginning of the log is missing", &file(number)).with("seq", first.seq));
        }
        let Head { seq, hash, .. } = self.at;
        let length = self.folder.length(&file(self.at.file))?.unwrap_or(0);
        let unfinished_bytes = length.saturating_sub(self.at.end);
        let (lines, first_seq, set_aside) = (seq + 1 - first.seq, first.seq, self.set_aside);
        Ok(VerifiedLog { files, lines, first_seq, seq, hash, set_aside, unfinished_bytes })
    }
}
