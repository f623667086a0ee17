//! Why may this person read that document, or why not?

use std::collections::BTreeSet;

use serde::Serialize;

use crate::event::Binding;
use crate::identity::Identity;
use crate::label::Labels;
use crate::plane::{Clearance, with_revocations};
use crate::principal::Principal;

/// The decision about one (identity, document) with what led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether the identity may read it.
    pub visible: bool,
    /// What spoke for and against; every deny that applies stands here, not only the first.
    pub reasons: Vec<Reason>,
}

/// One thing that spoke for or against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `allow`, `deny`, `revoked`, `no_allow`, `label` or `groups_incomplete`.
    pub effect: &'static str,
    /// Through which principal of the identity, where there is one.
    pub principal: Option<String>,
    /// Which entry said so.
    pub object: String,
    /// From the identity to that entry.
    pub path: Vec<String>,
}

/// Explains the bindings that the rows of a document need; all of them must permit.
pub(crate) fn explain(
    labels: &Labels,
    bound: &[Binding],
    revoked: &BTreeSet<Principal>,
    identity: &Identity,
    clearance: Clearance,
) -> Explanation {
    let who = identity.user().map_or_else(|| "anonymous".to_owned(), |user| format!("user:{user}"));
    let mut reasons = Vec::new();
    let mut say = |effect, principal: Option<&Principal>, object: String| {
        let mut path = vec![who.clone()];
        path.extend(principal.map(ToString::to_string).filter(|p| *p != who));
        path.push(object.clone());
        reasons.push(Reason { effect, principal: principal.map(ToString::to_string), object, path });
    };
    let principals = identity.principals();
    let mut visible = !bound.is_empty();
    if bound.is_empty() {
        say("no_allow", None, "no ACL".into());
    }
    for (i, binding) in bound.iter().enumerate() {
        let object = match i + 1 == bound.len() {
            true => "document ACL".to_owned(),
            false => format!("document ACL of version {}", binding.version),
        };
        let allowing: Vec<&Principal> = principals.iter().filter(|p| binding.acl.allow.contains(p)).collect();
        allowing.iter().for_each(|p| say("allow", Some(p), object.clone()));
        if allowing.is_empty() {
            visible = false;
            say("no_allow", None, object.clone());
        }
        for principal in principals.iter().filter(|p| binding.acl.deny.contains(p)) {
            visible = false;
            say("deny", Some(principal), object.clone());
        }
        if !clearance.groups_complete && with_revocations(&binding.acl, revoked).denies_a_group() {
            visible = false;
            say("groups_incomplete", None, object.clone());
        }
        if binding.label > clearance.highest {
            visible = false;
            let (label, highest) = (labels.name(binding.label), labels.name(clearance.highest));
            say("label", None, format!("label `{label}` is above the clearance `{highest}`"));
        }
    }
    for principal in principals.iter().filter(|p| revoked.contains(p)) {
        visible = false;
        say("revoked", Some(principal), "revocation".into());
    }
    Explanation { visible, reasons }
}
