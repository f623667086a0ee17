//! Here are permissions that somebody already has, in another product's format: what do they say here?
//!
//! In goes a file or a folder in one of seven formats; out come ACL objects, an ACL for each document, and a warning for
//! everything that was read more narrowly than it was meant. Nothing is read more widely: where the other product is
//! open, this is closed. `README.md` beside this file has the mapping; what becomes of the result is left to
//! [`Imported::write`] and to whoever applies [`Imported::events`].

mod apply;
mod azure;
mod bedrock;
mod codeowners;
mod kendra;
mod nfs4;
mod ordered;
mod owners;
mod paths;
mod posix;
mod tree;
mod write;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use safepassage_access::{Acl, Tenant};
use safepassage_error::{Error, Kind, Result};

use crate::source::AclObject;

/// A larger file of permissions is refused.
const MOST_BYTES: u64 = 256 << 20;

/// A deeper path is refused.
const MOST_FOLDERS: usize = 128;

/// Whose permissions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// A folder with `FILE.metadata.json` beside FILE, as Amazon Bedrock knowledge bases have it.
    Bedrock,
    /// A JSON file of `keyPrefix` and `aclEntries`, as Amazon Kendra and Q have it.
    Kendra,
    /// JSON documents with `userIds` and `groupIds`, as they are pushed to Azure AI Search.
    Azure,
    /// What `getfacl -R` prints.
    Posix,
    /// What `nfs4_getfacl` prints, a file after the other.
    Nfs4,
    /// A folder with `OWNERS` files, as Kubernetes has them.
    Owners,
    /// A `CODEOWNERS` file.
    Codeowners,
}

impl FromStr for ImportFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "bedrock" => Self::Bedrock,
            "kendra" => Self::Kendra,
            "azure" => Self::Azure,
            "posix" => Self::Posix,
            "nfs4" => Self::Nfs4,
            "owners" => Self::Owners,
            "codeowners" => Self::Codeowners,
            _ => {
                let formats = "`bedrock`, `kendra`, `azure`, `posix`, `nfs4`, `owners` or `codeowners`";
                return Err(Error::invalid("read format", format!("`{text}` is not {formats}")));
            }
        })
    }
}

/// How the source's names become ids here.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Where everything that is read belongs.
    pub tenant: Tenant,
    /// Stands before every id and every name of an ACL object: `NAME/` for a source that is synced as `NAME=PATH`.
    pub prefix: String,
    /// What the source's own names have in front and ids have not, such as `s3://bucket/`.
    pub strip: String,
    /// The field of an Azure document that is its id; `id` unless set.
    pub key: Option<String>,
    /// Aliases of `OWNERS_ALIASES` become groups with this before their names; unless set, they become their members.
    pub alias_prefix: Option<String>,
    /// The folder that the documents are in.
    pub root: Option<PathBuf>,
    /// The ids of all documents, if there is no such folder.
    pub documents: Option<BTreeSet<String>>,
}

/// What a source of permissions says, in the words of this product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Folders and prefixes, each once.
    pub objects: Vec<AclObject>,
    /// Who may read, by id.
    pub documents: BTreeMap<String, Acl>,
    /// A sentence for each place that was read more narrowly than it was meant.
    pub warnings: Vec<String>,
}

impl Imported {
    fn object(&mut self, name: String, acl: Acl) {
        self.objects.push(AclObject { tenant: Tenant::default(), name: name.into(), acl });
    }

    /// Puts what the options say in front of all names, and checks that each can be kept.
    fn named_by(mut self, options: &ImportOptions) -> Result<Self> {
        let ImportOptions { tenant, prefix, .. } = options;
        let named = |acl: &mut Acl| acl.parent = acl.parent.take().map(|parent| format!("{prefix}{parent}").into());
        for object in &mut self.objects {
            object.name = format!("{prefix}{}", object.name).into();
            object.tenant = tenant.clone();
            named(&mut object.acl);
            object.acl.check().map_err(|e| e.with("object", &object.name))?;
        }
        let documents = std::mem::take(&mut self.documents).into_iter().map(|(id, mut acl)| {
            named(&mut acl);
            acl.check().map_err(|e| e.with("document", &id))?;
            Ok((format!("{prefix}{id}"), acl))
        });
        self.documents = documents.collect::<Result<_>>()?;
        Ok(self)
    }
}

/// Reads the permissions at `source`. Writes nothing.
///
/// # Errors
/// `Invalid`, naming file and line, if any of it cannot be read, because that might have been a deny; `NotFound`,
/// `Unavailable`.
pub fn import(format: ImportFormat, source: &Path, options: &ImportOptions) -> Result<Imported> {
    let imported = match format {
        ImportFormat::Bedrock => bedrock::import(source, options),
        ImportFormat::Kendra => kendra::import(&read(source)?, &paths::needed(options)?, &options.strip),
        ImportFormat::Azure => azure::import(&read(source)?, options),
        ImportFormat::Posix => posix::import(&read(source)?),
        ImportFormat::Nfs4 => nfs4::import(&read(source)?),
        ImportFormat::Owners => owners::import(source, options),
        ImportFormat::Codeowners => codeowners::import(&read(source)?, &paths::needed(options)?),
    };
    imported.and_then(|imported| imported.named_by(options)).map_err(|e| e.with("source", source.display()))
}

/// The bytes of a file of permissions.
fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| {
        let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Unavailable };
        Error::new(kind, "read permissions", e.to_string()).with("path", path.display())
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        let message = format!("a file of permissions has at most {MOST_BYTES} bytes");
        return Err(Error::invalid("read permissions", message).with("path", path.display()));
    }
    Ok(bytes)
}

/// The lines of a text with their numbers from 1, without a byte-order mark.
fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = (usize, &str)>> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
        refused(line, "it is not UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(text.lines().enumerate().map(|(n, line)| (n + 1, line)))
}

/// The error for a line that cannot be read.
fn refused(line: usize, what: impl Into<String>) -> Error {
    Error::invalid("import permissions", what).with("line", line)
}
