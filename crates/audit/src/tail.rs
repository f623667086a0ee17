//! Where does the next line go, and what became of the last append?
//!
//! Everything here happens under the lock. Lines behind the head are of an append whose process died before it could
//! say so: whole ones are taken in, and what is left of the last is closed with a line that says how many bytes it was.
//! INVARIANT: nothing that a line behind the head is about was ever given out, because the head is written before.

use std::sync::Arc;

use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Result};

use crate::chance;
use crate::digest::Digest;
use crate::entry::{Aside, Entry};
use crate::folder::Folder;
use crate::head::Head;
use crate::line::{self, Line};
use crate::settings::{AuditSettings, Durability, Standing};
use crate::verify::files;
use crate::walk::Walk;

pub(crate) const ROOM: &str = "audit";
pub(crate) const HEAD: &str = "audit/head";
pub(crate) const SALT: &str = "audit/salt";
/// Lies beside the log, so that a log that is gone does not look like one that never was.
pub(crate) const MARK: &str = "audited";
/// More than most lines that state what is in force; the file behind them may be long.
const STANDING_BYTES: u64 = 4096;
const MS_PER_DAY: u64 = 86_400_000;

pub(crate) fn file(number: u32) -> String {
    format!("{ROOM}/{number:08}.jsonl")
}

pub(crate) fn corrupted(what: &str, name: &str) -> Error {
    Error::corrupted("read audit log", what).with("path", name)
}

/// The end of the log as its head says, with what is in force there.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub head: Head,
    pub standing: Arc<Standing>,
}

/// The head; `None` if there is none.
pub(crate) fn read_head(folder: &dyn Folder) -> Result<Option<Head>> {
    let bytes = folder.read(HEAD, 0, None)?;
    bytes.map(|bytes| Head::parse(&bytes).map_err(|e| e.with("path", HEAD))).transpose()
}

/// What the line at `head.standing_at` states.
pub(crate) fn read_standing(folder: &dyn Folder, head: &Head) -> Result<Arc<Standing>> {
    let name = file(head.file);
    let read = |to: u64| Ok::<_, Error>(folder.read(&name, head.standing_at, Some(to))?.unwrap_or_default());
    let mut bytes = read(head.end.min(head.standing_at.saturating_add(STANDING_BYTES)))?;
    if !bytes.contains(&b'\n') {
        bytes = read(head.end)?;
    }
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = Line::parse(line).map_err(|e| e.with("path", &name))?;
    line.entry.standing.map(Arc::new).ok_or_else(|| corrupted("the head points at another line", &name))
}

impl Tail {
    /// The end that `head` says, after a look at the line there.
    fn load(folder: &dyn Folder, head: Head) -> Result<Self> {
        let name = file(head.file);
        let bytes = folder.read(&name, head.start, Some(head.end))?.unwrap_or_default();
        let last = bytes.strip_suffix(b"\n").and_then(|line| Line::parse(line).ok());
        if last.is_none_or(|line| (line.seq, line.hash) != (head.seq, head.hash)) {
            return Err(corrupted("the end of the log is missing or changed; see `audit verify`", &name));
        }
        Ok(Self { head, standing: read_standing(folder, &head)? })
    }
}

/// Lines on their way to the end of the log.
pub(crate) struct Appending<'a> {
    folder: &'a dyn Folder,
    now: Timestamp,
    pub tail: Tail,
    bytes: Vec<u8>,
    /// Whether the file says already what is in force.
    stated: bool,
}

impl<'a> Appending<'a> {
    /// Starts at the end of the log, as `known` or as the head says, and closes what was not finished. A log that was
    /// never begun begins here.
    pub fn at_end(folder: &'a dyn Folder, known: Option<Tail>, now: Timestamp) -> Result<Self> {
        let Some(head) = read_head(folder)? else { return Self::begin(folder, now) };
        let tail = match known {
            Some(tail) if tail.head == head => tail,
            _ => Tail::load(folder, head)?,
        };
        let mut appending = Self { folder, now, tail, bytes: Vec::new(), stated: true };
        appending.catch_up()?;
        if appending.is_due() {
            appending.rotate()?;
        }
        Ok(appending)
    }

    /// Starts at `tail`, whatever the head says; for a log that is mended.
    pub fn at(folder: &'a dyn Folder, tail: Tail, now: Timestamp) -> Self {
        Self { folder, now, tail, bytes: Vec::new(), stated: true }
    }

    /// The first line of a new log. Salt, line, mark and head are written in this order: whoever died in between left
    /// nothing but a first line, and is begun anew.
    fn begin(folder: &'a dyn Folder, now: Timestamp) -> Result<Self> {
        let first = file(1);
        let lines = folder.read(&first, 0, None)?;
        let gone = "the index was audited and its log is gone; put it back";
        match &lines {
            None if folder.length(MARK)?.is_some() => return Err(corrupted(gone, ROOM)),
            _ => {}
        }
        let more = lines.is_some_and(|bytes| bytes.iter().filter(|&&byte| byte == b'\n').count() > 1);
        if more || files(folder)?.iter().any(|&number| number != 1) {
            return Err(corrupted("the head of the log is missing; see `audit mend`", HEAD));
        }
        [&first, SALT, MARK].into_iter().try_for_each(|name| folder.remove(name))?;
        let (log, salt) = (Digest(chance::bytes()?), Digest(chance::bytes()?));
        let salt_sha256 = Digest::of(&[&salt.0]);
        let standing = Standing { log, salt_sha256, settings: AuditSettings::default(), break_glass: None };
        folder.create(SALT, format!("{salt}\n").as_bytes())?;
        let head = Head { file: 1, opened_ms: now.0, ..Head::default() };
        let tail = Tail { head, standing: Arc::new(standing) };
        let mut appending = Self { stated: false, ..Self::at(folder, tail, now) };
        appending.push(Entry::new("begin", "ok"))?;
        folder.append(&first, &std::mem::take(&mut appending.bytes), true)?;
        folder.create(MARK, format!("{log}\n").as_bytes())?;
        folder.overwrite(HEAD, &appending.tail.head.write())?;
        Ok(appending)
    }

