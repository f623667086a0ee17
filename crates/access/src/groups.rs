//! Which groups is somebody in through other groups?
//!
//! In goes an identity before issue and a [`GroupResolver`] that knows one step (a member, the groups it is directly
//! in); out comes the identity with every step taken. Cycles are fine. Whatever goes wrong is an error: an identity
//! with fewer groups than it should have would pass ACLs that deny one of them.

use std::collections::{BTreeMap, BTreeSet};

use safepassage_error::{Error, Kind, Result};

use crate::principal::{self, Principal};

/// Knows which groups a user or a group is directly in.
///
/// ```
/// use safepassage_access::{GroupLimits, Identity, Principal};
/// use safepassage_error::system::{Clock, Timestamp};
///
/// let parents = |member: &Principal| {
///     Ok(if *member == Principal::group("payroll") { vec!["hr".to_owned()] } else { Vec::new() })
/// };
/// let alice = Identity::asserted("alice").groups(["payroll"]).resolve_groups(&parents, GroupLimits::default())?;
/// let alice = alice.issue(&Clock::fixed(Timestamp(0)))?;
/// assert!(alice.principals().contains(&Principal::group("hr")));
/// # Ok::<(), safepassage_error::Error>(())
/// ```
pub trait GroupResolver: Send + Sync {
    /// The ids of the groups of the same issuer that `member`, a user or a group, is directly in; none for one that it
    /// does not know.
    ///
    /// # Errors
    /// Whatever kept it from knowing: `Unavailable`, `Invalid`. Never a shorter list instead.
    fn parents(&self, member: &Principal) -> Result<Vec<String>>;

    /// Whether it knows every group of every user, so that an identity whose groups were truncated is complete again.
    fn knows_users(&self) -> bool {
        false
    }
}

impl<F: Fn(&Principal) -> Result<Vec<String>> + Send + Sync> GroupResolver for F {
    fn parents(&self, member: &Principal) -> Result<Vec<String>> {
        self(member)
    }
}

/// How far groups are followed; more than that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupLimits {
    /// The most groups of one identity, those it came with included.
    pub max_groups: usize,
    /// The most steps from a group it came with.
    pub max_depth: usize,
}

impl Default for GroupLimits {
    fn default() -> Self {
        Self { max_groups: 2048, max_depth: 32 }
    }
}

/// Groups, each with the member through whom it was found; `None` for one that the identity came with.
pub(crate) type Found = BTreeMap<Box<str>, Option<Principal>>;

