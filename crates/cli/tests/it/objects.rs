//! ACL objects, all-of groups and narrower sections, from outside.

use std::fs;

use crate::program::{Scratch, strings};

const OBJECTS: &str = r#"{"name": "site", "allow": ["group:staff"], "deny": ["user:mallory"]}
{"name": "hr", "parent": "site", "inherit": "both-permit", "allow": ["group:hr"]}
{"name": "open", "parent": "site", "inherit": "child-overrides", "allow": ["user:mallory"]}
{"name": "strict", "parent": "site", "inherit": "parent-overrides", "allow": ["user:guest"], "deny": ["user:ann"]}
{"name": "below", "parent": "hr"}
"#;

const DOCUMENTS: &str = r#"{"id": "in-site", "text": "In the site.", "acl_object": "site"}
{"id": "in-hr", "text": "In the folder of HR.", "acl_object": "hr"}
{"id": "in-open", "text": "In the open folder.", "acl_object": "open"}
{"id": "in-strict", "text": "In the strict folder.", "acl_object": "strict"}
{"id": "in-below", "text": "Below HR.", "acl_object": "below"}
{"id": "own-too", "text": "With an ACL of its own.", "acl_object": "site", "acl": {"allow": ["user:guest"], "deny": ["user:bob"]}}
{"id": "together", "text": "For those in both groups.", "acl": {"all_of": ["group:staff", "group:cleared"]}}
"#;

fn made() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("objects.jsonl", OBJECTS);
    scratch.write("documents.jsonl", DOCUMENTS);
    let report = scratch.sync(&["documents.jsonl", "--acl-objects", "objects.jsonl"]);
    assert_eq!((&report["added"], &report["acl_objects"], &report["without_acl"]), (&7.into(), &5.into(), &0.into()));
    scratch
}

fn sees(scratch: &Scratch, user: &str, groups: &[&str]) -> String {
    let mut arguments = vec!["visible", "--index", "index", "--user", user];
    if groups.is_empty() {
        arguments.push("--no-groups");
    }
    groups.iter().for_each(|group| arguments.extend(["--group", group]));
    strings(&scratch.ok(&arguments)["documents"]).join(" ")
}

#[test]
fn every_way_of_inheriting_is_what_it_says() {
    let scratch = made();
    assert_eq!(sees(&scratch, "ann", &["staff"]), "in-open in-site in-strict own-too");
    assert_eq!(sees(&scratch, "ann", &["staff", "hr"]), "in-below in-hr in-open in-site in-strict own-too");
    assert_eq!(sees(&scratch, "bob", &["staff", "cleared"]), "in-open in-site in-strict together");
    assert_eq!(sees(&scratch, "bob", &["cleared"]), "");
    assert_eq!(sees(&scratch, "mallory", &["staff", "hr"]), "in-open");
    assert_eq!(sees(&scratch, "guest", &[]), "in-strict own-too");
    let who = ["--index", "index", "--user", "mallory", "--group", "staff", "--document", "in-site"];
    let explained = scratch.ok(&[&["explain"], &who[..]].concat());
    let path = &explained["reasons"].as_array().unwrap().iter().find(|r| r["effect"] == "deny").unwrap()["path"];
    assert_eq!(strings(path), ["user:mallory", "ACL object `site`", "document ACL"]);
}

