//! Who asks in a random world: by a directory of nested groups for the face, and with every group written out for the judge.

use safepassage::system::Clock;
use safepassage::{AssertedIdentity, GroupLimits, GroupResolver, Identity, Principal, Result};

use crate::{Ledger, Numbers};

/// Who is directly in which groups; there is a circle in it.
const DIRECTORY: [(&str, &[&str]); 6] = [
    ("group:g4", &["g0"]),
    ("group:g5", &["g4"]),
    ("group:g6", &["g1", "g7"]),
    ("group:g7", &["g6", "g2"]),
    ("user:u2", &["g3"]),
    ("user:u3", &["g5"]),
];
const GROUPS: usize = 8;
const LABELS: [&str; 4] = ["public", "internal", "confidential", "restricted"];

struct Directory {
    knows_users: bool,
}

/// The principal as if its issuer were the local one.
fn local(member: &Principal) -> String {
    let text = member.to_string();
    text.strip_prefix("idp|").unwrap_or(&text).to_owned()
}

impl GroupResolver for Directory {
    fn parents(&self, member: &Principal) -> Result<Vec<String>> {
        let (member, groups) = (local(member), member.is_group());
        let found = DIRECTORY.iter().find(|(name, _)| *name == member && (groups || self.knows_users));
        Ok(found.map(|(_, parents)| parents.iter().map(|&group| group.to_owned()).collect()).unwrap_or_default())
    }

    fn knows_users(&self) -> bool {
        self.knows_users
    }
}

/// Every group that somebody is in, step by step until there are no more.
fn all_groups(user: &str, mut groups: Vec<String>, knows_users: bool) -> Vec<String> {
    loop {
        let before = groups.len();
        for (member, parents) in DIRECTORY {
            let is = (knows_users && *member == format!("user:{user}"))
                || groups.iter().any(|group| *member == format!("group:{group}"));
            for parent in parents.iter().filter(|_| is) {
                if !groups.iter().any(|group| group == parent) {
                    groups.push((*parent).to_owned());
                }
            }
        }
        if groups.len() == before {
            return groups;
        }
    }
}

/// Somebody at random: as the face knows them, and as the judge does.
///
/// # Panics
/// Never: what is drawn can be issued.
#[must_use]
pub fn somebody(numbers: &mut Numbers, clock: &Clock) -> (Identity, Identity) {
    let tenant = numbers.pick(&["", "", "acme"]);
    let issuer = numbers.one_in(6);
    let clearance = (!numbers.one_in(4)).then(|| LABELS[numbers.below(LABELS.len())]);
    let ttl = numbers.pick(&[100, 900, 5_000, 50_000]);
    let dress = |who: AssertedIdentity| {
        let who = who.tenant(tenant).ttl_seconds(ttl);
        let who = if issuer { who.issuer("idp") } else { who };
        clearance.map_or(who.clone(), |label| who.clearance(label))
    };
    if numbers.one_in(8) {
        let identity = dress(Identity::anonymous()).issue(clock).expect("somebody without a name");
        return (identity.clone(), identity);
    }
    let user = format!("u{}", numbers.below(4));
    let groups: Vec<String> = (0..GROUPS).filter(|_| numbers.one_in(4)).map(|g| format!("g{g}")).collect();
    let (complete, knows_users) = (!numbers.one_in(4), numbers.one_in(3));
    let asserted = || dress(Identity::asserted(&user));
    let named =
        |groups: &[String], complete| asserted().groups(groups.iter().map(String::as_str)).groups_complete(complete);
    let resolver = Directory { knows_users };
    let through = named(&groups, complete).resolve_groups(&resolver, GroupLimits::default()).expect("few groups");
    let written_out = named(&all_groups(&user, groups, knows_users), complete || knows_users);
    (through.issue(clock).expect("somebody"), written_out.issue(clock).expect("somebody"))
}

/// Principals of random ACLs.
const PRINCIPALS: [&str; 15] = [
    "public",
    "everyone",
    "everyone",
    "user:u0",
    "user:u1",
    "user:u2",
    "user:u3",
    "group:g0",
    "group:g1",
    "group:g2",
    "group:g3",
    "group:g4",
    "group:g6",
    "idp|group:g0",
    "idp|user:u0",
];

/// A principal at random.
///
/// # Panics
/// Never: they are written here.
#[must_use]
pub fn principal(numbers: &mut Numbers) -> Principal {
    numbers.pick(&PRINCIPALS).parse().expect("a principal")
}

/// An ACL at random, under one of `parents` if there are any.
#[must_use]
pub fn acl(numbers: &mut Numbers, parents: &[String]) -> safepassage::Acl {
    use safepassage::Inherit::{BothPermit, ChildOverrides, DenyWins, ParentOverrides};
    let some = |numbers: &mut Numbers, most: usize| {
        (0..numbers.below(most + 1)).map(|_| principal(numbers)).collect::<std::collections::BTreeSet<_>>()
    };
    let allow = some(numbers, 4);
    let most = numbers.below(3);
    let deny = if most == 0 { Default::default() } else { some(numbers, most) };
    let lists = if numbers.one_in(4) { 1 + numbers.below(2) } else { 0 };
    let all_of = (0..lists).map(|_| some(numbers, 3)).filter(|list| !list.is_empty()).collect();
    let own = safepassage::Acl { allow, all_of, deny, ..Default::default() };
    if parents.is_empty() || numbers.one_in(2) {
        return own;
    }
    let inherit = numbers.pick(&[DenyWins, ChildOverrides, ParentOverrides, BothPermit]);
    safepassage::Acl { parent: Some(numbers.pick(parents).into()), inherit, ..own }
}

/// Names of ACL objects of `tenant` that are stated.
#[must_use]
pub fn stated(ledger: &Ledger, tenant: &str) -> Vec<String> {
    objects().filter(|name| ledger.is_stated(&(tenant.to_owned(), name.clone()))).collect()
}

/// Every name of an ACL object.
pub fn objects() -> impl Iterator<Item = String> {
    (0..6).map(|n| format!("o{n}"))
}
