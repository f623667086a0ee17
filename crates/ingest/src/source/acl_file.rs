//! Who may read which documents, and which labels they have, said beside the source.
//!
//! `acl.jsonl`, a line `{"_id": ID, "acl": {"allow": […], "deny": […]}, "label": LABEL}` for a document, a folder (`_id` ends
//! in `/`) or the whole source (`./`); a line has one of the two or both. Who may read is what the nearest says that says so,
//! by `allow`, `all_of` or `parent` (an ACL object); denies add up from the document through all folders above it. The label
//! is what the nearest says that says one. A line that cannot be read refuses the whole source, because it might have been a
//! deny.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use safepassage_access::{Acl, AllOf, Inherit, Principal, WrittenAllOf, all_of};
use safepassage_error::{Error, Result};
use serde::{Deserialize, Deserializer};

use super::lines::{self, each_line, each_line_of};
use super::object::{object, parse};

/// The file looked for beside a source.
pub(crate) const NAME: &str = "acl.jsonl";

/// What one place says: who may read may be left to a place further up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Written")]
pub(crate) struct Stated {
    pub allow: Option<BTreeSet<Principal>>,
    pub all_of: BTreeSet<AllOf>,
    pub deny: BTreeSet<Principal>,
    pub parent: Option<Box<str>>,
    pub inherit: Inherit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    allow: Option<BTreeSet<Principal>>,
    #[serde(default, deserialize_with = "all_of")]
    all_of: WrittenAllOf,
    #[serde(default)]
    deny: BTreeSet<Principal>,
    parent: Option<Box<str>>,
    #[serde(default)]
    inherit: Inherit,
}

impl TryFrom<Written> for Stated {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { allow, all_of, deny, parent, inherit } = written;
        let none = BTreeSet::new();
        let all_of = all_of.beside(allow.as_ref().unwrap_or(&none)).map_err(|e| e.message().to_owned())?;
        Ok(Self { allow, all_of, deny, parent, inherit })
    }
}

impl Stated {
    /// What only inherits from the ACL object `parent`.
    pub fn under(parent: &str) -> Self {
        Self { parent: Some(parent.into()), ..Self::default() }
    }

    /// The same below the ACL object that a document names.
    pub fn below(self, parent: Option<String>) -> Result<Self, String> {
        match parent {
            None => Ok(self),
            Some(parent) if self.parent.is_some() => {
                Err(format!("it names an ACL object twice, in `acl` and as `acl_object` (`{parent}`)"))
            }
            Some(parent) => Ok(Self { parent: Some(parent.into()), ..self }),
        }
    }

    fn says_who(&self) -> bool {
        self.allow.is_some() || !self.all_of.is_empty() || self.parent.is_some()
    }

    /// With the denies of all places, if somebody says who may read and it makes sense.
    fn with(&self, deny: BTreeSet<Principal>) -> Acl {
        let Self { allow, all_of, parent, inherit, .. } = self.clone();
        Acl { allow: allow.unwrap_or_default(), all_of, deny, parent, inherit }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default, deserialize_with = "stated")]
    acl: Option<Stated>,
    #[serde(default, deserialize_with = "stated_label")]
    label: Option<String>,
}

/// An object, if the field is there at all.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Stated>, D::Error> {
    object(deserializer).map(Some)
}

/// A label, if the field is there at all: `null` would be a label that somebody forgot.
pub(super) fn stated_label<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// What all that is said makes of a document: its ACL and its label, `None` where nobody states one.
pub(crate) type Resolved = (Option<Acl>, Option<String>);

/// What one line says of a place.
#[derive(Debug, Clone)]
struct Place {
    line: u64,
    acl: Stated,
    label: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct AclFile {
    path: PathBuf,
    documents: BTreeMap<String, Place>,
    /// By path with the `/` at the end; the source itself is the empty path.
    folders: BTreeMap<String, Place>,
}

impl AclFile {
    pub fn read(path: &Path) -> Result<Self> {
        let mut file = Self { path: path.to_owned(), ..Self::default() };
        each_line(path, &mut |line| file.add(&line))?;
        Ok(file)
    }

