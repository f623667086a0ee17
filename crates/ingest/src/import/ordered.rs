//! Here are allows and denies of which the first that fits decides: which ACL says the same?
//!
//! In an [`Acl`] a deny wins wherever it stands. So a deny is kept only if it takes something from an allow behind it;
//! where it then also takes from an allow before it, the ACL is narrower than the list. It is never wider: whoever meets
//! a deny first passes only by an allow behind that deny, and there the deny is kept.

use std::collections::BTreeSet;

use safepassage_access::{Acl, Principal, PrincipalKind};

/// What an entry of a list does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// An ACL, and whether it says what the list says or less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flat {
    pub acl: Acl,
    pub exact: bool,
}

/// The ACL of a list of which the first entry that somebody is decides, and nobody passes without one.
pub(super) fn flatten(entries: impl IntoIterator<Item = (Effect, Principal)>) -> Flat {
    let (mut seen, mut deciding) = (BTreeSet::new(), Vec::new());
    for (effect, principal) in entries {
        if seen.insert(principal.clone()) {
            let last = principal == Principal::Everyone;
            deciding.push((effect, principal));
            if last {
                break;
            }
        }
    }
    // Two users are never one person; any other two principals may have somebody in common.
    let allows = |at: usize, users: bool| {
        let (effect, principal) = &deciding[at];
        *effect == Effect::Allow && (users || !is_user(principal))
    };
    let all = 0..deciding.len();
    let first = [false, true].map(|users| all.clone().find(|&at| allows(at, users)));
    let last = [false, true].map(|users| all.clone().rfind(|&at| allows(at, users)));
    let (mut acl, mut exact) = (Acl::default(), true);
    for (at, (effect, principal)) in deciding.iter().enumerate() {
        if *effect == Effect::Allow {
            acl.allow.insert(principal.clone());
            continue;
        }
        let with_users = usize::from(!is_user(principal));
        if last[with_users].is_some_and(|last| last > at) {
            acl.deny.insert(principal.clone());
            exact &= first[with_users].is_none_or(|first| first > at);
        }
    }
    Flat { acl, exact }
}

fn is_user(principal: &Principal) -> bool {
    matches!(principal, Principal::Named { kind: PrincipalKind::User, .. })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Somebody as the products that are imported from know them: a user in groups.
    fn is(principal: &Principal, user: &str, groups: &[String]) -> bool {
        match principal {
            Principal::Public => false,
            Principal::Everyone => true,
            Principal::Named { kind: PrincipalKind::User, id, .. } => **id == *user,
            Principal::Named { kind: PrincipalKind::Group, id, .. } => groups.iter().any(|group| **group == **id),
        }
    }

    fn principal() -> impl Strategy<Value = Principal> {
        prop_oneof![
            4 => (0..4u8).prop_map(|n| Principal::user(&format!("u{n}"))),
            4 => (0..3u8).prop_map(|n| Principal::group(&format!("g{n}"))),
            1 => Just(Principal::Everyone),
        ]
    }

    fn entries() -> impl Strategy<Value = Vec<(Effect, Principal)>> {
        let effect = any::<bool>().prop_map(|allow| if allow { Effect::Allow } else { Effect::Deny });
        proptest::collection::vec((effect, principal()), 0..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn never_wider_than_the_list_and_equal_where_it_says_so(mut list in entries(), sorted: bool) {
            if sorted {
                list.sort_by_key(|(effect, _)| *effect == Effect::Allow);
            }
            let flat = flatten(list.clone());
            prop_assert!(flat.exact || !sorted, "all denies come first");
            for user in ["u0", "u1", "u2", "u3", "u4"] {
                for some in 0..8u8 {
                    let groups: Vec<String> = (0..3).filter(|n| some >> n & 1 == 1).map(|n| format!("g{n}")).collect();
                    let first = list.iter().find(|(_, principal)| is(principal, user, &groups));
                    let plain = first.is_some_and(|(effect, _)| *effect == Effect::Allow);
                    let any = |set: &BTreeSet<Principal>| set.iter().any(|principal| is(principal, user, &groups));
                    let ours = any(&flat.acl.allow) && !any(&flat.acl.deny);
                    prop_assert!(plain || !ours, "{user} {groups:?} is let in");
                    prop_assert!(!flat.exact || plain == ours, "{user} {groups:?} is not let in");
                }
            }
        }
    }

    #[test]
    fn the_usual_lists_are_exact() {
        let [u, v] = ["u", "v"].map(Principal::user);
        let [g, h] = ["g", "h"].map(Principal::group);
        let (allow, deny) = (|p: &Principal| (Effect::Allow, p.clone()), |p: &Principal| (Effect::Deny, p.clone()));
        for (list, exact, acl) in [
            (vec![allow(&u), deny(&Principal::Everyone)], true, Acl::new([u.clone()], [])),
            (vec![allow(&u), deny(&v), allow(&g)], true, Acl::new([u.clone(), g.clone()], [v.clone()])),
            (vec![allow(&u), allow(&g), deny(&h)], true, Acl::new([u.clone(), g.clone()], [])),
            (vec![deny(&g), allow(&h)], true, Acl::new([h.clone()], [g.clone()])),
            (vec![allow(&u), deny(&g), allow(&h)], false, Acl::new([u.clone(), h.clone()], [g.clone()])),
        ] {
            assert_eq!(flatten(list), Flat { acl, exact });
        }
    }
}
