//! `acl import`, from outside: what is read, what would change, and what does.

use serde_json::Value;

use crate::program::{Scratch, fixtures, strings};

fn made() -> (Scratch, String) {
    let scratch = Scratch::new();
    let source = fixtures().join("import/owners").display().to_string();
    let report = scratch.sync(&[&source]);
    assert_eq!((&report["added"], &report["without_acl"]), (&6.into(), &6.into()));
    (scratch, source)
}

fn gained(said: &Value, principal: &str) -> Vec<String> {
    let changes = said["changes"].as_array().unwrap();
    changes.iter().find(|change| change["principal"] == principal).map(|c| strings(&c["gained"])).unwrap_or_default()
}

fn epoch(scratch: &Scratch) -> Value {
    scratch.ok(&["acl", "get", "--index", "index", "--document", "top.md"])["acl_epoch"].clone()
}

#[test]
fn a_dry_run_says_what_would_be_and_an_import_does_it_at_one_epoch() {
    let (scratch, source) = made();
    let before = (epoch(&scratch), scratch.files("index"));
    let import = ["acl", "import", &source, "--format", "owners", "--index", "index"];
    let said = scratch.ok(&[&import[..], &["--dry-run"]].concat());
    assert_eq!((&said["objects"], &said["documents"]), (&5.into(), &6.into()));
    assert_eq!(gained(&said, "user:gina"), ["docs/design/charter.md", "docs/design/one.md"]);
    assert_eq!(gained(&said, "user:hans"), ["sig-auth/private/keys.md"]);
    assert_eq!((epoch(&scratch), scratch.files("index")), before);
    assert!(scratch.visible("gina").is_empty());

    let applied = scratch.ok(&[&import[..], &["--apply"]].concat());
    assert_eq!((&applied["applied"]["changed"], &applied["applied"]["unknown"]), (&11.into(), &0.into()));
    assert_eq!(applied["applied"]["acl_epoch"].as_u64(), before.0.as_u64().map(|epoch| epoch + 1));
    for change in said["changes"].as_array().unwrap() {
        let user = change["principal"].as_str().unwrap().strip_prefix("user:").unwrap();
        assert_eq!(scratch.visible(user), strings(&change["gained"]), "{user}");
    }
    let again = scratch.ok(&[&import[..], &["--apply"]].concat());
    assert_eq!(
        (&again["applied"]["changed"], &again["applied"]["acl_epoch"]),
        (&0.into(), &applied["applied"]["acl_epoch"])
    );
}

#[test]
fn the_files_that_are_written_are_what_a_sync_takes() {
    let (scratch, source) = made();
    let files = ["--out-acl", "acl.jsonl", "--out-objects", "objects.jsonl"];
    scratch.ok(&[&["acl", "import", &source, "--format", "owners"][..], &files].concat());
    let report = scratch.sync(&[&source, "--acl", "acl.jsonl", "--acl-objects", "objects.jsonl"]);
    assert_eq!(
        (&report["acl_objects"], &report["permission_only"], &report["embedded"]),
        (&5.into(), &6.into(), &0.into())
    );
    assert_eq!(scratch.visible("freya"), ["sig-auth/plan.md"]);
    assert_eq!(scratch.visible("hans"), ["sig-auth/private/keys.md"]);
    assert!(scratch.visible("gone docs-leads").is_empty());
}

#[test]
fn a_revocation_and_what_a_person_set_outlive_an_import_said_again() {
    let (scratch, source) = made();
    let import = ["acl", "import", &source, "--format", "owners", "--index", "index", "--apply"];
    scratch.ok(&import);
    scratch.ok(&["acl", "revoke", "--index", "index", "--document", "sig-auth/plan.md", "--principal", "user:freya"]);
    scratch.ok(&["acl", "set", "--index", "index", "--document", "top.md", "--allow", "user:zoe"]);
    scratch.ok(&import);
    assert!(scratch.visible("freya").is_empty());
    assert_eq!(scratch.visible("zoe"), ["top.md"]);
    assert!(!scratch.visible("ann").contains(&"top.md".to_owned()));
}

#[test]
fn without_an_index_it_says_who_would_see_what_of_the_source() {
    let scratch = Scratch::new();
    let file = |name: &str| fixtures().join("import").join(name).display().to_string();
    let said = scratch.ok(&["acl", "import", &file("posix.getfacl"), "--format", "posix", "--dry-run"]);
    assert_eq!(gained(&said, "user:carol"), ["hr/pay 2026.md", "odd.md", "readme.md"]);
    assert_eq!(gained(&said, "group:guests"), ["readme.md"]);
    assert_eq!(gained(&said, "public"), Vec::<String>::new());
    let said = scratch.ok(&["acl", "import", &file("bedrock"), "--format", "bedrock", "--dry-run"]);
    assert_eq!(gained(&said, "user:bob"), ["hr/pay.pdf"]);
    assert_eq!(said["warnings"].as_array().unwrap().len(), 2);
    assert!(scratch.files("").is_empty());
}

#[test]
fn what_is_not_enough_to_go_by_is_refused() {
    let (scratch, source) = made();
    let file = |name: &str| fixtures().join("import").join(name).display().to_string();
    for (arguments, kind, words) in [
        (vec![&*file("CODEOWNERS"), "--format", "codeowners", "--dry-run"], "Invalid", "name their folder or an index"),
        (vec![&*source, "--format", "ownerz", "--dry-run"], "Invalid", "`ownerz` is not"),
        (vec![&*source, "--format", "owners"], "Invalid", "--index"),
        (vec![&*source, "--format", "owners", "--apply"], "Invalid", "--index"),
        (vec![&*source, "--format", "owners", "--index", "index", "--apply", "--dry-run"], "Invalid", "--dry-run"),
        (vec!["nothing", "--format", "posix", "--dry-run"], "NotFound", ""),
        (vec!["nothing", "--format", "owners", "--dry-run"], "NotFound", ""),
    ] {
        let (said, message) = scratch.run(&[&["acl", "import"][..], &arguments].concat()).error();
        assert!(said == kind && message.contains(words), "{arguments:?}: {said} {message}");
    }
}
