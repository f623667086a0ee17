//! Why may this person read that document, or why not?

use std::collections::BTreeSet;

use serde::Serialize;

use crate::acl::Acl;
use crate::document::Version;
use crate::event::Binding;
use crate::identity::Identity;
use crate::plane::{AccessPlane, Clearance, Verdict};
use crate::principal::Principal;
use crate::visible::Permitted;

/// The decision about one (identity, document) with what led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether the identity may read it.
    pub visible: bool,
    /// What spoke for and against; every deny that applies stands here, not only the first.
    pub reasons: Vec<Reason>,
    /// The epoch it holds for: for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_epoch: Option<u64>,
}

/// One thing that spoke for or against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `allow`, `deny`, `revoked`, `no_allow`, `label`, `groups_incomplete`, `not_stated` (an ACL object that is only
    /// named), `derived` (from what they may not read), `policy` or `authorizer`.
    pub effect: &'static str,
    /// Through which principal of the identity, where there is one; several, joined by ` and `, where all are wanted.
    pub principal: Option<String>,
    /// Which entry said so.
    pub object: String,
    /// From the identity through the groups that lead to the principal, as far as a resolver found them, to the entry, and
    /// from there through ACL objects down to the document.
    pub path: Vec<String>,
}

/// Explains one document to one identity, as a plane has it.
pub(crate) struct Explainer<'a> {
    pub plane: &'a AccessPlane,
    pub identity: &'a Identity,
    pub permitted: &'a Permitted,
    pub clearance: Clearance,
    pub revoked: &'a BTreeSet<Principal>,
}

struct Said<'a> {
    by: &'a Explainer<'a>,
    who: String,
    principals: BTreeSet<Principal>,
    reasons: Vec<Reason>,
}

impl Said<'_> {
    fn say(&mut self, effect: &'static str, principal: Option<String>, at: &str, below: &[String]) {
        let mut path = vec![self.who.clone()];
        let named = principal.as_deref().and_then(|principal| principal.parse().ok());
        let way = named.map(|named| self.by.identity.way_to(&named)).unwrap_or_default();
        path.extend(way.into_iter().map(ToString::to_string));
        path.extend(principal.clone().filter(|principal| *principal != self.who));
        path.push(at.to_owned());
        path.extend(below.iter().rev().cloned());
        self.reasons.push(Reason { effect, principal, object: at.to_owned(), path });
    }

    /// What the lists of `acl` say by themselves.
    fn own(&mut self, acl: &Acl, at: &str, below: &[String]) -> Verdict {
        let mut verdict = Verdict::Nothing;
        let principals = self.principals.clone();
        for principal in principals.intersection(&acl.allow) {
            verdict = Verdict::Allowed;
            self.say("allow", Some(principal.to_string()), at, below);
        }
        for all_of in acl.all_of.iter().filter(|all_of| !all_of.is_empty() && all_of.is_subset(&principals)) {
            verdict = Verdict::Allowed;
            let names: Vec<String> = all_of.iter().map(ToString::to_string).collect();
            self.say("allow", Some(names.join(" and ")), at, below);
        }
        for principal in principals.intersection(&acl.deny) {
            verdict = Verdict::Denied;
            self.say("deny", Some(principal.to_string()), at, below);
        }
        if !self.by.clearance.groups_complete && acl.deny.iter().any(Principal::is_group) {
            verdict = Verdict::Denied;
            self.say("groups_incomplete", None, at, below);
        }
        verdict
    }

    /// Whether `acl` permits, with a reason if it does not.
    fn permits(&mut self, acl: &Acl, at: &str) -> bool {
        let before = self.reasons.len();
        let verdict = self.verdict(acl, at, &[]);
        if verdict != Verdict::Allowed && self.reasons[before..].iter().all(|reason| reason.effect == "allow") {
            self.say("no_allow", None, at, &[]);
        }
        verdict == Verdict::Allowed
    }

    /// What `acl` says with all that it inherits.
    fn verdict(&mut self, acl: &Acl, at: &str, below: &[String]) -> Verdict {
        let mut levels = vec![(acl.clone(), at.to_owned(), Verdict::Nothing)];
        let (tenant, chain) = (self.by.identity.tenant(), acl.parent.as_deref());
        let mut below = below.to_vec();
        levels[0].2 = self.own(acl, at, &below);
        for name in chain.map(|name| self.by.plane.upwards(tenant, name)).unwrap_or_default() {
            below.push(levels[levels.len() - 1].1.clone());
            let at = format!("ACL object `{name}`");
            let Some(object) = self.by.plane.object(tenant, name) else { break };
            let lost: Vec<String> = self.principals.intersection(&object.revoked).map(ToString::to_string).collect();
            let unsure = !self.by.clearance.groups_complete && object.revoked.iter().any(Principal::is_group);
            let acl = object.statement.and_then(|statement| statement.acl);
            let mut verdict = match &acl {
                Some(acl) => self.own(acl, &at, &below),
                None => {
                    self.say("not_stated", None, &at, &below);
                    Verdict::Denied
                }
            };
            for principal in &lost {
                self.say("revoked", Some(principal.clone()), &at, &below);
            }
            if unsure {
                self.say("groups_incomplete", None, &at, &below);
            }
            if unsure || !lost.is_empty() {
                verdict = Verdict::Lost;
            }
            levels.push((acl.unwrap_or_default(), at, verdict));
        }
        let top = levels.pop().map_or(Verdict::Denied, |(_, _, verdict)| verdict);
        levels.iter().rev().fold(top, |above, (acl, _, own)| own.under(above, acl.inherit))
    }
}

