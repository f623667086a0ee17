//! A folder in memory that fails on purpose, and that knows what a power cut would leave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use safepassage_audit::folder::{Folder, Lock};
use safepassage_error::{Error, Kind, Result};

/// What happens at the chosen change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Never,
    /// The process dies after so many bytes of it; everything later fails.
    DiesAfter { change: u64, bytes: usize },
    /// The disk takes so many bytes of it and no more; later changes succeed.
    FullOnce { change: u64, bytes: usize },
}

#[derive(Debug, Clone, Default)]
pub struct Files {
    /// What a process sees.
    pub live: BTreeMap<String, Vec<u8>>,
    /// What a power cut leaves.
    pub durable: BTreeMap<String, Vec<u8>>,
    changes: u64,
}

/// Clones share the files.
#[derive(Debug, Clone)]
pub struct FaultyFolder {
    files: Arc<Mutex<Files>>,
    pub fault: Fault,
}

#[derive(Debug)]
struct Locked;

impl Lock for Locked {}

impl FaultyFolder {
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        let files = Files { durable: files.clone(), live: files, changes: 0 };
        Self { files: Arc::new(Mutex::new(files)), fault: Fault::Never }
    }

    pub fn empty() -> Self {
        Self::new(BTreeMap::new())
    }

    pub fn failing(&self, fault: Fault) -> Self {
        Self { fault, ..Self::new(self.files().live.clone()) }
    }

    pub fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap()
    }

    pub fn changes(&self) -> u64 {
        self.files().changes
    }

    /// What is there after the process died.
    pub fn after_death(&self) -> Self {
        Self::new(self.files().live.clone())
    }

    /// What is there after the power was cut.
    pub fn after_power_cut(&self) -> Self {
        Self::new(self.files().durable.clone())
    }

    /// Does `change` with as many of `bytes` as the fault lets through.
    fn change(&self, bytes: &[u8], change: impl FnOnce(&mut Files, &[u8])) -> Result<()> {
        let mut files = self.files();
        let n = files.changes;
        files.changes += 1;
        let fail = |what: &str| Err(Error::new(Kind::Unavailable, "write audit log", what));
        match self.fault {
            Fault::DiesAfter { change: at, .. } if n > at => fail("dead"),
            Fault::DiesAfter { change: at, bytes: most } if n == at => {
                change(&mut files, &bytes[..most.min(bytes.len())]);
                fail("dead")
            }
            Fault::FullOnce { change: at, bytes: most } if n == at => {
                change(&mut files, &bytes[..most.min(bytes.len())]);
                fail("the disk is full")
            }
            _ => {
                change(&mut files, bytes);
                Ok(())
            }
        }
    }
}

impl Folder for FaultyFolder {
    fn lock(&self, _alone: bool) -> Result<Box<dyn Lock>> {
        Ok(Box::new(Locked))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = format!("{folder}/");
        Ok(self.files().live.keys().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    fn length(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.files().live.get(name).map(|bytes| bytes.len() as u64))
    }

    fn read(&self, name: &str, from: u64, to: Option<u64>) -> Result<Option<Vec<u8>>> {
        Ok(self.files().live.get(name).map(|bytes| {
            let to = to.map_or(bytes.len(), |to| bytes.len().min(to as usize));
            bytes.get(from as usize..to).unwrap_or_default().to_vec()
        }))
    }

    fn append(&self, name: &str, bytes: &[u8], sync: bool) -> Result<()> {
        self.change(bytes, |files, bytes| {
            files.live.entry(name.to_owned()).or_default().extend_from_slice(bytes);
            let whole = files.live[name].clone();
            if sync {
                files.durable.insert(name.to_owned(), whole);
            }
        })
    }

    /// The sector is written whole or not at all; a power cut may find it written before anything else.
    fn overwrite(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let whole = bytes.len();
        self.change(bytes, |files, bytes| {
            if bytes.len() == whole {
                files.live.insert(name.to_owned(), bytes.to_vec());
                files.durable.insert(name.to_owned(), bytes.to_vec());
            }
        })
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<()> {
        assert!(!self.files().live.contains_key(name), "{name} is there already");
        self.change(bytes, |files, bytes| {
            files.live.insert(name.to_owned(), bytes.to_vec());
            files.durable.insert(name.to_owned(), bytes.to_vec());
        })
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.change(&[0], |files, bytes| {
            if !bytes.is_empty() {
                files.live.remove(name);
                files.durable.remove(name);
            }
        })
    }
}
