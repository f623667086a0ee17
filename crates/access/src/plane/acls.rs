//! Which distinct ACLs are there, and who is named in which?
//!
//! Every distinct principal and every distinct ACL has a number, given in the order of their first appearance. An ACL
//! is kept as the numbers of the principals it allows and denies; beside it, for each principal, the ACLs that allow or
//! deny it. What is needed only to find the number of an ACL is made when one is first looked for.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::acl::Acl;
use crate::principal::Principal;

/// Numbers stay below what stands for something else.
const MOST: usize = u32::MAX as usize - 8;

/// The next free number after `taken`.
pub(super) fn next_id(taken: usize) -> u32 {
    assert!(taken < MOST, "fewer than 2^32 distinct ACLs fit in memory");
    taken as u32
}

fn digest(acl: [&[u32]; 2]) -> u64 {
    let mut hasher = DefaultHasher::new();
    acl.hash(&mut hasher);
    hasher.finish()
}

/// Principals by number.
#[derive(Debug, Default)]
pub(super) struct Principals {
    all: Vec<Principal>,
    ids: HashMap<Principal, u32>,
}

impl Principals {
    pub fn intern(&mut self, principal: &Principal) -> u32 {
        if let Some(&id) = self.ids.get(principal) {
            return id;
        }
        let id = next_id(self.all.len());
        self.all.push(principal.clone());
        self.ids.insert(principal.clone(), id);
        id
    }

    pub fn id(&self, principal: &Principal) -> Option<u32> {
        self.ids.get(principal).copied()
    }

    pub fn all(&self) -> &[Principal] {
        &self.all
    }

    /// The principals of these numbers.
    pub fn named(&self, ids: &[u32]) -> BTreeSet<Principal> {
        ids.iter().filter_map(|id| self.all.get(*id as usize)).cloned().collect()
    }
}

/// ACLs by number.
#[derive(Debug, Default)]
pub(super) struct Acls {
    /// What every ACL allows and then what it denies, ascending, one ACL after the other.
    members: Vec<u32>,
    /// Where in `members` the allowed ones of each ACL end, and the denied ones.
    ends: Vec<[u32; 2]>,
    /// By number of the principal.
    allowed_in: Vec<Vec<u32>>,
    denied_in: Vec<Vec<u32>>,
    /// ACLs that deny some group.
    denies_a_group: Vec<u32>,
    /// Numbers by a digest of what is allowed and denied, so that it is not kept twice: under the digest, or the next one
    /// if an ACL with the same digest came first. `None` until one is looked for.
    ids: Option<HashMap<u64, u32>>,
}

impl Acls {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The principals that ACL `id` allows and denies, by number, ascending.
    pub fn get(&self, id: u32) -> [&[u32]; 2] {
        let Some([allow_end, deny_end]) = self.ends.get(id as usize).map(|ends| ends.map(|end| end as usize)) else {
            return [&[], &[]];
        };
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before as usize][1] as usize);
        [&self.members[start..allow_end], &self.members[allow_end..deny_end]]
    }

    /// The number of the ACL that allows and denies these principals; each list ascends.
    pub fn intern(&mut self, allow: &[u32], deny: &[u32], principals: &Principals) -> u32 {
        let ids = self.ids.take().unwrap_or_else(|| self.numbered());
        let found = self.find(&ids, [allow, deny]);
        let ids = self.ids.insert(ids);
        match found {
            Ok(id) => id,
            Err(free) => {
                let id = next_id(self.ends.len());
                ids.insert(free, id);
                self.push(allow, deny, principals);
                id
            }
        }
    }

    /// The number of an ACL, or the digest under which it is to be.
    fn find(&self, ids: &HashMap<u64, u32>, acl: [&[u32]; 2]) -> Result<u32, u64> {
        let mut at = digest(acl);
        while let Some(&id) = ids.get(&at) {
            if self.get(id) == acl {
                return Ok(id);
            }
            at = at.wrapping_add(1);
        }
        Err(at)
    }

    fn numbered(&self) -> HashMap<u64, u32> {
        let mut ids = HashMap::with_capacity(self.len());
        for id in 0..self.len() as u32 {
            if let Err(free) = self.find(&ids, self.get(id)) {
                ids.insert(free, id);
            }
        }
        ids
    }

    /// Adds an ACL that is not there yet.
    pub fn push(&mut self, allow: &[u32], deny: &[u32], principals: &Principals) {
        let id = next_id(self.ends.len());
        for (some, named_in) in [(allow, &mut self.allowed_in), (deny, &mut self.denied_in)] {
            self.members.extend_from_slice(some);
            named_in.resize_with(named_in.len().max(principals.all().len()), Vec::new);
            some.iter().for_each(|principal| named_in[*principal as usize].push(id));
        }
        let end = self.members.len();
        self.ends.push([end - deny.len(), end].map(|end| u32::try_from(end).expect("fewer than 2^32 entries of ACLs")));
        if principals.named(deny).iter().any(Principal::is_group) {
            self.denies_a_group.push(id);
        }
    }

    /// The ACLs that allow `principal`.
    pub fn allowing(&self, principal: u32) -> &[u32] {
        self.allowed_in.get(principal as usize).map_or(&[], Vec::as_slice)
    }

    /// The ACLs that deny `principal`.
    pub fn denying(&self, principal: u32) -> &[u32] {
        self.denied_in.get(principal as usize).map_or(&[], Vec::as_slice)
    }

    /// The ACLs that deny some group.
    pub fn denying_a_group(&self) -> &[u32] {
        &self.denies_a_group
    }

    /// ACL `id` as it was stated.
    pub fn stated(&self, id: u32, principals: &Principals) -> Acl {
        let [allow, deny] = self.get(id).map(|some| principals.named(some));
        Acl { allow, deny }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acls_of_one_digest_are_told_apart() {
        let (mut acls, mut principals) = (Acls::default(), Principals::default());
        for name in ["a", "b"] {
            principals.intern(&Principal::user(name));
        }
        let first = acls.intern(&[0], &[], &principals);
        // As if the second had the digest of the first.
        acls.ids.get_or_insert_default().insert(digest([&[1], &[]]), first);
        let second = acls.intern(&[1], &[], &principals);
        assert_ne!(first, second);
        for _ in 0..2 {
            assert_eq!((acls.intern(&[0], &[], &principals), acls.intern(&[1], &[], &principals)), (first, second));
        }
        assert_eq!(acls.get(second), [&[1][..], &[]]);
    }
}
