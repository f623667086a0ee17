//! Do two planes say the same, whatever numbers they gave to their ACLs?

use std::collections::BTreeMap;

use super::state::State;
use super::{AccessPlane, AclTable};
use crate::document::DocumentNumber;

impl AclTable {
    /// What every base of an effective ACL says, in no order that depends on numbers.
    fn describe(&self, effective: u32) -> Option<(Vec<String>, u8)> {
        let effective = self.effectives.get(effective)?;
        let mut bases: Vec<String> = effective
            .bases()
            .map(|base| {
                let rule = self.rules.get(base);
                let revoked = self.acls.get(rule.revoked)[1];
                let attributes = self.rules.attributes.get(rule.attributes);
                let sections: Vec<_> = self.rules.sections_of(base).iter().map(|rule| self.stated_acl(*rule)).collect();
                let inputs = self.rules.inputs_of(base);
                format!(
                    "{:?} {:?} {attributes:?} {sections:?} {inputs:?}",
                    self.stated_acl(base),
                    self.principals.named(revoked)
                )
            })
            .collect();
        bases.sort_unstable();
        Some((bases, effective.label().0))
    }

    /// What is said of every object, by tenant and name.
    fn describe_objects(&self) -> BTreeMap<(&str, &str), String> {
        let objects = self.objects.all().iter().map(|object| {
            let stated = object.stated.map(|stated| {
                (
                    stated.rule.map(|rule| self.stated_acl(rule)),
                    stated.source_rule.map(|rule| self.stated_acl(rule)),
                    stated.origin,
                )
            });
            let revoked: Vec<u32> = object.revoked.iter().copied().collect();
            let lists = object.revoked_lists.map(|lists| self.principals.named(self.acls.get(lists)[1]));
            let said = format!("{stated:?} {:?} {lists:?}", self.principals.named(&revoked));
            ((object.tenant.0.as_str(), &*object.name), said)
        });
        objects.collect()
    }
}

impl AccessPlane {
    /// Whether `other` is at the same epoch and says the same of every document and object, stated and worked out.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.epoch == other.epoch
            && self.labels == other.labels
            && self.max_age_ms == other.max_age_ms
            && self.policies.source() == other.policies.source()
            && self.table.describe_objects() == other.table.describe_objects()
            && self.documents.len() == other.documents.len()
            && (0..self.documents.len()).map(DocumentNumber).all(|number| {
                let named = self.documents.name(number);
                let found = named.and_then(|(tenant, id)| other.documents.number(tenant, id));
                let (mine, theirs) = (self.documents.state(number), other.documents.state(number));
                named == other.documents.name(number)
                    && found == Some(number)
                    && mine.zip(theirs).is_some_and(|(mine, theirs)| self.same(&mine, other, &theirs))
            })
    }

    fn same(&self, mine: &State, other: &Self, theirs: &State) -> bool {
        mine.stated(&self.table) == theirs.stated(&other.table)
            && mine.stated_revoked(&self.table) == theirs.stated_revoked(&other.table)
            && self.table.describe(mine.effective()) == other.table.describe(theirs.effective())
    }
}
