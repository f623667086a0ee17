//! Which rows have these terms next to each other?

use std::io;

use safepassage_access::Visible;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED};

/// Gives the visible rows in which `terms` stand at their distances from the first, with how often they do.
pub(super) fn read(
    index: &InvertedIndexReader,
    terms: &[(u32, String)],
    visible: &Visible,
    take: &mut impl FnMut(u32, u32),
) -> io::Result<()> {
    let mut postings = Vec::with_capacity(terms.len());
    for (distance, term) in terms {
        let Some(found) = index.terms().get(term)? else { return Ok(()) };
        let option = IndexRecordOption::WithFreqsAndPositions;
        postings.push((*distance, index.read_postings_from_terminfo(&found, option)?));
    }
    postings.sort_by_key(|(_, postings)| postings.doc_freq());
    let Some(((first, lead), others)) = postings.split_first_mut() else { return Ok(()) };
    let (mut starts, mut own) = (Vec::new(), Vec::new());
    while lead.doc() != TERMINATED {
        let row = lead.doc();
        if visible.contains(row) && others.iter_mut().all(|(_, other)| is_in(other, row)) {
            lead.positions(&mut starts);
            starts.retain_mut(|position| position.checked_sub(*first).map(|start| *position = start).is_some());
            for (distance, other) in others.iter_mut() {
                other.positions(&mut own);
                starts.retain(|start| own.binary_search(&(start + *distance)).is_ok());
            }
            if !starts.is_empty() {
                take(row, starts.len() as u32);
            }
        }
        lead.advance();
    }
    Ok(())
}

/// Whether `row` has the term; postings only move forward, and so do the rows asked for.
fn is_in(postings: &mut SegmentPostings, row: u32) -> bool {
    if postings.doc() < row {
        postings.seek(row);
    }
    postings.doc() == row
}
