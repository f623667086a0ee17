//! How many documents may somebody see, and which values do they have in a field?
//!
//! Counted is what a search could give: documents the asker may read, that match the filter, and that an authorizer
//! permits too. It is asked about each of them, within its limits; what is too much for it is an error, not a lower count.

use std::sync::Arc;

use safepassage_audit::Entry;
use safepassage_error::Result;
use safepassage_index::{Counted, Facets, Filter, Snapshot, VisibleRows};

use crate::decision::{entry_of, note_filters, outcome};
use crate::session::Session;

const DEFAULT_LIMIT: usize = 20;

/// A count being put together; [`Count::run`] ends it.
#[derive(Debug, Clone)]
pub struct Count<'a> {
    session: &'a Session,
    filters: Vec<Filter>,
}

/// A count of the values of a field being put together; [`CountValues::run`] ends it.
#[derive(Debug, Clone)]
pub struct CountValues<'a> {
    session: &'a Session,
    field: &'a str,
    limit: usize,
    filters: Vec<Filter>,
}

impl Session {
    /// Starts to count what the asker may see.
    #[must_use]
    pub fn count(&self) -> Count<'_> {
        Count { session: self, filters: Vec::new() }
    }

    /// Starts to count the values that documents have in `field`, of those the asker may see.
    #[must_use]
    pub fn facets<'a>(&'a self, field: &'a str) -> CountValues<'a> {
        CountValues { session: self, field, limit: DEFAULT_LIMIT, filters: Vec::new() }
    }

    /// Looks at what is seen through `filters` and gives it out once it is written down.
    fn counted<T>(
        &self,
        action: &str,
        filters: &[Filter],
        look: impl FnOnce(&Snapshot, &VisibleRows) -> Result<T>,
        note: impl FnOnce(&mut Entry, &T),
    ) -> Result<T> {
        let seen = self.seen_and_permitted(filters);
        let looked = seen.and_then(|(snapshot, visible)| Ok((look(&snapshot, &visible)?, snapshot, visible)));
        if let Some((log, texts)) = self.engine().deciding()? {
            let mut entry = entry_of(self.identity(), action, outcome(&looked));
            note_filters(log, texts, &mut entry, filters)?;
            if let Ok((counted, snapshot, visible)) = &looked {
                note(&mut entry, counted);
                (entry.generation, entry.acl_epoch) = (Some(snapshot.generation()), Some(visible.epoch()));
            }
            log.append(vec![entry])?;
        }
        looked.map(|(counted, ..): (T, Arc<Snapshot>, Arc<VisibleRows>)| counted)
    }
}

impl Count<'_> {
    /// Only documents that match `filter`; of two filters both hold.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// How many documents with passages, and how many passages.
    ///
    /// # Errors
    /// `Denied` if the identity has expired; `Invalid` for a filter that does not fit the declared fields;
    /// `Corrupted`, `Unavailable`; what an authorizer fails with, and `Unavailable` if it would have to be asked about
    /// too many.
    pub fn run(self) -> Result<Counted> {
        let look = |snapshot: &Snapshot, visible: &VisibleRows| snapshot.counted(visible);
        self.session.counted("count", &self.filters, look, |entry, counted| {
            (entry.documents_count, entry.hits) = (Some(counted.documents), Some(counted.passages));
        })
    }
}

impl CountValues<'_> {
    /// How many values, or how many buckets at most; 20 unless set, up to 10,000.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Only documents that match `filter`; of two filters both hold.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// The values with the number of documents that have each.
    ///
    /// # Errors
    /// As [`Count::run`]; `Invalid` if the field is not declared or for a limit of 0 or above 10,000.
    pub fn run(self) -> Result<Facets> {
        let Self { session, field, limit, filters } = self;
        let look = |snapshot: &Snapshot, visible: &VisibleRows| snapshot.facets(visible, field, limit);
        session.counted("facets", &filters, look, |entry, facets| {
            (entry.field, entry.documents_count) = (Some(facets.field.clone()), Some(facets.documents));
        })
    }
}
