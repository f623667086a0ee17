//! Here are a filter and a segment: which of its documents match?
//!
//! There are two ways. One makes the set of all documents that match: from the postings of the values that are looked
//! for, or, where many documents have them, by one pass over the documents. The other asks for one document after the
//! other, which is less to do where few are visible. [`Matching::set_costs`] says what the first costs.

use std::sync::Arc;

use safepassage_error::Result;

use super::check::{Checked, Test};
use super::documents::Documents;
use super::postings::{FieldPostings, NONE};
use super::ranks::Ranks;

/// Nanoseconds to look at one document in a pass over all; measured, as the others (`benches/record/filters.md`).
const NS_PER_PASSED: f64 = 0.5;
/// To take a document out of a list or a bitmap, by its bytes.
const NS_PER_BYTE: f64 = 0.5;
/// To begin with the postings of a value.
const NS_PER_VALUE: f64 = 60.0;
/// To ask for one document what a filter of one operator asks.
pub(super) const NS_PER_ASKED: f64 = 12.0;

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
                Self::All(members.iter().map(|member| Self::of(member, field)).collect::<Result<_>>()?)
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
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn documents(&self, count: u32) -> Result<Documents> {
        match self {
            Self::Nothing => Ok(Documents::none(count)),
            Self::Leaf(leaf) => leaf.documents(),
            Self::All(members) => {
                let mut all: Option<Documents> = None;
                for member in members {
                    match &mut all {
                        None => all = Some(member.documents(count)?),
                        Some(all) if all.is_empty() => break,
                        Some(all) => all.intersect(&member.documents(count)?),
                    }
                }
                Ok(all.unwrap_or_else(|| Documents::none(count)))
            }
            Self::Any(members) => {
                let mut any = Documents::none(count);
                for member in members {
                    any.unite(&member.documents(count)?);
                }
                Ok(any)
            }
        }
    }

    /// About what [`Matching::documents`] takes, in nanoseconds.
    pub fn set_costs(&self) -> f64 {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().map(Self::set_costs).sum(),
            Self::Nothing => 0.0,
            Self::Leaf(leaf) => leaf.passing_costs().min(leaf.postings_cost()),
        }
    }

    /// About what [`Matching::has`] takes for so many documents, in nanoseconds.
    pub fn asking_costs(&self, documents: u64) -> f64 {
        documents as f64 * NS_PER_ASKED * self.leaves() as f64
    }

    fn leaves(&self) -> usize {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().map(Self::leaves).sum(),
            Self::Nothing => 0,
            Self::Leaf(_) => 1,
        }
    }
}

impl Leaf {
    fn documents(&self) -> Result<Documents> {
        let count = self.field.documents();
        let found = if self.ranks.is_empty() {
            Documents::none(count)
        } else if self.postings_cost() <= self.passing_costs() {
            self.listed()?
        } else {
            self.passed()
        };
        Ok(if self.negated { found.inverted() } else { found })
    }

    /// From the postings of the values.
    pub(super) fn listed(&self) -> Result<Documents> {
        let mut found = Documents::none(self.field.documents());
        for run in self.ranks.runs() {
            self.field.documents_of(run, &mut |document| found.insert(document))?;
        }
        Ok(found)
    }

    /// One pass over all documents.
    pub(super) fn passed(&self) -> Documents {
        match (self.field.places(), self.ranks.runs()) {
            (Some(places), [run]) => Documents::of(places.all(), |bytes| run.contains(&u32::from_le_bytes(*bytes))),
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

    pub(super) fn postings_cost(&self) -> f64 {
        let bytes: usize = self.ranks.runs().iter().map(|run| self.field.bytes_of(run)).sum();
        bytes as f64 * NS_PER_BYTE + self.ranks.len() as f64 * NS_PER_VALUE
    }

    pub(super) fn passing_costs(&self) -> f64 {
        // Many runs are searched, and lists are gone through.
        let runs = 1.0 + (self.ranks.runs().len() as f64).log2() * 4.0;
        let each = if self.field.places().is_some() { runs } else { runs + 8.0 };
        f64::from(self.field.documents()) * NS_PER_PASSED * each
    }
}

#[cfg(test)]
impl Matching {
    /// Takes both ways of every leaf, whichever is cheaper.
    pub fn check_both_ways(&self) {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().for_each(Self::check_both_ways),
            Self::Nothing => {}
            Self::Leaf(leaf) => assert_eq!(leaf.passed(), leaf.listed().unwrap()),
        }
    }
}
