//! Here are documents that were derived from others: may the model read what they were made of?
//!
//! A summary says what its inputs say. A model elsewhere gets it only if it is cleared for the labels of all of them; one of
//! which that is not known is not sent.

use std::collections::{BTreeMap, HashSet};

use safepassage_access::{LabelRank, Tenant};

use super::Report;
use super::plan::{IndexRules, Planned, Stated};

/// What is known of a document: its label, if it is, and what it was derived from.
type Known<'a> = (Option<LabelRank>, &'a [String]);

/// Hides what was derived from something above what the model may read, and says so.
pub(super) fn hide_above(documents: &mut [Planned], rules: &IndexRules, report: &mut Report) {
    if !rules.is_elsewhere() {
        return;
    }
    let known: BTreeMap<(&Tenant, &str), Known<'_>> =
        documents.iter().map(|planned| ((&planned.tenant, &*planned.id), known(planned))).collect();
    let above: Vec<Option<String>> = documents
        .iter()
        .map(|planned| {
            let of = |id: &str| known.get(&(&planned.tenant, id)).copied().unwrap_or((None, &[]));
            first_above(self::known(planned).1, of, rules)
        })
        .collect();
    for (planned, reason) in documents.iter_mut().zip(above) {
        if let Some(reason) = reason {
            report.skip(planned.id.clone(), reason);
            planned.stated = Stated::Hidden;
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

/// Why the model may not read something derived from `inputs`.
pub(super) fn first_above<'a>(
    inputs: &'a [String],
    known: impl Fn(&'a str) -> Known<'a>,
    rules: &IndexRules,
) -> Option<String> {
    if !rules.is_elsewhere() {
        return None;
    }
    let (mut seen, mut open) = (HashSet::new(), inputs.iter().collect::<Vec<_>>());
    while let Some(input) = open.pop() {
        if !seen.insert(input) {
            continue;
        }
        let (label, below) = known(input);
        let checked = label.map_or_else(|| Err("its label is not known".to_owned()), |label| rules.check_label(label));
        if let Err(reason) = checked {
            return Some(format!("it is derived from `{input}`: {reason}"));
        }
        open.extend(below);
    }
    None
}
