//! A file of this process alone, to keep there what would fill the memory.
//!
//! It has no name once it is open, so that it is gone with the process; on systems that keep the name it is locked, and
//! whoever gets a lease later removes it.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

use safepassage_error::system::process;
use safepassage_error::{Error, Kind, Result};

use super::local::failed;

/// Bytes set aside until dropped; nothing of it is durable.
pub trait Scratch: Debug + Send + Sync {
    /// Adds `bytes` at the end and returns where they begin.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be stored.
    fn append(&self, bytes: &[u8]) -> Result<u64>;

    /// Fills `out` with the bytes from `at` on.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be read.
    fn read(&self, at: u64, out: &mut [u8]) -> Result<()>;
}

/// In a local file.
#[derive(Debug)]
pub(super) struct LocalScratch {
    file: File,
    end: Mutex<u64>,
    /// A child that this process forks shares the file, and knows nothing of what is added to it later.
    process: u32,
}

impl LocalScratch {
    pub fn new(file: File) -> Self {
        Self { file, end: Mutex::new(0), process: process() }
    }
}

impl Scratch for LocalScratch {
    fn append(&self, bytes: &[u8]) -> Result<u64> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if self.process != process() {
            let message = "the file is of the process that this one was forked from";
            return Err(Error::new(Kind::Unavailable, "write scratch file", message));
        }
        let at = *end;
        if let Err(error) = write_all_at(&self.file, bytes, at) {
            // A full disk gets back what was taken of it.
            let _ = self.file.set_len(at);
            return Err(failed("write scratch file", "tmp", error));
        }
        *end = at + bytes.len() as u64;
        Ok(at)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<()> {
        read_exact_at(&self.file, out, at).map_err(|e| failed("read scratch file", "tmp", e))
    }
}

#[cfg(unix)]
use std::os::unix::fs::FileExt;

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

#[cfg(unix)]
fn read_exact_at(file: &File, out: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(out, at)
}

#[cfg(windows)]
use std::os::windows::fs::FileExt;

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = file.seek_write(bytes, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        (bytes, at) = (&bytes[written..], at + written as u64);
    }
    Ok(())
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut out: &mut [u8], mut at: u64) -> io::Result<()> {
    while !out.is_empty() {
        let read = file.seek_read(out, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (out, at) = (&mut out[read..], at + read as u64);
    }
    Ok(())
}
