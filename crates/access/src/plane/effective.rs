//! Which ACLs must all permit, and who passes them?
//!
//! An effective ACL is a conjunction of ACLs with the highest of their labels. Equal ones share one number, so that
//! an identity is tested once against each distinct one, however many documents point at it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::acl::Acl;
use crate::label::LabelRank;
use crate::principal::Principal;

/// What an identity brings besides its principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clearance {
    pub highest: LabelRank,
    pub groups_complete: bool,
}

/// ACLs that must all permit, and the label of the rows under them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Effective {
    acls: Vec<Acl>,
    label: LabelRank,
}

impl Effective {
    /// The conjunction of `acls`; order and repetition do not matter. No ACL at all permits nobody.
    pub fn new(acls: impl IntoIterator<Item = Acl>, label: LabelRank) -> Self {
        let distinct: BTreeSet<Acl> = acls.into_iter().collect();
        let acls = if distinct.is_empty() { vec![Acl::default()] } else { distinct.into_iter().collect() };
        Self { acls, label }
    }

    /// The one rule: the label is within the clearance, every ACL allows one of the principals, none denies one, and
    /// nobody with unknown groups passes a group deny.
    pub fn permits(&self, principals: &BTreeSet<Principal>, clearance: Clearance) -> bool {
        self.label <= clearance.highest
            && self.acls.iter().all(|acl| {
                principals.iter().any(|p| acl.allow.contains(p))
                    && !principals.iter().any(|p| acl.deny.contains(p))
                    && (clearance.groups_complete || !acl.denies_a_group())
            })
    }
}

/// Distinct effective ACLs by number, and where each principal is allowed.
#[derive(Debug, Default)]
pub(super) struct EffectiveTable {
    by_id: Vec<Arc<Effective>>,
    ids: HashMap<Arc<Effective>, u32>,
    allowed_in: HashMap<Principal, RoaringBitmap>,
}

impl EffectiveTable {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn get(&self, id: u32) -> &Effective {
        &self.by_id[id as usize]
    }

    pub fn intern(&mut self, effective: Effective) -> u32 {
        if let Some(&id) = self.ids.get(&effective) {
            return id;
        }
        let id = u32::try_from(self.by_id.len()).expect("fewer than 2^32 distinct ACLs fit in memory");
        // Whoever passes must be allowed by every ACL, so indexing one of them finds all candidates.
        let fewest = effective.acls.iter().min_by_key(|acl| acl.allow.len()).expect("never empty");
        for principal in &fewest.allow {
            self.allowed_in.entry(principal.clone()).or_default().insert(id);
        }
        let shared = Arc::new(effective);
        self.by_id.push(Arc::clone(&shared));
        self.ids.insert(shared, id);
        id
    }

    /// The ids of all effective ACLs that could permit one of `principals`.
    pub fn naming(&self, principals: &BTreeSet<Principal>) -> RoaringBitmap {
        let mut found = RoaringBitmap::new();
        for bitmap in principals.iter().filter_map(|p| self.allowed_in.get(p)) {
            found |= bitmap;
        }
        found
    }
}
