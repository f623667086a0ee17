//! Here are entries: write them down before anything is given out.
//!
//! Threads that come while one writes wait together, and the next of them writes for all: one lock, one write, one sync
//! for the whole group. Processes take turns under the lock of the folder; whoever comes next reads what the others
//! wrote.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};

use crate::digest::Digest;
use crate::entry::Entry;
use crate::folder::Folder;
use crate::head::Head;
use crate::settings::{AuditSettings, Standing};
use crate::tail::{self, Appending, Tail};

/// The audit log of one index.
#[derive(Debug)]
pub struct AuditLog {
    pub(crate) folder: Arc<dyn Folder>,
    pub(crate) clock: Clock,
    /// Whether what is written here was done through the candidate of the index.
    candidate: bool,
    queue: Mutex<Queue>,
    /// Somebody was served, or may write now.
    turn: Condvar,
    pub(crate) tail: Mutex<Option<Tail>>,
    /// What was in force at the last look, and at which line.
    known: Mutex<Option<Tail>>,
    salt: OnceLock<Digest>,
}

/// Proof that lines are in the log: only a call that wrote them makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    seq: u64,
    hash: Digest,
}

impl Receipt {
    /// The number of a line at or behind the last that was written.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.hash
    }
}

impl From<&Head> for Receipt {
    fn from(head: &Head) -> Self {
        Self { seq: head.seq, hash: head.hash }
    }
}

/// Who waits, and whether somebody writes.
#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Arc<Waiting>>,
    led: bool,
}

/// Held by the one who writes for others; lets the next one, also if this one panics.
struct Lead<'a>(&'a AuditLog);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        lock(&self.0.queue).led = false;
        self.0.turn.notify_all();
    }
}

/// Entries of one caller, and what became of them.
#[derive(Debug)]
struct Waiting {
    entries: Vec<Entry>,
    served: OnceLock<Result<Receipt>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same refusal for everybody of a group.
fn again(error: &Error) -> Error {
    let fresh = Error::new(error.kind(), error.operation(), error.message());
    error.context().iter().fold(fresh, |fresh, (name, value)| fresh.with(name, value))
}

impl AuditLog {
    /// The log in `folder`, which may have none yet: it begins with the first entry.
    #[must_use]
    pub fn new(folder: Arc<dyn Folder>, clock: Clock) -> Self {
        let (queue, turn, salt) = (Mutex::default(), Condvar::new(), OnceLock::new());
        let candidate = false;
        Self { folder, clock, candidate, queue, turn, tail: Mutex::default(), known: Mutex::default(), salt }
    }

    /// The same log for whoever looks at the candidate of the index: every entry says so.
    #[must_use]
    pub fn of_candidate(self) -> Self {
        Self { candidate: true, ..self }
    }

