//! `index.import_acls`: here are permissions that another product has; put them in force, or say what they would open.

use std::path::PathBuf;

use pyo3::prelude::*;
use safepassage::{ImportFormat, ImportOptions, Imported, Result, import_acls};

use crate::errors::run;
use crate::index::Index;
use crate::json::to_python;
use crate::rows;

#[pymethods]
impl Index {
    /// Reads the permissions at `path`, a file or folder of `format` (`bedrock`, `kendra`, `azure`, `posix`, `nfs4`,
    /// `owners` or `codeowners`), for the documents of the index, and puts them in force at one epoch. With `dry_run`
    /// writes nothing and says what would become visible and invisible to whom.
    ///
    /// `root` is the folder of the documents, `prefix` stands before every id, `strip` is what the source's names have in
    /// front, `key` the field of an Azure document that is its id, `alias_prefix` what makes groups of aliases of owners.
    ///
    /// Raises `InvalidError`, naming file and line, if any of it cannot be read.
    #[pyo3(signature = (format, path, *, dry_run = false, root = None, prefix = None, strip = None, key = None, alias_prefix = None, tenant = None))]
    #[expect(clippy::too_many_arguments, reason = "how names there become ids here")]
    fn import_acls<'py>(
        &self,
        py: Python<'py>,
        format: String,
        path: PathBuf,
        dry_run: bool,
        root: Option<PathBuf>,
        prefix: Option<String>,
        strip: Option<String>,
        key: Option<String>,
        alias_prefix: Option<String>,
        tenant: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tenant = rows::tenant(tenant);
        let said = run(py, || {
            let format: ImportFormat = format.parse()?;
            // A folder says itself which documents there are.
            let documents = (!path.is_dir()).then(|| self.engine.documents(&tenant)).transpose()?;
            let (prefix, strip) = (prefix.unwrap_or_default(), strip.unwrap_or_default());
            let options = ImportOptions { tenant: tenant.clone(), prefix, strip, key, alias_prefix, root, documents };
            let imported = import_acls(format, &path, &options)?;
            let (applied, changes) = if dry_run {
                (None, Some(self.engine.preview_import(&tenant, &imported)?.changes))
            } else {
                (Some(self.engine.apply_import(&tenant, &imported)?), None)
            };
            let Imported { objects, documents, warnings } = imported;
            Result::Ok(serde_json::json!({
                "objects": objects.len(), "documents": documents.len(), "warnings": warnings,
                "applied": applied, "changes": changes,
            }))
        })?;
        to_python(py, &said)
    }
}