    /// Adds a line.
    pub fn push(&mut self, mut entry: Entry) -> Result<()> {
        if !self.stated && entry.standing.is_none() {
            entry.standing = Some((*self.tail.standing).clone());
        }
        let head = &mut self.tail.head;
        let (line, hash) = line::write(head.seq + 1, self.now, head.hash, &entry)?;
        (head.seq, head.hash) = (head.seq + 1, hash);
        (head.start, head.end) = (head.end, head.end + line.len() as u64);
        if let Some(standing) = entry.standing {
            head.standing_at = head.start;
            self.tail.standing = Arc::new(standing);
            self.stated = true;
        }
        self.bytes.extend_from_slice(&line);
        Ok(())
    }

    /// Writes the lines and then the head.
    pub fn finish(mut self) -> Result<Tail> {
        self.flush()?;
        Ok(self.tail)
    }

    fn flush(&mut self) -> Result<()> {
        if !self.bytes.is_empty() {
            let sync = self.tail.standing.settings.durability == Durability::Synced;
            self.folder.append(&file(self.tail.head.file), &std::mem::take(&mut self.bytes), sync)?;
            self.folder.overwrite(HEAD, &self.tail.head.write())?;
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        let (head, settings) = (&self.tail.head, &self.tail.standing.settings);
        let age_ms = self.now.0.saturating_sub(head.opened_ms);
        head.end >= settings.rotate_bytes || age_ms >= u64::from(settings.rotate_days) * MS_PER_DAY
    }

    /// Goes on in a new file, whose first line carries on the chain.
    pub fn rotate(&mut self) -> Result<()> {
        self.flush()?;
        self.next_file(self.now.0);
        self.push(Entry::new("file", "ok"))
    }

    fn next_file(&mut self, opened_ms: u64) {
        let Head { seq, hash, file, .. } = self.tail.head;
        self.tail.head = Head { seq, hash, file: file + 1, opened_ms, ..Head::default() };
        self.stated = false;
    }

    /// Takes in the lines behind the head and closes what follows them.
    fn catch_up(&mut self) -> Result<()> {
        loop {
            let name = file(self.tail.head.file);
            let length = self.folder.length(&name)?.unwrap_or(0);
            if length < self.tail.head.end {
                return Err(corrupted("the end of the log is missing", &name));
            }
            let rest = match length - self.tail.head.end {
                0 => Vec::new(),
                _ => self.take_in(&self.folder.read(&name, self.tail.head.end, None)?.unwrap_or_default())?,
            };
            // Whoever died while rotating has left a file that the head does not know yet.
            if self.folder.length(&file(self.tail.head.file + 1))?.is_none() {
                return self.close(rest);
            }
            if !rest.is_empty() {
                return Err(corrupted("the log goes on in another file before this one ends", &name));
            }
            self.next_file(self.now.0);
        }
    }

    /// Takes in whole lines that follow; gives back the rest.
    fn take_in(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut walk = Walk::new(bytes, self.tail.head, true);
        while let Ok(Some(line)) = walk.next() {
            if let Some(standing) = line.entry.standing {
                self.tail.standing = Arc::new(standing);
                self.stated = true;
            }
        }
        self.tail.head = walk.head;
        if !walk.is_torn() {
            return Err(corrupted("there is a line that does not follow; see `audit verify`", &file(walk.head.file)));
        }
        Ok(walk.rest().to_vec())
    }

    /// Ends an append that was not finished.
    fn close(&mut self, rest: Vec<u8>) -> Result<()> {
        let rest = self.end_line(rest)?;
        if rest.is_empty() { Ok(()) } else { self.set_aside(&rest, Entry::new("recovered", "ok")) }
    }

    /// Ends a line that has no line feed, and takes it in if it was whole but for that.
    fn end_line(&mut self, mut rest: Vec<u8>) -> Result<Vec<u8>> {
        if rest.last().is_none_or(|&last| last == b'\n') {
            return Ok(rest);
        }
        self.bytes.push(b'\n');
        rest.push(b'\n');
        self.take_in(&rest)
    }

    /// Notes in `entry` that `rest`, the end of the file and of a line, is no part of the log.
    fn set_aside(&mut self, rest: &[u8], mut entry: Entry) -> Result<()> {
        entry.aside = Some(Aside { from: self.tail.head.end, bytes: rest.len() as u64, sha256: Digest::of(&[rest]) });
        self.tail.head.end += rest.len() as u64;
        self.push(entry)
    }

    /// Says with `entry` that the log goes on behind its last whole line, without `rest`, the end of the file; `feed` is
    /// the line feed that the file lacks.
    pub fn mend(&mut self, feed: &[u8], rest: &[u8], entry: Entry) -> Result<()> {
        self.bytes.extend_from_slice(feed);
        if rest.is_empty() { self.push(entry) } else { self.set_aside(rest, entry) }
    }
}
