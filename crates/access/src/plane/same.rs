//! Do two planes say the same, whatever numbers they gave to their ACLs?

use std::collections::{BTreeSet, HashMap};

use super::state::State;
use super::{AccessPlane, AclTable};
use crate::document::DocumentNumber;

/// From the numbers of one table to those of another; `None` for what the other does not have.
struct Translation {
    principals: Vec<Option<u32>>,
    acls: Vec<Option<u32>>,
}

impl Translation {
    fn new(from: &AclTable, to: &AclTable) -> Self {
        let principals: Vec<Option<u32>> = from.principals.all().iter().map(|p| to.principals.id(p)).collect();
        let known: HashMap<[BTreeSet<u32>; 2], u32> = (0..to.acls.len() as u32)
            .map(|id| (to.acls.get(id).map(|some| some.iter().copied().collect()), id))
            .collect();
        let acl = |id: u32| {
            let mut lists = [BTreeSet::new(), BTreeSet::new()];
            for (list, members) in lists.iter_mut().zip(from.acls.get(id)) {
                for member in members {
                    list.insert(principals[*member as usize]?);
                }
            }
            known.get(&lists).copied()
        };
        let acls = (0..from.acls.len() as u32).map(acl).collect();
        Self { principals, acls }
    }

    fn acl(&self, id: u32) -> Option<u32> {
        *self.acls.get(id as usize)?
    }
}

impl AccessPlane {
    /// Whether `other` is at the same epoch and says the same of every document, stated and worked out.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let translation = Translation::new(&self.table, &other.table);
        self.epoch == other.epoch
            && self.labels == other.labels
            && self.documents.len() == other.documents.len()
            && (0..self.documents.len()).map(DocumentNumber).all(|number| {
                let named = self.documents.name(number);
                let found = named.and_then(|(tenant, id)| other.documents.number(tenant, id));
                let (mine, theirs) = (self.documents.state(number), other.documents.state(number));
                named == other.documents.name(number)
                    && found == Some(number)
                    && mine.zip(theirs).is_some_and(|(mine, theirs)| self.same(&mine, other, &theirs, &translation))
            })
    }

    fn same(&self, mine: &State, other: &Self, theirs: &State, to: &Translation) -> bool {
        let bindings = mine.bindings().map(|b| {
            let acls = [b.acl, b.base, b.source_acl].map(|id| to.acl(id));
            (b.version, b.label, b.origin, acls)
        });
        let others = theirs.bindings().map(|b| (b.version, b.label, b.origin, [b.acl, b.base, b.source_acl].map(Some)));
        let revoked: BTreeSet<_> = mine.revoked().map(|p| to.principals.get(p as usize).copied().flatten()).collect();
        let effective = self.table.effective().get(mine.effective() as usize);
        let effective = effective.map(|e| (e.bases().map(|base| to.acl(base)).collect::<BTreeSet<_>>(), e.label()));
        let other = other.table.effective().get(theirs.effective() as usize);
        let other = other.map(|e| (e.bases().map(Some).collect::<BTreeSet<_>>(), e.label()));
        bindings.eq(others) && revoked == theirs.revoked().map(Some).collect() && effective == other
    }
}
