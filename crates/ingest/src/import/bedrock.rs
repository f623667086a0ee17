//! Who may read the files of a folder, by the sidecars beside them?
//!
//! A sidecar without `accessControlList`, and a file without a sidecar, say nothing: open there, closed here.

use std::collections::BTreeSet;
use std::path::Path;

use safepassage_access::Acl;
use safepassage_error::{Error, Result};

use super::{ImportOptions, Imported, paths, read};
use crate::source::{SIDECAR, sidecar_permission};

pub(super) fn import(folder: &Path, options: &ImportOptions) -> Result<Imported> {
    let mut imported = Imported::default();
    let mut sidecars = BTreeSet::new();
    for file in paths::files(folder)? {
        let Some(path) = paths::relative(folder, file.path()) else { continue };
        let Some(document) = path.strip_suffix(SIDECAR).filter(|document| !document.is_empty()) else { continue };
        let refused = |what: String| Error::invalid("read sidecar", what).with("file", &path);
        if !file.file_type().is_file() {
            return Err(refused("it is no plain file; who may read is not looked up through links".into()));
        }
        let (acl, label) = sidecar_permission(&read(file.path())?).map_err(refused)?;
        if label.is_some() {
            imported.warnings.push(format!("`{path}` has a `label`: a sync sets it, an import does not"));
        }
        if acl.is_none() {
            imported.warnings.push(format!("`{path}` has no `accessControlList`: open to all there, closed here"));
        }
        sidecars.insert(document.to_owned());
        imported.documents.insert(document.to_owned(), acl.unwrap_or_default());
    }
    let documents = paths::named(options)?.map_or_else(|| paths::below(folder), Ok)?;
    let without: Vec<&String> = documents.difference(&sidecars).collect();
    if !without.is_empty() {
        imported.warnings.push(format!("{} documents have no sidecar: open to all there, closed here", without.len()));
    }
    imported.documents.extend(without.into_iter().map(|path| (path.clone(), Acl::default())));
    Ok(imported)
}
