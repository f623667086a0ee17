//! Here are the ACLs of many documents: how are they kept until the commit, each once and in few bytes?
//!
//! Every distinct principal has a number here, and an ACL is a list of numbers. A batch may have as many ACLs as
//! documents, with the same principals again and again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use safepassage_access::{Acl, Principal};

/// An ACL of [`Acls`]: how many principals it allows, these, and those it denies; or [`WHOLE`] and which of those that are
/// kept whole.
pub(super) type KeptAcl = Arc<[u32]>;

/// Stands before the number of an ACL that inherits or wants principals at once; there are few distinct ones.
const WHOLE: u32 = u32::MAX;

/// The distinct ACLs of a batch.
#[derive(Debug, Default)]
pub(super) struct Acls {
    principals: Vec<Arc<Principal>>,
    numbers: HashMap<Arc<Principal>, u32>,
    kept: HashSet<KeptAcl>,
    whole: Vec<Arc<Acl>>,
    whole_numbers: HashMap<Arc<Acl>, u32>,
}

impl Acls {
    /// `acl`, in one place for all documents that have it.
    pub fn keep(&mut self, acl: &Acl) -> KeptAcl {
        let members: Vec<u32> = if acl.parent.is_some() || !acl.all_of.is_empty() {
            vec![WHOLE, self.whole(acl)]
        } else {
            let named = acl.allow.iter().chain(&acl.deny).map(|principal| self.number(principal));
            std::iter::once(acl.allow.len() as u32).chain(named).collect()
        };
        if let Some(known) = self.kept.get(&members[..]) {
            return Arc::clone(known);
        }
        let kept = KeptAcl::from(members);
        self.kept.insert(Arc::clone(&kept));
        kept
    }

    fn whole(&mut self, acl: &Acl) -> u32 {
        if let Some(&number) = self.whole_numbers.get(acl) {
            return number;
        }
        let (number, acl) = (self.whole.len() as u32, Arc::new(acl.clone()));
        self.whole.push(Arc::clone(&acl));
        self.whole_numbers.insert(acl, number);
        number
    }

    fn number(&mut self, principal: &Principal) -> u32 {
        if let Some(&number) = self.numbers.get(principal) {
            return number;
        }
        let (number, principal) = (self.principals.len() as u32, Arc::new(principal.clone()));
        self.principals.push(Arc::clone(&principal));
        self.numbers.insert(principal, number);
        number
    }

    /// The ACL as it was given.
    pub fn stated(&self, kept: &[u32]) -> Acl {
        let Some((&allowed, members)) = kept.split_first() else { return Acl::default() };
        if let (WHOLE, [number]) = (allowed, members) {
            return Acl::clone(&self.whole[*number as usize]);
        }
        let principal = |&number: &u32| Principal::clone(&self.principals[number as usize]);
        let (allow, deny) = members.split_at(allowed as usize);
        Acl::new(allow.iter().map(principal), deny.iter().map(principal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acl_comes_back_as_it_was_and_equal_ones_are_one() {
        let mut acls = Acls::default();
        let [a, b] = ["a", "b"].map(Principal::group);
        let given = [
            Acl::default(),
            Acl::new([a.clone()], []),
            Acl::new([], [a.clone()]),
            Acl::new([a.clone(), b.clone()], [Principal::Public]),
            Acl::new([b], [a, Principal::Public]),
            Acl::under("x"),
            Acl { inherit: safepassage_access::Inherit::BothPermit, ..Acl::under("x") },
        ];
        let kept: Vec<KeptAcl> = given.iter().map(|acl| acls.keep(acl)).collect();
        for (acl, kept) in given.iter().zip(&kept) {
            assert_eq!(acls.stated(kept), *acl);
            assert!(Arc::ptr_eq(&acls.keep(acl), kept));
        }
        assert_eq!(kept.iter().collect::<HashSet<_>>().len(), given.len());
    }
}
