//! Somebody outside decides too: what is left of the visible rows?
//!
//! Both ways only take away. Documents that are not visible, or that do not exist, make no difference.

use roaring::RoaringBitmap;

use super::{Hit, Snapshot, VisibleRows};

impl Snapshot {
    /// Those of `visible` that belong to `documents`.
    #[must_use]
    pub fn only<'a>(&self, visible: &VisibleRows, documents: impl Iterator<Item = &'a str> + Clone) -> VisibleRows {
        let parts = visible.parts.iter().map(|(s, part)| (*s, part.narrowed_to(&self.rows_of(*s, documents.clone()))));
        visible.withheld_but(parts.filter(|(_, part)| !part.is_empty()).collect())
    }

    /// Those of `visible` that belong to no document of `documents`.
    #[must_use]
    pub fn without<'a>(&self, visible: &VisibleRows, documents: impl Iterator<Item = &'a str> + Clone) -> VisibleRows {
        let parts = visible.parts.iter().map(|(s, part)| (*s, part.without(&self.rows_of(*s, documents.clone()))));
        VisibleRows { parts: parts.filter(|(_, part)| !part.is_empty()).collect(), ..visible.clone() }
    }

    /// Whether `hit` is one of `visible`, which may have been made later than it was found.
    #[must_use]
    pub fn sees(&self, visible: &VisibleRows, hit: &Hit) -> bool {
        let of_this = visible.generation == self.generation() && self.place(hit).is_some();
        of_this && visible.parts.iter().any(|(s, part)| *s == hit.segment && part.contains(hit.row))
    }

    /// The rows of `documents` in segment `s`. A segment is of one tenant, so an id is one document in it.
    fn rows_of<'a>(&self, s: usize, documents: impl Iterator<Item = &'a str>) -> RoaringBitmap {
        let mut rows = RoaringBitmap::new();
        // Rows of another snapshot are of segments that this one may not have.
        let Some(live) = self.segments.get(s) else { return rows };
        for ordinal in documents.filter_map(|id| live.segment.documents.find(id)) {
            rows.insert_range(live.segment.access.column().rows_of(ordinal));
        }
        rows
    }
}