/// Every group that `user` and `groups` are in, by any number of steps.
///
/// # Errors
/// `Denied` with the reason `groups_too_many` or `groups_too_deep`; `Invalid` for a resolver that gives an empty id;
/// whatever the resolver fails with.
pub(crate) fn closure(
    issuer: Option<&str>,
    user: &str,
    groups: &BTreeSet<Box<str>>,
    resolver: &dyn GroupResolver,
    limits: GroupLimits,
) -> Result<Found> {
    let refused =
        |message: &str, reason| Err(Error::new(Kind::Denied, "resolve groups", message).with("reason", reason));
    let named = |kind, id: &str| Principal::Named { issuer: issuer.map(Into::into), kind, id: id.into() };
    let mut known: Found = groups.iter().map(|group| (group.clone(), None)).collect();
    let mut members: Vec<Principal> = groups.iter().map(|group| named(principal::Kind::Group, group)).collect();
    members.push(named(principal::Kind::User, user));
    for step in 0.. {
        if known.len() > limits.max_groups {
            return refused("the identity is in more groups than are taken", "groups_too_many");
        }
        let mut next = Vec::new();
        for member in &members {
            for parent in resolver.parents(member)? {
                if parent.is_empty() {
                    return Err(Error::invalid("resolve groups", "the resolver gave a group without an id"));
                }
                if !known.contains_key(parent.as_str()) {
                    known.insert(parent.as_str().into(), Some(member.clone()));
                    next.push(named(principal::Kind::Group, &parent));
                }
                if known.len() > limits.max_groups {
                    return refused("the identity is in more groups than are taken", "groups_too_many");
                }
            }
        }
        if next.is_empty() {
            break;
        }
        if step == limits.max_depth {
            return refused("the identity's groups are nested deeper than is followed", "groups_too_deep");
        }
        members = next;
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AssertedIdentity, Identity};
    use proptest::prelude::*;
    use safepassage_error::system::{Clock, Timestamp};

    type Graph = BTreeMap<u8, Vec<u8>>;

    fn resolver(graph: Graph) -> impl Fn(&Principal) -> Result<Vec<String>> + Send + Sync {
        move |member| {
            let Principal::Named { kind: principal::Kind::Group, id, .. } = member else { return Ok(Vec::new()) };
            let parents = graph.get(&id.parse::<u8>().unwrap());
            Ok(parents.into_iter().flatten().map(u8::to_string).collect())
        }
    }

    fn resolve(resolver: &dyn GroupResolver, limits: GroupLimits) -> Result<AssertedIdentity> {
        Identity::asserted("u").groups(["0"]).resolve_groups(resolver, limits)
    }

    fn chain(length: u8) -> Graph {
        (0..length).map(|group| (group, vec![group + 1])).collect()
    }

    #[test]
    fn limits_are_met_exactly_and_never_exceeded() {
        let limits = |max_groups, max_depth| GroupLimits { max_groups, max_depth };
        let reason = |error: Error| (error.kind(), error.context()[0].1.clone());
        assert!(resolve(&resolver(chain(5)), limits(6, 5)).is_ok());
        let deep = resolve(&resolver(chain(5)), limits(6, 4)).unwrap_err();
        assert_eq!(reason(deep), (Kind::Denied, "groups_too_deep".into()));
        let many = resolve(&resolver(chain(5)), limits(5, 5)).unwrap_err();
        assert_eq!(reason(many), (Kind::Denied, "groups_too_many".into()));
        let own = resolve(&resolver(Graph::new()), limits(0, 5)).unwrap_err();
        assert_eq!(reason(own), (Kind::Denied, "groups_too_many".into()));
    }

    #[test]
    fn a_resolver_that_fails_leaves_no_identity() {
        let fails = |member: &Principal| match member {
            Principal::Named { id, .. } if &**id == "1" => Err(Error::new(Kind::Unavailable, "look up", "no answer")),
            _ => Ok(vec!["1".to_owned()]),
        };
        assert_eq!(resolve(&fails, GroupLimits::default()).unwrap_err().kind(), Kind::Unavailable);
        let empty = |_: &Principal| Ok(vec![String::new()]);
        assert_eq!(resolve(&empty, GroupLimits::default()).unwrap_err().kind(), Kind::Invalid);
    }

    #[test]
    fn only_who_knows_users_completes_truncated_groups() {
        struct Directory(bool);
        impl GroupResolver for Directory {
            fn parents(&self, member: &Principal) -> Result<Vec<String>> {
                Ok(if member.is_group() { Vec::new() } else { vec!["staff".into()] })
            }
            fn knows_users(&self) -> bool {
                self.0
            }
        }
        for knows in [true, false] {
            let truncated = Identity::asserted("u").issuer("idp").groups_complete(false);
            let resolved = truncated.resolve_groups(&Directory(knows), GroupLimits::default()).unwrap();
            let identity = resolved.issue(&Clock::fixed(Timestamp(0))).unwrap();
            assert_eq!(identity.groups_complete(), knows);
            assert!(identity.principals().contains(&"idp|group:staff".parse().unwrap()));
        }
        let anonymous = Identity::anonymous().resolve_groups(&Directory(true), GroupLimits::default()).unwrap();
        assert_eq!(anonymous.issue(&Clock::fixed(Timestamp(0))).unwrap().principals().len(), 1);
    }

    proptest! {
        #[test]
        fn the_closure_of_any_graph_is_what_can_be_reached(graph in proptest::collection::btree_map(0..12u8, proptest::collection::vec(0..12u8, 0..4), 0..12)) {
            let mut want = BTreeSet::from([0u8]);
            loop {
                let more: BTreeSet<u8> = want.iter().flat_map(|group| graph.get(group).into_iter().flatten().copied()).collect();
                if more.is_subset(&want) { break; }
                want.extend(more);
            }
            let identity = resolve(&resolver(graph), GroupLimits::default()).unwrap().issue(&Clock::fixed(Timestamp(0))).unwrap();
            let got: BTreeSet<Principal> = identity.principals().into_iter().filter(Principal::is_group).collect();
            prop_assert_eq!(got, want.iter().map(|group| Principal::group(&group.to_string())).collect());
        }
    }
}
