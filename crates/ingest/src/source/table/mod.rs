//! Tables as a source: Parquet and Arrow, where every row is a document.
//!
//! A file, or a folder with nothing but such files in it, as other programs leave them. Rows are listed by their ids and read
//! when they are wanted, so that memory does not grow with the files. Everything that takes a file apart is isolated: one
//! that is damaged is an error that names it, and where there are others, put aside by name.

mod bytes;
mod columns;
mod ipc;
mod parquet;
mod rows;
mod value;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use safepassage_error::{Error, Result};

use self::bytes::Place;
pub(crate) use self::columns::Columns;
use self::ipc::Ipc;
use self::parquet::Parquet;
pub(crate) use self::rows::Rows;
use super::acl_file::{self, AclFile};
use super::{At, Entry, Fault, Listing, Outline, Outlines, Source, SourceDocument};
use crate::parse::isolated;

const READ: &str = "read source";
/// Rows without an id that are named one by one; a file with more of them is put aside whole.
const MOST_NAMELESS: usize = 1_000;

/// An id that stands twice ends the listing.
const TWICE: &str = "an id stands twice";

/// Whether `path` is called as a table is.
pub(super) fn is_table(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    matches!(extension.as_str(), "parquet" | "pq" | "arrow" | "arrows" | "feather" | "ipc")
}

/// The tables of `folder`, if it has them and nothing else that could be a document.
pub(super) fn of_folder(folder: &Path) -> Option<Vec<PathBuf>> {
    let mut tables = Vec::new();
    for found in fs::read_dir(folder).ok()? {
        let path = found.ok()?.path();
        let name = path.file_name()?.to_str()?;
        // As programs leave them that write tables: `_SUCCESS`, `.part-0.crc`.
        if name.starts_with(['.', '_']) || name == acl_file::NAME {
            continue;
        }
        if !(is_table(&path) && fs::symlink_metadata(&path).ok()?.is_file()) {
            return None;
        }
        tables.push(path);
    }
    tables.sort();
    (!tables.is_empty()).then_some(tables)
}

/// A table of either kind.
#[derive(Debug)]
enum Table {
    Parquet(Parquet),
    Ipc(Ipc),
}

impl Table {
    fn open(place: Place) -> std::result::Result<Self, String> {
        let bytes = place.open().map_err(|e| e.to_string())?;
        let start = bytes::part(&*bytes, 0, bytes.bytes().min(4)).map_err(|e| e.to_string())?;
        match &start[..] {
            b"PAR1" => Parquet::open(place).map(Self::Parquet),
            b"PARE" => Err("it is encrypted".into()),
            b"" => Err("it is empty".into()),
            _ => Ipc::open(place, false).map(Self::Ipc),
        }
    }

    fn columns(&self) -> &Columns {
        match self {
            Self::Parquet(table) => table.columns(),
            Self::Ipc(table) => table.columns(),
        }
    }

    fn parts(&self) -> usize {
        match self {
            Self::Parquet(table) => table.parts(),
            Self::Ipc(table) => table.parts(),
        }
    }

