//! Here is a listing of folders and files: who gets through all folders above a file, and may read it?
//!
//! A folder is an ACL object for passing through it, and needs the one above it too; so does a file, for reading. The
//! first path listed is the root, whose name is not part of ids. Every other must have its folder in the listing: without
//! it nobody knows who gets there.

use std::collections::{BTreeMap, BTreeSet};

use safepassage_access::{Acl, Inherit};
use safepassage_error::Result;

use super::ordered::Flat;
use super::paths::above;
use super::{Imported, MOST_FOLDERS, refused};

/// One path of a listing.
#[derive(Debug)]
pub(super) struct Listed {
    pub line: usize,
    /// As the listing writes it.
    pub path: String,
    /// Who may read it as a file.
    pub read: Flat,
    /// Who may pass through it as a folder.
    pub pass: Flat,
}

/// The folders as ACL objects whose names start with `kind`, and the files as documents.
pub(super) fn import(kind: &str, listed: Vec<Listed>) -> Result<Imported> {
    let mut imported = Imported::default();
    let Some(first) = listed.first() else {
        imported.warnings.push("the listing is empty: it says nothing about any document".into());
        return Ok(imported);
    };
    let root = first.path.trim_end_matches('/').to_owned();
    let mut paths: BTreeMap<String, Listed> = BTreeMap::new();
    for one in listed {
        let relative = below(&root, &one.path)
            .ok_or_else(|| refused(one.line, format!("`{}` is not below `{root}`, which is listed first", one.path)))?;
        let parts = || relative.split('/');
        if !relative.is_empty() && parts().any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(refused(one.line, format!("`{}` is no plain path", one.path)));
        }
        if parts().count() > MOST_FOLDERS {
            return Err(refused(one.line, format!("a path has more than {MOST_FOLDERS} folders")));
        }
        let (line, path) = (one.line, one.path.clone());
        if let Some(earlier) = paths.insert(relative.to_owned(), one) {
            return Err(refused(line, format!("`{path}` stands on line {} too; say it once", earlier.line)));
        }
    }
    let mut folders = BTreeSet::from([String::new()]);
    for (relative, one) in &paths {
        let Some(folder) = above(relative) else { continue };
        if !paths.contains_key(folder) {
            return Err(refused(one.line, format!("the folder of `{}` is not in the listing", one.path)));
        }
        if !folders.contains(folder) {
            folders.insert(folder.to_owned());
        }
    }
    let object = |folder: &str| format!("{kind}/{folder}");
    for (relative, Listed { line, path, read, pass }) in paths {
        let is_folder = folders.contains(&relative);
        let Flat { acl, exact } = if is_folder { pass } else { read };
        let acl = match above(&relative) {
            Some(folder) => Acl { parent: Some(object(folder).into()), inherit: Inherit::BothPermit, ..acl },
            None => acl,
        };
        if !exact {
            imported.warnings.push(format!(
                "line {line}: an allow stands before a deny of a group for `{path}`; here the deny wins for both"
            ));
        }
        if is_folder {
            imported.object(object(&relative), acl);
        } else {
            imported.documents.insert(relative, acl);
        }
    }
    imported.warnings.push(format!("who gets to `{root}` through the folders above it is not looked at"));
    Ok(imported)
}

/// `path` without `root` before it; the empty path for the root itself.
fn below<'a>(root: &str, path: &'a str) -> Option<&'a str> {
    let path = path.trim_end_matches('/');
    if path == root {
        return Some("");
    }
    if root == "." {
        return Some(path.strip_prefix("./").unwrap_or(path));
    }
    path.strip_prefix(root)?.strip_prefix('/')
}
