//! A caller wants less than is visible: which of the visible rows match a filter, and what do their documents have in a
//! field?
//!
//! Only rows that somebody may see are counted or given back. Nothing is remembered but what the segments have.

use safepassage_access::Visible;
use safepassage_error::{Error, Result};

use super::{LiveSegment, Snapshot, VisibleRows};
use crate::filter::{
    Counted, Documents, Facets, FieldStats, Filter, Matching, Suggestion, Survey, Tally, check_limit, ones,
};

impl Snapshot {
    /// Those of `visible` whose documents match `filter`.
    ///
    /// # Errors
    /// `Invalid` if the filter does not fit the declared fields, whatever documents there are, or if `visible` is of
    /// another generation; `Corrupted`.
    pub fn filtered(&self, visible: &VisibleRows, filter: &Filter) -> Result<VisibleRows> {
        let fields = &self.manifest.settings.fields;
        let checked = filter.check(fields)?;
        let mut parts = Vec::with_capacity(visible.parts.len());
        for (s, part) in &visible.parts {
            let live = self.part(visible, *s)?;
            let matching = Matching::of(&checked, &mut |name| live.segment.field(fields, name))?;
            let rows = matching_rows(live, part, &matching);
            if !rows.is_empty() {
                parts.push((*s, rows));
            }
        }
        Ok(VisibleRows { parts, ..visible.clone() })
    }

    /// How many documents and passages of `visible` there are.
    ///
    /// # Errors
    /// `Invalid` if `visible` is of another generation.
    pub fn counted(&self, visible: &VisibleRows) -> Result<Counted> {
        let mut counted = Counted { documents: 0, passages: visible.len() };
        for (s, part) in &visible.parts {
            counted.documents += documents_of(self.part(visible, *s)?, part).count() as u64;
        }
        Ok(counted)
    }

    /// The ids of the documents of `visible`, in byte order.
    ///
    /// # Errors
    /// As [`Snapshot::counted`].
    pub fn documents_with(&self, visible: &VisibleRows) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for (s, part) in &visible.parts {
            let live = self.part(visible, *s)?;
            ids.extend(documents_of(live, part).map(|i| live.segment.documents.id(i as usize).to_owned()));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// What the documents of `visible` have in `field`: the `limit` most frequent values, or at most `limit` buckets.
    ///
    /// # Errors
    /// `Invalid` if the field is not declared, the limit is not 1 to 10,000, or `visible` is of another generation;
    /// `Corrupted`.
    pub fn facets(&self, visible: &VisibleRows, field: &str, limit: usize) -> Result<Facets> {
        check_limit(limit)?;
        let fields = &self.manifest.settings.fields;
        let kind = fields.get(field).ok_or_else(|| {
            let shown: String = field.chars().take(64).collect();
            Error::invalid("count values", format!("the field `{shown}` is not declared"))
        })?;
        let mut tally = Tally::new(kind);
        for (s, part) in &visible.parts {
            let live = self.part(visible, *s)?;
            if let Some(postings) = live.segment.field(fields, field)? {
                tally.add(&postings, documents_of(live, part));
            }
        }
        Ok(tally.facets(field, limit))
    }

    /// The declared fields, with how many live documents have them: for operators.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn field_stats(&self) -> Result<Vec<FieldStats>> {
        let fields = &self.manifest.settings.fields;
        let mut stats = Vec::with_capacity(fields.len());
        for (name, kind) in fields.iter() {
            let (mut documents, mut mistyped) = (0, 0);
            for live in &self.segments {
                let Some(field) = live.segment.field(fields, name)? else { continue };
                documents += field.present().filter(|document| !live.dead.contains(*document)).count() as u64;
                mistyped += (field.mistyped() - &live.dead).len();
            }
            stats.push(FieldStats { field: name.to_owned(), kind, documents, mistyped });
        }
        Ok(stats)
    }

    /// A schema that the metadata of all live documents fits: for operators, who decide what of it is declared. Askers
    /// learn the names and types of declared fields.
    ///
    /// # Errors
    /// `Corrupted`; `Invalid` if the documents have more fields than can be declared.
    pub fn suggest_fields(&self) -> Result<Suggestion> {
        let mut survey = Survey::default();
        for live in &self.segments {
            live.segment.each_metadata(&mut |document, metadata| {
                metadata.filter(|_| !live.dead.contains(document)).into_iter().for_each(|text| survey.add(text));
                Ok(())
            })?;
        }
        survey.suggestion()
    }

    /// The segment of a part of `visible`.
    fn part(&self, visible: &VisibleRows, s: usize) -> Result<&LiveSegment> {
        let live = self.segments.get(s).filter(|_| visible.generation == self.generation());
        live.ok_or_else(|| Error::invalid("look at visible rows", "the visible rows are of another generation"))
    }
}

/// Those of `visible` whose documents match, by the way that is less to do.
fn matching_rows(live: &LiveSegment, visible: &Visible, matching: &Matching) -> Visible {
    let documents = if visible.len() as f64 * matching.asking_costs() < matching.set_costs() {
        let mut found = Documents::none(live.entry.documents);
        documents_of(live, visible).filter(|i| matching.has(*i)).for_each(|i| found.insert(i));
        found
    } else {
        matching.documents(live.entry.documents)
    };
    let column = live.segment.access.column();
    if column.one_row_each() {
        return visible.within(documents.words());
    }
    let mut rows = Documents::none(live.entry.rows);
    documents.iter().for_each(|i| rows.insert_range(column.rows_of(i as usize)));
    visible.within(rows.words())
}

/// The documents of `visible`, ascending, each once.
fn documents_of<'a>(live: &'a LiveSegment, visible: &'a Visible) -> impl Iterator<Item = u32> + 'a {
    let column = live.segment.access.column();
    // Not as a list, which would be kept.
    let (mut rows, mut end) = (ones(visible.words()), 0);
    std::iter::from_fn(move || {
        let row = rows.find(|row| *row >= end)?;
        let document = column.document_of(row)?;
        end = column.rows_of(document).end;
        Some(document as u32)
    })
}
