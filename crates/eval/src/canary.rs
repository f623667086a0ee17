//! Here are documents that nobody has a reason to be given: does anybody get them?
//!
//! A canary is a document of words that stand nowhere else, with an ACL that few pass. Everybody is asked for it by its own
//! text, by questions near it and by its id; whoever may not read it must get nothing, and whoever may must find it, or
//! the test has shown nothing. Its text is made of its id, so nothing has to be kept about it.

use std::collections::BTreeSet;

use safepassage::system::{Clock, unique_name};
use safepassage::{Acl, BatchDocument, Engine, Error, Identity, Principal, Result, Tenant};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::chance::Chance;
use crate::collection::{Persona, Question};
use crate::retriever::{Retriever, Standing, Wanted};

/// What ids of canaries begin with; sixteen hexadecimal digits follow.
const PREFIX: &str = "canary/";
/// Passages asked for: a canary's own text brings it to the top.
const K: usize = 10;

/// What came of asking for the canaries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CanaryReport {
    /// How many there are.
    pub canaries: usize,
    /// Of each persona that asked, those made from the canaries' own ACLs last.
    pub personas: Vec<CanariesOfPersona>,
    /// Whether each was found by somebody who may read it: else that nobody got it shows little.
    pub proved: bool,
}

/// What one persona got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CanariesOfPersona {
    /// Its name.
    pub persona: String,
    /// How many canaries it may read by the plain rules.
    pub may_read: usize,
    /// Of which its searches found.
    pub found: usize,
    /// What it got and may not read.
    pub leaks: Vec<CanaryLeak>,
}

/// A canary that came to somebody who may not read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CanaryLeak {
    /// Its id.
    pub canary: String,
    /// How: `search`, `visible` or `explain`.
    pub by: &'static str,
}

impl CanaryReport {
    /// Whether somebody got a canary that they may not read.
    #[must_use]
    pub fn leaked(&self) -> bool {
        self.personas.iter().any(|persona| !persona.leaks.is_empty())
    }
}

