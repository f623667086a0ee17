//! Which ACLs must all permit, and who passes them?
//!
//! A *base* ACL is one that some document is bound to, revocations written in. An effective ACL is a conjunction of
//! base ACLs with the highest of their labels; equal ones share one number. An identity is tested once against all base
//! ACLs, by lists of those that allow or deny one of its principals; the rest is bits.

use std::collections::{BTreeSet, HashMap};

use super::acls::{Acls, Principals, next_id};
use crate::acl::Acl;
use crate::bits::Bits;
use crate::label::LabelRank;
use crate::principal::Principal;

/// Stands where a document has no effective ACL: it permits nobody.
pub(crate) const NOBODY: u32 = u32::MAX;

/// What an identity brings besides its principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clearance {
    pub highest: LabelRank,
    pub groups_complete: bool,
}

/// Base ACLs that must all permit, and the label of the rows under them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Effective {
    first: u32,
    /// Ascending, without `first`; nearly always empty.
    others: Box<[u32]>,
    label: LabelRank,
}

impl Effective {
    /// The conjunction of `bases`; order and repetition do not matter. No ACL at all permits nobody: `None`.
    pub fn new(bases: impl IntoIterator<Item = u32>, label: LabelRank) -> Option<Self> {
        let distinct: BTreeSet<u32> = bases.into_iter().collect();
        let mut ascending = distinct.into_iter();
        Some(Self { first: ascending.next()?, others: ascending.collect(), label })
    }

    /// The base ACLs, ascending.
    pub fn bases(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    pub fn label(&self) -> LabelRank {
        self.label
    }
}

/// What an identity passes.
#[derive(Debug)]
pub(crate) struct Passes {
    clearance: Clearance,
    /// By number of the base ACL.
    bases: Bits,
    /// By number of the effective ACL.
    pub effective: Bits,
}

impl Passes {
    /// The one rule: the label is within the clearance and every base ACL permits.
    pub fn permits(&self, effective: &Effective) -> bool {
        effective.label <= self.clearance.highest
            && self.bases.contains(effective.first)
            && effective.others.iter().all(|base| self.bases.contains(*base))
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.bases.words()) + size_of_val(self.effective.words())
    }
}

/// Distinct principals, ACLs and effective ACLs by number.
#[derive(Debug, Default)]
pub(super) struct AclTable {
    pub principals: Principals,
    pub acls: Acls,
    by_id: Vec<Effective>,
    /// `None` until a number is looked for.
    ids: Option<HashMap<Effective, u32>>,
}

impl AclTable {
    /// The distinct effective ACLs by number.
    pub fn effective(&self) -> &[Effective] {
        &self.by_id
    }

    /// Adds an effective ACL that is not there yet, before any number is looked for.
    pub fn push(&mut self, effective: Effective) {
        self.by_id.push(effective);
    }

    /// The number of an ACL.
    pub fn intern_acl(&mut self, acl: &Acl) -> u32 {
        let [allow, deny] = [&acl.allow, &acl.deny].map(|some| {
            let mut ids: Box<[u32]> = some.iter().map(|principal| self.principals.intern(principal)).collect();
            ids.sort_unstable();
            ids
        });
        self.acls.intern(&allow, &deny, &self.principals)
    }

    /// The number of ACL `acl` with `revoked` written in as denies.
    pub fn with_revocations(&mut self, acl: u32, revoked: &BTreeSet<u32>) -> u32 {
        if revoked.is_empty() {
            return acl;
        }
        let [allow, deny] = self.acls.get(acl);
        let (allow, deny): (Vec<u32>, BTreeSet<u32>) = (allow.to_vec(), deny.iter().chain(revoked).copied().collect());
        self.acls.intern(&allow, &deny.into_iter().collect::<Vec<_>>(), &self.principals)
    }