#[test]
fn a_folder_changes_and_moves_without_touching_a_document() {
    let scratch = made();
    let segments = scratch.files("index/segment");
    let object = |verb: &str, rest: &[&str]| {
        scratch.ok(&[&["acl", "objects", verb, "--index", "index", "--object"], rest].concat())
    };
    object("set", &["hr", "--allow", "group:people", "--parent", "site", "--inherit", "both-permit"]);
    assert_eq!(sees(&scratch, "ann", &["staff", "hr"]), "in-open in-site in-strict own-too");
    assert_eq!(sees(&scratch, "ann", &["staff", "people"]), "in-below in-hr in-open in-site in-strict own-too");
    object("set", &["below", "--parent", "open"]);
    assert_eq!(sees(&scratch, "ann", &["staff"]), "in-below in-open in-site in-strict own-too");
    let typo = ["acl", "set", "--index", "index", "--document", "in-hr", "--parent", "hrr"];
    let (kind, message) = scratch.run(&typo).error();
    assert!(kind == "Invalid" && message.contains("`hrr`, which is not stated"), "{message}");
    let circle = ["acl", "objects", "set", "--index", "index", "--object", "site", "--parent", "below"];
    let (kind, message) = scratch.run(&circle).error();
    assert!(kind == "Invalid" && message.contains("above themselves"), "{message}");
    object("remove", &["open"]);
    assert_eq!(sees(&scratch, "ann", &["staff"]), "in-site in-strict own-too");
    object("revoke", &["site", "--principal", "user:ann"]);
    assert_eq!(sees(&scratch, "ann", &["staff"]), "");
    object("set", &["site", "--allow", "everyone"]);
    assert_eq!(sees(&scratch, "ann", &["staff"]), "", "what is revoked stays so");
    // The file says what it said before: what people set since stands.
    scratch.sync(&["documents.jsonl", "--acl-objects", "objects.jsonl"]);
    assert_eq!(sees(&scratch, "eve", &[]), "in-site in-strict own-too");
    object("restore", &["site", "--principal", "user:ann", "--reason", "a mistake"]);
    assert_eq!(sees(&scratch, "ann", &["staff"]), "in-site in-strict own-too");
    assert_eq!(scratch.files("index/segment"), segments, "no chunk and no vector was written");
    scratch.ok(&["verify", "--index", "index"]);
}

