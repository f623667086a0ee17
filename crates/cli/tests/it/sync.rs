//! What a sync embeds, writes, deletes and leaves alone.

use std::fs;

use serde_json::Value;

use crate::program::{Scratch, strings};

const OPEN: &str = r#"{"_id": "./", "acl": {"allow": ["everyone"]}}"#;

fn counts(report: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| report[*name].as_u64().unwrap_or_else(|| panic!("{name}: {report}"))).collect()
}

/// Three documents of a few sections each; some words of every section differ.
fn three() -> Scratch {
    let scratch = Scratch::new();
    for name in ["a", "b", "c"] {
        scratch.write(&format!("docs/{name}.md"), text(name, &["first", "second", "third"]));
    }
    scratch.write("docs/acl.jsonl", OPEN);
    scratch
}

fn text(name: &str, sections: &[&str]) -> String {
    let section = |word: &&str| format!("## {word}\n\n{}\n\n", format!("{name} holiday {word} notice. ").repeat(12));
    sections.iter().map(section).collect()
}

#[test]
fn an_unchanged_source_costs_nothing() {
    let scratch = three();
    let first = scratch.sync(&["docs"]);
    assert_eq!(counts(&first, &["added", "embedded"]), [3, first["chunks"].as_u64().unwrap()]);
    let files = scratch.files("index");
    let second = scratch.sync(&["docs"]);
    assert_eq!(counts(&second, &["added", "changed", "permission_only", "deleted", "chunks", "embedded"]), [0; 6]);
    assert_eq!(counts(&second, &["unchanged", "generation"]), [3, first["generation"].as_u64().unwrap()]);
    assert_eq!(scratch.files("index"), files);
}

#[test]
fn a_touched_file_embeds_only_its_changed_chunks() {
    let scratch = three();
    scratch.sync(&["docs", "--chunk-tokens", "32", "--overlap", "0"]);
    scratch.write("docs/b.md", text("b", &["first", "second", "last"]));
    let report = scratch.sync(&["docs"]);
    assert_eq!(counts(&report, &["changed", "unchanged", "added", "deleted"]), [1, 2, 0, 0]);
    let (chunks, embedded) = (report["chunks"].as_u64().unwrap(), report["embedded"].as_u64().unwrap());
    assert!(embedded > 0 && embedded * 2 < chunks, "{report}");
    // The same content with another time on the file is no change.
    fs::write(scratch.path("docs/b.md"), fs::read(scratch.path("docs/b.md")).unwrap()).unwrap();
    assert_eq!(counts(&scratch.sync(&["docs"]), &["changed", "embedded"]), [0, 0]);
}

