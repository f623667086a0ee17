//! A store of files as a source: like a folder, whose files are far away and may change under one's hands.
//!
//! Sidecars, `acl.jsonl` and formats are those of folders. A file is taken as it was listed; one that changed since is looked
//! for once more, with its sidecar after it, so that permissions are never older than the content they come with. What still
//! does not fit is put aside by name. A store that gives nothing at all fails the whole run before anything is written.

mod records;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use safepassage_access::Version;
use safepassage_error::{Error, Kind, Result};
use serde_json::{Map, Value};

use self::records::RecordFile;
use super::acl_file::{self, AclFile, Resolved, Stated};
use super::folder::{MOST_BYTES, no_records};
use super::memory::{Memory, Remembered};
use super::records::Structure;
use super::sidecar::Said;
use super::store::{FileStore, StoredContent, StoredFile};
use super::{At, Entry, Fault, Format, Listing, Outline, Outlines, Source, SourceDocument, metadata_text, sidecar};

/// Bytes fetched at once.
const BYTES_AT_ONCE: u64 = 64 << 20;
/// What stands beside a file is small; a longer one is not read.
const MOST_SIDECAR_BYTES: u64 = 1 << 20;

pub(super) struct Stored {
    store: Box<dyn FileStore>,
    /// Given beside the store, instead of the `acl.jsonl` in it.
    given: Option<AclFile>,
    /// If these files alone are looked at: names of documents.
    only: Option<BTreeSet<String>>,
    /// Of the files that are looked at, the versions that messages name.
    versions: BTreeMap<String, String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// As they were listed, or seen since.
    files: HashMap<String, StoredFile>,
    acls: AclFile,
    /// CSV files whose rows are documents.
    records: HashMap<String, Arc<RecordFile>>,
    /// The content of the one that was read last.
    last: Option<(StoredFile, Arc<[u8]>)>,
    /// Of the last run, and what this one has read.
    memory: Memory,
    read: Memory,
}

/// What stands beside a file.
#[derive(Debug, Clone, Default)]
struct Beside {
    sidecar: Option<(StoredFile, String)>,
    metadata: Option<Map<String, Value>>,
    stated: Option<Stated>,
    /// What the sidecar alone says.
    label: Option<String>,
    /// What all that is said makes of it.
    resolved: Resolved,
    structure: Option<Structure>,
}

/// Why a file was not read: it is another one by now, or for good.
enum Missed {
    Changed(Fault),
    Fault(Fault),
}

impl Missed {
    fn fault(self) -> Fault {
        match self {
            Self::Changed(fault) | Self::Fault(fault) => fault,
        }
    }
}

type Read<T> = std::result::Result<T, Missed>;

impl Stored {
    pub fn new(store: Box<dyn FileStore>, given: Option<AclFile>, memory: Memory) -> Self {
        let (only, versions, state) = (None, BTreeMap::new(), State { memory, ..State::default() });
        Self { store, given, only, versions, state: Mutex::new(state) }
    }

    /// Of which only the files `changed` are looked at; a sidecar stands for its document.
    ///
    /// # Errors
    /// `Invalid` if one of them says who may read others.
    pub fn only(self, changed: &BTreeMap<String, Option<String>>) -> Result<Self> {
        if self.given.is_none() && changed.contains_key(acl_file::NAME) {
            let message =
                format!("`{}` changed, which speaks of many documents: sync the whole source", acl_file::NAME);
            return Err(Error::invalid("sync", message).with("source", self.store.url()));
        }
        let document = |key: &String| key.strip_suffix(sidecar::SUFFIX).unwrap_or(key).to_owned();
        let versions = changed.iter().filter_map(|(key, version)| Some((key.clone(), version.clone()?))).collect();
        Ok(Self { only: Some(changed.keys().map(document).collect()), versions, ..self })
    }

