//! A file with a document in every line: ours, or the corpus of a BEIR folder.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use safepassage_error::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::acl_file::AclFile;
use super::lines::each_line;
use super::object::parse;
use super::written::{Permission, Written, check_id};
use super::{At, Entry, Fault, Format, Listing, Local, SourceDocument};

/// BEIR's own lines carry further fields of all kinds, so unknown ones are let be.
#[derive(Deserialize)]
struct BeirDocument {
    #[serde(default)]
    title: String,
    text: String,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct OurId {
    id: String,
    #[serde(default)]
    tenant: Option<String>,
}

#[derive(Deserialize)]
struct BeirId {
    #[serde(rename = "_id")]
    id: String,
}

pub(super) struct Jsonl {
    path: PathBuf,
    acls: AclFile,
    beir: bool,
}

impl Jsonl {
    pub fn documents(path: PathBuf, acls: AclFile) -> Self {
        Self { path, acls, beir: false }
    }

    /// The `corpus.jsonl` of a BEIR folder.
    pub fn beir(path: PathBuf, acls: AclFile) -> Self {
        Self { path, acls, beir: true }
    }

    fn id_of(&self, bytes: &[u8]) -> std::result::Result<(String, String), String> {
        if let Err(e) = std::str::from_utf8(bytes) {
            return Err(format!("not UTF-8 at byte {} of the line", e.valid_up_to()));
        }
        let id = match self.beir {
            true => parse::<BeirId>(bytes).map(|line| (String::new(), line.id)),
            false => parse::<OurId>(bytes).map(|line| (line.tenant.unwrap_or_default(), line.id)),
        };
        let id = id?;
        check_id(&id.1)?;
        Ok(id)
    }

    fn read_line(&self, offset: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut line = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        file.take(bytes).read_to_end(&mut line)?;
        Ok(line)
    }

    fn parse(&self, tenant: &str, id: &str, line: &[u8]) -> std::result::Result<SourceDocument, Fault> {
        if self.beir {
            let document: BeirDocument = parse(line).map_err(|what| self.fault(id, line, what))?;
            let (acl, label) = self.acls.resolve(id, None, None);
            return Ok(SourceDocument {
                title: (!document.title.is_empty()).then_some(document.title),
                uri: None,
                content: document.text.into_bytes(),
                format: Format::Plain,
                acl,
                label,
                sections: Vec::new(),
                derived_from: Vec::new(),
                metadata: document.metadata.filter(|metadata| !metadata.is_empty()),
            });
        }
        let mut document: Written = parse(line).map_err(|what| self.fault(id, line, what))?;
        let stated = document.own().map_err(Fault::hidden)?;
        document.into_source(&self.acls, (tenant, id), stated.as_ref())
    }

    /// A line whose text cannot be used may still say who may read the document as it was.
    fn fault(&self, id: &str, line: &[u8], reason: String) -> Fault {
        let permission = parse::<Permission>(line).ok().and_then(|permission| permission.of(&self.acls, id));
        Fault { reason, permission }
    }
}

impl Local for Jsonl {
    fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut lines = HashMap::<(String, String), u64>::new();
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or("lines").to_owned();
        each_line(&self.path, &mut |line| {
            let place = format!("{name}:{}", line.number);
            let id = match line.bytes {
                Some(bytes) => self.id_of(bytes),
                None => Err("the line is longer than 64 MiB".into()),
            };
            let id = match id {
                Ok(id) => id,
                Err(reason) => {
                    listing.unidentified = true;
                    listing.skipped.push((place, reason));
                    return Ok(());
                }
            };
            let first = lines.insert(id.clone(), line.number);
            let (tenant, id) = id;
            if let Some(first) = first {
                let message = format!("the id `{id}` stands on lines {first} and {}", line.number);
                return Err(Error::invalid("read source", message).with("file", self.path.display()));
            }
            let bytes = line.bytes.map_or(0, <[u8]>::len) as u64;
            listing.entries.push(Entry {
                tenant,
                id,
                place,
                bytes,
                at: At::Line { offset: line.offset, line: line.number },
            });
            Ok(())
        })?;
        Ok(listing)
    }

    fn read(&self, entry: &Entry) -> std::result::Result<SourceDocument, Fault> {
        let At::Line { offset, line } = entry.at else { return Err(Fault::hidden("not a line of a file")) };
        let bytes = self.read_line(offset, entry.bytes).map_err(|e| Fault::hidden(format!("line {line}: {e}")))?;
        self.parse(&entry.tenant, &entry.id, &bytes)
    }

    fn unmatched_acls(&self, listing: &Listing) -> Vec<String> {
        // Ids of lines are no paths, but a folder line may still name a prefix of them.
        self.acls.unmatched(listing.entries.iter().map(|entry| entry.id.as_str()))
    }
}
