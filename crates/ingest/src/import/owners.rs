//! Who may read the files of a folder, by the `OWNERS` files in it?
//!
//! Approvers and reviewers of a folder, and of all folders above it, may read. A folder with an `OWNERS` file is an ACL
//! object below the next such folder, so that the lists add up, unless it says `no_parent_owners`. What a `filters` entry
//! says is said of the documents whose path within that folder it fits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::{Regex, RegexBuilder};
use safepassage_access::{Acl, Principal};
use safepassage_error::{Error, Result};

use super::yaml::{self, Value, Yaml};
use super::{ImportOptions, Imported, paths, read, refused};

/// What a pattern may cost in memory.
const PATTERN_BYTES: usize = 1 << 20;

/// Keys that say nothing about who approves or reviews.
const PASSED_OVER: [&str; 5] =
    ["labels", "emeritus_approvers", "emeritus_reviewers", "security_contacts", "required_reviewers"];

type Aliases = BTreeMap<String, BTreeSet<Principal>>;

/// What one `OWNERS` file says.
#[derive(Default)]
struct Folder {
    allow: BTreeSet<Principal>,
    /// Who may read what fits.
    filters: Vec<(Regex, BTreeSet<Principal>)>,
    alone: bool,
}

pub(super) fn import(root: &Path, options: &ImportOptions) -> Result<Imported> {
    let mut imported = Imported::default();
    let aliases = aliases(root, options.alias_prefix.as_deref())?;
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    for file in paths::files(root)?.iter().filter(|file| file.file_name() == "OWNERS") {
        let named = |e: Error| e.with("file", file.path().display());
        let path = paths::relative(root, file.path())
            .ok_or_else(|| named(Error::invalid("read OWNERS", "its path is not UTF-8")))?;
        if !file.file_type().is_file() {
            return Err(named(Error::invalid("read OWNERS", "it is no plain file; it might say `no_parent_owners`")));
        }
        let read = folder(&read(file.path())?, &aliases, &path, &mut imported.warnings).map_err(named)?;
        folders.insert(paths::above(&path).unwrap_or_default().to_owned(), read);
    }
    let object = |folder: &str| format!("owners/{folder}");
    for (path, folder) in &folders {
        let parent = nearest(&folders, path).filter(|_| !folder.alone).map(|parent| object(parent).into());
        imported.object(object(path), Acl { allow: folder.allow.clone(), parent, ..Acl::default() });
    }
    let documents = paths::named(options)?.map_or_else(|| paths::below(root), Ok)?;
    let mut without = 0;
    for path in documents {
        let acl = match nearest(&folders, &path) {
            Some(folder) => Acl { allow: filtered(&folders, &path), ..Acl::under(&object(folder)) },
            None => Acl::default(),
        };
        without += usize::from(acl.parent.is_none());
        imported.documents.insert(path, acl);
    }
    if without > 0 {
        imported.warnings.push(format!("{without} documents have no `OWNERS` above them: they are visible to nobody"));
    }
    Ok(imported)
}

/// The folders above `path`, nearest first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(paths::above(path), |folder| paths::above(folder))
}

/// The nearest folder above `path` that has an `OWNERS` file.
fn nearest<'a>(folders: &BTreeMap<String, Folder>, path: &'a str) -> Option<&'a str> {
    ancestors(path).find(|folder| folders.contains_key(*folder))
}

/// Who may read the document `path` by the filters of the folders above it.
fn filtered(folders: &BTreeMap<String, Folder>, path: &str) -> BTreeSet<Principal> {
    let mut allow = BTreeSet::new();
    for (at, folder) in ancestors(path).filter_map(|at| folders.get_key_value(at)) {
        let within = path[at.len()..].trim_start_matches('/');
        let fitting = folder.filters.iter().filter(|(filter, _)| filter.is_match(within));
        allow.extend(fitting.flat_map(|(_, owners)| owners.iter().cloned()));
        if folder.alone {
            break;
        }
    }
    allow
}

