//! Here is somebody with a question: which passages may they have?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use safepassage_access::{Authorizer, Explanation, Identity};
use safepassage_error::{Error, Result};
use safepassage_index::{Asker, Filter, Hit, Snapshot, VisibleRows};
use serde::Serialize;

use crate::ask::Ask;
use crate::authorized::{AuthorizerLimits, Guard};
use crate::decision;
use crate::engine::Engine;
use crate::hits::VectorHits;
use crate::nearest::Nearest;
use crate::search::Search;

pub(crate) const DEFAULT_K: usize = 10;
pub(crate) const DEFAULT_RECALL: f32 = 0.95;

/// An engine as one identity sees it. Every call looks at the newest content and the newest permissions.
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) engine: Engine,
    pub(crate) asker: Arc<Asker>,
    /// Who is asked beside the index, if anybody is.
    pub(crate) guard: Option<Guard>,
    /// The asker as far as models see that are cleared for less, by the label of these.
    narrowed: Arc<Mutex<BTreeMap<String, Arc<Asker>>>>,
}

/// What the asker may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Visible {
    /// How many documents.
    pub count: usize,
    /// Their ids, in byte order.
    pub documents: Vec<String>,
}

impl Session {
    pub(crate) fn new(engine: Engine, identity: Identity) -> Self {
        Self { engine, asker: Arc::new(Asker::new(identity)), guard: None, narrowed: Arc::default() }
    }

    /// The same session, in which `authorizer` too must permit every document. It replaces one that was there.
    ///
    /// Every search asks anew; an authorizer that fails makes the search fail.
    #[must_use]
    pub fn with_authorizer(self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.with_authorizer_within(authorizer, AuthorizerLimits::default())
    }

    /// As [`Session::with_authorizer`], with other limits.
    #[must_use]
    pub fn with_authorizer_within(mut self, authorizer: Arc<dyn Authorizer>, limits: AuthorizerLimits) -> Self {
        self.guard = Some(Guard { authorizer, limits });
        self
    }

    /// The asker as far as a model sees that is cleared for `highest`; `None` if it sees as much as they do.
    pub(crate) fn narrowed_to(&self, highest: &str) -> Result<Option<Arc<Asker>>> {
        let narrowed = self.engine.index().with_known_plane(|plane| plane.up_to(self.identity(), highest))?;
        let mut known = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            |identity| Arc::clone(known.entry(highest.to_owned()).or_insert_with(|| Arc::new(Asker::new(identity))));
        Ok(narrowed.map(known))
    }

    /// Which of `hits` of `snapshot` a model may be given that is cleared for `highest`, as far as the asker may.
    pub(crate) fn cleared(&self, snapshot: &Snapshot, hits: &[Hit], highest: &str) -> Result<Vec<bool>> {
        let Some(narrowed) = self.narrowed_to(highest)? else { return Ok(vec![true; hits.len()]) };
        let (_, rows) = self.rows_of(&narrowed, snapshot)?;
        Ok(hits.iter().map(|hit| snapshot.sees(&rows, hit)).collect())
    }

    /// The newest content, and what of `snapshot` `asker` sees by the newest permissions.
    pub(crate) fn rows_of(&self, asker: &Asker, snapshot: &Snapshot) -> Result<(Arc<Snapshot>, Arc<VisibleRows>)> {
        let index = self.engine.index();
        let (newest, rows) = index.visible_to(asker)?;
        if newest.generation() == snapshot.generation() {
            return Ok((newest, rows));
        }
        let rows = index.with_plane(|plane| snapshot.visible(plane, &index.permitted(plane, asker.identity())?))?;
        Ok((newest, Arc::new(rows)))
    }

