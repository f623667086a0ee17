//! Which distinct effective ACLs are there?

use std::collections::{BTreeSet, HashMap};

use super::acls::next_id;
use super::table::Passes;
use crate::bits::Bits;
use crate::label::LabelRank;

/// Bases that must all permit, and the label of the rows under them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Effective {
    pub first: u32,
    /// Ascending, without `first`; nearly always empty.
    pub others: Box<[u32]>,
    pub label: LabelRank,
}

impl Effective {
    /// The conjunction of `bases`; order and repetition do not matter. No base at all permits nobody: `None`.
    pub fn new(bases: impl IntoIterator<Item = u32>, label: LabelRank) -> Option<Self> {
        let distinct: BTreeSet<u32> = bases.into_iter().collect();
        let mut ascending = distinct.into_iter();
        Some(Self { first: ascending.next()?, others: ascending.collect(), label })
    }

    /// The bases, ascending.
    pub fn bases(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    pub fn label(&self) -> LabelRank {
        self.label
    }
}

/// The distinct effective ACLs by number. All are looked at for an identity that nobody has seen, so what nearly none has
/// is kept apart.
#[derive(Debug, Default)]
pub(super) struct Effectives {
    all: Vec<(u32, LabelRank)>,
    /// Further bases, of those that have more than one.
    others: HashMap<u32, Box<[u32]>>,
    /// `None` until a number is looked for.
    ids: Option<HashMap<Effective, u32>>,
}

impl Effectives {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn get(&self, id: u32) -> Option<Effective> {
        let (first, label) = *self.all.get(id as usize)?;
        Some(Effective { first, others: self.others.get(&id).cloned().unwrap_or_default(), label })
    }

    /// All, by number.
    pub fn iter(&self) -> impl Iterator<Item = Effective> + '_ {
        (0..self.len() as u32).filter_map(|id| self.get(id))
    }

    /// Adds one that is not there yet, before any number is looked for.
    pub fn push(&mut self, effective: Effective) -> u32 {
        let id = next_id(self.all.len());
        let Effective { first, others, label } = effective;
        self.all.push((first, label));
        if !others.is_empty() {
            self.others.insert(id, others);
        }
        id
    }

    /// The number of one.
    pub fn intern(&mut self, effective: Effective) -> u32 {
        let known = self.ids.take().unwrap_or_else(|| self.iter().zip(0..).collect());
        let known = self.ids.insert(known);
        if let Some(&id) = known.get(&effective) {
            return id;
        }
        known.insert(effective.clone(), next_id(self.all.len()));
        self.push(effective)
    }

    /// The numbers of those that somebody passes.
    pub fn passed(&self, passes: &Passes) -> Bits {
        let mut passed = Bits::of(&self.all, |(first, label)| passes.permits_one(*first, *label));
        for (&id, others) in &self.others {
            if !others.iter().all(|base| passes.base(*base)) {
                passed.remove(id);
            }
        }
        passed
    }
}
