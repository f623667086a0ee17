//! The access plane at one epoch, in a file that is mapped and used where it lies.
//!
//! ```text
//! access/snapshot/<epoch>.bin    magic "SPACCESS" · format u32 · epoch u64 · XXH3 u64 · the plane's columns
//! ```
//! The checksum is of everything: the columns, seeded with the checksum of the epoch, seeded with the format. It is
//! checked when the file is opened, before anything in it is used. Snapshots of format 1 are sealed JSON, named
//! `<epoch>.json`; they are read and not written any more.

use std::sync::Arc;

use bytes::Bytes;
use safepassage_access::{AccessEvent, AccessPlane};
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::seal;
use crate::storage::Storage;

const FOLDER: &str = "access/snapshot";
const MAGIC: &[u8; 8] = b"SPACCESS";
const FORMAT: u32 = 3;
/// The oldest format that has columns; they were fewer.
const OLDEST: u32 = 2;
const HEADER: usize = 28;
/// What JSON snapshots are sealed as.
const KIND: &str = "access";
/// How many snapshots stay: the newest, and the one that somebody may just be opening.
const KEPT: usize = 2;

/// A batch of events as the log and snapshots of format 1 have it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    pub epoch: u64,
    pub events: Vec<AccessEvent>,
}

/// The epochs that have snapshots, ascending, with their paths.
pub(crate) fn all(storage: &dyn Storage) -> Result<Vec<(u64, String)>> {
    let names = storage.list(FOLDER)?;
    let epoch = |name: &str| name.strip_suffix(".bin").or(name.strip_suffix(".json"))?.parse().ok();
    let mut all: Vec<(u64, String)> =
        names.iter().filter_map(|name| Some((epoch(name)?, format!("{FOLDER}/{name}")))).collect();
    all.sort_unstable();
    Ok(all)
}

/// The plane of the newest snapshot, if there is one.
///
/// # Errors
/// `Corrupted` if it is not what was written; `Invalid` for one of a newer format.
pub(crate) fn newest(storage: &dyn Storage) -> Result<Option<AccessPlane>> {
    let mut last = None;
    loop {
        let Some((epoch, path)) = all(storage)?.pop() else { return Ok(None) };
        match read(storage, epoch, &path) {
            // A newer one came and this one went: look again.
            Err(error) if error.kind() == Kind::NotFound && last.as_ref() != Some(&path) => last = Some(path),
            other => return other.map(Some),
        }
    }
}

/// The plane that the snapshot of `epoch` at `path` holds.
pub(crate) fn read(storage: &dyn Storage, epoch: u64, path: &str) -> Result<AccessPlane> {
    let wrong_name = || Error::corrupted("open access log", "a snapshot has another epoch's name").with("path", path);
    if path != self::path(epoch, path.ends_with(".bin")) {
        return Err(wrong_name());
    }
    if path.ends_with(".bin") {
        let (stated, columns) = open(path, storage.read(path)?)?;
        let plane = AccessPlane::from_columns(stated, Arc::new(columns)).map_err(|e| e.with("path", path))?;
        return if stated == epoch { Ok(plane) } else { Err(wrong_name()) };
    }
    let batch: Batch = seal::get(storage, KIND, path)?;
    if batch.epoch != epoch {
        return Err(wrong_name());
    }
    AccessPlane::restore(batch.epoch, &batch.events)
}

/// Writes a snapshot of a plane at `epoch`, given in columns, and removes those that nobody needs any more.
///
/// # Errors
/// `Unavailable` if it cannot be written.
pub(crate) fn write(storage: &dyn Storage, epoch: u64, columns: &[u8]) -> Result<()> {
    let header = header(FORMAT, epoch, columns);
    let put = storage.put_if_absent(&path(epoch, true), &mut |out| {
        out.write_all(&header)?;
        out.write_all(columns)
    });
    match put {
        Err(error) if error.kind() == Kind::Conflict => return Ok(()),
        other => other?,
    }
    let mut old = all(storage)?;
    old.truncate(old.len().saturating_sub(KEPT));
    // An old snapshot that cannot be removed costs space and nothing else.
    old.iter().for_each(|(_, path)| drop(storage.delete(path)));
    Ok(())
}

fn path(epoch: u64, columns: bool) -> String {
    format!("{FOLDER}/{epoch:012}.{}", if columns { "bin" } else { "json" })
}

fn header(format: u32, epoch: u64, columns: &[u8]) -> [u8; HEADER] {
    let seed = XxHash3_64::oneshot_with_seed(u64::from(format), &epoch.to_le_bytes());
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&format.to_le_bytes());
    header[12..20].copy_from_slice(&epoch.to_le_bytes());
    header[20..].copy_from_slice(&XxHash3_64::oneshot_with_seed(seed, columns).to_le_bytes());
    header
}

/// The epoch and the columns of a file that is what was written.
fn open(path: &str, bytes: Bytes) -> Result<(u64, Bytes)> {
    let corrupted = |what: &str| Error::corrupted("read access snapshot", what).with("path", path);
    let (stated, columns) = bytes.split_first_chunk::<HEADER>().ok_or_else(|| corrupted("it ends too early"))?;
    let format = u32::from_le_bytes([stated[8], stated[9], stated[10], stated[11]]);
    let mut epoch = [0; 8];
    epoch.copy_from_slice(&stated[12..20]);
    let epoch = u64::from_le_bytes(epoch);
    if *stated != header(format, epoch, columns) {
        return Err(corrupted("checksum or kind do not match"));
    }
    if format > FORMAT {
        let message = format!("format {format} is newer than this program reads ({FORMAT}); upgrade safepassage");
        return Err(Error::invalid("read access snapshot", message).with("path", path));
    }
    if format < OLDEST {
        return Err(corrupted("there are no columns of this format"));
    }
    Ok((epoch, bytes.slice(HEADER..)))
}
