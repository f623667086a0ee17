//! Rows that a caller hands over one batch after the other, as a source: set aside first, each to be read when it is wanted.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use safepassage_error::{Error, Kind, Result};
use safepassage_index::storage::Scratch;

use super::READ;
use super::columns::{Cells, Columns};
use crate::source::acl_file::AclFile;
use crate::source::{At, Entry, Fault, Listing, Local, SourceDocument};

/// Rows that wait to be read.
pub(crate) struct Rows {
    columns: Columns,
    acls: AclFile,
    aside: Arc<dyn Scratch>,
    entries: Vec<Entry>,
    known: HashSet<(String, String)>,
    skipped: Vec<(String, String)>,
    batches: usize,
}

impl Rows {
    /// None yet; they are set aside in `scratch`, or else in memory.
    pub fn new(columns: Columns, acls: AclFile, scratch: Option<Arc<dyn Scratch>>) -> Self {
        let aside = scratch.unwrap_or_else(|| Arc::new(Held::default()));
        let (entries, known, skipped) = (Vec::new(), HashSet::new(), Vec::new());
        Self { columns, acls, aside, entries, known, skipped, batches: 0 }
    }

    /// Sets the rows of a batch aside.
    ///
    /// # Errors
    /// `Invalid` if an id stands twice; `Unavailable` if there is no room for them.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        for row in 0..batch.num_rows() {
            let place = format!("batch {}, row {row}", self.batches);
            let cells = self.columns.cells(batch, row);
            let (tenant, id) = match cells.clone().id() {
                Ok(id) => id,
                Err(reason) => {
                    self.skipped.push((place, reason));
                    continue;
                }
            };
            if !self.known.insert((tenant.clone(), id.clone())) {
                return Err(Error::invalid(READ, format!("the id `{id}` stands twice; the second is {place}")));
            }
            let written = serde_json::to_vec(&cells)
                .map_err(|e| Error::new(Kind::Internal, READ, "a row has no place in JSON").because(e))?;
            let offset = self.aside.append(&written)?;
            let at = At::Line { offset, line: row as u64 };
            self.entries.push(Entry { tenant, id, place, bytes: written.len() as u64, at });
        }
        self.batches += 1;
        Ok(())
    }
}

impl Local for Rows {
    fn list(&self) -> Result<Listing> {
        let (entries, skipped) = (self.entries.clone(), self.skipped.clone());
        Ok(Listing { entries, unidentified: !skipped.is_empty(), skipped, ..Listing::default() })
    }

    fn read(&self, entry: &Entry) -> std::result::Result<SourceDocument, Fault> {
        let At::Line { offset, .. } = entry.at else { return Err(Fault::hidden("not a row of these")) };
        let mut written = vec![0; usize::try_from(entry.bytes).unwrap_or_default()];
        self.aside.read(offset, &mut written).map_err(|e| Fault::hidden(e.message()))?;
        let cells: Cells = serde_json::from_slice(&written).map_err(|_| Fault::hidden("it cannot be read back"))?;
        cells.document(&self.acls, (&entry.tenant, &entry.id))
    }

    fn unmatched_acls(&self, listing: &Listing) -> Vec<String> {
        self.acls.unmatched(listing.entries.iter().map(|entry| entry.id.as_str()))
    }
}

/// Where an index has no folder.
#[derive(Debug, Default)]
struct Held(Mutex<Vec<u8>>);

impl Scratch for Held {
    fn append(&self, bytes: &[u8]) -> Result<u64> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = held.len() as u64;
        held.extend_from_slice(bytes);
        Ok(at)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<()> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = held.get(at..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or_else(|| Error::new(Kind::Internal, READ, "a row is not where it was put"))?);
        Ok(())
    }
}