    /// What a part is called in the world of this kind of table.
    fn part_name(&self) -> &'static str {
        match self {
            Self::Parquet(_) => "row group",
            Self::Ipc(_) => "batch",
        }
    }

    /// Bytes of a row of a part that has so many, on average.
    fn row_bytes(&self, part: usize, rows: usize) -> u64 {
        match self {
            Self::Parquet(table) => table.row_bytes(part),
            Self::Ipc(table) => (table.bytes(part) / rows.max(1) as u64).max(1),
        }
    }

    /// Tenant and id of every row of a part, or why it has none.
    fn ids(&self, part: usize) -> std::result::Result<Vec<Id>, String> {
        let (mut ids, mut nameless) = (Vec::new(), 0);
        let mut known = HashSet::new();
        let mut each = |batch: &arrow_array::RecordBatch, columns: &Columns| {
            for row in 0..batch.num_rows() {
                let id = columns.cells(batch, row).id();
                nameless += usize::from(id.is_err());
                if nameless > MOST_NAMELESS {
                    return Err(format!("more than {MOST_NAMELESS} rows have no id that can be read"));
                }
                // Whoever lists them refuses the second of two; a file can claim more of them than there is room for.
                let twice = id.as_ref().is_ok_and(|id| !known.insert(id.clone()));
                ids.push(id);
                if twice {
                    return Err(TWICE.into());
                }
            }
            Ok(())
        };
        let listed = match self {
            Self::Parquet(table) => table.ids(part, &mut each),
            Self::Ipc(table) => table.ids(part, &mut each),
        };
        match listed {
            Err(what) if what != TWICE => Err(what),
            _ => Ok(ids),
        }
    }

    fn rows(
        &self,
        part: usize,
        rows: &[u32],
        each: &mut dyn FnMut(&arrow_array::RecordBatch, usize),
    ) -> std::result::Result<(), String> {
        match self {
            Self::Parquet(table) => table.rows(part, rows, each),
            Self::Ipc(table) => table.rows(part, rows, each),
        }
    }

    fn forget(&self) {
        if let Self::Ipc(table) = self {
            table.forget();
        }
    }
}

type Id = std::result::Result<(String, String), String>;

/// Files that are one source.
pub(super) struct Tables {
    /// As they are called, and where they lie.
    files: Vec<(String, Place)>,
    /// Whether one that cannot be read is put aside, and not an error.
    is_folder: bool,
    acls: Arc<AclFile>,
    /// As far as they were listed.
    opened: OnceLock<Vec<Option<Arc<Table>>>>,
}

impl Tables {
    /// The one file `path`.
    pub fn one(path: &Path, acls: AclFile) -> Result<Self> {
        Self::of(vec![path.to_owned()], false, acls)
    }

    /// Several files, which are read in their order.
    pub fn folder(paths: Vec<PathBuf>, acls: AclFile) -> Result<Self> {
        Self::of(paths, true, acls)
    }