    /// The file's bytes, which are called `path`.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let mut file = Self { path: path.to_owned(), ..Self::default() };
        each_line_of(bytes, path, &mut |line| file.add(&line))?;
        Ok(file)
    }

    fn add(&mut self, line: &lines::Line<'_>) -> Result<()> {
        let Self { path, documents, folders } = self;
        let number = line.number;
        let refused =
            |what: String| Error::invalid("read ACL file", what).with("file", path.display()).with("line", number);
        let bytes = line.bytes.ok_or_else(|| refused("the line is too long".into()))?;
        let parsed: Line = parse(bytes).map_err(refused)?;
        if parsed.acl.is_none() && parsed.label.is_none() {
            return Err(refused("it says neither an `acl` nor a `label`".into()));
        }
        let acl = parsed.acl.unwrap_or_default();
        acl.with(acl.deny.clone()).check().map_err(|e| refused(e.message().to_owned()))?;
        if parsed.id.split('/').any(|part| part == "..") {
            return Err(refused(format!("`{}` is outside the source", parsed.id)));
        }
        let (table, key) = match parsed.id.strip_suffix('/') {
            Some("." | "") => (folders, String::new()),
            Some(_) => (folders, parsed.id.strip_prefix("./").unwrap_or(&parsed.id).to_owned()),
            None => (documents, parsed.id.strip_prefix("./").unwrap_or(&parsed.id).to_owned()),
        };
        if let Some(Place { line: first, .. }) = table.insert(key, Place { line: number, acl, label: parsed.label }) {
            return Err(refused(format!("`{}` stands on line {first} too; say it once", parsed.id)));
        }
        Ok(())
    }

    /// The ACL and the label of document `id`, which says `own` and `label` itself.
    pub fn resolve(&self, id: &str, own: Option<&Stated>, label: Option<&str>) -> Resolved {
        self.resolve_within(id, None, own, label)
    }

    /// As [`AclFile::resolve`], of a part of the file `file`: what is said of the file holds for it.
    pub fn resolve_within(&self, id: &str, file: Option<&str>, own: Option<&Stated>, label: Option<&str>) -> Resolved {
        let folders =
            std::iter::successors(above(file.unwrap_or(id)), |folder| folder.strip_suffix('/').and_then(above));
        let folders: Vec<&Place> = folders.filter_map(|folder| self.folders.get(folder)).collect();
        let documents = [Some(id), file].into_iter().flatten().filter_map(|id| self.documents.get(id));
        let documents: Vec<&Place> = documents.collect();
        let of_documents = documents.iter().map(|place| &place.acl);
        let stated: Vec<&Stated> = of_documents.chain(own).chain(folders.iter().map(|place| &place.acl)).collect();
        let who = stated.iter().find(|stated| stated.says_who());
        let acl = who.map(|who| who.with(stated.iter().flat_map(|stated| stated.deny.iter().cloned()).collect()));
        let said = |places: &[&Place]| places.iter().find_map(|place| place.label.clone());
        let label = said(&documents).or_else(|| label.map(str::to_owned)).or_else(|| said(&folders));
        (acl, label)
    }

    /// A sentence for each line that matches none of `ids`.
    pub fn unmatched<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut documents = HashSet::new();
        let mut folders = HashSet::from([String::new()]);
        for id in ids {
            documents.insert(id);
            let mut path = id;
            while let Some(folder) = above(path).filter(|folder| !folder.is_empty()) {
                if !folders.insert(folder.to_owned()) {
                    break;
                }
                path = &folder[..folder.len() - 1];
            }
        }
        let say = |id: &str, line: u64| {
            let hint = if folders.contains(&format!("{id}/")) {
                format!("; write `{id}/` for the folder")
            } else {
                String::new()
            };
            format!("{} line {line}: `{id}` matches no document{hint}", self.path.display())
        };
        let lone_documents = self.documents.iter().filter(|(id, _)| !documents.contains(id.as_str()));
        let lone_folders = self.folders.iter().filter(|(id, _)| !folders.contains(*id));
        lone_documents.chain(lone_folders).map(|(id, place)| say(id, place.line)).collect()
    }
}

/// The folder above `path`, with its `/`: the empty path for the topmost, and nothing above that.
fn above(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

#[cfg(test)]
mod tests;
