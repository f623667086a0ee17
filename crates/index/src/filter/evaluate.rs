//! Here are a filter and a segment: which of its documents match?
//!
//! There are two ways. One makes the set of all documents that match: from the lists of the values that are looked
//! for, or, where many documents have them, by one pass over the documents. The other asks for one document after the
//! other, which is less to do where few are visible. [`Matching::set_costs`] says what the first costs.

use std::sync::Arc;

use safepassage_error::Result;

use super::check::{Checked, Test};
use super::documents::Documents;
use super::postings::{FieldPostings, NONE};
use super::ranks::Ranks;

/// Nanoseconds to look at one document in a pass over all, as all of these measured (`benches/record/filters.md`),
const NS_PER_PASSED: f64 = 1.0;
/// as much more for each halving of the intervals that are looked for,
const NS_PER_HALVING: f64 = 4.0;
/// and this where documents have lists.
const NS_PER_LIST: f64 = 12.0;
/// To take a document out of the list of a value.
const NS_PER_LISTED: f64 = 2.5;
/// To begin with the list of a value, or of values that follow each other.
const NS_PER_RUN: f64 = 10.0;
/// To ask for one document what a filter of one operator asks.
const NS_PER_ASKED: f64 = 20.0;

/// A filter, with the places of what it looks for in one segment.
#[derive(Debug)]
pub(crate) enum Matching {
    All(Vec<Self>),
    Any(Vec<Self>),
    Nothing,
    Leaf(Leaf),
}

#[derive(Debug)]
pub(crate) struct Leaf {
    field: Arc<FieldPostings>,
    ranks: Ranks,
    negated: bool,
}

impl Matching {
    /// Looks the values of `checked` up in a segment, whose fields `field` gives.
    ///
    /// # Errors
    /// What `field` fails with.
    pub fn of(checked: &Checked, field: &mut dyn FnMut(&str) -> Result<Option<Arc<FieldPostings>>>) -> Result<Self> {
        Ok(match checked {
            Checked::All(members) => {
                let members = members.iter().map(|member| Self::of(member, field)).collect::<Result<_>>()?;
                Self::All(joined(members))
            }
            Checked::Any(members) => {
                Self::Any(members.iter().map(|member| Self::of(member, field)).collect::<Result<_>>()?)
            }
            Checked::Nothing => Self::Nothing,
            Checked::Test(Test { field: name, wanted, negated }) => match field(name)? {
                Some(field) => {
                    let ranks = Ranks::of(wanted, field.values());
                    Self::Leaf(Leaf { field, ranks, negated: *negated })
                }
                None => Self::Nothing,
            },
        })
    }

    /// Whether `document` matches.
    pub fn has(&self, document: u32) -> bool {
        match self {
            Self::All(members) => members.iter().all(|member| member.has(document)),
            Self::Any(members) => members.iter().any(|member| member.has(document)),
            Self::Nothing => false,
            Self::Leaf(leaf) => leaf.field.ranks(document).any(|rank| leaf.ranks.contains(rank)) != leaf.negated,
        }
    }

    /// All documents of the segment, which has `count`, that match.
    pub fn documents(&self, count: u32) -> Documents {
        match self {
            Self::Nothing => Documents::none(count),
            Self::Leaf(leaf) => leaf.documents(),
            Self::All(members) => {
                let mut all: Option<Documents> = None;
                for member in members {
                    match &mut all {
                        None => all = Some(member.documents(count)),
                        Some(all) if all.is_empty() => break,
                        Some(all) => all.intersect(&member.documents(count)),
                    }
                }
                all.unwrap_or_else(|| Documents::none(count))
            }
            Self::Any(members) => {
                let mut any = Documents::none(count);
                for member in members {
                    any.unite(&member.documents(count));
                }
                any
            }
        }
    }

