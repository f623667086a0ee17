//! Here is a call: write it down where every process sees it.
//!
//! INVARIANT: between looking at what is spent and writing a reservation down, nobody else writes: both are done under one
//! lock. So calls that begin at once in any number of processes cannot together take more than there is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use safepassage_error::system::{Clock, Timestamp};
use safepassage_error::{Error, Kind, Result};

use crate::budget::{UsageSettings, month};
use crate::line::{Amount, Call, Entry, Measured, UsageLine, Who};
use crate::spent::Spent;

const OPERATION: &str = "write usage ledger";
const FOLDER: &str = "usage";
const LOCK: &str = "append.lock";
const SETTINGS: &str = "settings.json";

/// The ledger of one index.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    clock: Clock,
    known: Mutex<Known>,
}

/// What was read so far.
#[derive(Debug, Default)]
struct Known {
    month: i64,
    bytes: u64,
    spent: Spent,
}

/// The right to make one call; what it costs is to be settled.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    writes: bool,
    /// There is a budget: what cannot be written would be spent unseen.
    counted: bool,
}

/// What became of a line.
#[derive(Debug)]
pub enum Kept {
    /// It is in the ledger.
    Written,
    /// Calls are not written down.
    Off,
    /// It cannot be written, and no budget depends on it.
    Lost(Error),
}

impl Ledger {
    /// The ledger of the index in the folder `index`, which may have none yet.
    #[must_use]
    pub fn new(index: &Path, clock: Clock) -> Self {
        Self { folder: index.join(FOLDER), clock, known: Mutex::default() }
    }

    /// What is in force.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be read, `Corrupted` if it is something else.
    pub fn settings(&self) -> Result<UsageSettings> {
        match fs::read(self.folder.join(SETTINGS)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| Error::corrupted("read budgets", "the file is damaged").with("path", SETTINGS).because(e)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(UsageSettings::default()),
            Err(e) => Err(failed(e, SETTINGS)),
        }
    }

