//! The files of an inverted index that is being made, in a scratch file: they take no memory.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, FileHandle, OwnedBytes, TerminatingWrite, WatchCallback, WatchHandle, WritePtr,
};

use crate::storage::Scratch;

/// What is written at once.
const PART: usize = 1 << 18;

/// Where the bytes of a file lie, part by part: where each ends in the file, and where it begins in the scratch file.
type Places = Vec<(usize, u64)>;

/// A directory in a scratch file.
#[derive(Debug, Clone)]
pub(super) struct AsideDirectory {
    file: Arc<dyn Scratch>,
    names: Arc<Mutex<HashMap<PathBuf, Arc<Mutex<Places>>>>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsideDirectory {
    pub fn new(file: Arc<dyn Scratch>) -> Self {
        Self { file, names: Arc::default() }
    }

    fn begin(&self, path: &Path) -> Writing {
        let places = Arc::new(Mutex::default());
        held(&self.names).insert(path.to_owned(), Arc::clone(&places));
        Writing { file: Arc::clone(&self.file), places }
    }

    fn open(&self, path: &Path) -> Option<Opened> {
        let file = held(&self.names).get(path).cloned()?;
        let places = held(&file).clone();
        Some(Opened { file: Arc::clone(&self.file), places })
    }
}

/// A file that is being written.
struct Writing {
    file: Arc<dyn Scratch>,
    places: Arc<Mutex<Places>>,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() {
            let at = self.file.append(bytes).map_err(io::Error::other)?;
            let mut places = held(&self.places);
            let end = places.last().map_or(0, |(end, _)| *end);
            places.push((end + bytes.len(), at));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Writing {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        Ok(())
    }
}

/// A file as it was when it was opened.
#[derive(Debug)]
struct Opened {
    file: Arc<dyn Scratch>,
    places: Places,
}

impl HasLen for Opened {
    fn len(&self) -> usize {
        self.places.last().map_or(0, |(end, _)| *end)
    }
}

impl FileHandle for Opened {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; range.len()];
        let mut done = 0;
        for n in self.places.partition_point(|(end, _)| *end <= range.start).. {
            if done == bytes.len() {
                break;
            }
            let begin = if n == 0 { 0 } else { self.places[n - 1].0 };
            let ((end, at), from) = (self.places[n], range.start + done);
            let length = (end - from).min(bytes.len() - done);
            let read = self.file.read(at + (from - begin) as u64, &mut bytes[done..done + length]);
            read.map_err(io::Error::other)?;
            done += length;
        }
        Ok(OwnedBytes::new(bytes))
    }
}

impl Directory for AsideDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let opened = self.open(path).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?;
        Ok(Arc::new(opened))
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(held(&self.names).contains_key(path))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let opened = self.open(path).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?;
        let bytes = opened.read_bytes(0..opened.len());
        Ok(bytes.map_err(|e| OpenReadError::wrap_io_error(e, path.to_owned()))?.to_vec())
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        if held(&self.names).contains_key(path) {
            return Err(OpenWriteError::FileAlreadyExists(path.to_owned()));
        }
        Ok(BufWriter::with_capacity(PART, Box::new(self.begin(path))))
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.begin(path).write_all(data)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let gone = held(&self.names).remove(path);
        gone.map(drop).ok_or_else(|| DeleteError::FileDoesNotExist(path.to_owned()))
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{LocalStorage, Storage};

    #[test]
    fn files_that_are_written_at_once_are_read_in_any_part() {
        let folder = tempfile::tempdir().unwrap();
        let directory = AsideDirectory::new(LocalStorage::new(folder.path()).scratch().unwrap().unwrap());
        let (a, b) = (Path::new("a"), Path::new("b"));
        let (mut to_a, mut to_b) = (directory.begin(a), directory.begin(b));
        for part in [&b"one "[..], b"", b"two ", b"three"] {
            to_a.write_all(part).unwrap();
            to_b.write_all(&[part, part].concat()).unwrap();
        }
        assert_eq!(directory.atomic_read(a).unwrap(), b"one two three");
        assert_eq!(directory.atomic_read(b).unwrap(), b"one one two two threethree");
        let opened = directory.get_file_handle(a).unwrap();
        for from in 0..=13 {
            for to in from..=13 {
                assert_eq!(*opened.read_bytes(from..to).unwrap(), b"one two three"[from..to]);
            }
        }
        assert_eq!(opened.read_bytes(10..14).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(directory.open_write(a).is_err());
        directory.delete(a).unwrap();
        assert!(!directory.exists(a).unwrap() && directory.delete(a).is_err() && directory.atomic_read(a).is_err());
        // Whoever has it open reads on.
        assert_eq!(*opened.read_bytes(0..3).unwrap(), *b"one");
    }
}
