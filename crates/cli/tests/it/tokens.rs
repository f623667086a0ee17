//! Identities from tokens: `--token` with the issuer's keys.

use crate::program::{Said, Scratch, fixtures};

const ISSUER: &str = "https://login.example.com/";

/// Two documents: one for the local group `hr`, one for the issuer's.
fn company() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("docs/local.txt", "Local.");
    scratch.write("docs/issuer.txt", "Issuer.");
    let line = |id: &str, who: &str| format!("{{\"_id\": \"{id}\", \"acl\": {{\"allow\": [\"{who}\"]}}}}\n");
    let foreign = format!("{ISSUER}|group:hr");
    scratch.write("docs/acl.jsonl", line("local.txt", "group:hr") + &line("issuer.txt", &foreign));
    scratch.sync(&["docs"]);
    for name in ["alice.jwt", "jwks.json", "verifier.json"] {
        scratch.write(name, std::fs::read(fixtures().join("tokens").join(name)).unwrap());
    }
    scratch
}

fn visible(scratch: &Scratch, options: &[&str]) -> Said {
    scratch.run(&[&["visible", "--index", "index", "--jwks", "jwks.json"], options].concat())
}

const TAKEN: [&str; 4] = ["--issuer", ISSUER, "--audience", "safepassage"];

#[test]
fn a_token_opens_what_its_issuers_principals_may_see() {
    let scratch = company();
    let documents = |options: &[&str]| visible(&scratch, options).json()["documents"].clone();
    let token = std::fs::read_to_string(scratch.path("alice.jwt")).unwrap();
    assert_eq!(documents(&[&["--token", "@alice.jwt"], &TAKEN[..]].concat()), serde_json::json!(["issuer.txt"]));
    assert_eq!(documents(&[&["--token", token.trim()], &TAKEN[..]].concat()), serde_json::json!(["issuer.txt"]));
    let local = [&["--token", "@alice.jwt", "--local-issuer"], &TAKEN[..]].concat();
    assert_eq!(documents(&local), serde_json::json!(["local.txt"]));
    let settings = ["--token", "@alice.jwt", "--verifier", "verifier.json"];
    assert_eq!(documents(&settings), serde_json::json!(["local.txt"]));
}

#[test]
fn a_refused_token_is_denied_with_its_reason_and_not_repeated() {
    let scratch = company();
    let token = std::fs::read_to_string(scratch.path("alice.jwt")).unwrap();
    let cut = &token.trim()[..token.trim().len() - 2];
    let denied = |options: &[&str], reason: &str| {
        let said = visible(&scratch, options);
        let (kind, message) = said.error();
        assert_eq!((kind.as_str(), message.contains(&format!("`{reason}`"))), ("Denied", true), "{message}");
        assert!(!said.stderr.contains(cut) && !message.contains(cut));
    };
    denied(&[&["--token", cut], &TAKEN[..]].concat(), "signature");
    denied(&["--token", "@alice.jwt", "--issuer", ISSUER, "--audience", "other"], "audience");
    denied(&["--token", "@alice.jwt", "--issuer", "https://evil.example/", "--audience", "safepassage"], "issuer");
    denied(&[&["--token", "@alice.jwt", "--algorithm", "RS256"], &TAKEN[..]].concat(), "algorithm");
    denied(&[&["--token", "@alice.jwt", "--claims", "entra"], &TAKEN[..]].concat(), "claim_missing");
}

#[test]
fn half_a_verifier_is_bad_usage() {
    let scratch = company();
    let invalid = |options: &[&str]| assert_eq!(visible(&scratch, options).error().0, "Invalid", "{options:?}");
    invalid(&["--token", "@alice.jwt"]);
    invalid(&["--token", "@alice.jwt", "--issuer", ISSUER]);
    invalid(&["--token", "@missing.jwt", "--verifier", "verifier.json"]);
    invalid(&["--token", "@alice.jwt", "--verifier", "jwks.json"]);
    invalid(&["--token", "@alice.jwt", "--verifier", "verifier.json", "--issuer", ISSUER]);
    invalid(&[&["--token", "@alice.jwt", "--user", "alice"], &TAKEN[..]].concat());
    invalid(&[&["--token", "@alice.jwt", "--algorithm", "none"], &TAKEN[..]].concat());
    invalid(&[&["--token", "@alice.jwt", "--claims", "keycloak"], &TAKEN[..]].concat());
    let without_keys = ["visible", "--index", "index", "--token", "@alice.jwt", "--verifier", "verifier.json"];
    assert_eq!(scratch.run(&without_keys).error().0, "Invalid");
}