    /// The files that are there: all of them, or those that are looked at and what stands beside them.
    fn present(&self) -> Result<Vec<StoredFile>> {
        let Some(only) = &self.only else { return self.store.list() };
        let beside = |key: &String| [key.clone(), format!("{key}{}", sidecar::SUFFIX)];
        let keys = only.iter().flat_map(beside).chain([acl_file::NAME.to_owned()]);
        let found = |key: String| match self.read_before(&key) {
            Some(file) => Some(Ok(file)),
            // One that was named by its version is compared by it.
            None => {
                let version = self.versions.get(&key).cloned();
                let found = self.store.find(&key).transpose()?;
                Some(found.map(|file| StoredFile { version, ..file }))
            }
        };
        keys.filter_map(found).collect()
    }

    /// The file `key`, if the very version that a message names was read before: whatever became of it since, another
    /// message says.
    fn read_before(&self, key: &str) -> Option<StoredFile> {
        let (version, state) = (self.versions.get(key)?, self.state());
        let document = key.strip_suffix(sidecar::SUFFIX).unwrap_or(key);
        let known = state.memory.0.get(document)?;
        let file = if document == key { Some(&known.file) } else { known.sidecar.as_ref().map(|(file, _)| file) };
        file.filter(|file| file.version.as_ref() == Some(version)).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the store gives for each of `files`. A store that gives fewer or more has mixed them up: nothing of it counts.
    fn get(&self, files: &[&StoredFile]) -> Result<Vec<Result<StoredContent>>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let given = self.store.get(files)?;
        if given.len() == files.len() {
            return Ok(given);
        }
        let message = format!("the store gave {} files where {} were asked for", given.len(), files.len());
        Err(Error::new(Kind::Unavailable, "read source", message).with("source", self.store.url()))
    }

    /// The one file `file`, which must not be missed: it may hold a deny.
    fn need(&self, file: &StoredFile) -> Result<Vec<u8>> {
        let one = |file: &StoredFile| -> Result<Vec<u8>> {
            let nothing = || Error::new(Kind::Unavailable, "read source", "the store gave nothing");
            Ok(self.get(&[file])?.pop().unwrap_or_else(|| Err(nothing()))?.bytes)
        };
        match one(file) {
            Err(error) if error.kind() == Kind::Conflict => match self.store.find(&file.key)? {
                Some(newer) => one(&newer),
                None => Err(error),
            },
            outcome => outcome,
        }
    }

    fn list_one(&self, file: &StoredFile, files: &HashMap<String, StoredFile>, listing: &mut Listing) {
        let id = file.key.clone();
        if id.split('/').any(|part| part.starts_with('.')) || id.ends_with('/') || id == acl_file::NAME {
        } else if id.ends_with(sidecar::SUFFIX) {
            if self.only.is_none() && !files.contains_key(id.trim_end_matches(sidecar::SUFFIX)) {
                listing.warnings.push(format!("`{id}` belongs to no file"));
            }
        } else if id.is_empty() || id.chars().any(char::is_control) {
            listing.skipped.push((id.escape_debug().to_string(), "the name has control characters".into()));
        } else if Format::of(Path::new(&id)).is_none() {
            listing.skipped.push((id, "no parser for this kind of file".into()));
        } else {
            let (place, bytes) = (id.clone(), file.bytes);
            listing.entries.push(Entry { tenant: String::new(), id, place, bytes, at: At::Stored });
        }
    }