/// Whether this is the id of a canary.
#[must_use]
pub fn is_canary(id: &str) -> bool {
    let digits = id.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Adds `count` canaries that `acl` permits and commits them. Returns their ids.
///
/// # Errors
/// `Invalid` for an ACL that permits nobody, or an index without a model; as [`Engine::commit`].
pub fn plant(engine: &Engine, tenant: &Tenant, acl: &Acl, count: usize) -> Result<Vec<String>> {
    acl.check()?;
    if acl.allow.is_empty() {
        let message = "the ACL allows nobody: nobody could show that a canary is found at all";
        return Err(Error::invalid("plant canaries", message));
    }
    let mut chance = Chance::new(seed(engine.clock()));
    let ids: Vec<String> = (0..count).map(|_| format!("{PREFIX}{:016x}", chance.bits())).collect();
    // No title: it would be embedded with the text, and the canary's own text shall be the nearest to it.
    let document = |id: &String| BatchDocument {
        tenant: tenant.clone(),
        id: id.clone(),
        text: Some(text_of(id).join(" ")),
        acl: Some(acl.clone()),
        metadata: Some(Map::from_iter([("canary".to_owned(), Value::Bool(true))])),
        ..BatchDocument::default()
    };
    engine.add(ids.iter().map(document).collect())?;
    engine.commit()?;
    Ok(ids)
}

/// Takes away every canary of a tenant. Returns their ids.
///
/// # Errors
/// As [`Engine::commit`].
pub fn remove(engine: &Engine, tenant: &Tenant) -> Result<Vec<String>> {
    let ids = canaries(engine, tenant)?;
    for id in &ids {
        engine.delete(tenant, id)?;
    }
    if !ids.is_empty() {
        engine.commit()?;
    }
    Ok(ids)
}

/// The ids of the canaries of a tenant, in byte order.
///
/// # Errors
/// `Corrupted`, `Unavailable`.
pub fn canaries(engine: &Engine, tenant: &Tenant) -> Result<Vec<String>> {
    let judge = engine.judge()?;
    let mut ids: Vec<String> = judge.live(tenant).map(|(id, _)| id.to_owned()).filter(|id| is_canary(id)).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Asks for every canary as everybody in `personas`, and as whoever its own ACL allows first.
///
/// # Errors
/// Whatever a search or an identity fails with.
pub fn check(
    engine: &Engine,
    retriever: &mut dyn Retriever,
    personas: &[Persona],
    recall: f32,
) -> Result<CanaryReport> {
    let mut all = BTreeSet::new();
    let mut asking: Vec<Persona> = personas.to_vec();
    let mut tenants = vec![Tenant::default()];
    for persona in personas {
        tenants.push(persona.identity(engine.clock())?.tenant().clone());
    }
    tenants.sort_unstable();
    tenants.dedup();
    for tenant in &tenants {
        for id in canaries(engine, tenant)? {
            let keeper = keeper(engine, tenant, &id)?;
            if !asking.iter().any(|persona| persona.id == keeper.id) {
                asking.push(keeper);
            }
            all.insert((tenant.clone(), id));
        }
    }
    let mut found = BTreeSet::new();
    let mut report = Vec::new();
    for persona in &asking {
        let identity = persona.identity(engine.clock())?;
        let standing = retriever.standing(persona)?;
        let own = all.iter().filter(|(tenant, _)| tenant == identity.tenant());
        let mut seen = CanariesOfPersona { persona: persona.id.clone(), may_read: 0, found: 0, leaks: Vec::new() };
        for (tenant, id) in own {
            let may = standing.readable.has_any_of(id);
            let ways = ways(engine, retriever, persona, &identity, &standing, id, recall)?;
            seen.may_read += usize::from(may);
            if may && ways.contains(&"search") {
                seen.found += 1;
                found.insert((tenant.clone(), id.clone()));
            }
            if !may {
                seen.leaks.extend(ways.into_iter().map(|by| CanaryLeak { canary: id.clone(), by }));
            }
        }
        report.push(seen);
    }
    Ok(CanaryReport { canaries: all.len(), personas: report, proved: found.len() == all.len() })
}

/// In which ways `persona` gets the canary `id`.
fn ways(
    engine: &Engine,
    retriever: &mut dyn Retriever,
    persona: &Persona,
    identity: &Identity,
    standing: &Standing,
    id: &str,
    recall: f32,
) -> Result<Vec<&'static str>> {
    let mut ways = Vec::new();
    for text in questions_of(id) {
        for recall in [recall, 1.0] {
            let question = Question { id: id.to_owned(), text: text.clone(), ..Question::default() };
            let given = retriever.search(persona, &question, Wanted { k: K, recall })?;
            if given.passages.iter().any(|passage| passage.document == id) && !ways.contains(&"search") {
                ways.push("search");
            }
        }
    }
    if standing.visible.contains(id) {
        ways.push("visible");
    }
    let explained = engine.session(identity.clone())?.explain(id)?;
    if explained.visible || !explained.reasons.is_empty() {
        ways.push("explain");
    }
    Ok(ways)
}

/// Somebody whom the canary's own ACL allows.
fn keeper(engine: &Engine, tenant: &Tenant, id: &str) -> Result<Persona> {
    const USER: &str = "canary-keeper";
    let acl = engine.acl(tenant, id)?;
    let lost = |principal: &Principal| acl.deny.contains(principal) || acl.revoked.contains(principal);
    let allowed = acl.allow.iter().find(|principal| !lost(principal)).unwrap_or(&Principal::Public);
    let mut who =
        json!({"tenant": tenant.0, "user": USER, "groups": [], "groups_complete": true, "clearance": acl.label});
    match allowed {
        Principal::Public | Principal::Everyone => {}
        Principal::Named { issuer, id, .. } if allowed.is_group() => {
            who["issuer"] = json!(issuer);
            who["groups"] = json!([id]);
        }
        Principal::Named { issuer, id, .. } => {
            who["issuer"] = json!(issuer);
            who["user"] = json!(id);
        }
    }
    Ok(Persona::described(format!("whoever is {allowed}"), who.to_string()))
}

/// Seven words that no language has, by the id.
fn words_of(id: &str) -> Vec<String> {
    const BEGIN: [&str; 16] =
        ["br", "dr", "fl", "gl", "kr", "pl", "sk", "tr", "v", "z", "m", "n", "qu", "th", "wh", "sp"];
    const MIDDLE: [&str; 8] = ["a", "e", "i", "o", "u", "oo", "ai", "y"];
    const END: [&str; 16] = [
        "bex", "dorf", "gim", "jal", "kket", "lun", "mish", "nop", "pril", "rusk", "tavo", "vint", "wem", "xon", "zil",
        "ndu",
    ];
    let mut chance = Chance::new(id.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(byte.into())));
    let mut word = || {
        let middle = MIDDLE[chance.below(8)];
        let (begin, end) = (BEGIN[chance.below(16)], END[chance.below(16)]);
        format!("{begin}{middle}{end}{}{}", MIDDLE[chance.below(4)], END[chance.below(16)])
    };
    (0..7).map(|_| word()).collect()
}

/// The sentences of a canary.
fn text_of(id: &str) -> [String; 3] {
    let w = words_of(id);
    [
        format!("The {} {} is kept beside the {} until the {} is sealed.", w[0], w[1], w[2], w[3]),
        format!("Nobody but the {} may open the {}.", w[4], w[5]),
        format!("Its mark is {} {}.", w[6], id.trim_start_matches(PREFIX)),
    ]
}

/// What is asked about a canary: its own text, and what is near it.
fn questions_of(id: &str) -> [String; 4] {
    let w = words_of(id);
    [
        text_of(id).join(" "),
        format!("Where is the {} {} kept?", w[0], w[1]),
        format!("Who may open the {}?", w[5]),
        id.to_owned(),
    ]
}

/// Unlike that of any other moment and process.
fn seed(clock: &Clock) -> u64 {
    let name = unique_name(clock);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_and_texts_follow_from_them() {
        assert!(is_canary("canary/0123456789abcdef"));
        for other in
            ["canary/0123456789ABCDEF", "canary/0123", "canary/", "x/canary/0123456789abcdef", "canary/report.md"]
        {
            assert!(!is_canary(other), "{other}");
        }
        let id = "canary/0123456789abcdef";
        assert_eq!(text_of(id), text_of(id));
        assert_ne!(words_of(id), words_of("canary/0123456789abcdee"));
        assert!(questions_of(id).iter().all(|question| !question.is_empty()));
    }
}
