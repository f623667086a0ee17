//! What does the audit log make of lines and files that it did not write?
//!
//! The first byte says which: a line as it stands, a line whose hash fits (its body is read too), or edits of the file of
//! a log with four lines, of which none before the head may pass unnoticed.

#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use libfuzzer_sys::fuzz_target;
use safepassage_audit::folder::{Folder, Lock};
use safepassage_audit::{AuditLog, Digest, Entry, Line};
use safepassage_error::system::{Clock, Timestamp};
use safepassage_error::{Error, Kind, Result};

type Files = BTreeMap<String, Vec<u8>>;

/// A folder in memory.
#[derive(Debug, Default)]
struct Memory(Mutex<Files>);

#[derive(Debug)]
struct Held;

impl Lock for Held {}

impl Memory {
    fn with<T>(&self, use_files: impl FnOnce(&mut Files) -> T) -> T {
        use_files(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Folder for Memory {
    fn lock(&self, _: bool) -> Result<Box<dyn Lock>> {
        Ok(Box::new(Held))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let below = |name: &String| Some(name.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        Ok(self.with(|files| files.keys().filter_map(below).collect()))
    }

    fn length(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.with(|files| files.get(name).map(|bytes| bytes.len() as u64)))
    }

    fn read(&self, name: &str, from: u64, to: Option<u64>) -> Result<Option<Vec<u8>>> {
        let cut = |bytes: &Vec<u8>| {
            let most = bytes.len() as u64;
            let to = to.unwrap_or(most).min(most);
            bytes[from.min(to) as usize..to as usize].to_vec()
        };
        Ok(self.with(|files| files.get(name).map(cut)))
    }

    fn append(&self, name: &str, bytes: &[u8], _: bool) -> Result<()> {
        self.with(|files| files.entry(name.to_owned()).or_default().extend_from_slice(bytes));
        Ok(())
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.with(|files| files.insert(name.to_owned(), bytes.to_vec()));
        Ok(())
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.with(|files| match files.contains_key(name) {
            true => Err(Error::new(Kind::Conflict, "create", "it is there")),
            false => {
                files.insert(name.to_owned(), bytes.to_vec());
                Ok(())
            }
        })
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.with(|files| files.remove(name));
        Ok(())
    }
}

const FILE: &str = "audit/00000001.jsonl";

fn opened(files: &Files) -> (Arc<Memory>, AuditLog) {
    let memory = Arc::new(Memory(Mutex::new(files.clone())));
    let log = AuditLog::new(Arc::clone(&memory) as Arc<dyn Folder>, Clock::fixed(Timestamp(5)));
    (memory, log)
}

/// The files of a log with a line that states what is in force and three more.
static WRITTEN: LazyLock<Files> = LazyLock::new(|| {
    let (memory, log) = opened(&Files::new());
    for user in ["alice", "bob", "carol"] {
        let entry =
            Entry { action: "search".into(), user: Some(user.into()), outcome: "ok".into(), ..Entry::default() };
        log.append(vec![entry]).unwrap();
    }
    memory.with(|files| files.clone())
});

fn read(line: &[u8]) {
    match Line::parse(line) {
        Ok(line) => {
            let _ = line.at();
            let _ = serde_json::to_vec(&line).unwrap();
        }
        Err(error) => assert_eq!(error.kind(), Kind::Corrupted, "{error}"),
    }
}

/// Edits are a place (two bytes), what is done there, a length and bytes.
fn edited(edits: &[u8]) {
    let mut files = WRITTEN.clone();
    let bytes = files.get_mut(FILE).unwrap();
    for edit in edits.chunks_exact(5).take(12) {
        let at = (usize::from(edit[0]) << 8 | usize::from(edit[1])) % (bytes.len() + 1);
        let end = (at + 1 + usize::from(edit[3])).min(bytes.len());
        match edit[2] % 6 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, edit[4]),
            2 if at < bytes.len() => bytes[at] = edit[4],
            3 => drop(bytes.drain(at..end)),
            // A piece of the log once more, at another place.
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = usize::from(edit[4]) * 8 % (bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << (edit[4] % 8),
            _ => {}
        }
    }
    let (written, now) = (&WRITTEN[FILE], bytes.clone());
    let (memory, log) = opened(&files);
    let kept = now.starts_with(written);
    match log.verify(None) {
        Ok(verified) => assert!(kept, "{verified:?}: a change went unnoticed"),
        Err(error) => assert_eq!(error.kind(), Kind::Corrupted, "{error}"),
    }
    let more = Entry { action: "search".into(), outcome: "ok".into(), ..Entry::default() };
    if log.append(vec![more.clone()]).is_ok() && kept {
        opened(&memory.with(|files| files.clone())).1.verify(None).expect("what follows a torn append");
    }
    // Mended, the log goes on, whatever was done to it.
    let (memory, log) = opened(&files);
    if log.mend("a fuzzer").is_ok() {
        log.append(vec![more]).expect("a mended log goes on");
        opened(&memory.with(|files| files.clone())).1.verify(None).expect("a mended log is whole");
    }
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'0', line)) => read(line),
        Some((b'1', body)) => {
            let hash = Digest::of(&[body]);
            read(&[body, format!(",\"hash\":\"{hash}\"}}").as_bytes()].concat());
        }
        Some((b'2', edits)) => edited(edits),
        Some((b'3', head)) => {
            let mut files = WRITTEN.clone();
            files.insert("audit/head".into(), head.to_vec());
            let (_, log) = opened(&files);
            assert!(log.verify(None).is_err() || *head == WRITTEN["audit/head"], "another head is taken");
        }
        _ => {}
    }
});