    /// About what [`Matching::documents`] takes, in nanoseconds.
    pub fn set_costs(&self) -> f64 {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().map(Self::set_costs).sum(),
            Self::Nothing => 0.0,
            Self::Leaf(leaf) => leaf.passing_costs().min(leaf.listing_costs()),
        }
    }

    /// About what [`Matching::has`] takes for one document, in nanoseconds.
    pub fn asking_costs(&self) -> f64 {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().map(Self::asking_costs).sum(),
            Self::Nothing => 0.0,
            Self::Leaf(leaf) => NS_PER_ASKED + leaf.halvings() * NS_PER_HALVING / 2.0,
        }
    }
}

/// Leaves that ask for one value of the same field, as the two ends of a range do, as one.
fn joined(members: Vec<Matching>) -> Vec<Matching> {
    let mut all: Vec<Matching> = Vec::with_capacity(members.len());
    for member in members {
        let same = |known: &&mut Matching| match (&**known, &member) {
            (Matching::Leaf(a), Matching::Leaf(b)) => {
                // A list may have one value here and another there.
                Arc::ptr_eq(&a.field, &b.field) && a.field.places().is_some() && !a.negated && !b.negated
            }
            _ => false,
        };
        match (all.iter_mut().find(same), &member) {
            (Some(Matching::Leaf(known)), Matching::Leaf(leaf)) => known.ranks = known.ranks.common(&leaf.ranks),
            _ => all.push(member),
        }
    }
    all
}

impl Leaf {
    fn documents(&self) -> Documents {
        let count = self.field.documents();
        let found = if self.ranks.is_empty() {
            Documents::none(count)
        } else if self.listing_costs() <= self.passing_costs() {
            self.listed()
        } else {
            self.passed()
        };
        if self.negated { found.inverted() } else { found }
    }

    /// From the lists of the values.
    pub(super) fn listed(&self) -> Documents {
        let mut found = Documents::none(self.field.documents());
        for run in self.ranks.runs() {
            self.field.documents_of(run).for_each(|document| found.insert(document));
        }
        found
    }

    /// One pass over all documents.
    pub(super) fn passed(&self) -> Documents {
        match (self.field.places(), self.ranks.runs()) {
            (Some(places), [run]) => {
                // One comparison: what is below the run is far above its end.
                let (start, length) = (run.start, run.end - run.start);
                Documents::of(places.all(), |bytes| u32::from_le_bytes(*bytes).wrapping_sub(start) < length)
            }
            (Some(places), _) => Documents::of(places.all(), |bytes| {
                let place = u32::from_le_bytes(*bytes);
                place != NONE && self.ranks.contains(place)
            }),
            (None, _) => {
                let mut found = Documents::none(self.field.documents());
                let has = |document: &u32| self.field.ranks(*document).any(|rank| self.ranks.contains(rank));
                (0..self.field.documents()).filter(has).for_each(|document| found.insert(document));
                found
            }
        }
    }

    /// How often the intervals are halved to find a place among them.
    fn halvings(&self) -> f64 {
        (self.ranks.runs().len().max(1) as f64).log2()
    }

    pub(super) fn listing_costs(&self) -> f64 {
        let runs = self.ranks.runs();
        let documents: usize = runs.iter().map(|run| self.field.documents_of(run).len()).sum();
        documents as f64 * NS_PER_LISTED + runs.len() as f64 * NS_PER_RUN
    }

    pub(super) fn passing_costs(&self) -> f64 {
        let halvings = self.halvings();
        let list = if self.field.places().is_some() { 0.0 } else { NS_PER_LIST };
        f64::from(self.field.documents()) * (NS_PER_PASSED + halvings * NS_PER_HALVING + list)
    }
}

#[cfg(test)]
impl Matching {
    /// Takes both ways of every leaf, whichever is cheaper.
    pub fn check_both_ways(&self) {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().for_each(Self::check_both_ways),
            Self::Nothing => {}
            Self::Leaf(leaf) => assert_eq!(leaf.passed(), leaf.listed()),
        }
    }
}
