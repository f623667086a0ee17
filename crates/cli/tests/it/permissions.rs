//! Permissions across syncs: what a person said holds, what is lost stays lost, and a fault opens nothing.

use std::fs;

use crate::program::Scratch;

const OPEN: &str = r#"{"_id": "./", "acl": {"allow": ["everyone"]}}"#;
const NOBODY: &[&str] = &[];

fn one(text: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("docs/a.txt", text);
    scratch.write("docs/acl.jsonl", OPEN);
    scratch
}

fn acl(scratch: &Scratch, verb: &str, options: &[&str]) {
    scratch.ok(&[&["acl", verb, "--index", "index", "--document", "a.txt"], options].concat());
}

fn stated(who: &str) -> String {
    format!("{{\"_id\": \"./\", \"acl\": {{\"allow\": [\"{who}\"]}}}}")
}

#[test]
fn what_a_person_set_holds_until_the_source_says_otherwise() {
    let scratch = one("Text.");
    scratch.sync(&["docs"]);
    acl(&scratch, "set", &["--allow", "group:hr"]);
    assert_eq!(scratch.visible("eve"), NOBODY);
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("eve"), NOBODY);
    scratch.write("docs/a.txt", "New text.");
    scratch.sync(&["docs"]);
    assert_eq!((scratch.visible("eve").len(), scratch.visible("ann hr").len()), (0, 1));
    scratch.write("docs/acl.jsonl", stated("public"));
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("-"), ["a.txt"]);
}

#[test]
fn a_revocation_outlives_everything_but_a_restore() {
    let scratch = one("Text.");
    scratch.sync(&["docs"]);
    acl(&scratch, "revoke", &["--principal", "user:eve"]);
    let lost = |what: &str| {
        assert_eq!(scratch.visible("eve"), NOBODY, "{what}");
        assert_eq!(scratch.found("eve"), NOBODY, "{what}");
        assert_eq!(scratch.visible("ann"), ["a.txt"], "{what}");
    };
    lost("revoke");
    scratch.sync(&["docs"]);
    lost("sync again");
    scratch.write("docs/a.txt", "New text.");
    scratch.sync(&["docs"]);
    lost("new content");
    scratch.write("docs/acl.jsonl", stated("public"));
    scratch.sync(&["docs"]);
    lost("a wider ACL");
    acl(&scratch, "set", &["--allow", "user:eve", "everyone"]);
    lost("acl set");
    scratch.ok(&["rollback", "2", "--index", "index"]);
    lost("rollback");
    fs::rename(scratch.path("docs/a.txt"), scratch.path("a.txt")).unwrap();
    scratch.sync(&["docs"]);
    fs::rename(scratch.path("a.txt"), scratch.path("docs/a.txt")).unwrap();
    scratch.sync(&["docs"]);
    lost("deleted and added again");
    scratch.ok(&["merge", "--index", "index"]);
    lost("merge");
    acl(&scratch, "restore", &["--principal", "user:eve", "--reason", "the case is closed"]);
    assert_eq!(scratch.visible("eve"), ["a.txt"]);
}

#[test]
fn a_widening_with_new_content_does_not_open_the_old() {
    let scratch = Scratch::new();
    scratch.write("docs/a.txt", "A secret draft.");
    scratch.write("docs/acl.jsonl", stated("group:hr"));
    scratch.sync(&["docs"]);
    scratch.write("docs/a.txt", "The public version.");
    scratch.write("docs/acl.jsonl", stated("public"));
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("eve"), ["a.txt"]);
    scratch.ok(&["rollback", "2", "--index", "index"]);
    assert_eq!((scratch.visible("eve"), scratch.found("-")), (vec![], vec![]));
    assert_eq!(scratch.visible("ann hr"), ["a.txt"]);
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("eve"), ["a.txt"]);
}

#[test]
fn an_unreadable_text_may_narrow_and_must_not_widen() {
    let scratch = Scratch::new();
    scratch.write("docs/a.txt", "A secret draft.");
    scratch.write("docs/acl.jsonl", stated("group:hr"));
    scratch.sync(&["docs"]);
    scratch.write("docs/a.txt", b"Latin-1: \xe9");
    scratch.write("docs/acl.jsonl", stated("public"));
    scratch.sync(&["docs"]);
    assert_eq!((scratch.visible("eve"), scratch.found("-")), (vec![], vec![]), "the old text was opened");
    assert_eq!(scratch.visible("ann hr"), ["a.txt"]);
    scratch.write("docs/acl.jsonl", stated("user:bob"));
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("ann hr"), NOBODY, "a narrowing beside an unreadable text was lost");
    scratch.write("docs/acl.jsonl", stated("group:hr"));
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("ann hr"), ["a.txt"]);
    scratch.write("docs/a.txt", "A secret draft.");
    scratch.write("docs/acl.jsonl", stated("public"));
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("-"), ["a.txt"]);
}