    /// Who asks.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.asker.identity()
    }

    /// The engine that is asked.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Starts a search for passages that answer `text`.
    #[must_use]
    pub fn search<'a>(&'a self, text: &'a str) -> Search<'a> {
        Search::new(self, text)
    }

    /// Starts to put `question` to a model, with the passages that answer it.
    #[must_use]
    pub fn ask<'a>(&'a self, question: &'a str) -> Ask<'a> {
        Ask::new(self, question)
    }

    /// Starts a search for the passages nearest to `vectors`: one vector of dim numbers, or rows of them.
    #[must_use]
    pub fn nearest<'a>(&'a self, vectors: &'a [f32]) -> Nearest<'a> {
        Nearest::new(self, vectors)
    }

    /// The `k` visible passages nearest to `vector` (dim numbers). [`Session::nearest`] has more to say.
    ///
    /// # Errors
    /// `Invalid` for another dimension, a vector that is zero or not finite, or a recall outside 0 to 1; `Denied` if
    /// the identity has expired; `Corrupted`, `Unavailable`; what an authorizer fails with.
    pub fn search_vector(&self, vector: &[f32], k: usize, recall: Option<f32>) -> Result<VectorHits> {
        self.nearest(vector).k(k).recall(recall.unwrap_or(DEFAULT_RECALL)).find()
    }

    /// As [`Session::search_vector`] for many questions (q × dim, row-major) on all cores; all see the same content and
    /// permissions.
    ///
    /// # Errors
    /// As [`Session::search_vector`]; one bad question fails all.
    pub fn search_vectors(&self, vectors: &[f32], k: usize, recall: Option<f32>) -> Result<Vec<VectorHits>> {
        self.nearest(vectors).k(k).recall(recall.unwrap_or(DEFAULT_RECALL)).find_each()
    }

    /// The newest content, and what of it the asker may see and every one of `filters` wants.
    pub(crate) fn seen(&self, filters: &[Filter]) -> Result<(Arc<Snapshot>, Arc<VisibleRows>)> {
        let (snapshot, mut visible) = self.engine.index().visible_to(&self.asker)?;
        for filter in filters {
            visible = Arc::new(snapshot.filtered(&visible, filter)?);
        }
        Ok((snapshot, visible))
    }

    /// As [`Session::seen`], of what the authorizer permits too: it is asked about every document that is left.
    pub(crate) fn seen_and_permitted(&self, filters: &[Filter]) -> Result<(Arc<Snapshot>, Arc<VisibleRows>)> {
        let (snapshot, visible) = self.seen(filters)?;
        let Some(guard) = &self.guard else { return Ok((snapshot, visible)) };
        let permitted = guard.documents(self.identity(), snapshot.documents_with(&visible)?)?;
        let visible = snapshot.only(&visible, permitted.iter().map(String::as_str));
        Ok((snapshot, Arc::new(visible)))
    }

    pub(crate) fn found(&self, vector: &[f32], k: usize, recall: f32, filters: &[Filter]) -> Result<VectorHits> {
        let (snapshot, visible) = self.seen(filters)?;
        let answer = match &self.guard {
            None => snapshot.search(&visible, vector, k, recall)?,
            Some(guard) => guard.search_one(self.identity(), &snapshot, &visible, k, |rows, k| {
                snapshot.search(rows, vector, k, recall)
            })?,
        };
        VectorHits::new(&self.engine, snapshot, answer, self.identity().expires_at())
    }

    pub(crate) fn found_each(
        &self,
        vectors: &[f32],
        k: usize,
        recall: f32,
        filters: &[Filter],
    ) -> Result<Vec<VectorHits>> {
        let (snapshot, visible) = self.seen(filters)?;
        let dim = snapshot.manifest().settings.dim;
        if !vectors.len().is_multiple_of(dim) {
            return Err(Error::invalid("search", format!("the questions are not rows of {dim} numbers")));
        }
        if let Some(guard) = &self.guard {
            let questions: Vec<&[f32]> = vectors.chunks_exact(dim).collect();
            let search = |rows: &VisibleRows, question: &&[f32], k| snapshot.search(rows, question, k, recall);
            let answers = guard.search(self.identity(), &snapshot, &visible, &questions, k, search)?;
            let ends = self.identity().expires_at();
            let hits = |answer| VectorHits::new(&self.engine, Arc::clone(&snapshot), answer, ends);
            return answers.into_iter().map(hits).collect();
        }
        vectors
            .par_chunks_exact(dim)
            .map(|vector| {
                let answer = snapshot.search(&visible, vector, k, recall)?;
                VectorHits::new(&self.engine, Arc::clone(&snapshot), answer, self.identity().expires_at())
            })
            .collect()
    }

    /// The ids of all documents the asker may see.
    ///
    /// # Errors
    /// `Denied` if the identity has expired; `Invalid` for an unknown clearance; `Corrupted`, `Unavailable`; what an
    /// authorizer fails with, and `Unavailable` if it would have to be asked about too many.
    pub fn visible(&self) -> Result<Visible> {
        let listed = self.listed().and_then(|(visible, generation, acl_epoch)| {
            let Some(guard) = &self.guard else { return Ok((visible, generation, acl_epoch)) };
            let documents = guard.documents(self.identity(), visible.documents)?;
            Ok((Visible { count: documents.len(), documents }, generation, acl_epoch))
        });
        self.engine.decided_list(self.identity(), listed)
    }

    /// What the index lets through, of which generation, at which epoch.
    fn listed(&self) -> Result<(Visible, u64, u64)> {
        let index = self.engine.index();
        let snapshot = index.snapshot()?;
        index.with_plane(|plane| {
            let documents = snapshot.visible_documents(plane, &index.permitted(plane, self.identity())?)?;
            Ok((Visible { count: documents.len(), documents }, snapshot.generation(), plane.epoch()))
        })
    }

    /// Why the asker may read a document. One that they may not read looks like one that does not exist: no reasons.
    /// [`Engine::explain`] is for operators and tells why not.
    ///
    /// # Errors
    /// `Denied` if the identity has expired; `Corrupted`, `Unavailable`; what an authorizer fails with.
    pub fn explain(&self, id: &str) -> Result<Explanation> {
        let explained = self.explained(id);
        self.engine.decided(self.identity(), "explain", explained, |entry, explained| {
            entry.documents = Some(vec![id.to_owned()]);
            let visible = explained.as_ref().is_ok_and(|explanation| explanation.visible);
            entry.verdict = decision::verdict(&self.engine, self.identity().tenant(), id, visible);
        })
    }

    fn explained(&self, id: &str) -> Result<Explanation> {
        let nothing = Explanation { visible: false, reasons: Vec::new(), acl_epoch: None };
        let mut live = self.listed()?.0.documents.binary_search_by(|known| known.as_str().cmp(id)).is_ok();
        if let Some(guard) = self.guard.as_ref().filter(|_| live) {
            live = guard.permits(self.identity(), id)?;
        }
        if !live {
            return Ok(nothing);
        }
        let explanation = self.engine.explained(self.identity(), id)?;
        Ok(if explanation.visible { Explanation { acl_epoch: None, ..explanation } } else { nothing })
    }
}
