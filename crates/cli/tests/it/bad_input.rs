//! Every row of `fixtures/bad/README.md`: what is said, what is left in the index, and who may see it.

use std::collections::BTreeSet;
use std::fs;

use crate::program::{Said, Scratch, copy, fixtures, keys};

/// What comes of a source.
enum Outcome {
    /// Nothing is said; these documents are there.
    Fine(&'static [&'static str]),
    /// This document, or line, is put aside for a reason that contains the text; these are there.
    Skipped(&'static str, &'static str, &'static [&'static str]),
    /// Each text is in a warning; these documents are there.
    Warned(&'static [&'static str], &'static [&'static str]),
    /// The source is refused with a message that contains each text.
    Refused(&'static [&'static str]),
}

use Outcome::{Fine, Refused, Skipped, Warned};

const BOTH: &[&str] = &["first", "third"];
const ALL: &[&str] = &["first", "second", "third"];
const NONE: &[&str] = &[];
const KINDS: &str = "is not `user:ID`, `group:ID`, `ISSUER|user:ID`, `ISSUER|group:ID`, `everyone` or `public`";

const SOURCES: &[(&str, Outcome)] = &[
    ("broken-line.jsonl", Skipped("broken-line.jsonl:2", "(column 46)", BOTH)),
    ("not-an-object.jsonl", Skipped("not-an-object.jsonl:2", "expected an object", BOTH)),
    ("unknown-label.jsonl", Skipped("second", "`top-secret-ish`; known: public < internal", BOTH)),
    ("principal-kind-typo.jsonl", Skipped("second", KINDS, BOTH)),
    ("principal-kind-typo-in-deny.jsonl", Skipped("second", KINDS, BOTH)),
    ("principal-without-id.jsonl", Skipped("second", "`group:` has an empty id", BOTH)),
    ("principal-case.jsonl", Skipped("second", "`everyone`", BOTH)),
    ("acl-unknown-field.jsonl", Skipped("second", "unknown field `denny`", BOTH)),
    ("acl-list-is-a-string.jsonl", Skipped("second", "expected a sequence", BOTH)),
    ("acl-null.jsonl", Fine(ALL)),
    ("acl-named-twice.jsonl", Skipped("second", "duplicate field `acl`", BOTH)),
    ("acl-and-acl-object.jsonl", Skipped("second", "`no-such-object`", BOTH)),
    ("duplicate-ids.jsonl", Refused(&["`twice`", "lines 2 and 4"])),
    ("missing-id.jsonl", Skipped("missing-id.jsonl:2", "missing field `id`", BOTH)),
    ("empty-id.jsonl", Skipped("empty-id.jsonl:2", "the id is empty", BOTH)),
    ("id-wrong-type.jsonl", Skipped("id-wrong-type.jsonl:2", "expected a string", BOTH)),
    ("text-wrong-type.jsonl", Skipped("second", "expected a string", BOTH)),
    ("missing-text.jsonl", Skipped("second", "missing field `text`", BOTH)),
    ("empty-text.jsonl", Fine(ALL)),
    ("unknown-field.jsonl", Skipped("second", "unknown field `titel`", BOTH)),
    ("empty-line.jsonl", Fine(BOTH)),
    ("empty.jsonl", Fine(NONE)),
    ("bad-utf8.jsonl", Skipped("bad-utf8.jsonl:2", "not UTF-8 at byte 29", BOTH)),
    ("bad-utf8-in-id.jsonl", Skipped("bad-utf8-in-id.jsonl:2", "not UTF-8 at byte 9", BOTH)),
    ("lone-surrogate.jsonl", Skipped("second", "hex escape", BOTH)),
    ("nul-and-controls.jsonl", Skipped("nul-and-controls.jsonl:2", "control characters", BOTH)),
    ("byte-order-mark.jsonl", Fine(BOTH)),
    ("crlf.jsonl", Fine(BOTH)),
    ("deep-nesting.jsonl", Skipped("second", "recursion limit", BOTH)),
    ("truncated-last-line.jsonl", Skipped("truncated-last-line.jsonl:3", "EOF", &["first", "second"])),
    ("no-newline-at-end.jsonl", Fine(BOTH)),
    ("id-climbs-out.jsonl", Fine(&["../../etc/passwd", "first", "third"])),
    ("sidecar-broken", Skipped("report.txt", "sidecar", NONE)),
    ("sidecar-unknown-access", Skipped("report.txt", "expected `ALLOW` or `DENY`", NONE)),
    ("sidecar-unknown-type", Skipped("report.txt", "expected `USER` or `GROUP`", NONE)),
    ("sidecar-empty-list", Fine(&["report.txt"])),
    ("sidecar-missing-access", Skipped("report.txt", "missing field `access`", NONE)),
    ("sidecar-without-document", Warned(&["`gone.txt.metadata.json` belongs to no file"], &["readme.txt"])),
    ("acl-unmatched-id", Warned(&["`no-such-file.txt`", "`no-such-folder/`"], &["notes.txt"])),
    ("acl-folder-without-slash", Warned(&["write `private/`"], &["notes.txt", "private/salary.txt"])),
    ("acl-line-twice", Refused(&["line 1", "line `2`"])),
    ("acl-broken-line", Refused(&["line `2`"])),
    ("acl-principal-typo", Refused(&["`grup:contractors`", "line `1`"])),
    ("acl-climbs-out", Refused(&["outside the source", "line `2`"])),
    ("text-not-utf8", Skipped("letter.txt", "not UTF-8 at byte 2", NONE)),
    ("text-empty", Fine(&["empty.md"])),
    ("beir-missing-document", Fine(&["d1"])),
    ("beir-bad-qrels", Fine(&["d1"])),
];

