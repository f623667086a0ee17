//! Which distinct lists of principals are there, and who is named in which?
//!
//! Every distinct principal has a number, given in the order of their first appearance, and so has every distinct group
//! of principals that are wanted at once (`all_of`). An ACL's own lists are kept as the numbers of what they allow and
//! deny; beside it, for each principal, the lists that allow or deny it. What is needed only to find the number of
//! lists is made when one is first looked for.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::acl::{Acl, AllOf};
use crate::bits::Bits;
use crate::principal::Principal;

/// Numbers stay below what stands for something else.
const MOST: usize = i32::MAX as usize - 8;

/// Set in the number of something that has parts, in a list of things that have none.
pub(super) const COMPOSED: u32 = 1 << 31;

/// The next free number after `taken`.
pub(super) fn next_id(taken: usize) -> u32 {
    assert!(taken < MOST, "fewer than 2^31 distinct ACLs fit in memory");
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

/// Distinct groups of principals wanted at once, by number; a number stands in an ACL with [`COMPOSED`] set.
#[derive(Debug, Default)]
pub(super) struct Clauses {
    all: Vec<Box<[u32]>>,
    ids: HashMap<Box<[u32]>, u32>,
    /// Clauses that want a principal, by its number.
    wanting: HashMap<u32, Vec<u32>>,
}

impl Clauses {
    /// The number of a clause; `members` ascend.
    pub fn intern(&mut self, members: &[u32]) -> u32 {
        if let Some(&id) = self.ids.get(members) {
            return id;
        }
        let id = next_id(self.all.len());
        self.all.push(members.into());
        self.ids.insert(members.into(), id);
        members.iter().for_each(|member| self.wanting.entry(*member).or_default().push(id));
        id
    }

    pub fn all(&self) -> &[Box<[u32]>] {
        &self.all
    }

    /// The clauses of which every principal is among `known`, each of which stands there once. A clause without
    /// principals is fulfilled by nobody.
    fn fulfilled_by(&self, known: &[u32]) -> Vec<u32> {
        let mut met = HashMap::<u32, usize>::new();
        if !self.all.is_empty() {
            let wanting = known.iter().filter_map(|principal| self.wanting.get(principal)).flatten();
            wanting.for_each(|clause| *met.entry(*clause).or_default() += 1);
        }
        met.retain(|clause, met| *met == self.all[*clause as usize].len());
        met.into_keys().collect()
    }
}

/// Lists of principals by number.
#[derive(Debug, Default)]
pub(super) struct Acls {
    /// What every one allows and then what it denies, ascending, one after the other.
    members: Vec<u32>,
    /// Where in `members` the allowed ones of each end, and the denied ones.
    ends: Vec<[u32; 2]>,
    /// By number of the principal, and of the clause.
    allowed_in: Vec<Vec<u32>>,
    clause_allowed_in: Vec<Vec<u32>>,
    denied_in: Vec<Vec<u32>>,
    /// Lists that deny some group.
    denies_a_group: Vec<u32>,
    /// Numbers by a digest of what is allowed and denied, so that it is not kept twice: under the digest, or the next one
    /// if lists with the same digest came first. `None` until one is looked for.
    ids: Option<HashMap<u64, u32>>,
}

/// What the lists themselves say of somebody, by number; somebody in neither is not spoken of.
#[derive(Debug)]
pub(super) struct Said {
    /// Who is allowed and not denied.
    pub allowed: Bits,
    /// Who is denied, or may be.
    pub denied: Bits,
}

impl Acls {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// What number `id` allows and denies, ascending.
    pub fn get(&self, id: u32) -> [&[u32]; 2] {
        let Some([allow_end, deny_end]) = self.ends.get(id as usize).map(|ends| ends.map(|end| end as usize)) else {
            return [&[], &[]];
        };
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before as usize][1] as usize);
        [&self.members[start..allow_end], &self.members[allow_end..deny_end]]
    }

    /// The number of the lists that allow and deny these; each ascends.
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

    /// The number of lists, or the digest under which it is to be.
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

    /// Adds lists that are not there yet.
    pub fn push(&mut self, allow: &[u32], deny: &[u32], principals: &Principals) {
        let id = next_id(self.ends.len());
        let clauses = allow.partition_point(|member| member & COMPOSED == 0);
        let (one, together) = allow.split_at(clauses);
        for (some, named_in) in
            [(one, &mut self.allowed_in), (together, &mut self.clause_allowed_in), (deny, &mut self.denied_in)]
        {
            let most = some.iter().map(|member| (member & !COMPOSED) as usize + 1).max().unwrap_or(0);
            named_in.resize_with(named_in.len().max(most), Vec::new);
            some.iter().for_each(|member| named_in[(member & !COMPOSED) as usize].push(id));
        }
        self.members.extend_from_slice(allow);
        self.members.extend_from_slice(deny);
        let end = self.members.len();
        self.ends.push([end - deny.len(), end].map(|end| u32::try_from(end).expect("fewer than 2^32 entries of ACLs")));
        if principals.named(deny).iter().any(Principal::is_group) {
            self.denies_a_group.push(id);
        }
    }

    /// What the lists say of somebody with `principals`: `O(lists that name one of them + all / 64)`. For somebody whose
    /// groups are not all known, a denied group may be one of theirs.
    pub fn say_of(&self, principals: &[u32], clauses: &Clauses, groups_complete: bool) -> Said {
        let (mut allowed, mut denied) = (Bits::none(self.len()), Bits::none(self.len()));
        let add = |to: &mut Bits, lists: &[Vec<u32>], of: u32| {
            for id in lists.get(of as usize).into_iter().flatten() {
                to.insert(*id);
            }
        };
        for &principal in principals {
            add(&mut allowed, &self.allowed_in, principal);
            add(&mut denied, &self.denied_in, principal);
        }
        for clause in clauses.fulfilled_by(principals) {
            add(&mut allowed, &self.clause_allowed_in, clause);
        }
        if !groups_complete {
            for id in &self.denies_a_group {
                denied.insert(*id);
            }
        }
        denied.iter().for_each(|id| allowed.remove(id));
        Said { allowed, denied }
    }

    /// Lists `id` as they were stated, without parent.
    pub fn stated(&self, id: u32, principals: &Principals, clauses: &Clauses) -> Acl {
        let [allow, deny] = self.get(id);
        let (one, together) = allow.split_at(allow.partition_point(|member| member & COMPOSED == 0));
        let clause =
            |id: &u32| -> Option<AllOf> { Some(principals.named(clauses.all().get((id & !COMPOSED) as usize)?)) };
        Acl {
            allow: principals.named(one),
            all_of: together.iter().filter_map(clause).collect(),
            deny: principals.named(deny),
            ..Acl::default()
        }
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
