//! Which of all that is said counts.

use super::*;

fn file(lines: &str) -> Result<AclFile> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    std::fs::write(&path, lines).unwrap();
    AclFile::read(&path)
}

#[test]
fn allow_is_the_nearest_and_denies_add_up() {
    let acls = file(
        r#"{"_id": "./", "acl": {"allow": ["everyone"], "deny": ["user:x"]}}
           {"_id": "hr/", "acl": {"allow": ["group:hr"], "deny": ["group:contractors"]}}
           {"_id": "hr/pay/2026.md", "acl": {"deny": ["user:bob"]}}"#,
    )
    .unwrap();
    let p = |text: &str| text.parse::<Principal>().unwrap();
    assert_eq!(acls.resolve("a.md", None, None).0, Some(Acl::new([Principal::Everyone], [p("user:x")])));
    let deep = acls.resolve("hr/pay/2026.md", None, None).0.unwrap();
    assert_eq!(deep, Acl::new([p("group:hr")], [p("user:x"), p("group:contractors"), p("user:bob")]));
    assert_eq!(acls.resolve("hr/", None, None).0.unwrap().deny.len(), 2);
    let own = Stated { allow: Some(BTreeSet::new()), ..Stated::default() };
    assert!(acls.resolve("hr/a.md", Some(&own), None).0.unwrap().allow.is_empty());
    assert_eq!(file("").unwrap().resolve("a", None, None), (None, None));
    let acls = file(
        r#"{"_id": "./", "acl": {"allow": ["everyone"], "deny": ["user:x"]}}
           {"_id": "hr/", "acl": {"parent": "space/hr"}}
           {"_id": "hr/a.md", "acl": {"all_of": ["group:a", "group:b"]}}"#,
    )
    .unwrap();
    let denied = Acl::new([], [p("user:x")]);
    assert_eq!(acls.resolve("hr/b.md", None, None).0, Some(Acl { parent: Some("space/hr".into()), ..denied.clone() }));
    let together = BTreeSet::from([BTreeSet::from([p("group:a"), p("group:b")])]);
    assert_eq!(acls.resolve("hr/a.md", None, None).0, Some(Acl { all_of: together, ..denied }));
}

#[test]
fn the_nearest_label_counts() {
    let acls = file(
        r#"{"_id": "./", "acl": {"allow": ["everyone"]}, "label": "internal"}
           {"_id": "hr/", "label": "secret"}
           {"_id": "hr/menu.md", "acl": {}, "label": "public"}
           {"_id": "hr/staff.csv", "label": "restricted"}
           {"_id": "hr/pay/", "acl": {"deny": ["user:bob"]}}"#,
    )
    .unwrap();
    let label = |id: &str, own| acls.resolve(id, None, own).1.unwrap();
    assert_eq!(label("a.md", None), "internal");
    assert_eq!(label("hr/pay/a.md", None), "secret");
    assert_eq!(label("hr/pay/a.md", Some("own")), "own");
    // Whoever keeps the list decides, not whoever wrote the document.
    assert_eq!(label("hr/menu.md", Some("own")), "public");
    assert_eq!(acls.resolve_within("hr/staff.csv#2", Some("hr/staff.csv"), None, Some("own")).1.unwrap(), "restricted");
    // A label says nothing of who may read.
    assert_eq!(acls.resolve("hr/b.md", None, None).0, Some(Acl::new([Principal::Everyone], [])));
}

#[test]
fn lines_that_match_nothing_are_named() {
    let acls =
        file("{\"_id\": \"a/b\", \"acl\": {}}\n{\"_id\": \"a/b/\", \"acl\": {}}\n{\"_id\": \"x/\", \"acl\": {}}")
            .unwrap();
    let said = acls.unmatched(["a/b/c.md"].into_iter());
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].ends_with("`a/b` matches no document; write `a/b/` for the folder"), "{said:?}");
}

#[test]
fn a_line_that_cannot_be_read_refuses_the_file() {
    for bad in [
        "{",
        "{\"_id\": \"a\", \"acl\": {\"deny\": [\"grup:x\"]}}",
        "{\"_id\": \"../a\", \"acl\": {}}",
        "[\"a\", {}]",
        "{\"_id\": \"a\", \"acl\": [[\"public\"]]}",
        "{\"_id\": \"a\", \"acl\": {\"all_of\": [[]]}}",
        "{\"_id\": \"a\", \"acl\": {\"inherit\": \"both-permit\"}}",
        "{\"_id\": \"a\"}",
        "{\"_id\": \"a\", \"acl\": null, \"label\": \"x\"}",
        "{\"_id\": \"a\", \"acl\": {}, \"label\": null}",
        "{\"_id\": \"a\", \"label\": [\"x\"]}",
    ] {
        let error = file(&format!("{{\"_id\": \"b\", \"acl\": {{}}}}\n{bad}")).unwrap_err();
        assert!(error.context().contains(&("line", "2".into())), "{error}");
    }
}