#[test]
fn a_permission_change_rewrites_no_chunk_and_no_vector() {
    let scratch = three();
    let first = scratch.sync(&["docs"]);
    let files = scratch.files("index");
    scratch.write("docs/acl.jsonl", format!("{OPEN}\n{}", r#"{"_id": "b.md", "acl": {"allow": ["group:hr"]}}"#));
    let report = scratch.sync(&["docs"]);
    assert_eq!(counts(&report, &["permission_only", "unchanged", "changed", "embedded", "chunks"]), [1, 2, 0, 0, 0]);
    assert_eq!(report["generation"], first["generation"]);
    let after = scratch.files("index");
    let new: Vec<&String> = after.keys().filter(|path| !files.contains_key(*path)).collect();
    assert!(new.len() == 1 && new[0].starts_with("access/log/"), "{new:?}");
    assert!(files.iter().all(|(path, bytes)| after[path] == *bytes));
    assert_eq!(scratch.visible("eve"), ["a.md", "c.md"]);
    assert_eq!(scratch.visible("ann hr"), ["a.md", "b.md", "c.md"]);
}

#[test]
fn deleted_and_renamed_files_are_gone_under_their_old_names() {
    let scratch = three();
    scratch.sync(&["docs"]);
    fs::remove_file(scratch.path("docs/a.md")).unwrap();
    fs::rename(scratch.path("docs/b.md"), scratch.path("docs/d.md")).unwrap();
    assert_eq!(counts(&scratch.sync(&["docs"]), &["added", "deleted", "unchanged"]), [1, 2, 1]);
    assert_eq!(scratch.visible("eve"), ["c.md", "d.md"]);
    assert_eq!(scratch.found("eve"), ["c.md", "d.md"]);
}

#[test]
fn two_sources_with_one_id_must_be_named() {
    let scratch = three();
    scratch.write("more/a.md", "Another document of the same name.");
    scratch.write("more/acl.jsonl", OPEN);
    let (kind, message) = scratch.try_sync(&["docs", "more"]).error();
    assert!(kind == "Invalid" && message.contains("`a.md`") && message.contains("NAME=PATH"), "{message}");
    assert!(scratch.visible("eve").is_empty());
    scratch.sync(&["docs", "second=more"]);
    assert_eq!(scratch.visible("eve"), ["a.md", "b.md", "c.md", "second/a.md"]);
    let (kind, message) = scratch.try_sync(&["more"]).error();
    assert!(kind == "Invalid" && message.contains("`a.md`"), "{message}");
    let (kind, _) = scratch.try_sync(&["docs", "docs"]).error();
    assert_eq!(kind, "Invalid");
    let (kind, _) = scratch.try_sync(&["(caller)=docs"]).error();
    assert_eq!(kind, "Invalid");
}

#[test]
fn a_sync_deletes_only_within_its_own_source() {
    let scratch = three();
    scratch.write("more/x.md", "Another document.");
    scratch.write("more/acl.jsonl", OPEN);
    scratch.sync(&["docs", "second=more"]);
    fs::remove_file(scratch.path("more/x.md")).unwrap();
    fs::remove_file(scratch.path("docs/a.md")).unwrap();
    assert_eq!(counts(&scratch.sync(&["docs"]), &["deleted"]), [1]);
    assert_eq!(scratch.visible("eve"), ["b.md", "c.md", "second/x.md"]);
    assert_eq!(counts(&scratch.sync(&["second=more"]), &["deleted"]), [1]);
    assert_eq!(scratch.visible("eve"), ["b.md", "c.md"]);
}

#[test]
fn a_line_that_cannot_be_told_holds_deletions_back() {
    let scratch = Scratch::new();
    let line =
        |id: &str| format!("{{\"id\": \"{id}\", \"text\": \"of {id}\", \"acl\": {{\"allow\": [\"everyone\"]}}}}\n");
    scratch.write("lines.jsonl", [line("a"), line("b"), line("c")].concat());
    scratch.sync(&["lines.jsonl"]);
    scratch.write("lines.jsonl", [line("a"), "{\"id\": \"b\", \n".to_owned()].concat());
    let report = scratch.sync(&["lines.jsonl"]);
    assert_eq!(counts(&report, &["deleted", "unchanged"]), [0, 1]);
    assert!(report["warnings"].to_string().contains("nothing is deleted"));
    // b and c may be gone or closed: nobody can tell, so nobody sees them until somebody can.
    assert_eq!(scratch.visible("eve"), ["a"]);
    scratch.write("lines.jsonl", [line("a"), line("b"), line("c")].concat());
    assert_eq!(counts(&scratch.sync(&["lines.jsonl"]), &["deleted", "embedded"]), [0, 0]);
    assert_eq!(scratch.visible("eve"), ["a", "b", "c"]);
    scratch.write("lines.jsonl", line("a"));
    assert_eq!(counts(&scratch.sync(&["lines.jsonl"]), &["deleted"]), [2]);
}

#[test]
fn a_dry_run_and_a_strict_refusal_write_nothing() {
    let scratch = three();
    let report = scratch.sync(&["docs", "--dry-run"]);
    assert_eq!(counts(&report, &["added"]), [3]);
    assert!(report["dry_run"] == true && !scratch.path("index").exists());
    scratch.sync(&["docs"]);
    let files = scratch.files("index");
    fs::remove_file(scratch.path("docs/a.md")).unwrap();
    scratch.write("docs/b.md", "Changed.");
    scratch.write("docs/d.md", "New.");
    scratch.write("docs/acl.jsonl", r#"{"_id": "./", "acl": {"allow": ["group:hr"]}}"#);
    let names = ["added", "changed", "permission_only", "deleted"];
    assert_eq!(counts(&scratch.sync(&["docs", "--dry-run"]), &names), [1, 1, 1, 1]);
    scratch.write("docs/odd.png", "no parser");
    let (kind, message) = scratch.try_sync(&["docs", "--strict"]).error();
    assert!(kind == "Invalid" && message.contains("odd.png: no parser"), "{message}");
    assert_eq!(scratch.files("index"), files);
    assert_eq!(counts(&scratch.sync(&["docs"]), &names), [1, 1, 1, 1]);
}

#[test]
fn an_index_inside_its_source_is_no_document() {
    let scratch = Scratch::new();
    scratch.write("a.md", "One document.");
    scratch.write("acl.jsonl", OPEN);
    let first = scratch.sync(&[".", "--strict"]);
    assert_eq!(strings(&first["warnings"]), [""; 0]);
    assert_eq!(counts(&scratch.sync(&[".", "--strict"]), &["added", "unchanged"]), [0, 1]);
}

#[cfg(unix)]
#[test]
fn odd_names_links_and_sizes_are_put_aside() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = three();
    scratch.write("docs/empty.md", "");
    scratch.write("docs/line\nbreak.md", "A name of two lines.");
    fs::write(scratch.path("docs").join(std::ffi::OsStr::from_bytes(b"caf\xe9.md")), "Latin-1").unwrap();
    std::os::unix::fs::symlink(".", scratch.path("docs/loop")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", scratch.path("docs/outside.txt")).unwrap();
    std::os::unix::fs::symlink("nowhere", scratch.path("docs/dangling.md")).unwrap();
    let large = fs::File::create(scratch.path("docs/large.txt")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    let report = scratch.sync(&["docs"]);
    assert_eq!(counts(&report, &["added", "deleted"]), [4, 0]);
    let mut skipped: Vec<&str> =
        report["skipped"].as_array().unwrap().iter().map(|s| s["document"].as_str().unwrap()).collect();
    skipped.sort_unstable();
    let odd = ["caf\u{fffd}.md", "dangling.md", "large.txt", "line\\nbreak.md", "loop", "outside.txt"];
    assert_eq!(skipped, odd, "{report}");
    assert_eq!(scratch.visible("eve"), ["a.md", "b.md", "c.md", "empty.md"]);
    let line = format!("{{\"id\": \"big\", \"text\": \"{}\"}}\n", "x ".repeat(33 << 20));
    let small = r#"{"id": "small", "text": "x", "acl": {"allow": ["everyone"]}}"#;
    scratch.write("lines.jsonl", line + small);
    let report = scratch.sync(&["lines.jsonl"]);
    assert_eq!(report["skipped"][0]["reason"], "the line is longer than 64 MiB");
    assert!(scratch.visible("eve").contains(&"small".to_owned()));
}

#[test]
fn an_index_keeps_the_chunker_it_was_made_with() {
    let scratch = three();
    let report = scratch.sync(&["docs", "--chunker", "sentences:1", "--chunk-tokens", "64"]);
    assert_eq!(report["chunks"], 9, "no sentence ends before a small letter: {report}");
    scratch.sync(&["docs", "--chunker", "sentences:1"]);
    for other in ["structure", "sentences:2"] {
        let (kind, message) = scratch.run(&["sync", "docs", "--index", "index", "--chunker", other]).error();
        assert!(kind == "Invalid" && message.contains("--chunker `sentences:1`"), "{message}");
    }
    let (kind, message) = scratch.run(&["sync", "docs", "--index", "new", "--chunker", "spiral"]).error();
    assert!(kind == "Invalid" && message.contains("`spiral` is none of"), "{message}");
    let hits =
        scratch.ok(&["search", "third", "--index", "index", "--user", "eve", "--no-groups", "--mode", "lexical"]);
    assert_eq!(hits["hits"][0]["chunks"], serde_json::json!([1, 2]), "the last one with the one before it: {hits}");
}
