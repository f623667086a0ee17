//! Is everything in this folder what was written, and does it fit together?

use safepassage_error::{Error, Result};
use serde::Serialize;

use crate::access_log;
use crate::index::Index;

/// What was checked.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// Manifests read.
    pub generations: usize,
    /// Epochs read and applied anew.
    pub acl_epochs: u64,
    /// Segments of the newest generation, every byte of them.
    pub segments: usize,
    /// Live documents whose number and ACL were looked up.
    pub documents: usize,
    /// Bytes checked against their sums.
    pub bytes: u64,
}

impl Index {
    /// Walks everything: all manifests, the whole access log, every byte of the newest generation, and that each of
    /// its documents has its own number and an ACL.
    ///
    /// # Errors
    /// `Corrupted`, naming the first thing that is not as it should be.
    pub fn verify(&self) -> Result<Verified> {
        let generations = self.generations()?;
        if generations.first().is_none_or(|first| first.generation != 1) {
            return Err(Error::corrupted("verify", "the first generation is missing"));
        }
        for pair in generations.windows(2) {
            if pair[1].generation != pair[0].generation + 1 || pair[1].acl_epoch < pair[0].acl_epoch {
                let error = Error::corrupted("verify", "a generation is missing or its epoch runs backwards");
                return Err(error.with("generation", pair[1].generation));
            }
        }
        let acl_epochs = access_log::verify(self.storage())?;
        let snapshot = self.snapshot()?;
        if acl_epochs < snapshot.manifest().acl_epoch {
            return Err(Error::corrupted("verify", "the access log ends before the content was published"));
        }
        let mut bytes = 0;
        for live in snapshot.segments() {
            bytes += live.segment.verify().map_err(|e| e.with("segment", &live.segment.id))?;
        }
        let documents = self.with_plane(|plane| {
            let mut count = 0;
            for document in snapshot.documents() {
                let fits = plane.number(document.tenant, document.id) == Some(document.number)
                    && plane.document(document.number).is_some();
                if !fits {
                    let error = Error::corrupted("verify", "a document has no ACL or another's number");
                    return Err(error.with("document", document.id));
                }
                count += 1;
            }
            Ok(count)
        })?;
        Ok(Verified {
            generations: generations.len(),
            acl_epochs,
            segments: snapshot.segments().len(),
            documents,
            bytes,
        })
    }
}
