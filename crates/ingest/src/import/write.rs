//! How is what was imported written down, so that a person can read it and a sync can use it?

use std::io::{BufWriter, Write};
use std::path::Path;

use safepassage_access::{Acl, Tenant};
use safepassage_error::{Error, Kind, Result};
use serde::Serialize;

use super::Imported;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    acl: &'a Acl,
}

#[derive(Serialize)]
struct Object<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    tenant: &'a Tenant,
    #[serde(flatten)]
    acl: &'a Acl,
}

fn is_default(tenant: &&Tenant) -> bool {
    tenant.0.is_empty()
}

impl Imported {
    /// Writes the ACLs of documents and the ACL objects as the two files that a sync takes, a line each. Replaces what
    /// is there.
    ///
    /// # Errors
    /// `Unavailable` if a file cannot be written.
    pub fn write(&self, acl: &Path, objects: &Path) -> Result<()> {
        // Objects first: a document under an object that is not stated is closed.
        lines(objects, self.objects.iter().map(|o| Object { name: &o.name, tenant: &o.tenant, acl: &o.acl }))?;
        lines(acl, self.documents.iter().map(|(id, acl)| Document { id, acl }))
    }
}

fn lines(path: &Path, lines: impl Iterator<Item = impl Serialize>) -> Result<()> {
    let failed = |e: std::io::Error| {
        Error::new(Kind::Unavailable, "write imported permissions", e.to_string()).with("path", path.display())
    };
    let mut out = BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    for line in lines {
        serde_json::to_writer(&mut out, &line).map_err(|e| failed(e.into()))?;
        out.write_all(b"\n").map_err(failed)?;
    }
    out.flush().map_err(failed)
}