    /// The number of an effective ACL.
    pub fn intern(&mut self, effective: Effective) -> u32 {
        let known = self.ids.get_or_insert_with(|| self.by_id.iter().cloned().zip(0..).collect());
        if let Some(&id) = known.get(&effective) {
            return id;
        }
        let id = next_id(self.by_id.len());
        self.by_id.push(effective.clone());
        known.insert(effective, id);
        id
    }

    /// What somebody with `principals` passes: a base ACL if it allows one of them, denies none of them and, for
    /// somebody whose groups are not all known, denies no group at all. `O(ACLs that name one of them + all / 64)` for
    /// the base ACLs, then one look at every effective one.
    pub fn passed_by(&self, principals: &BTreeSet<Principal>, clearance: Clearance) -> Passes {
        let known: Vec<u32> = principals.iter().filter_map(|principal| self.principals.id(principal)).collect();
        let mut bases = Bits::none(self.acls.len());
        for &id in known.iter().flat_map(|principal| self.acls.allowing(*principal)) {
            bases.insert(id);
        }
        for &id in known.iter().flat_map(|principal| self.acls.denying(*principal)) {
            bases.remove(id);
        }
        if !clearance.groups_complete {
            self.acls.denying_a_group().iter().for_each(|id| bases.remove(*id));
        }
        let mut passes = Passes { clearance, bases, effective: Bits::default() };
        passes.effective = Bits::of(&self.by_id, |effective| passes.permits(effective));
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn principal() -> impl Strategy<Value = Principal> {
        prop_oneof![
            1 => Just(Principal::Public),
            1 => Just(Principal::Everyone),
            4 => (0..12u8).prop_map(|i| Principal::user(&format!("u{i}"))),
            9 => (0..30u8).prop_map(|i| Principal::group(&format!("g{i}"))),
        ]
    }

    fn some(most: usize) -> impl Strategy<Value = BTreeSet<Principal>> {
        proptest::collection::btree_set(principal(), 0..most)
    }

    fn permits(acls: &[&Acl], label: u8, principals: &BTreeSet<Principal>, clearance: Clearance) -> bool {
        let mut all = label <= clearance.highest.0 && !acls.is_empty();
        for acl in acls {
            let allowed = acl.allow.iter().any(|p| principals.contains(p));
            let denied = acl.deny.iter().any(|p| principals.contains(p));
            let unsure = !clearance.groups_complete && acl.deny.iter().any(Principal::is_group);
            all = all && allowed && !denied && !unsure;
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, rng_seed: proptest::test_runner::RngSeed::Fixed(13), failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn the_tables_say_what_the_plain_loop_says(
            acls in proptest::collection::vec((some(5), some(3)).prop_map(|(allow, deny)| Acl { allow, deny }), 1..90),
            conjunctions in proptest::collection::vec((proptest::collection::vec(0..90usize, 0..4), 0..4u8), 1..200),
            askers in proptest::collection::vec((some(25), 0..4u8, any::<bool>()), 1..6),
        ) {
            let mut table = AclTable::default();
            let bases: Vec<u32> = acls.iter().map(|acl| table.intern_acl(acl)).collect();
            let mut ids = Vec::new();
            for (of, label) in &conjunctions {
                let of: Vec<usize> = of.iter().map(|i| i % acls.len()).collect();
                let effective = Effective::new(of.iter().map(|i| bases[*i]), LabelRank(*label));
                ids.push((effective.map_or(NOBODY, |e| table.intern(e)), of, *label));
            }
            for (principals, highest, groups_complete) in &askers {
                let clearance = Clearance { highest: LabelRank(*highest), groups_complete: *groups_complete };
                let passes = table.passed_by(principals, clearance);
                prop_assert_eq!(passes.effective.words().len(), table.effective().len().div_ceil(64));
                for (id, of, label) in &ids {
                    let of: Vec<&Acl> = of.iter().map(|i| &acls[*i]).collect();
                    prop_assert_eq!(passes.effective.contains(*id), permits(&of, *label, principals, clearance));
                }
            }
        }
    }
}