    /// Puts `settings` in force, for every call that begins after it returns.
    ///
    /// # Errors
    /// `Invalid` if they make no sense; `Unavailable`, and then nothing is changed.
    pub fn set(&self, settings: &UsageSettings) -> Result<()> {
        settings.check()?;
        let _alone = self.lock()?;
        let bytes = serde_json::to_vec_pretty(settings)
            .map_err(|e| Error::new(Kind::Internal, "set budgets", "they are no JSON").because(e))?;
        let (path, next) = (self.folder.join(SETTINGS), self.folder.join("settings.next"));
        let write = || {
            let mut file = File::create(&next)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&next, &path)
        };
        write().map_err(|e| failed(e, SETTINGS))
    }

    /// The right to make a call that costs `most` at most, on the account of `who`.
    ///
    /// # Errors
    /// `Throttled` if a budget has no room for it; `Unavailable`, `Corrupted` if that cannot be told, and then no call is
    /// to be made.
    pub fn reserve(&self, answer: &str, who: &Who, most: Amount) -> Result<Reservation> {
        let settings = self.settings()?;
        if settings.budgets.is_empty() {
            return Ok(Reservation { writes: settings.writes(), counted: false });
        }
        let _alone = self.lock()?;
        // Read again: they may have been changed before the lock was had.
        let settings = self.settings()?;
        let now = self.clock.now();
        let mut known = self.known();
        self.catch_up(&mut known, &settings, now)?;
        if let Some(budget) = known.spent.without_room(now, who, most) {
            let message = format!("{} has no room for this call", budget.name());
            return Err(Error::new(Kind::Throttled, "ask", message));
        }
        let (answer, who) = (answer.to_owned(), who.clone());
        self.append(&mut known, now, Entry::Reserved { answer, who, most }, false)?;
        Ok(Reservation { writes: true, counted: true })
    }

    /// Writes down what became of a call.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupted` if it cannot be written and there is a budget: a folder that can only be read keeps nobody
    /// from asking where nothing is to be held.
    pub fn settle(&self, reservation: &Reservation, call: Call) -> Result<Kept> {
        if !reservation.writes {
            return Ok(Kept::Off);
        }
        match self.write(Entry::Settled(call)) {
            Ok(()) => Ok(Kept::Written),
            Err(error) if reservation.counted => Err(error),
            Err(error) => Ok(Kept::Lost(error)),
        }
    }

    /// Writes down what somebody measured, whether or not calls are.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupted` if it cannot be written.
    pub fn measured(&self, measured: Measured) -> Result<()> {
        self.write(Entry::Measured(measured))
    }

    fn write(&self, entry: Entry) -> Result<()> {
        let _alone = self.lock()?;
        let (settings, now) = (self.settings()?, self.clock.now());
        let mut known = self.known();
        self.catch_up(&mut known, &settings, now)?;
        self.append(&mut known, now, entry, true)
    }

    /// Every line from `from` on and before `to`, oldest first.
    ///
    /// # Errors
    /// What `visit` fails with; `Unavailable`.
    pub fn each(&self, from: Timestamp, to: Timestamp, visit: &mut dyn FnMut(UsageLine) -> Result<()>) -> Result<()> {
        let mut months: Vec<i64> = match fs::read_dir(&self.folder) {
            Ok(files) => files.flatten().filter_map(|file| number(&file.file_name().to_string_lossy())).collect(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(failed(e, FOLDER)),
        };
        months.sort_unstable();
        for month in months.into_iter().filter(|own| (month(from)..=month(to)).contains(own)) {
            let bytes = fs::read(self.folder.join(name(month))).map_err(|e| failed(e, FOLDER))?;
            let lines = lines(&bytes).filter(|line| (from.0..to.0).contains(&line.at_ms));
            lines.into_iter().try_for_each(&mut *visit)?;
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock that whoever writes holds, until it is dropped.
    fn lock(&self) -> Result<File> {
        let open = || {
            if let Err(e) = fs::create_dir(&self.folder)
                && e.kind() != io::ErrorKind::AlreadyExists
            {
                return Err(e);
            }
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.folder.join(LOCK))?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|e| failed(e, LOCK))
    }

    /// Reads what others wrote since the last time.
    fn catch_up(&self, known: &mut Known, settings: &UsageSettings, now: Timestamp) -> Result<()> {
        let this = month(now);
        if known.month != this || known.spent.budgets() != settings.budgets {
            *known = Known { month: this, bytes: 0, spent: Spent::new(&settings.budgets) };
        }
        let path = self.folder.join(name(this));
        let read = || {
            let mut bytes = Vec::new();
            match File::open(&path) {
                Ok(mut file) => {
                    file.seek(SeekFrom::Start(known.bytes))?;
                    file.read_to_end(&mut bytes)?;
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
            Ok(bytes)
        };
        let bytes = read().map_err(|e| failed(e, FOLDER))?;
        lines(&bytes).for_each(|line| known.spent.take(&line));
        known.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes a line at the end of this month's file.
    fn append(&self, known: &mut Known, now: Timestamp, entry: Entry, durable: bool) -> Result<()> {
        let line = UsageLine { at_ms: now.0, entry };
        let mut bytes = serde_json::to_vec(&line)
            .map_err(|e| Error::new(Kind::Internal, OPERATION, "the line is no JSON").because(e))?;
        bytes.push(b'\n');
        let write = || {
            let path = self.folder.join(name(known.month));
            let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
            let mut whole = bytes;
            // What a process that was killed did not finish is ended here, and is no line.
            if known.bytes > 0 {
                let mut last = [0];
                file.seek(SeekFrom::Start(known.bytes - 1))?;
                file.read_exact(&mut last)?;
                if last != [b'\n'] {
                    whole.insert(0, b'\n');
                }
            }
            file.write_all(&whole)?;
            if durable {
                file.sync_data()?;
            }
            Ok(whole.len() as u64)
        };
        known.bytes += write().map_err(|e| failed(e, FOLDER))?;
        known.spent.take(&line);
        Ok(())
    }
}

/// The whole lines in `bytes` that are lines of a ledger.
fn lines(bytes: &[u8]) -> impl Iterator<Item = UsageLine> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// The file of a month.
fn name(month: i64) -> String {
    format!("{:04}-{:02}.jsonl", month.div_euclid(12), month.rem_euclid(12) + 1)
}

fn number(name: &str) -> Option<i64> {
    let (year, month) = name.strip_suffix(".jsonl")?.split_once('-')?;
    Some(year.parse::<i64>().ok()? * 12 + month.parse::<i64>().ok()? - 1)
}

fn failed(source: io::Error, path: &str) -> Error {
    Error::new(Kind::Unavailable, OPERATION, source.to_string()).with("path", path).because(source)
}