    /// Writes `entries` as one piece. When it returns they are in the log, as surely as its settings ask.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be written (a full disk, another process that does not let go); `Corrupted` if the
    /// end of the log is not what was written. Nothing that they are about may then be given out.
    pub fn append(&self, mut entries: Vec<Entry>) -> Result<Receipt> {
        if self.candidate {
            entries.iter_mut().for_each(|entry| entry.candidate = Some(true));
        }
        let mine = Arc::new(Waiting { entries, served: OnceLock::new() });
        let mut queue = lock(&self.queue);
        queue.waiting.push(Arc::clone(&mine));
        while queue.led && mine.served.get().is_none() {
            queue = self.turn.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if mine.served.get().is_none() {
            queue.led = true;
            let group = std::mem::take(&mut queue.waiting);
            drop(queue);
            let _lead = Lead(self);
            let written = self.write(&mut lock(&self.tail), |appending| {
                let mut entries = group.iter().flat_map(|waiting| &waiting.entries);
                entries.try_for_each(|entry| appending.push(entry.clone()))
            });
            for waiting in group {
                // Each is in one group, so nobody else has served it.
                let _ = waiting.served.set(written.as_ref().copied().map_err(again));
            }
        } else {
            drop(queue);
        }
        match mine.served.get() {
            Some(served) => served.as_ref().copied().map_err(again),
            None => Err(Error::new(Kind::Internal, "write audit log", "whoever wrote for others did not finish")),
        }
    }

    /// Writes what `make` makes at the end of the log.
    pub(crate) fn write(
        &self,
        tail: &mut Option<Tail>,
        make: impl FnOnce(&mut Appending<'_>) -> Result<()>,
    ) -> Result<Receipt> {
        let _lock = self.folder.lock(true)?;
        // After an error the next append looks anew.
        let mut appending = Appending::at_end(&*self.folder, tail.take(), self.clock.now())?;
        make(&mut appending)?;
        Ok(Receipt::from(&tail.insert(appending.finish()?).head))
    }

    /// Changes what is in force from the next line on, and writes that down as `entry`. Nobody else changes it between.
    ///
    /// # Errors
    /// What `change` fails with; `Invalid` for settings that make no sense; as [`AuditLog::append`]. Nothing is changed then.
    pub fn change(
        &self,
        mut entry: Entry,
        change: impl FnOnce(&mut Standing, &mut Entry) -> Result<()>,
    ) -> Result<Receipt> {
        self.write(&mut lock(&self.tail), |appending| {
            let mut standing = (*appending.tail.standing).clone();
            change(&mut standing, &mut entry)?;
            standing.settings.check()?;
            entry.standing = Some(standing);
            appending.push(entry)
        })
    }

    /// What is in force now, whoever made it so; `None` if the log was never begun. One small file is read.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`: then it is not known whether a decision must be written down.
    pub fn standing(&self) -> Result<Option<Arc<Standing>>> {
        let head = match tail::read_head(&*self.folder) {
            // It may be written over right now.
            Err(error) if error.kind() == Kind::Corrupted => {
                let _lock = self.folder.lock(false)?;
                tail::read_head(&*self.folder)?
            }
            other => other?,
        };
        let mut known = lock(&self.known);
        let Some(head) = head else {
            if known.is_some() {
                return Err(tail::corrupted("the log cannot be reached any more", tail::HEAD));
            }
            // Who has just begun it has nothing in force before the head is there.
            if self.folder.length(tail::MARK)?.is_some() && self.folder.length(&tail::file(1))?.is_none() {
                return Err(tail::corrupted("the index was audited and its log is gone; put it back", tail::ROOM));
            }
            return Ok(None);
        };
        let place = |head: &Head| (head.file, head.standing_at);
        if let Some(seen) = known.as_ref().filter(|seen| place(&seen.head) == place(&head)) {
            return Ok(Some(Arc::clone(&seen.standing)));
        }
        let standing = tail::read_standing(&*self.folder, &head)?;
        *known = Some(Tail { head, standing: Arc::clone(&standing) });
        Ok(Some(standing))
    }

    /// How the index is audited now; not at all if the log was never begun.
    ///
    /// # Errors
    /// As [`AuditLog::standing`].
    pub fn settings(&self) -> Result<AuditSettings> {
        Ok(self.standing()?.map(|standing| standing.settings.clone()).unwrap_or_default())
    }

    /// The salted digest of a question: the same for the same question, and of no use without the salt, which lies beside
    /// the log.
    ///
    /// # Errors
    /// `Corrupted` if the salt is not the log's; `Unavailable`.
    pub fn query_digest(&self, question: &[u8]) -> Result<Digest> {
        let salt = match self.salt.get() {
            Some(salt) => *salt,
            None => {
                let standing = self.standing()?.ok_or_else(|| tail::corrupted("there is no log yet", tail::SALT))?;
                let salt = read_salt(&*self.folder, &standing)?;
                *self.salt.get_or_init(|| salt)
            }
        };
        Ok(Digest::of(&[&salt.0, question]))
    }

    /// The last line that was written: its number and its hash, to be kept somewhere else.
    ///
    /// # Errors
    /// `NotFound` if there is no log; `Corrupted`, `Unavailable`.
    pub fn head(&self) -> Result<Receipt> {
        let none = || no_log("read audit head");
        self.folder.length(tail::HEAD)?.ok_or_else(none)?;
        let _lock = self.folder.lock(false)?;
        tail::read_head(&*self.folder)?.as_ref().map(Receipt::from).ok_or_else(none)
    }
}

pub(crate) fn no_log(operation: &'static str) -> Error {
    Error::new(Kind::NotFound, operation, "the index has no audit log; switch it on with `audit on`")
}

/// The salt of questions, checked against what the log says of it.
pub(crate) fn read_salt(folder: &dyn Folder, standing: &Standing) -> Result<Digest> {
    let bytes = folder.read(tail::SALT, 0, None)?.unwrap_or_default();
    let text = str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let salt: Option<Digest> = text.and_then(|text| text.parse().ok());
    let salt = salt.filter(|salt| Digest::of(&[&salt.0]) == standing.salt_sha256);
    salt.ok_or_else(|| tail::corrupted("the salt is not the one of this log", tail::SALT))
}