    /// What stands beside each of `entries`: remembered where it is surely the same, else fetched.
    fn beside(&self, entries: &[&Entry]) -> Result<Vec<Read<Beside>>> {
        let mut texts: Vec<Read<Option<(StoredFile, String)>>> = Vec::with_capacity(entries.len());
        let mut missing = Vec::new();
        {
            let state = self.state();
            for (at, entry) in entries.iter().enumerate() {
                let Some(listed) = state.files.get(&format!("{}{}", entry.id, sidecar::SUFFIX)) else {
                    texts.push(Ok(None));
                    continue;
                };
                let known = [&state.read, &state.memory].into_iter().filter_map(|memory| memory.0.get(&entry.id));
                let mut known = known.filter_map(|known| known.sidecar.as_ref());
                match known.find(|(file, _)| file.is_surely(listed)) {
                    Some(known) => texts.push(Ok(Some(known.clone()))),
                    None if listed.bytes > MOST_SIDECAR_BYTES => {
                        let reason =
                            format!("its sidecar has {} bytes; the most is {MOST_SIDECAR_BYTES}", listed.bytes);
                        texts.push(Err(Missed::Fault(Fault::hidden(reason))));
                    }
                    None => {
                        // Of one that is there and does not come nobody knows what it says.
                        let reason = "its sidecar cannot be read: the store gave nothing";
                        texts.push(Err(Missed::Fault(Fault::hidden(reason))));
                        missing.push((at, listed.clone()));
                    }
                }
            }
        }
        let files: Vec<&StoredFile> = missing.iter().map(|(_, file)| file).collect();
        let fetched = self.get(&files)?;
        for ((at, file), content) in missing.into_iter().zip(fetched) {
            texts[at] = match content.map(|StoredContent { bytes, version }| (String::from_utf8(bytes), version)) {
                Ok((Ok(text), version)) => Ok(Some((StoredFile { version, ..file }, text))),
                Ok((Err(_), _)) => Err(Missed::Fault(Fault::hidden("its sidecar cannot be read: it is not UTF-8"))),
                Err(error) => {
                    Err(missed(&error, |reason| Fault::hidden(format!("its sidecar cannot be read: {reason}"))))
                }
            };
        }
        let state = self.state();
        let parsed = texts.into_iter().zip(entries).map(|(text, entry)| {
            let sidecar = text?;
            let unreadable = |what| Missed::Fault(Fault::hidden(format!("its sidecar cannot be read: {what}")));
            let read =
                sidecar.as_ref().map(|(_, text)| sidecar::read(text.as_bytes()).map_err(unreadable)).transpose()?;
            let Said { metadata, stated, label, structure } = read.unwrap_or_default();
            let resolved = state.acls.resolve(&entry.id, stated.as_ref(), label.as_deref());
            let metadata = Some(metadata).filter(|metadata| !metadata.is_empty());
            Ok(Beside { sidecar, metadata, stated, label, resolved, structure })
        });
        Ok(parsed.collect())
    }

    /// The content of each of `entries`, as it was listed.
    fn contents(&self, entries: &[(&Entry, &Beside)]) -> Result<Vec<Read<(StoredFile, SourceDocument)>>> {
        let files: Vec<Option<StoredFile>> = {
            let state = self.state();
            entries.iter().map(|(entry, _)| state.files.get(&entry.id).cloned()).collect()
        };
        let mut read = Vec::with_capacity(entries.len());
        let mut rest = entries.iter().zip(files).peekable();
        while rest.peek().is_some() {
            let (mut part, mut bytes) = (Vec::new(), 0);
            while let Some((entry, file)) = rest.next_if(|_| bytes < BYTES_AT_ONCE) {
                bytes += file.as_ref().map_or(0, |file| file.bytes.min(MOST_BYTES));
                part.push((entry, file));
            }
            let wanted = |file: &&StoredFile| file.bytes <= MOST_BYTES;
            let files: Vec<&StoredFile> = part.iter().filter_map(|(_, file)| file.as_ref()).filter(wanted).collect();
            let mut fetched = self.get(&files)?.into_iter();
            for ((entry, beside), file) in part {
                let fault = |reason: String| {
                    let permission = Some(Box::new(beside.resolved.clone()));
                    Fault { reason, permission }
                };
                read.push(match file {
                    None => Err(Missed::Fault(fault("it is gone".into()))),
                    Some(file) if file.bytes > MOST_BYTES => {
                        let reason = format!("it has {} bytes; the most is {MOST_BYTES}", file.bytes);
                        Err(Missed::Fault(fault(reason)))
                    }
                    Some(file) => match fetched.next() {
                        None => Err(Missed::Fault(fault("the store gave nothing".into()))),
                        Some(Err(error)) => Err(missed(&error, fault)),
                        Some(Ok(content)) if beside.structure.is_some() => {
                            let structure = beside.structure.as_ref();
                            let content = &content.bytes;
                            let what = structure.map(|structure| no_records(Path::new(&entry.id), content, structure));
                            Err(Missed::Fault(fault(what.unwrap_or_default())))
                        }
                        Some(Ok(StoredContent { bytes, version })) => {
                            // What was got, and not what was listed, is what is remembered.
                            let file = StoredFile { version, ..file };
                            let uri = format!("{}/{}", self.store.url(), entry.id);
                            let said = beside.resolved.clone();
                            SourceDocument::of_file(Path::new(&entry.id), bytes, said, beside.metadata.clone())
                                .map(|document| (file, SourceDocument { uri: Some(uri), ..document }))
                                .map_err(|reason| Missed::Fault(fault(reason)))
                        }
                    },
                });
            }
        }
        Ok(read)
    }