fn folder(bytes: &[u8], aliases: &Aliases, path: &str, warnings: &mut Vec<String>) -> Result<Folder> {
    let mut folder = Folder::default();
    let (mut filters, mut simple) = (None, false);
    for (key, yaml) in map(yaml::parse(bytes)?)? {
        match key.as_str() {
            "approvers" | "reviewers" => {
                simple = true;
                folder.allow.extend(owners(&yaml, aliases)?);
            }
            "filters" => filters = Some(yaml),
            "options" => folder.alone = alone(yaml)?,
            key if PASSED_OVER.contains(&key) => {}
            key => warnings.push(format!("`{path}` line {}: `{key}` is not known and lets nobody in", yaml.line)),
        }
    }
    let Some(filters) = filters else { return Ok(folder) };
    if simple {
        warnings.push(format!(
            "`{path}` line {}: `filters` beside `approvers` or `reviewers` lets nobody in",
            filters.line
        ));
        return Ok(folder);
    }
    for (pattern, yaml) in map(filters)? {
        let line = yaml.line;
        let mut allow = BTreeSet::new();
        for (key, yaml) in map(yaml)? {
            match key.as_str() {
                "approvers" | "reviewers" => allow.extend(owners(&yaml, aliases)?),
                key if PASSED_OVER.contains(&key) => {}
                key => warnings.push(format!("`{path}` line {}: `{key}` is not known and lets nobody in", yaml.line)),
            }
        }
        if pattern == ".*" {
            folder.allow.extend(allow);
            continue;
        }
        let filter = RegexBuilder::new(&pattern).size_limit(PATTERN_BYTES).build();
        let filter = filter.map_err(|_| refused(line, format!("`{pattern}` is no pattern that can be used")))?;
        folder.filters.push((filter, allow));
    }
    Ok(folder)
}

fn alone(options: Yaml) -> Result<bool> {
    let mut alone = false;
    for (key, yaml) in map(options)? {
        match (key.as_str(), &yaml.value) {
            ("no_parent_owners", Value::Word(word)) if word == "true" => alone = true,
            ("no_parent_owners", Value::Word(word)) if word == "false" => {}
            ("auto_approve_unowned_subfolders", _) => {}
            _ => return Err(refused(yaml.line, format!("the option `{key}` is not known, or neither true nor false"))),
        }
    }
    Ok(alone)
}

fn map(yaml: Yaml) -> Result<Vec<(String, Yaml)>> {
    match yaml.value {
        Value::Nothing => Ok(Vec::new()),
        Value::Map(map) => Ok(map),
        Value::Word(_) | Value::List(_) => Err(refused(yaml.line, "keys are expected here")),
    }
}

fn list(yaml: &Yaml) -> Result<&[String]> {
    match &yaml.value {
        Value::Nothing => Ok(&[]),
        Value::List(list) => Ok(list),
        Value::Word(_) | Value::Map(_) => Err(refused(yaml.line, "a list is expected here")),
    }
}

fn owners(yaml: &Yaml, aliases: &Aliases) -> Result<BTreeSet<Principal>> {
    let mut owners = BTreeSet::new();
    for name in list(yaml)? {
        match aliases.get(name) {
            Some(members) => owners.extend(members.iter().cloned()),
            None => drop(owners.insert(user(name, yaml.line)?)),
        }
    }
    Ok(owners)
}

fn user(name: &str, line: usize) -> Result<Principal> {
    let user = Principal::user(name.strip_prefix('@').unwrap_or(name));
    user.check().map_err(|e| refused(line, e.message()))?;
    Ok(user)
}

/// What each alias stands for: its members, or the group that `prefix` makes of its name.
fn aliases(root: &Path, prefix: Option<&str>) -> Result<Aliases> {
    let path = root.join("OWNERS_ALIASES");
    let bytes = match std::fs::symlink_metadata(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Aliases::new()),
        _ => read(&path)?,
    };
    let named = |e: Error| e.with("file", path.display());
    let mut aliases = Aliases::new();
    for (key, yaml) in map(yaml::parse(&bytes).map_err(named)?).map_err(named)? {
        if key != "aliases" {
            return Err(named(refused(yaml.line, format!("`{key}` is not `aliases`"))));
        }
        for (alias, members) in map(yaml).map_err(named)? {
            let stands_for = match prefix {
                Some(prefix) => BTreeSet::from([Principal::group(&format!("{prefix}{alias}"))]),
                None => list(&members)
                    .and_then(|names| names.iter().map(|name| user(name, members.line)).collect())
                    .map_err(named)?,
            };
            aliases.insert(alias, stands_for);
        }
    }
    Ok(aliases)
}
