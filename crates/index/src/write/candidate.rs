//! Here is an index: where is the one that is made beside it with another model, and how does that go again?
//!
//! A candidate has manifests of its own and segments beside the others; permissions, document numbers and the access log
//! are the index's. Whoever makes it holds leases of its own, so that the index is written, merged and searched
//! meanwhile as ever.

use std::sync::Arc;

use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};

use super::files::{self, Author};
use crate::index::Index;
use crate::manifest::{Manifest, Settings};
use crate::storage::{Beside, Storage};

impl Index {
    /// The candidate of the index in `storage`, to be looked at and searched.
    ///
    /// # Errors
    /// `NotFound` if there is none; as [`Index::open`].
    pub fn open_candidate(storage: Arc<dyn Storage>, clock: Clock) -> Result<Self> {
        let beside = Beside::new(Arc::clone(&storage), false);
        if Manifest::generations(&beside)?.is_empty() {
            let message = "there is no candidate; `safepassage re-embed` makes one";
            return Err(Error::new(Kind::NotFound, "open candidate", message));
        }
        Ok(Self::open(Arc::new(beside), clock)?.beside(storage))
    }

    /// The candidate of this index, to be looked at; `None` if there is none.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn candidate(&self) -> Result<Option<Self>> {
        match Self::open_candidate(Arc::clone(self.shared_storage()), self.clock().clone()) {
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// The candidate of this index, to be written; made with `settings` and without documents if there is none. Look at
    /// its settings once its writer is held: somebody else may have made it.
    ///
    /// # Errors
    /// `Conflict` while somebody else makes one; as [`Index::open`].
    pub fn stage(&self, settings: Settings) -> Result<Self> {
        let beside = Beside::new(Arc::clone(self.shared_storage()), true);
        if Manifest::generations(&beside)?.is_empty() {
            let _lease = beside.lease(Author::Writer.role(), &self.holder())?;
            let acl_epoch = self.with_plane(|plane| Ok(plane.epoch()))?;
            match Manifest::first(settings, acl_epoch, self.clock().now()).publish(&beside) {
                Err(error) if error.kind() != Kind::Conflict => return Err(error),
                _ => {}
            }
        }
        let candidate = Self::open(Arc::new(beside), self.clock().clone())?.beside(Arc::clone(self.shared_storage()));
        Ok(candidate.with_graph_settings(self.graph_settings().clone()))
    }

    /// Takes the candidate away, with all of it that no generation has. Returns whether there was one.
    ///
    /// # Errors
    /// `Conflict` while somebody makes it; `Unavailable`; what is left then is a candidate still, and can be taken away.
    pub fn unstage(&self) -> Result<bool> {
        let beside = Beside::new(Arc::clone(self.shared_storage()), true);
        let _writer = beside.lease(Author::Writer.role(), &self.holder())?;
        let _merger = beside.lease(Author::Merger.role(), &self.holder())?;
        let generations = Manifest::generations(&beside)?;
        // The newest first: what is left after a power cut is an earlier state of it, and whole.
        generations.iter().rev().try_for_each(|generation| Manifest::remove(&beside, *generation))?;
        for author in [Author::Writer, Author::Merger] {
            files::prune(&beside, Some(self.storage()), author)?;
        }
        Ok(!generations.is_empty())
    }

    /// Removes segments that were a candidate's and are not kept any more, unless somebody makes one now.
    pub(super) fn prune_candidates(&self) -> Result<()> {
        if self.published().is_some() {
            return Ok(());
        }
        let beside = Beside::new(Arc::clone(self.shared_storage()), true);
        for author in [Author::Writer, Author::Merger] {
            if files::gone(&beside, Some(self.storage()), author)?.is_empty() {
                continue;
            }
            match beside.lease(author.role(), &self.holder()) {
                Ok(_lease) => files::prune(&beside, Some(self.storage()), author)?,
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