    /// What is known of each of `entries` without its content: the same file, whose content is `live`.
    fn known(&self, entry: &Entry, beside: &Beside, live: Option<Version>) -> Option<Remembered> {
        let state = self.state();
        let known = state.memory.0.get(&entry.id).filter(|known| known.is(live))?;
        let same_file = state.files.get(&entry.id)?.is_surely(&known.file);
        // Metadata is part of the content; who may read it is not.
        let metadata = match &known.sidecar {
            None => None,
            Some((_, text)) => {
                Some(sidecar::read(text.as_bytes()).ok()?.metadata).filter(|metadata| !metadata.is_empty())
            }
        };
        let text = |metadata: &Option<Map<String, Value>>| metadata.as_ref().map(metadata_text);
        (same_file && text(&metadata) == text(&beside.metadata)).then(|| known.with_sidecar(beside.sidecar.clone()))
    }

    fn outlines_once(&self, entries: &[&Entry], live: &[Option<Version>]) -> Result<Vec<Read<Outline>>> {
        let beside = self.beside(entries)?;
        let mut outlines: Vec<Option<Read<Outline>>> = Vec::new();
        let mut unread = Vec::new();
        for (at, (beside, (entry, live))) in beside.iter().zip(entries.iter().zip(live)).enumerate() {
            let Ok(beside) = beside else {
                outlines.push(None);
                continue;
            };
            match (self.known(entry, beside, *live), *live) {
                (Some(known), Some(version)) => {
                    self.state().read.0.insert(entry.id.clone(), known);
                    let ((acl, label), metadata) = (beside.resolved.clone(), beside.metadata.clone());
                    outlines.push(Some(Ok(Outline { acl, label, metadata, ..Outline::of(version) })));
                }
                _ => {
                    outlines.push(None);
                    unread.push((at, *entry, beside));
                }
            }
        }
        let wanted: Vec<(&Entry, &Beside)> = unread.iter().map(|(_, entry, beside)| (*entry, *beside)).collect();
        for ((at, entry, beside), read) in unread.iter().zip(self.contents(&wanted)?) {
            outlines[*at] = Some(read.map(|(file, document)| {
                let outline = document.outline();
                let remembered = Remembered::new(file, beside.sidecar.clone(), outline.version);
                self.state().read.0.insert(entry.id.clone(), remembered);
                outline
            }));
        }
        let both = outlines.into_iter().zip(beside);
        let nothing = || Missed::Fault(Fault::hidden("the store gave nothing"));
        Ok(both.map(|(outline, beside)| beside.and_then(|_| outline.unwrap_or_else(|| Err(nothing())))).collect())
    }

    fn documents_once(&self, entries: &[&Entry]) -> Result<Vec<Read<SourceDocument>>> {
        let beside = self.beside(entries)?;
        let with: Vec<(&Entry, &Beside)> =
            entries.iter().zip(&beside).filter_map(|(entry, beside)| Some((*entry, beside.as_ref().ok()?))).collect();
        let mut contents = self.contents(&with)?.into_iter();
        let nothing = || Err(Missed::Fault(Fault::hidden("the store gave nothing")));
        let read = beside.iter().map(|beside| match beside {
            Ok(_) => Some(contents.next().unwrap_or_else(nothing)),
            Err(_) => None,
        });
        let read: Vec<_> = read.collect();
        let both = beside.into_iter().zip(read);
        Ok(both.map(|(beside, read)| beside.and_then(|_| Ok(read.unwrap_or_else(nothing)?.1))).collect())
    }

