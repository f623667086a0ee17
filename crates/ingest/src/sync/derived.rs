//! Here are documents that were derived from others: may the model read what they were made of?
//!
//! A summary says what its inputs say. A model elsewhere gets it only if it is cleared for the labels of all of them; one of
//! which that is not known is not sent.

use std::collections::{BTreeMap, HashSet};

use safepassage_access::{LabelRank, Tenant};

use super::Report;
use super::plan::{IndexRules, Planned, Reader, Stated};

/// What is known of a document: its label, if it is, and what it was derived from.
type Known<'a> = (Option<LabelRank>, &'a [String]);

/// Finds the model that may read each document and what it was derived from. Hides those of which none may, and says so.
pub(super) fn find_readers(documents: &mut [Planned], rules: &IndexRules, report: &mut Report) {
    if !rules.is_elsewhere() {
        return;
    }
    let known: BTreeMap<(&Tenant, &str), Known<'_>> =
        documents.iter().map(|planned| ((&planned.tenant, &*planned.id), known(planned))).collect();
    let readers: Vec<Option<Result<Reader, String>>> = documents
        .iter()
        .map(|planned| {
            let of = |id: &str| known.get(&(&planned.tenant, id)).copied().unwrap_or((None, &[]));
            match &planned.stated {
                Stated::Whole { statement, .. } => Some(reader(statement.label, &statement.derived_from, of, rules)),
                _ => None,
            }
        })
        .collect();
    for (planned, reader) in documents.iter_mut().zip(readers) {
        match reader {
            Some(Ok(reader)) => planned.reader = reader,
            Some(Err(reason)) => {
                report.skip(planned.id.clone(), reason);
                planned.stated = Stated::Hidden;
            }
            None => {}
        }
    }
}

fn known(planned: &Planned) -> Known<'_> {
    match &planned.stated {
        Stated::Whole { statement, .. } => (Some(statement.label), &statement.derived_from),
        Stated::PermissionOnly { label, .. } => (Some(*label), &[]),
        Stated::Hidden => (None, &[]),
    }
}

/// Which model may read something with this label that was derived from `inputs`: one that may read all of these.
///
/// # Errors
/// A sentence for a person.
pub(super) fn reader<'a>(
    label: LabelRank,
    inputs: &'a [String],
    known: impl Fn(&'a str) -> Known<'a>,
    rules: &IndexRules,
) -> Result<Reader, String> {
    let mut highest = label;
    if !rules.is_elsewhere() {
        return Ok(Reader::default());
    }
    let (mut seen, mut open) = (HashSet::new(), inputs.iter().collect::<Vec<_>>());
    while let Some(input) = open.pop() {
        if !seen.insert(input) {
            continue;
        }
        let (label, below) = known(input);
        let label = label.ok_or_else(|| "its label is not known".to_owned());
        let label = label.and_then(|label| rules.reader(label).map(|_| label));
        highest = highest.max(label.map_err(|reason| format!("it is derived from `{input}`: {reason}"))?);
        open.extend(below);
    }
    rules.reader(highest)
}