#[test]
fn the_difference_between_two_epochs_says_what_whom() {
    let scratch = made();
    let epoch = |said: serde_json::Value| said["acl_epoch"].as_u64().unwrap().to_string();
    let before = epoch(scratch.ok(&["stats", "--index", "index"]));
    let hr = ["acl", "objects", "set", "--index", "index", "--object", "hr"];
    scratch.ok(&[&hr[..], &["--allow", "group:people", "--parent", "site", "--inherit", "both-permit"]].concat());
    let moved =
        epoch(scratch.ok(&["acl", "objects", "set", "--index", "index", "--object", "below", "--parent", "open"]));
    scratch.ok(&["acl", "set", "--index", "index", "--document", "together", "--allow", "user:ann"]);
    let changes = |arguments: &[&str]| {
        let diff = scratch.ok(&[&["acl", "diff", "--index", "index"], arguments].concat());
        let one = |change: &serde_json::Value| {
            let ids = |key: &str| strings(&change[key]).join(" ");
            format!("{} +{} -{}", change["principal"].as_str().unwrap(), ids("gained"), ids("lost"))
        };
        diff["changes"].as_array().unwrap().iter().map(one).collect::<Vec<_>>().join("; ")
    };
    let all = changes(&["--from", &before]);
    assert_eq!(all, "user:ann +together -; user:mallory +in-below -; group:staff +in-below -");
    assert_eq!(changes(&["--from", &before, "--to", &moved]), "user:mallory +in-below -; group:staff +in-below -");
    scratch.write("who.json", r#"{"user": "bob", "groups": ["staff", "hr", "cleared"], "groups_complete": true}"#);
    let bob = changes(&["--from", &before, "--identity", "who.json"]);
    assert_eq!(bob, "user:bob + -in-hr together");
    let no_epoch = scratch.run(&["acl", "diff", "--index", "index", "--from", "99"]).error();
    assert!(no_epoch.0 == "NotFound" && no_epoch.1.contains("no epoch 99"), "{no_epoch:?}");
}

#[test]
fn an_object_that_is_not_stated_puts_its_documents_aside() {
    let scratch = made();
    scratch.write("documents.jsonl", DOCUMENTS.replace("\"acl_object\": \"open\"", "\"acl_object\": \"opne\""));
    let report = scratch.sync(&["documents.jsonl"]);
    assert_eq!(report["skipped"][0]["document"], "in-open");
    assert!(report["skipped"][0]["reason"].as_str().unwrap().contains("`opne`, which is not stated"), "{report}");
    assert_eq!(sees(&scratch, "ann", &["staff"]), "in-site in-strict own-too");
}

#[test]
fn an_old_copy_opens_nothing_until_a_person_says_so() {
    let scratch = made();
    let max_age = |seconds: &str| {
        ["acl", "max-age", "--index", "index", "--seconds", seconds, "--reason", "rule 7"].map(str::to_owned)
    };
    let run = |arguments: &[String]| scratch.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run(&max_age("3600")).json()["max_acl_age_seconds"], 3600);
    assert_ne!(sees(&scratch, "ann", &["staff"]), "");
    // As a copy that was put back next week: all that was confirmed was confirmed long ago.
    for (name, bytes) in scratch.files("index/access/confirmed") {
        assert!(!bytes.is_empty());
        fs::remove_file(scratch.path("index/access/confirmed").join(name)).unwrap();
    }
    let ann = ["visible", "--index", "index", "--user", "ann", "--group", "staff"];
    assert_eq!(scratch.run(&ann).error().0, "Unavailable");
    // What comes to the copy does not make it newer than what was lost, and its age is not changed to get round that.
    scratch.sync(&["documents.jsonl"]);
    scratch.ok(&["acl", "revoke", "--principal", "user:bob", "--index", "index", "--document", "in-site"]);
    assert_eq!(run(&max_age("0")).error().0, "Unavailable");
    assert_eq!(scratch.run(&ann).error().0, "Unavailable");
    let confirm = ["acl", "confirm", "--index", "index", "--reason"];
    assert_eq!(scratch.run(&[&confirm[..], &[" "]].concat()).error().0, "Invalid");
    scratch.ok(&[&confirm[..], &["compared with the directory, ticket 12"]].concat());
    assert_ne!(sees(&scratch, "ann", &["staff"]), "");
    let log = scratch.files("index/access/log");
    assert!(log.values().any(|bytes| String::from_utf8_lossy(bytes).contains("ticket 12")));
    assert_eq!(run(&max_age("0")).json()["max_acl_age_seconds"], serde_json::Value::Null);
    scratch.ok(&["verify", "--index", "index"]);
}

