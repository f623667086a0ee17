//! Here is a model folder: what is in the file of this name?

use std::path::Path;

use safepassage_error::{Error, Kind, Result};

/// The bytes of a file that must be there.
pub(crate) fn required(folder: &Path, name: &str) -> Result<Vec<u8>> {
    optional(folder, name)?.ok_or_else(|| {
        Error::new(Kind::NotFound, "load model", format!("the folder has no `{name}`")).with("folder", folder.display())
    })
}

/// The bytes of a file that may be there.
pub(crate) fn optional(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    match std::fs::read(folder.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Error::new(Kind::Unavailable, "load model", format!("`{name}` cannot be read"))
            .with("folder", folder.display())
            .because(error)),
    }
}
