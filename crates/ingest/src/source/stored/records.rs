//! CSV files of a store whose rows are documents.
//!
//! Which rows a file has is in the file: it is fetched once to list them, and again to read them unless it was the last one. It
//! must then still be the file that was listed; one that is not is hidden until the next run.

use std::path::Path;
use std::sync::Arc;

use safepassage_error::Result;

use super::{Beside, MOST_BYTES, Missed, Stored};
use crate::source::records::Records;
use crate::source::store::StoredFile;
use crate::source::{At, Entry, Fault, Format, Listing, SourceDocument};

/// A file whose rows are documents, as it was listed.
pub(super) struct RecordFile {
    file: StoredFile,
    beside: Beside,
    records: Records,
}

impl Stored {
    /// Puts the rows of CSV files in the place of those files, where their sidecars say so and all of that can be read. A file
    /// of which it cannot be read stays, so that it is named; which rows it had is not known then.
    pub(super) fn list_records(&self, listing: &mut Listing) -> Result<()> {
        let is_csv = |entry: &&Entry| {
            let has_sidecar = self.state().files.contains_key(&format!("{}{}", entry.id, super::sidecar::SUFFIX));
            has_sidecar && Format::of(Path::new(&entry.id)) == Some(Format::Csv)
        };
        let files: Vec<Entry> = listing.entries.iter().filter(is_csv).cloned().collect();
        let beside = self.beside(&files.iter().collect::<Vec<_>>())?;
        for (entry, beside) in files.into_iter().zip(beside) {
            let rows = match beside {
                Ok(beside) if beside.structure.is_none() => continue,
                Ok(beside) => self.rows_of(&entry, beside)?,
                Err(_) => None,
            };
            let Some(rows) = rows else {
                listing.unidentified = true;
                continue;
            };
            listing.entries.retain(|listed| listed.id != entry.id);
            listing.entries.extend(rows);
        }
        Ok(())
    }

    /// The rows of a file; `None` if they cannot be told.
    fn rows_of(&self, entry: &Entry, beside: Beside) -> Result<Option<Vec<Entry>>> {
        let file = self.state().files.get(&entry.id).filter(|file| file.bytes <= MOST_BYTES).cloned();
        let (Some(file), Some(structure)) = (file, &beside.structure) else { return Ok(None) };
        let Some(content) = self.content(&file)? else { return Ok(None) };
        let Ok(records) = Records::of(&content, structure) else { return Ok(None) };
        let name: Arc<str> = entry.id.as_str().into();
        let row = |(row, span): (usize, &std::ops::Range<usize>)| Entry {
            tenant: String::new(),
            id: format!("{name}#{}", row + 1),
            place: format!("{name}, row {}", row + 1),
            bytes: span.len() as u64,
            at: At::StoredRecord { file: Arc::clone(&name), row: row as u32 },
        };
        let rows = records.spans.iter().enumerate().map(row).collect();
        let listed = RecordFile { file, beside, records };
        self.state().records.insert(entry.id.clone(), Arc::new(listed));
        Ok(Some(rows))
    }

    /// The content of `file`, if it is still this one.
    fn content(&self, file: &StoredFile) -> Result<Option<Arc<[u8]>>> {
        if let Some((last, content)) = &self.state().last
            && last.is_surely(file)
        {
            return Ok(Some(Arc::clone(content)));
        }
        let content: Option<Arc<[u8]>> = self.get(&[file])?.pop().and_then(|content| Some(content.ok()?.bytes.into()));
        self.state().last = content.clone().map(|content| (file.clone(), content));
        Ok(content)
    }

    /// What `of` makes of those of `entries` that are rows, and `files` of the others, with their places in `entries`.
    pub(super) fn beside_records<T>(
        &self,
        entries: &[&Entry],
        of: fn(SourceDocument) -> T,
        files: impl Fn(&[&Entry], &[usize]) -> Result<Vec<std::result::Result<T, Fault>>>,
    ) -> Result<Vec<std::result::Result<T, Fault>>> {
        let is_row = |at: &usize| matches!(entries[*at].at, At::StoredRecord { .. });
        let (rows, others): (Vec<usize>, Vec<usize>) = (0..entries.len()).partition(is_row);
        let given: Vec<&Entry> = others.iter().map(|&at| entries[at]).collect();
        let mut read = others.iter().copied().zip(files(&given, &others)?).collect::<Vec<_>>();
        for at in rows {
            read.push((at, self.read_record(entries[at])?.map(of).map_err(Missed::fault)));
        }
        read.sort_by_key(|(at, _)| *at);
        Ok(read.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn read_record(&self, entry: &Entry) -> Result<super::Read<SourceDocument>> {
        let changed = || Err(Missed::Fault(Fault::hidden("it changed while it was read; run again")));
        let At::StoredRecord { file, row } = &entry.at else { return Ok(changed()) };
        let Some(listed) = self.state().records.get(&**file).cloned() else { return Ok(changed()) };
        let Some(content) = self.content(&listed.file)? else { return Ok(changed()) };
        let Beside { metadata, stated, label, .. } = &listed.beside;
        let said = self.state().acls.resolve_within(&entry.id, Some(file), stated.as_ref(), label.as_deref());
        let span = listed.records.spans.get(*row as usize).cloned();
        let Some(bytes) = span.and_then(|span| content.get(span)) else { return Ok(changed()) };
        Ok(match listed.records.read(bytes) {
            Err(reason) => Err(Missed::Fault(Fault { reason, permission: Some(Box::new(said)) })),
            Ok((text, of_row)) => {
                let document = SourceDocument::of_record(text, of_row, metadata.clone().unwrap_or_default(), said);
                Ok(SourceDocument { uri: Some(format!("{}/{file}", self.store.url())), ..document })
            }
        })
    }
}
