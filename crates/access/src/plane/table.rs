//! Which rules must all permit, and who passes them?
//!
//! A *base* is the rule that some document is bound to, revocations written in. An effective ACL is a conjunction of
//! bases with the highest of their labels; equal ones share one number. An identity is tested once against all lists of
//! principals, then against all objects from the top down and all rules; the rest is bits.

use std::collections::{BTreeSet, HashMap};

use super::acls::{Acls, COMPOSED, Clauses, Principals};
use super::derived;
use super::effective::{Effective, Effectives};
use super::objects::{ObjectRules, Objects};
use super::rules::{Class, NO_ATTRIBUTES, NONE, PART, Rule, Rules};
use super::verdict::{Saying, Verdict};
use crate::acl::Acl;
use crate::bits::Bits;
use crate::document::Tenant;
use crate::event::{Binding, Input, ObjectStatement};
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

/// What an identity passes.
#[derive(Debug)]
pub(crate) struct Passes {
    clearance: Clearance,
    /// By number of the lists.
    lists: Bits,
    /// By number of the rule that is more than lists.
    composed: Bits,
    /// By number of the effective ACL.
    pub effective: Bits,
}

impl Passes {
    /// By number without [`COMPOSED`].
    pub(super) fn composed(&self) -> &Bits {
        &self.composed
    }

    #[inline]
    pub(super) fn base(&self, id: u32) -> bool {
        if id & COMPOSED == 0 { self.lists.contains(id) } else { self.composed.contains(id & !COMPOSED) }
    }

    /// The one rule, where there is one base.
    #[inline]
    pub(super) fn permits_one(&self, base: u32, label: LabelRank) -> bool {
        label <= self.clearance.highest && self.base(base)
    }

    /// The one rule: the label is within the clearance and every base permits.
    pub fn permits(&self, effective: &Effective) -> bool {
        self.permits_one(effective.first, effective.label) && effective.others.iter().all(|base| self.base(*base))
    }

    pub fn bytes(&self) -> usize {
        [&self.lists, &self.composed, &self.effective].map(|bits| size_of_val(bits.words())).iter().sum()
    }
}

/// Distinct principals, lists, rules, objects and effective ACLs by number.
#[derive(Debug, Default)]
pub(super) struct AclTable {
    pub principals: Principals,
    pub clauses: Clauses,
    pub acls: Acls,
    pub rules: Rules,
    pub objects: Objects,
    pub effectives: Effectives,
}

/// What policies say of the classes they were asked about.
pub(super) type Judged = HashMap<Class, bool>;

impl AclTable {
    /// The number of what `acl` says in `tenant`.
    pub fn intern_acl(&mut self, acl: &Acl, tenant: &Tenant) -> u32 {
        let rule = self.rule(acl, tenant);
        self.rules.intern(rule)
    }

    /// The number of what a document is bound to.
    pub fn intern_document(&mut self, binding: &Binding, tenant: &Tenant) -> u32 {
        let Binding { acl, attributes, sections, derived_from, .. } = binding;
        let sections: Vec<u32> = sections
            .iter()
            .map(|section| {
                let rule = Rule { attributes: PART, ..self.rule(section, tenant) };
                self.rules.intern(rule)
            })
            .collect();
        let sections = if sections.is_empty() { NONE } else { self.rules.sections.intern(sections.into()) };
        let attributes =
            if attributes.is_empty() { NO_ATTRIBUTES } else { self.rules.attributes.intern(attributes.clone()) };
        let inputs = if derived_from.is_empty() { NONE } else { self.rules.inputs.intern(derived_from.clone().into()) };
        let rule = Rule { attributes, sections, inputs, ..self.rule(acl, tenant) };
        self.rules.intern(rule)
    }

    fn rule(&mut self, acl: &Acl, tenant: &Tenant) -> Rule {
        let mut ids = |some: &BTreeSet<Principal>| -> Vec<u32> {
            let mut ids: Vec<u32> = some.iter().map(|principal| self.principals.intern(principal)).collect();
            ids.sort_unstable();
            ids
        };
        let (mut allow, deny) = (ids(&acl.allow), ids(&acl.deny));
        let together: Vec<Vec<u32>> = acl.all_of.iter().map(ids).collect();
        allow.extend(together.iter().map(|members| self.clauses.intern(members) | COMPOSED));
        allow.sort_unstable();
        let lists = self.acls.intern(&allow, &deny, &self.principals);
        let parent = acl.parent.as_deref().map_or(NONE, |name| self.objects.intern(tenant, name));
        Rule { parent, inherit: acl.inherit, ..Rule::of(lists) }
    }

    /// The number of rule `id` for who lost what is under it.
    pub fn with_revocations(&mut self, id: u32, revoked: &BTreeSet<u32>) -> u32 {
        if revoked.is_empty() {
            return id;
        }
        if id & COMPOSED == 0 {
            let [allow, deny] = self.acls.get(id);
            let (allow, deny): (Vec<u32>, BTreeSet<u32>) =
                (allow.to_vec(), deny.iter().chain(revoked).copied().collect());
            return self.acls.intern(&allow, &deny.into_iter().collect::<Vec<_>>(), &self.principals);
        }
        let revoked = self.denying(revoked);
        let rule = Rule { revoked, ..self.rules.get(id) };
        self.rules.intern(rule)
    }

    /// Lists that deny these and say nothing else.
    pub fn denying(&mut self, principals: &BTreeSet<u32>) -> u32 {
        self.acls.intern(&[], &principals.iter().copied().collect::<Vec<_>>(), &self.principals)
    }

