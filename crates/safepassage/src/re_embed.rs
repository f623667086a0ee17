//! An index shall have another model: make it beside the index, look at it, switch to it.

use std::path::Path;
use std::sync::Arc;

use safepassage_audit::AuditLog;
use safepassage_error::system::Clock;
use safepassage_error::{Error, Result};
use safepassage_index::Index;
use safepassage_index::storage::{LocalStorage, Storage};
use safepassage_ingest::{Progress, ReEmbedOptions, ReEmbedReport};
use safepassage_models::Embedder;
use serde::Serialize;

use crate::audit;
use crate::engine::Engine;
use crate::model::EmbedderChoice;

/// An index that is made beside another, for operators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Its model.
    pub model: String,
    /// Numbers per vector.
    pub dim: usize,
    /// Its documents.
    pub documents: u64,
    /// Documents of the index that it lacks, or has with other content.
    pub missing: u64,
    /// Documents that it has and the index has not any more.
    pub gone: u64,
}

impl Engine {
    /// Opens the candidate of the index in the folder `path`, to be searched and measured. It cannot be written; a
    /// permission that is changed through it is changed for the index.
    ///
    /// # Errors
    /// As [`Engine::open`]; `NotFound` if there is no candidate.
    pub fn open_candidate(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_candidate_in(Arc::new(LocalStorage::new(path.as_ref())), None, Clock::system())
    }

    /// As [`Engine::open_candidate`], in any storage, by any clock, with a model that must be the candidate's.
    ///
    /// # Errors
    /// As [`Engine::open_candidate`]; `Invalid` if the model is another one.
    pub fn open_candidate_in(
        storage: Arc<dyn Storage>,
        embedder: Option<Arc<dyn Embedder>>,
        clock: Clock,
    ) -> Result<Self> {
        let audit = audit::log_of(&*storage, clock.clone()).map(AuditLog::of_candidate);
        Self::with(Index::open_candidate(storage, clock)?, embedder, audit)
    }

    /// What stands beside the index to take its place; `None` if nothing does.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn candidate(&self) -> Result<Option<Candidate>> {
        let Some(candidate) = self.index().candidate()? else { return Ok(None) };
        let (newest, staged) = (self.index().snapshot()?, candidate.snapshot()?);
        let (settings, behind) = (&staged.manifest().settings, newest.behind(&staged));
        Ok(Some(Candidate {
            model: settings.model_name().to_owned(),
            dim: settings.dim,
            documents: staged.documents().count() as u64,
            missing: behind.missing.len() as u64,
            gone: behind.gone.len() as u64,
        }))
    }

    /// Embeds every passage with another model, in a candidate beside the index; brings one that is there up to the newest
    /// generation. Searches and writes go on meanwhile. [`Engine::switch`] makes it the index.
    ///
    /// # Errors
    /// `Invalid` if the index has no model or that one already; `Denied`, before anything is sent, if texts are above what
    /// the model is cleared for; `Conflict` if there is a candidate of another model, or somebody is at work on it;
    /// `Unavailable`. What was embedded before an error stays.
    pub fn re_embed(
        &self,
        embedder: &EmbedderChoice,
        options: &ReEmbedOptions,
        progress: &dyn Progress,
    ) -> Result<ReEmbedReport> {
        let (model, hint) = embedder.open(self.index().folder())?;
        if matches!(embedder, EmbedderChoice::Given(_)) {
            self.models().give(Arc::clone(&model));
        }
        let report = safepassage_ingest::re_embed(self.shared_index(), &*model, hint, options, progress);
        if options.dry_run {
            return report;
        }
        self.noted_content("re_embed", report, |entry, report| {
            entry.generation = Some(report.generation);
            entry.change = Some(changed(report));
        })
    }

    /// Takes in what changed since the candidate was made, and makes it the newest generation. Searches give the old
    /// answer or the new one. [`Engine::rollback`] goes back, as from any generation.
    ///
    /// # Errors
    /// `NotFound` if there is no candidate; `Invalid` if its model cannot be opened; `Conflict` if documents are left that
    /// could not be embedded, or while another writer is at work; as [`Engine::re_embed`].
    pub fn switch(&self, options: &ReEmbedOptions, progress: &dyn Progress) -> Result<ReEmbedReport> {
        if options.dry_run {
            return Err(Error::invalid("switch", "a switch has no dry run; `re-embed` has"));
        }
        let switched = self.switched(options, progress);
        if switched.is_ok() {
            self.shared_index().merge_in_background();
        }
        self.noted_content("switch", switched, |entry, report| {
            entry.generation = Some(report.generation);
            entry.change = Some(changed(report));
        })
    }

    fn switched(&self, options: &ReEmbedOptions, progress: &dyn Progress) -> Result<ReEmbedReport> {
        let none = || {
            let message = "there is no candidate; `safepassage re-embed` makes one";
            Error::new(safepassage_error::Kind::NotFound, "switch", message)
        };
        let candidate = self.index().candidate()?.ok_or_else(none)?;
        let embedder = self.embedder_of(&candidate.snapshot()?.manifest().settings)?;
        safepassage_ingest::switch(self.shared_index(), &*embedder, options, progress)
    }

    /// Takes the candidate away and gives its disk back. Returns whether there was one.
    ///
    /// # Errors
    /// `Conflict` while somebody makes it; `Unavailable`.
    pub fn drop_candidate(&self) -> Result<bool> {
        self.index().unstage()
    }
}

/// What an entry of the audit log says of it.
fn changed(report: &ReEmbedReport) -> String {
    let ReEmbedReport { from_model, to_model, documents, embedded, skipped, .. } = report;
    format!(
        "from `{from_model}` to `{to_model}`: documents {documents}, embedded {embedded}, left out {}",
        skipped.len()
    )
}