/// Files of ACL objects, and what is said of each.
const OBJECTS: &[(&str, &[&str])] = &[
    ("acl-objects-cycle.jsonl", &["above themselves", "`site`", "`folder`"]),
    ("acl-objects-missing-parent.jsonl", &["unknown parent `no-such-site` of `folder`"]),
    (
        "acl-objects-unknown-mode.jsonl",
        &["`whichever-is-wider`", "child-overrides", "parent-overrides", "both-permit", "line `2`"],
    ),
];

const IDENTITIES: &[(&str, &str, &str)] = &[
    ("broken", "Invalid", "EOF"),
    ("expired", "Denied", "the identity has expired"),
    ("expiry-not-a-time", "Invalid", "`expires_at` is an RFC 3339 time"),
    ("groups-missing", "Invalid", "missing field `groups`"),
    ("groups-a-string", "Invalid", "expected a sequence"),
    ("unknown-field", "Invalid", "unknown field `group_complete`"),
    ("empty-user", "Invalid", "the id of a user or group is empty"),
    ("unknown-clearance", "Invalid", "unknown label `cosmic`; known: public < internal < confidential < restricted"),
];

/// An index with one document of another source, and every fixture beside it.
fn before() -> Scratch {
    let scratch = Scratch::new();
    copy(&fixtures().join("bad"), &scratch.path("bad"));
    scratch.write("kept/kept.txt", "It was there before.");
    scratch.write("kept/acl.jsonl", r#"{"_id": "./", "acl": {"allow": ["everyone"]}}"#);
    scratch.sync(&["kept=kept"]);
    scratch
}

/// What the texts of a source are made of must not be quoted.
fn says_no_text(said: &Said) {
    for text in ["whole line", "Meant", "faulty acl", "Latin-1", "no closing quote", "instead of an object"] {
        assert!(!said.stdout.contains(text) && !said.stderr.contains(text), "{text}: {said:?}");
    }
    assert!(!said.stdout.contains("struct ") && !said.stderr.contains('\u{1b}'), "{said:?}");
}

#[test]
fn the_table_has_every_row_of_the_readme() {
    let readme = fs::read_to_string(fixtures().join("bad/README.md")).unwrap();
    let rows: BTreeSet<&str> = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let identities = IDENTITIES.iter().map(|(name, ..)| *name).chain(["groups-with-prefix", "groups-without-user"]);
    let identities: Vec<String> = identities.map(|name| format!("identities/{name}.json")).collect();
    let sources = SOURCES.iter().map(|(name, _)| *name).chain(OBJECTS.iter().map(|(name, _)| *name));
    let ours: BTreeSet<&str> = sources.chain(identities.iter().map(String::as_str)).collect();
    let rows: BTreeSet<&str> = rows.iter().map(|row| row.trim_end_matches('/')).collect();
    assert_eq!(rows, ours);
}

#[test]
fn bad_acl_objects_refuse_everything() {
    let scratch = before();
    let before = scratch.ok(&["stats", "--index", "index"]);
    scratch.write("new.jsonl", r#"{"id": "new", "text": "New.", "acl": {"allow": ["everyone"]}}"#);
    for (name, wanted) in OBJECTS {
        let (kind, message) = scratch.try_sync(&["new.jsonl", "--acl-objects", &format!("bad/{name}")]).error();
        assert_eq!(kind, "Invalid");
        for text in *wanted {
            assert!(message.contains(text), "{name}: {message}");
        }
        assert_eq!(scratch.ok(&["stats", "--index", "index"]), before);
    }
}

#[test]
fn every_bad_source_is_told_and_widens_nothing() {
    let template = before();
    for (name, outcome) in SOURCES {
        let scratch = Scratch::new();
        copy(&template.path("index"), &scratch.path("index"));
        copy(&template.path("bad"), &scratch.path("bad"));
        let source = format!("bad/{name}");
        let strict = scratch.try_sync(&[&source, "--strict"]);
        let untouched = scratch.files("index") == template.files("index");
        let said = scratch.try_sync(&[&source]);
        says_no_text(&strict);
        says_no_text(&said);
        let there: &[&str] = match outcome {
            Fine(there) => {
                assert_eq!((strict.code, said.code), (Some(0), Some(0)), "{name}: {said:?}");
                assert!(said.json()["skipped"].as_array().unwrap().is_empty(), "{name}: {said:?}");
                there
            }
            Skipped(document, reason, there) => {
                assert_eq!(strict.error().0, "Invalid", "{name}");
                assert!(untouched, "{name}: --strict wrote something");
                let report = said.json();
                let skipped = report["skipped"].as_array().unwrap();
                assert_eq!(skipped.len(), 1, "{name}: {report}");
                assert_eq!(keys(&skipped[0]), ["document", "reason"]);
                assert_eq!(skipped[0]["document"], *document, "{name}");
                assert!(skipped[0]["reason"].as_str().unwrap().contains(reason), "{name}: {report}");
                there
            }
            Warned(texts, there) => {
                assert_eq!(strict.error().0, "Invalid", "{name}");
                assert!(untouched, "{name}: --strict wrote something");
                let warnings = said.json()["warnings"].to_string();
                assert!(texts.iter().all(|text| warnings.contains(text)), "{name}: {warnings}");
                there
            }
            Refused(texts) => {
                let (kind, message) = said.error();
                assert!(untouched && scratch.files("index") == template.files("index"), "{name}: refused, but wrote");
                assert!(kind == "Invalid" && texts.iter().all(|text| message.contains(text)), "{name}: {message}");
                NONE
            }
        };
        assert_eq!(scratch.ok(&["stats", "--index", "index"])["documents"], there.len() + 1, "{name}");
        scratch.ok(&["verify", "--index", "index"]);
        let closed = ["acl-null.jsonl second", "sidecar-empty-list report.txt", "acl-unmatched-id notes.txt"];
        let mut open: Vec<&str> =
            there.iter().filter(|id| !closed.contains(&format!("{name} {id}").as_str())).copied().collect();
        open.push("kept/kept.txt");
        open.sort_unstable();
        assert_eq!(scratch.visible("eve"), open, "{name}");
        assert!(scratch.found("eve").iter().all(|id| open.contains(&id.as_str())), "{name}");
    }
}

#[test]
fn every_bad_identity_is_told_and_sees_nothing() {
    let scratch = before();
    scratch.write("hr.jsonl", r#"{"id": "hr", "text": "For hr.", "acl": {"allow": ["group:hr"]}}"#);
    scratch.write("open.jsonl", r#"{"id": "open", "text": "For all.", "acl": {"allow": ["public"]}}"#);
    scratch.sync(&["hr.jsonl", "open.jsonl"]);
    let file = |name: &str| format!("bad/identities/{name}.json");
    for (name, kind, text) in IDENTITIES {
        for command in [&["visible"][..], &["search", "freezer"], &["explain", "--document", "open"]] {
            let said = scratch.run(&[command, &["--index", "index", "--identity", &file(name)]].concat());
            let (got, message) = said.error();
            assert!(got == *kind && message.contains(text), "{name}: {message}");
            assert!(!message.contains("struct "), "{message}");
        }
    }
    let sees =
        |name: &str| scratch.ok(&["visible", "--index", "index", "--identity", &file(name)])["documents"].clone();
    assert_eq!(sees("groups-with-prefix"), serde_json::json!(["kept/kept.txt", "open"]));
    assert_eq!(sees("groups-without-user"), serde_json::json!(["open"]));
}

#[test]
fn an_emptied_source_deletes_and_a_dry_run_shows_it() {
    let scratch = before();
    fs::copy(scratch.path("bad/crlf.jsonl"), scratch.path("lines.jsonl")).unwrap();
    scratch.sync(&["lines.jsonl"]);
    scratch.write("lines.jsonl", "");
    assert_eq!(scratch.sync(&["lines.jsonl", "--dry-run"])["deleted"], 2);
    assert_eq!(scratch.visible("eve").len(), 3);
    assert_eq!(scratch.sync(&["lines.jsonl"])["deleted"], 2);
    assert_eq!(scratch.visible("eve"), ["kept/kept.txt"]);
}
