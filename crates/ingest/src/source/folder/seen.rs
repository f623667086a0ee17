//! Which files of a folder are surely as they were when they were last read?
//!
//! One whose size, times and place on the disk are as they were has the content it had. One that was written about when it
//! was read may have been written once more within the same tick of a clock: it is read again the next time. Sidecars and
//! ACL files are read every time: a permission that changed is seen whatever the times say.

use std::fs::{self, Metadata};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;
use safepassage_access::Version;
use safepassage_error::Result;
use safepassage_error::system::Timestamp;

use super::{Folder, beside};
use crate::source::memory::{Memory, Remembered};
use crate::source::store::StoredFile;
use crate::source::{
    At, Entry, Fault, Format, Listing, Local, Outline, Outlines, Source, SourceDocument, metadata_text,
};

/// Clocks of disks are as coarse as two seconds.
const COARSEST_MS: u64 = 3_000;

/// A folder, and what is known of its files.
pub(in crate::source) struct Seen {
    folder: Folder,
    name: String,
    since: Timestamp,
    before: Memory,
    read: Mutex<Memory>,
}

impl Seen {
    /// `folder`, called `name`, of which `before` is known; `since` is now.
    pub fn new(folder: Folder, name: String, before: Memory, since: Timestamp) -> Self {
        Self { folder, name, since, before, read: Mutex::default() }
    }

    fn remember(&self, known: Remembered) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).0.insert(known.file.key.clone(), known);
    }

    fn outline(&self, entry: &Entry, live: Option<Version>) -> std::result::Result<Outline, Fault> {
        let At::File(path) = &entry.at else { return self.folder.read(entry).map(SourceDocument::outline) };
        let found = stamp(path, &entry.id);
        if let (Some(file), Some(version)) = (&found, live)
            && let Some(known) = self.before.0.get(&entry.id).filter(|known| known.is(live))
            && known.file.is_surely(file)
        {
            let said = beside(path)?.unwrap_or_default();
            let metadata = Some(said.metadata).filter(|metadata| !metadata.is_empty());
            // Metadata is part of the content; who may read it is not.
            if said.structure.is_none() && metadata.as_ref().map(metadata_text) == known.metadata {
                let (acl, label) = self.folder.acls.resolve(&entry.id, said.stated.as_ref(), said.label.as_deref());
                self.remember(known.clone());
                return Ok(Outline { acl, label, metadata, ..Outline::of(version) });
            }
        }
        let outline = self.folder.read(entry)?.outline();
        if let Some(file) = found.filter(|file| stamp(path, &entry.id).as_ref() == Some(file) && self.is_settled(path))
        {
            let metadata = outline.metadata.as_ref().map(metadata_text);
            self.remember(Remembered::new(file, None, outline.version).with_metadata(metadata));
        }
        Ok(outline)
    }

    /// Whether whatever is written from now on gives the file another time.
    fn is_settled(&self, path: &Path) -> bool {
        let newest = fs::symlink_metadata(path).ok().as_ref().and_then(newest_ms);
        newest.is_some_and(|newest| newest + COARSEST_MS < self.since.0)
    }
}

/// What tells a file from what it was before; `None` where that cannot be told.
fn stamp(path: &Path, id: &str) -> Option<StoredFile> {
    let found = fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
    // Another kind of file is read in another way, though its bytes are the same.
    let tag = format!("{:?} {}", Format::of(path)?, place(&found)?);
    Some(StoredFile { key: id.to_owned(), bytes: found.len(), tag: Some(tag), modified: None, version: None })
}

