//! Where do the bytes of a table lie, and are they still the same?

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// What is read from any place.
pub(super) trait ReadAt: Debug + Send + Sync {
    /// How many bytes there are.
    fn bytes(&self) -> u64;
    /// Fills `out` with the bytes from `at` on.
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()>;
}

/// A file, which had so many bytes and was written then.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Place {
    /// The file `path` as it is now.
    pub fn file(path: &Path) -> io::Result<Self> {
        let found = std::fs::metadata(path)?;
        Ok(Self { path: path.to_owned(), bytes: found.len(), modified: found.modified().ok() })
    }

    /// The bytes, if they are still the same.
    pub fn open(&self) -> io::Result<Arc<dyn ReadAt>> {
        let file = File::open(&self.path)?;
        let found = file.metadata()?;
        if (found.len(), found.modified().ok()) != (self.bytes, self.modified) {
            return Err(io::Error::other("the file changed while it was read; run again"));
        }
        Ok(Arc::new(OpenFile { file, bytes: self.bytes }))
    }
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    bytes: u64,
}

impl ReadAt for OpenFile {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cfg(unix)]
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, out, at)
    }

    #[cfg(windows)]
    fn read_at(&self, mut at: u64, mut out: &mut [u8]) -> io::Result<()> {
        while !out.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.file, out, at)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            (at, out) = (at + read as u64, &mut out[read..]);
        }
        Ok(())
    }
}

/// `length` bytes from `at` on; nothing is reserved for what is not there.
pub(super) fn part(from: &dyn ReadAt, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let end = at.checked_add(length).filter(|end| *end <= from.bytes());
    let length = end.and_then(|_| usize::try_from(length).ok());
    let length = length.ok_or_else(|| io::Error::other("it ends too early: the file is cut off, or damaged"))?;
    let mut bytes = vec![0; length];
    from.read_at(at, &mut bytes)?;
    Ok(bytes)
}

/// As Parquet's reader wants them.
#[derive(Debug, Clone)]
pub(super) struct Chunks(pub Arc<dyn ReadAt>);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.bytes()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(From { bytes: Arc::clone(&self.0), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        part(&*self.0, start, length as u64).map(Bytes::from).map_err(ParquetError::from)
    }
}

/// Bytes from some place on.
#[derive(Debug)]
pub(super) struct From {
    bytes: Arc<dyn ReadAt>,
    at: u64,
}

impl Read for From {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.bytes.bytes().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = left.min(out.len());
        self.bytes.read_at(self.at, &mut out[..length])?;
        self.at += length as u64;
        Ok(length)
    }
}