    /// States an object.
    pub fn state_object(&mut self, tenant: &Tenant, name: &str, statement: &ObjectStatement) {
        let rule = statement.acl.as_ref().map(|acl| self.intern_acl(acl, tenant));
        let source_rule = statement.source_acl.as_ref().map(|acl| self.intern_acl(acl, tenant));
        let stated = ObjectRules { rule, source_rule, origin: statement.origin, parent: self.parent_of(rule) };
        let id = self.objects.intern(tenant, name);
        self.objects.alter(id, &self.rules, |object| object.stated = Some(stated));
    }

    /// The object that a rule inherits from.
    pub fn parent_of(&self, rule: Option<u32>) -> Option<u32> {
        rule.map(|rule| self.rules.get(rule).parent).filter(|parent| *parent != NONE)
    }

    /// Takes everything under an object from a principal, or gives it back.
    pub fn revoke_object(&mut self, tenant: &Tenant, name: &str, principal: &Principal, lost: bool) {
        let (id, principal) = (self.objects.intern(tenant, name), self.principals.intern(principal));
        let mut revoked = self.objects.get(id).map(|object| object.revoked.clone()).unwrap_or_default();
        if lost {
            revoked.insert(principal);
        } else {
            revoked.remove(&principal);
        }
        let lists = (!revoked.is_empty()).then(|| self.denying(&revoked));
        self.objects.alter(id, &self.rules, |object| (object.revoked, object.revoked_lists) = (revoked, lists));
    }

    /// What the document's or object's ACL of rule `id` is, as it was stated.
    pub fn stated_acl(&self, id: u32) -> Acl {
        let rule = self.rules.get(id);
        let parent = self.objects.get(rule.parent).map(|object| object.name.as_ref().into());
        Acl { parent, inherit: rule.inherit, ..self.acls.stated(rule.lists, &self.principals, &self.clauses) }
    }

    /// What somebody with `principals` passes: what allows them, denies them nothing and, for somebody whose groups are
    /// not all known, denies no group at all; and what `judge` lets through of the classes it is asked about. What was
    /// derived from something must pass what that needs as well.
    /// `O(lists that name one of them + all / 64 + objects + rules)`, then one look at every effective ACL.
    ///
    /// # Errors
    /// Those of `judge`.
    pub fn passed_by<E>(
        &self,
        principals: &BTreeSet<Principal>,
        clearance: Clearance,
        needed: impl Fn(Input) -> Option<Effective>,
        judge: impl FnOnce(&dyn Fn() -> BTreeSet<Class>) -> Result<Option<Judged>, E>,
    ) -> Result<Passes, E> {
        let known: Vec<u32> = principals.iter().filter_map(|principal| self.principals.id(principal)).collect();
        let said = self.acls.say_of(&known, &self.clauses, clearance.groups_complete);
        let objects = self.objects.descent(&self.rules).verdicts(&said);
        let composed =
            Bits::of(self.rules.composed(), |rule| Saying::from(*rule).says(&said, &objects) == Verdict::Allowed);
        let class = |rule: &Rule| Class { object: rule.parent, attributes: rule.attributes };
        let plain = Class { object: NONE, attributes: NO_ATTRIBUTES };
        let (mut lists, mut passing) = (said.allowed, composed);
        let rules = self.rules.composed();
        // Under many objects these are many, and without policies nobody wants them.
        let asked = || {
            let asked = passing.iter().map(|id| class(&rules[id as usize])).filter(|class| class.attributes != PART);
            asked.chain((!lists.is_empty()).then_some(plain)).collect()
        };
        if let Some(judged) = judge(&asked)? {
            let permits = |class: &Class| class.attributes == PART || judged.get(class) == Some(&true);
            if !permits(&plain) {
                lists = Bits::none(self.acls.len());
            }
            let before: Vec<u32> = passing.iter().collect();
            before.into_iter().filter(|id| !permits(&class(&rules[*id as usize]))).for_each(|id| passing.remove(id));
        }
        let mut passes = Passes { clearance, lists, composed: passing, effective: Bits::default() };
        if !self.rules.inputs.all().is_empty() {
            passes.composed = derived::passing(&self.rules, &passes, &needed);
        }
        passes.effective = self.effectives.passed(&passes);
        Ok(passes)
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
            acls in proptest::collection::vec((some(5), some(3)).prop_map(|(allow, deny)| Acl { allow, deny, ..Acl::default() }), 1..90),
            conjunctions in proptest::collection::vec((proptest::collection::vec(0..90usize, 0..4), 0..4u8), 1..200),
            askers in proptest::collection::vec((some(25), 0..4u8, any::<bool>()), 1..6),
        ) {
            let mut table = AclTable::default();
            let tenant = Tenant::default();
            let bases: Vec<u32> = acls.iter().map(|acl| table.intern_acl(acl, &tenant)).collect();
            let mut ids = Vec::new();
            for (of, label) in &conjunctions {
                let of: Vec<usize> = of.iter().map(|i| i % acls.len()).collect();
                let effective = Effective::new(of.iter().map(|i| bases[*i]), LabelRank(*label));
                ids.push((effective.map_or(NOBODY, |e| table.effectives.intern(e)), of, *label));
            }
            for (principals, highest, groups_complete) in &askers {
                let clearance = Clearance { highest: LabelRank(*highest), groups_complete: *groups_complete };
                let passes = table.passed_by(principals, clearance, |_| None, |_| Ok::<_, ()>(None)).unwrap();
                prop_assert_eq!(passes.effective.words().len(), table.effectives.len().div_ceil(64));
                for (id, of, label) in &ids {
                    let of: Vec<&Acl> = of.iter().map(|i| &acls[*i]).collect();
                    prop_assert_eq!(passes.effective.contains(*id), permits(&of, *label, principals, clearance));
                }
            }
        }
    }
}