#[cfg(unix)]
fn place(found: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let (written, changed) = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
    Some(format!("{} {} {written:?} {changed:?}", found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn place(found: &Metadata) -> Option<String> {
    Some(format!("{:?}", found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?))
}

/// When it was last written, or anything about it was changed.
fn newest_ms(found: &Metadata) -> Option<u64> {
    let written = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis() as u64;
    #[cfg(unix)]
    let written = {
        use std::os::unix::fs::MetadataExt;
        written.max(u64::try_from(found.ctime()).ok()?.saturating_mul(1000) + 999)
    };
    Some(written)
}

impl Source for Seen {
    fn list(&self) -> Result<Listing> {
        Local::list(&self.folder)
    }

    fn outlines(&self, entries: &[&Entry], live: &[Option<Version>]) -> Result<Outlines> {
        Ok(entries.par_iter().zip(live).map(|(entry, live)| self.outline(entry, *live)).collect())
    }

    fn read_all(&self, entries: &[&Entry]) -> Result<Vec<std::result::Result<SourceDocument, Fault>>> {
        self.folder.read_all(entries)
    }

    fn memory(&self) -> Option<(String, Memory)> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        (*read != self.before).then(|| (self.name.clone(), read.clone()))
    }

    fn unmatched_acls(&self, listing: &Listing) -> Vec<String> {
        Local::unmatched_acls(&self.folder, listing)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use safepassage_access::Principal;

    use super::*;
    use crate::source::acl_file::AclFile;

    const SIDECAR: &str = r#"{"accessControlList": [{"name": "care", "type": "GROUP", "access": "ALLOW"}]}"#;

    struct House {
        folder: tempfile::TempDir,
        file: PathBuf,
        memory: Memory,
        live: Option<Version>,
    }

    impl House {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a.md");
            fs::write(&file, "one").unwrap();
            Self { folder, file, memory: Memory::default(), live: None }
        }

        /// What a sync sees `later` milliseconds after the file was written, and whether it needed the content.
        fn sync(&mut self, later: u64) -> (Outline, bool) {
            let folder = Folder::new(self.folder.path().to_owned(), AclFile::default());
            let since = Timestamp(newest_ms(&fs::metadata(&self.file).unwrap()).unwrap() + later);
            let seen = Seen::new(folder, "(folder) x".into(), self.memory.clone(), since);
            let listing = Source::list(&seen).unwrap();
            let entry = listing.entries.iter().find(|entry| entry.id == "a.md").unwrap();
            let known = self.memory.0.get("a.md").cloned();
            let outline = seen.outlines(&[entry], &[self.live]).unwrap().pop().unwrap().unwrap();
            self.live = Some(outline.version);
            self.memory = seen.memory().map_or_else(|| self.memory.clone(), |(_, memory)| memory);
            let was_known = known.is_some() && known == self.memory.0.get("a.md").cloned() && seen.memory().is_none();
            (outline, !was_known)
        }
    }

    #[test]
    fn a_file_that_is_as_it_was_is_not_read_again_and_one_written_about_now_is() {
        let mut house = House::new();
        // Read a moment after it was written: it may be written again in the same tick.
        house.sync(COARSEST_MS - 1);
        assert_eq!(house.memory, Memory::default());
        let first = house.sync(COARSEST_MS + 1).0;
        assert_eq!(house.memory.0.len(), 1);
        assert_eq!(house.sync(10 * COARSEST_MS), (first.clone(), false));
        // What is known is believed: that is how it is seen that nothing is read.
        house.memory.0.get_mut("a.md").unwrap().file.bytes += 1;
        assert!(house.sync(10 * COARSEST_MS).1);
        // Of other content than was made of it then, it is read.
        house.live = Some(Version(7));
        assert_eq!(house.sync(10 * COARSEST_MS).0, first);
    }

    #[test]
    fn another_file_of_the_same_length_and_time_is_read() {
        let mut house = House::new();
        let first = house.sync(COARSEST_MS + 1).0;
        let times = fs::metadata(&house.file).unwrap().modified().unwrap();
        let other = house.folder.path().join("other");
        fs::write(&other, "two").unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(times).unwrap();
        fs::rename(&other, &house.file).unwrap();
        let second = house.sync(COARSEST_MS + 1).0;
        assert_ne!(first.version, second.version);
    }

    #[test]
    fn a_sidecar_is_seen_whatever_the_times_of_its_file_say() {
        let mut house = House::new();
        let (first, _) = house.sync(COARSEST_MS + 1);
        assert_eq!(first.acl, None);
        let sidecar = house.folder.path().join("a.md.metadata.json");
        fs::write(&sidecar, SIDECAR).unwrap();
        let (permitted, read) = house.sync(COARSEST_MS + 1);
        assert_eq!(permitted.acl.unwrap().allow, [Principal::group("care")].into());
        assert_eq!((permitted.version, read), (first.version, false));
        // So is its label.
        fs::write(&sidecar, SIDECAR.replacen('{', r#"{"label": "restricted", "#, 1)).unwrap();
        let (labelled, read) = house.sync(COARSEST_MS + 1);
        assert_eq!((labelled.label.as_deref(), read), (Some("restricted"), false));
        // Metadata is content.
        fs::write(&sidecar, r#"{"metadataAttributes": {"team": "care"}}"#).unwrap();
        assert_ne!(house.sync(COARSEST_MS + 1).0.version, first.version);
        fs::write(&sidecar, "{").unwrap();
        let folder = Folder::new(house.folder.path().to_owned(), AclFile::default());
        let seen = Seen::new(folder, "x".into(), house.memory.clone(), Timestamp(u64::MAX / 2));
        let listing = Source::list(&seen).unwrap();
        let entry = listing.entries.iter().find(|entry| entry.id == "a.md").unwrap();
        assert!(seen.outlines(&[entry], &[house.live]).unwrap().pop().unwrap().is_err());
    }
}