    /// What `once` gives; files that changed since they were listed are looked for and read once more.
    fn twice<T>(
        &self,
        entries: &[&Entry],
        once: impl Fn(&[&Entry], &[usize]) -> Result<Vec<Read<T>>>,
    ) -> Result<Vec<std::result::Result<T, Fault>>> {
        let all: Vec<usize> = (0..entries.len()).collect();
        let mut read = once(entries, &all)?;
        let changed: Vec<usize> = all.into_iter().filter(|&at| matches!(read[at], Err(Missed::Changed(_)))).collect();
        if !changed.is_empty() {
            for &at in &changed {
                let id = &entries[at].id;
                // The sidecar after the content.
                for key in [id.clone(), format!("{id}{}", sidecar::SUFFIX)] {
                    let found = self.store.find(&key)?;
                    let files = &mut self.state().files;
                    match found {
                        Some(file) => drop(files.insert(key, file)),
                        None => drop(files.remove(&key)),
                    }
                }
            }
            let again: Vec<&Entry> = changed.iter().map(|&at| entries[at]).collect();
            for (at, outcome) in changed.iter().zip(once(&again, &changed)?) {
                read[*at] = outcome;
            }
        }
        Ok(read.into_iter().map(|read| read.map_err(Missed::fault)).collect())
    }
}

/// Why one file was not read.
fn missed(error: &Error, fault: impl FnOnce(String) -> Fault) -> Missed {
    match error.kind() {
        Kind::Conflict | Kind::NotFound => Missed::Changed(fault("it changed while it was read; run again".into())),
        _ => Missed::Fault(fault(error.message().to_owned())),
    }
}

impl Source for Stored {
    fn list(&self) -> Result<Listing> {
        let listed = self.present()?;
        let files: HashMap<String, StoredFile> = listed.iter().map(|file| (file.key.clone(), file.clone())).collect();
        let acls = match (&self.given, files.get(acl_file::NAME)) {
            (Some(given), _) => given.clone(),
            (None, None) => AclFile::default(),
            (None, Some(file)) => {
                let path = format!("{}/{}", self.store.url(), acl_file::NAME);
                AclFile::parse(&self.need(file)?, Path::new(&path))?
            }
        };
        let mut listing = Listing { only: self.only.clone(), ..Listing::default() };
        listed.iter().for_each(|file| self.list_one(file, &files, &mut listing));
        {
            let mut state = self.state();
            (state.files, state.acls) = (files, acls);
        }
        self.list_records(&mut listing)?;
        Ok(listing)
    }

    fn outlines(&self, entries: &[&Entry], live: &[Option<Version>]) -> Result<Outlines> {
        self.beside_records(entries, SourceDocument::outline, |entries, places| {
            let live: Vec<Option<Version>> = places.iter().map(|&at| live[at]).collect();
            self.twice(entries, |entries, places| {
                let live: Vec<Option<Version>> = places.iter().map(|&at| live[at]).collect();
                self.outlines_once(entries, &live)
            })
        })
    }

    fn read_all(&self, entries: &[&Entry]) -> Result<Vec<std::result::Result<SourceDocument, Fault>>> {
        self.beside_records(
            entries,
            |document| document,
            |entries, _| self.twice(entries, |entries, _| self.documents_once(entries)),
        )
    }

    fn unmatched_acls(&self, listing: &Listing) -> Vec<String> {
        let skipped = listing.skipped.iter().map(|(id, _)| id.as_str());
        if self.only.is_some() {
            return Vec::new();
        }
        let state = self.state();
        let ids = listing.entries.iter().map(|entry| entry.id.as_str()).chain(skipped);
        state.acls.unmatched(ids.chain(state.records.keys().map(String::as_str)))
    }

    fn memory(&self) -> Option<(String, Memory)> {
        let state = self.state();
        let mut memory = state.read.clone();
        if let Some(only) = &self.only {
            let others = state.memory.0.iter().filter(|(id, _)| !only.contains(*id));
            memory.0.extend(others.map(|(id, known)| (id.clone(), known.clone())));
        }
        Some((self.store.url().to_owned(), memory))
    }
}

#[cfg(test)]
mod tests;
