//! Here are vectors: which passages are nearest to each?

use safepassage_error::Result;
use safepassage_index::Filter;

use crate::decision::Question;
use crate::hits::VectorHits;
use crate::search::Mode;
use crate::session::{DEFAULT_K, DEFAULT_RECALL, Session};
use crate::spans;

/// A search by vector being put together; [`Nearest::find`] or [`Nearest::find_each`] ends it.
#[derive(Debug, Clone)]
pub struct Nearest<'a> {
    session: &'a Session,
    vectors: &'a [f32],
    k: usize,
    recall: f32,
    filters: Vec<Filter>,
}

impl<'a> Nearest<'a> {
    pub(crate) fn new(session: &'a Session, vectors: &'a [f32]) -> Self {
        Self { session, vectors, k: DEFAULT_K, recall: DEFAULT_RECALL, filters: Vec::new() }
    }

    /// How many passages; 10 unless set.
    #[must_use]
    pub fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// The share of the truly nearest passages that is to be found; 0.95 unless set, 1 is exact.
    #[must_use]
    pub fn recall(mut self, recall: f32) -> Self {
        self.recall = recall;
        self
    }

    /// Only passages of documents that match `filter`; of two filters both hold. It narrows what is visible, and k hits
    /// are found among what is left.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// The passages nearest to the one vector.
    ///
    /// # Errors
    /// As [`Session::search_vector`]; `Invalid` for a filter that does not fit the declared fields.
    pub fn find(self) -> Result<VectorHits> {
        let Self { session, vectors, k, recall, filters } = self;
        let span = spans::retrieval(Mode::Vector, k);
        let found = spans::within(&span, || {
            let found = session.found(vectors, k, recall, &filters)?;
            spans::retrieved(&span, &found);
            Ok(found)
        });
        let question = Question::Vector(vectors);
        session.engine().decided_search(session.identity(), "search_vector", question, &filters, k, found)
    }

    /// The passages nearest to each of the vectors (q × dim, row-major), on all cores; all see the same content and
    /// permissions.
    ///
    /// # Errors
    /// As [`Nearest::find`]; one bad vector fails all.
    pub fn find_each(self) -> Result<Vec<VectorHits>> {
        let Self { session, vectors, k, recall, filters } = self;
        let found = session.found_each(vectors, k, recall, &filters);
        // As they were asked, whatever the index's model is by now.
        let dim = found.as_ref().map_or(1, |all| vectors.len().checked_div(all.len()).unwrap_or(1)).max(1);
        session.engine().decided_searches(session.identity(), (vectors, dim), &filters, k, found)
    }
}