    fn of(paths: Vec<PathBuf>, is_folder: bool, acls: AclFile) -> Result<Self> {
        let named = |path: PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("table").to_owned();
            let place = Place::file(&path)
                .map_err(|e| Error::new(safepassage_error::Kind::Unavailable, READ, e.to_string()).with("file", &name));
            Ok((name, place?))
        };
        let files = paths.into_iter().map(named).collect::<Result<_>>()?;
        Ok(Self { files, is_folder, acls: Arc::new(acls), opened: OnceLock::new() })
    }

    /// Adds the rows of one file to the listing; an inner error is of this file alone.
    fn list_one(&self, number: usize, listing: &mut Listing, known: &mut Known) -> Result<Result<Arc<Table>>> {
        let (name, place) = &self.files[number];
        let refused = |error: Error| error.with("file", name);
        let opened = place.clone();
        let table = match isolated(move || Table::open(opened)) {
            Ok(table) => Arc::new(table),
            Err(error) => return Ok(Err(refused(error))),
        };
        let (mut entries, mut skipped) = (Vec::new(), Vec::new());
        for part in 0..table.parts() {
            let kind = table.part_name();
            let theirs = Arc::clone(&table);
            let ids = match isolated(move || theirs.ids(part)) {
                Ok(ids) => ids,
                Err(error) => return Ok(Err(refused(error.with("part", format!("{kind} {part}"))))),
            };
            let bytes = table.row_bytes(part, ids.len());
            for (row, id) in ids.into_iter().enumerate() {
                let place = format!("{name}, {kind} {part}, row {row}");
                let at = At::Row { file: number as u32, part: part as u32, row: row as u32 };
                match id {
                    Err(reason) => skipped.push((place, reason)),
                    Ok((tenant, id)) => {
                        if let Some(first) = known.insert((tenant.clone(), id.clone()), place.clone()) {
                            let message = format!("the id `{id}` stands in {first} and in {place}");
                            return Err(Error::invalid(READ, message));
                        }
                        entries.push(Entry { tenant, id, place, bytes, at });
                    }
                }
            }
        }
        table.forget();
        listing.unidentified |= !skipped.is_empty();
        listing.skipped.extend(skipped);
        listing.entries.extend(entries);
        Ok(Ok(table))
    }

    /// What `of` makes of each of `entries`.
    fn read<T: Send + 'static>(
        &self,
        entries: &[&Entry],
        of: fn(SourceDocument) -> T,
    ) -> Vec<std::result::Result<T, Fault>> {
        let mut read = Vec::with_capacity(entries.len());
        let at = |entry: &Entry| match entry.at {
            At::Row { file, part, row } => (file, part, row),
            _ => (u32::MAX, 0, 0),
        };
        let follows = |a: &&Entry, b: &&Entry| {
            let (a, b) = (at(a), at(b));
            (a.0, a.1) == (b.0, b.1) && a.2 < b.2
        };
        for run in entries.chunk_by(follows) {
            let (file, part, _) = at(run[0]);
            let opened = self.opened.get().and_then(|opened| opened.get(file as usize)?.clone());
            let rows: Vec<u32> = run.iter().map(|entry| at(entry).2).collect();
            let ids: Vec<(String, String)> = run.iter().map(|entry| (entry.tenant.clone(), entry.id.clone())).collect();
            let acls = Arc::clone(&self.acls);
            let outcome = isolated(move || {
                let table = opened.ok_or("it was not listed")?;
                let mut outcomes = Vec::with_capacity(ids.len());
                let mut ids = ids.iter();
                table.rows(part as usize, &rows, &mut |batch, row| {
                    if let Some((tenant, id)) = ids.next() {
                        outcomes.push(table.columns().cells(batch, row).document(&acls, (tenant, id)).map(of));
                    }
                })?;
                Ok(outcomes)
            });
            let missing = match &outcome {
                Ok(_) => "the file changed while it was read; run again",
                Err(error) => error.message(),
            };
            let missing = missing.to_owned();
            let outcomes = outcome.unwrap_or_default().into_iter().map(Some).chain(std::iter::repeat_with(|| None));
            let faults = || Err(Fault::hidden(missing.clone()));
            read.extend(outcomes.take(run.len()).map(|outcome| outcome.unwrap_or_else(faults)));
        }
        read
    }
}

type Known = HashMap<(String, String), String>;

/// What `work` gives, whatever is in the file.
fn isolated<T: Send + 'static>(work: impl FnOnce() -> std::result::Result<T, String> + Send + 'static) -> Result<T> {
    isolated::run(move || work().map_err(|what| Error::invalid(READ, what)))
}

impl Source for Tables {
    fn list(&self) -> Result<Listing> {
        let (mut listing, mut known) = (Listing::default(), Known::new());
        let mut opened = Vec::with_capacity(self.files.len());
        for number in 0..self.files.len() {
            match self.list_one(number, &mut listing, &mut known)? {
                Ok(table) => opened.push(Some(table)),
                Err(error) if self.is_folder => {
                    // Any document of the index may be in it.
                    listing.unidentified = true;
                    listing.skipped.push((self.files[number].0.clone(), error.message().to_owned()));
                    opened.push(None);
                }
                Err(error) => return Err(error),
            }
        }
        // Listed again, the files are those that were listed first.
        let _ = self.opened.set(opened);
        Ok(listing)
    }

    fn outlines(&self, entries: &[&Entry], _: &[Option<safepassage_access::Version>]) -> Result<Outlines> {
        Ok(self.read::<Outline>(entries, SourceDocument::outline))
    }

    fn read_all(&self, entries: &[&Entry]) -> Result<Vec<std::result::Result<SourceDocument, Fault>>> {
        Ok(self.read(entries, |document| document))
    }

    fn unmatched_acls(&self, listing: &Listing) -> Vec<String> {
        self.acls.unmatched(listing.entries.iter().map(|entry| entry.id.as_str()))
    }
}

#[cfg(test)]
mod tests;
