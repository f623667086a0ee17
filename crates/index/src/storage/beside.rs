//! Where does an index live that is made beside another, until it takes its place?
//!
//! Its manifests lie in a folder of their own, everything else where the other's lies: the same segments, the same
//! permissions. So what may be seen of it is decided by nothing but the one access log.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use safepassage_error::{Error, Kind, Result};

use super::{Lease, Scratch, Storage, WriteBytes};

/// Who writes a candidate, and who merges it.
const CANDIDATE_WRITER: &str = "re-embedder";
const CANDIDATE_MERGER: &str = "re-embedder-merger";

const MANIFESTS: &str = "manifest";
const CANDIDATE: &str = "candidate";

/// The storage of a candidate, over that of the published index.
#[derive(Debug)]
pub(crate) struct Beside {
    published: Arc<dyn Storage>,
    /// Whether leases are given: to whoever makes the candidate, and to nobody who only looks at it.
    writes: bool,
}

impl Beside {
    pub fn new(published: Arc<dyn Storage>, writes: bool) -> Self {
        Self { published, writes }
    }
}

/// Where `path` lies.
fn place(path: &str) -> String {
    match path.strip_prefix(MANIFESTS) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{CANDIDATE}{rest}"),
        _ => path.to_owned(),
    }
}

impl Storage for Beside {
    fn put_if_absent(&self, path: &str, write: WriteBytes<'_>) -> Result<()> {
        self.published.put_if_absent(&place(path), write)
    }

    fn read(&self, path: &str) -> Result<Bytes> {
        self.published.read(&place(path))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.published.exists(&place(path))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.published.list(&place(folder))
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.published.delete(&place(path))
    }

    fn scratch(&self) -> Result<Option<Arc<dyn Scratch>>> {
        self.published.scratch()
    }

    fn folder(&self) -> Option<&Path> {
        self.published.folder()
    }

    fn lease(&self, role: &str, holder: &str) -> Result<Box<dyn Lease>> {
        if !self.writes {
            let message = "a candidate is changed by `re-embed` alone; switch to it, and then change the index";
            return Err(Error::new(Kind::Conflict, "take the lease", message));
        }
        let role = match role {
            "writer" => CANDIDATE_WRITER,
            "merger" => CANDIDATE_MERGER,
            other => other,
        };
        self.published.lease(role, holder)
    }
}