#[test]
fn sections_are_narrower_than_their_document_and_nothing_crosses_their_boundary() {
    let scratch = Scratch::new();
    let (open, secret, after) =
        ("# Pay\n\nPay is reviewed in May.\n\n", "# Secret heading\n\nThe board gets more.\n\n", "And in June.\n");
    let text = format!("{open}{secret}{after}");
    let (start, end) = (open.len(), open.len() + secret.len());
    let document = |acl: &str| {
        serde_json::json!({"id": "pay", "text": text, "acl": {"allow": ["everyone"]},
            "sections": [{"span": [start, end], "acl": serde_json::from_str::<serde_json::Value>(acl).unwrap()}]})
        .to_string()
    };
    scratch.write("documents.jsonl", document(r#"{"allow": ["group:board", "public"]}"#));
    scratch.sync(&["documents.jsonl"]);
    let found = |user: &str, group: &[&str]| {
        let question = ["search", "who gets more pay?", "--index", "index", "--user", user];
        let hits = scratch.ok(&[&question, group].concat())["hits"].as_array().unwrap().clone();
        let mut texts: Vec<String> = hits.iter().map(|hit| hit["text"].as_str().unwrap().to_owned()).collect();
        texts.sort_unstable();
        for hit in &hits {
            let span = [0, 1].map(|i| hit["span"][i].as_u64().unwrap() as usize);
            let whole = &text[span[0]..span[1]];
            assert!(span[1] <= start || (span[0] >= start && span[1] <= end) || span[0] >= end, "{whole}");
            let secret = hit["heading"].as_str().unwrap().contains("Secret");
            assert_eq!(secret, whole.contains("board"), "{hit}");
        }
        texts.join("|")
    };
    let board = found("eve", &["--group", "board"]);
    assert!(board.contains("The board gets more."), "{board}");
    // Everybody is public, so the section is open to who may read the document, and to nobody else.
    let before = scratch.files("index/segment");
    scratch.write("documents.jsonl", document(r#"{"allow": ["group:board"]}"#));
    let report = scratch.sync(&["documents.jsonl"]);
    assert_eq!((&report["permission_only"], &report["embedded"]), (&1.into(), &0.into()));
    assert_eq!(scratch.files("index/segment"), before, "who may read a section is no content");
    let others = found("bob", &["--no-groups"]);
    assert!(others.contains("reviewed in May") && others.contains("And in June."), "{others}");
    assert!(!others.contains("board") && !others.to_lowercase().contains("secret"), "{others}");
    assert_eq!(sees(&scratch, "bob", &[]), "pay");
    scratch.run(&["merge", "--index", "index"]);
    assert_eq!(found("bob", &["--no-groups"]), others);
    let anonymous = scratch.path("anonymous.json");
    fs::write(&anonymous, r#"{"groups": []}"#).unwrap();
    let seen = scratch.ok(&["visible", "--index", "index", "--identity", "anonymous.json"]);
    assert_eq!(seen["count"], 0, "a section never widens");
}

#[test]
fn a_summary_is_for_those_who_may_read_all_that_it_sums_up() {
    let scratch = Scratch::new();
    let secret = r#""sections": [{"span": [0, 3], "acl": {"allow": ["group:board"]}}]"#;
    let documents = |b: &str| {
        format!(
            "{{\"id\": \"sum\", \"text\": \"A and B.\", \"acl\": {{\"allow\": [\"everyone\"]}}, \"derived_from\": [\"a\", \"b\"]}}\n\
             {{\"id\": \"a\", \"text\": \"A, and more.\", \"acl\": {{\"allow\": [\"everyone\"]}}{}}}\n\
             {{\"id\": \"b\", \"text\": \"B.\", \"acl\": {{\"allow\": [\"{b}\"]}}}}\n",
            if b == "group:hr" { format!(", {secret}") } else { String::new() }
        )
    };
    scratch.write("documents.jsonl", documents("group:staff"));
    scratch.sync(&["documents.jsonl"]);
    assert_eq!(sees(&scratch, "ann", &["staff"]), "a b sum");
    assert_eq!(sees(&scratch, "bob", &[]), "a");
    // What the inputs permit later counts, their narrower sections included.
    scratch.ok(&["acl", "revoke", "--principal", "user:ann", "--index", "index", "--document", "b"]);
    assert_eq!(sees(&scratch, "ann", &["staff"]), "a");
    scratch.write("documents.jsonl", documents("group:hr"));
    scratch.sync(&["documents.jsonl"]);
    assert_eq!(sees(&scratch, "eve", &["staff", "hr"]), "a b");
    assert_eq!(sees(&scratch, "eve", &["staff", "hr", "board"]), "a b sum");
    let why = scratch.ok(&["explain", "--index", "index", "--user", "bob", "--no-groups", "--document", "sum"]);
    assert!(why["reasons"].as_array().unwrap().iter().any(|r| r["effect"] == "derived"), "{why}");
    // What is derived from something that is not there is put aside.
    scratch.write("documents.jsonl", documents("group:hr").replace("\"id\": \"b\"", "\"id\": \"c\""));
    let report = scratch.sync(&["documents.jsonl"]);
    assert_eq!(report["skipped"][0]["document"], "sum");
    assert_eq!(sees(&scratch, "eve", &["staff", "hr", "board"]), "a c");
}