#[test]
fn a_line_with_a_broken_text_does_not_open_the_old_one() {
    let scratch = Scratch::new();
    let line =
        |text: &str, who: &str| format!("{{\"id\": \"a\", \"text\": {text}, \"acl\": {{\"allow\": [\"{who}\"]}}}}");
    scratch.write("lines.jsonl", line("\"A secret draft.\"", "group:hr"));
    scratch.sync(&["lines.jsonl"]);
    scratch.write("lines.jsonl", line("[\"The public version.\"]", "public"));
    scratch.sync(&["lines.jsonl"]);
    assert_eq!(scratch.visible("eve"), NOBODY);
    scratch.write("lines.jsonl", line("\"The public version.\"", "public"));
    scratch.sync(&["lines.jsonl"]);
    assert_eq!(scratch.visible("eve"), ["a"]);
}

#[test]
fn a_broken_sidecar_hides_and_a_mended_one_keeps_what_a_person_set() {
    let scratch = one("Text.");
    scratch.write("docs/a.txt.metadata.json", r#"{"metadataAttributes": {"kind": "memo"}}"#);
    scratch.sync(&["docs"]);
    acl(&scratch, "set", &["--allow", "group:hr"]);
    let sidecar = fs::read(scratch.path("docs/a.txt.metadata.json")).unwrap();
    scratch.write("docs/a.txt.metadata.json", "{");
    let report = scratch.sync(&["docs"]);
    assert_eq!((report["skipped"].as_array().unwrap().len(), &report["deleted"]), (1, &0.into()));
    assert_eq!(scratch.visible("ann hr"), NOBODY);
    let epoch = scratch.sync(&["docs"])["acl_epoch"].clone();
    assert_eq!(epoch, report["acl_epoch"], "the same fault is said twice in the access log");
    scratch.write("docs/a.txt.metadata.json", sidecar);
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("ann hr"), ["a.txt"]);
    assert_eq!(scratch.visible("eve"), NOBODY, "a fault in between lifted what a person had set");
}

#[test]
fn what_a_person_sets_while_a_document_is_hidden_stands() {
    let scratch = one("Text.");
    scratch.sync(&["docs"]);
    scratch.write("docs/a.txt.metadata.json", "{");
    scratch.sync(&["docs"]);
    acl(&scratch, "set", &["--allow", "group:hr"]);
    scratch.sync(&["docs"]);
    fs::remove_file(scratch.path("docs/a.txt.metadata.json")).unwrap();
    scratch.sync(&["docs"]);
    assert_eq!((scratch.visible("eve").len(), scratch.visible("ann hr").len()), (0, 1));
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_a_file_keeps_its_permissions_up_to_date() {
    let scratch = one("Text.");
    scratch.sync(&["docs"]);
    fs::rename(scratch.path("docs/a.txt"), scratch.path("elsewhere.txt")).unwrap();
    std::os::unix::fs::symlink("../elsewhere.txt", scratch.path("docs/a.txt")).unwrap();
    scratch.write("docs/acl.jsonl", stated("group:hr"));
    scratch.sync(&["docs"]);
    assert_eq!((scratch.visible("eve").len(), scratch.visible("ann hr").len()), (0, 1));
}

#[cfg(unix)]
#[test]
fn an_acl_file_that_is_there_and_cannot_be_read_is_no_absent_one() {
    let scratch = one("Text.");
    let allow = r#"{"accessControlList": [{"name": "all", "type": "GROUP", "access": "ALLOW"}]}"#;
    scratch.write("docs/a.txt.metadata.json", allow);
    scratch.write("docs/acl.jsonl", r#"{"_id": "./", "acl": {"deny": ["user:eve"]}}"#);
    scratch.sync(&["docs"]);
    fs::remove_file(scratch.path("docs/acl.jsonl")).unwrap();
    std::os::unix::fs::symlink("not-mounted/acl.jsonl", scratch.path("docs/acl.jsonl")).unwrap();
    assert_eq!(scratch.try_sync(&["docs"]).error().0, "NotFound");
    assert_eq!(scratch.visible("eve all"), NOBODY);
}

#[test]
fn a_deleted_document_is_not_explained_as_visible() {
    let scratch = one("Text.");
    scratch.sync(&["docs"]);
    let explain = ["explain", "--index", "index", "--document", "a.txt", "--user", "eve", "--no-groups"];
    assert_eq!(scratch.ok(&explain)["visible"], true);
    fs::remove_file(scratch.path("docs/a.txt")).unwrap();
    scratch.sync(&["docs"]);
    assert_eq!(scratch.run(&explain).error().0, "NotFound");
}
