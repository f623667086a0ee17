//! Which jobs are under way? A file beside the index, so that whoever comes after a kill goes on with them.
//!
//! A job stands in it before anything of it is in the bucket, with the token that makes submitting it again the same job.
//! Of jobs that broke off the tokens are kept: whoever wants the same texts again needs another one.

use std::path::{Path, PathBuf};

use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

const OPERATION: &str = "remember batch jobs";

/// A job that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begun {
    /// The model it is of, with its dimension.
    pub model: String,
    /// A digest of its input: its token, and where it lies.
    pub digest: String,
    /// Where it was begun.
    pub place: String,
    /// What the service calls it; none if that was not heard.
    pub arn: Option<String>,
}

/// What stands in the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    pub jobs: Vec<Begun>,
    /// Digests of jobs that broke off.
    pub broken: Vec<String>,
}

/// The file.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    pub known: Known,
}

impl State {
    pub fn open(path: &Path) -> Result<Self> {
        let known = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                let message = "the file is damaged; look for the jobs in the account, then delete it";
                Error::corrupted(OPERATION, message).with("path", path.display()).because(e)
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Known::default(),
            Err(e) => return Err(failed(&e, path)),
        };
        Ok(Self { path: path.to_owned(), known })
    }

    /// Makes `change`, so that it outlives the process.
    pub fn change(&mut self, change: impl FnOnce(&mut Known)) -> Result<()> {
        change(&mut self.known);
        let text = serde_json::to_vec_pretty(&self.known)
            .map_err(|e| Error::new(Kind::Internal, OPERATION, "the jobs are no JSON").because(e))?;
        let beside = self.path.with_extension("new");
        let written = std::fs::File::create(&beside).and_then(|mut file| {
            std::io::Write::write_all(&mut file, &text)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)
        });
        written.map_err(|e| failed(&e, &self.path))
    }
}

fn failed(error: &std::io::Error, path: &Path) -> Error {
    Error::new(Kind::Unavailable, OPERATION, error.to_string()).with("path", path.display())
}