impl Explainer<'_> {
    /// Explains the bindings that the rows of a document need; all of them must permit. `visible` is the plane's answer.
    pub fn explain(&self, bound: &[Binding], version: Option<Version>, visible: bool) -> Explanation {
        let who = self.identity.user().map_or_else(|| "anonymous".to_owned(), |user| format!("user:{user}"));
        let mut said = Said { by: self, who, principals: self.identity.principals(), reasons: Vec::new() };
        let mut by_acls = !bound.is_empty();
        if bound.is_empty() {
            said.say("no_allow", None, "no ACL", &[]);
        }
        for (i, binding) in bound.iter().enumerate() {
            let at = match i + 1 == bound.len() {
                true => "document ACL".to_owned(),
                false => format!("document ACL of version {}", binding.version),
            };
            by_acls &= said.permits(&binding.acl, &at);
            // What is said of sections holds for all of the content it was not said about.
            let own = i == 0 && version.is_none_or(|version| binding.version == version);
            for (acl, section) in binding.sections.iter().zip(1..).filter(|_| !own) {
                by_acls &= said.permits(acl, &format!("{at}, section {section}"));
            }
            for input in &binding.derived_from {
                let id = self.plane.id(input.number).unwrap_or_default();
                let of = self.plane.may_read_whole(self.permitted, self.identity, *input);
                if !of {
                    by_acls = false;
                    said.say("derived", None, &format!("derived from `{id}`"), &[]);
                }
            }
            if binding.label > self.clearance.highest {
                by_acls = false;
                let labels = self.plane.labels();
                let (label, highest) = (labels.name(binding.label), labels.name(self.clearance.highest));
                said.say("label", None, &format!("label `{label}` is above the clearance `{highest}`"), &[]);
            }
        }
        let lost: Vec<String> = said.principals.intersection(self.revoked).map(ToString::to_string).collect();
        for principal in lost {
            by_acls = false;
            said.say("revoked", Some(principal), "revocation", &[]);
        }
        if !self.clearance.groups_complete && self.revoked.iter().any(Principal::is_group) {
            by_acls = false;
            said.say("groups_incomplete", None, "revocation", &[]);
        }
        if by_acls && !visible {
            said.say("policy", None, "policies", &[]);
        }
        Explanation { visible, reasons: said.reasons, acl_epoch: Some(self.plane.epoch()) }
    }
}
