//! Messages name objects: only these are looked at, as they are now.

use safepassage_aws::s3::{ObjectEvents, changed_below};
use safepassage_error::Kind;

use super::proxy::Asked;
use super::{World, sidecar};

pub(super) fn document(n: usize) -> (String, String) {
    (format!("d{n}.md"), format!("the text of {n}"))
}

pub(super) fn world() -> World {
    let world = World::new();
    let objects = (0..9).flat_map(|n| [document(n), sidecar(&format!("d{n}.md"), "staff")]);
    world.put(objects.collect());
    assert_eq!(world.did(), (9, 0, 0, 0, 0, 9));
    world
}

pub(super) fn did(world: &World, changed: &[&str]) -> [u64; 4] {
    let report = world.sync_only(changed).unwrap();
    assert_eq!(report.skipped, []);
    [report.added, report.changed, report.permission_only, report.deleted]
}

#[test]
fn only_the_objects_that_are_named_are_looked_at_as_they_are_now() {
    let world = world();
    let text = |n: usize, text: &str| (format!("d{n}.md"), text.to_owned());
    // One changes, one comes, one goes, one is for others; and so do others, of which no message speaks.
    world.put(vec![
        text(1, "another text"),
        document(20),
        sidecar("d20.md", "staff"),
        text(2, ""),
        sidecar("d3.md", "auditors"),
        text(4, "another text that nobody names"),
        text(5, ""),
    ]);
    world.proxy.plan(|_, _| None);
    assert_eq!(did(&world, &["d1.md", "d20.md", "d2.md", "d3.md.metadata.json"]), [1, 1, 1, 1]);
    assert!(world.proxy.seen().iter().all(|asked| !matches!(asked, Asked::Page { .. })), "no listing");
    assert_eq!(world.visible("auditors"), ["d3.md"]);
    let staff = ["d0.md", "d1.md", "d20.md", "d4.md", "d5.md", "d6.md", "d7.md", "d8.md"];
    assert_eq!(world.visible("staff"), staff);
    // The same messages once more, in whatever order, and those of objects that never were.
    assert_eq!(did(&world, &["d3.md", "d2.md.metadata.json", "d1.md", "d20.md.metadata.json", "never.md"]), [0; 4]);
    // An object that was removed and written again since is there, whatever the last message says.
    world.put(vec![document(2)]);
    assert_eq!(did(&world, &["d2.md"]), [1, 0, 0, 0]);
    assert_eq!(world.visible("staff"), {
        let mut all = staff.to_vec();
        all.insert(2, "d2.md");
        all
    });
    // The whole source finds what nobody named, and fetches nothing else.
    world.proxy.plan(|_, _| None);
    assert_eq!(world.did(), (0, 1, 0, 1, 0, 1));
    assert_eq!(world.proxy.gets(), 2);
    world.index.verify().unwrap();
}

#[test]
fn a_sidecar_that_is_gone_or_broken_closes_its_document() {
    let world = world();
    world.put(vec![("d1.md.metadata.json".into(), String::new()), ("d2.md.metadata.json".into(), "{".into())]);
    let report = world.sync_only(&["d1.md.metadata.json", "d2.md.metadata.json"]).unwrap();
    assert_eq!((report.without_acl, report.skipped.len()), (1, 1));
    assert_eq!(world.visible("staff").len(), 7);
}

#[test]
fn a_message_about_the_acl_file_asks_for_the_whole() {
    let world = world();
    world.put(vec![("acl.jsonl".into(), r#"{"_id": "d1.md", "acl": {"deny": ["group:staff"]}}"#.into())]);
    let error = world.sync_only(&["d2.md", "acl.jsonl"]).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.message().contains("sync the whole source"), "{error}");
    // What it says holds for whatever is looked at in the meantime.
    assert_eq!(did(&world, &["d1.md"]), [0, 0, 1, 0]);
    assert_eq!(world.visible("staff").len(), 8);
}

#[test]
fn a_store_that_fails_changes_nothing() {
    let world = world();
    world.put(vec![("d1.md".into(), String::new())]);
    world.proxy.plan(|asked, _| match asked {
        Asked::Find(_) => Some(super::proxy::Instead::Reply(super::proxy::refused(403, "AccessDenied"))),
        _ => None,
    });
    assert_eq!(world.sync_only(&["d1.md"]).unwrap_err().kind(), Kind::Denied);
    world.proxy.plan(|_, _| None);
    assert_eq!(world.visible("staff").len(), 9);
}

#[test]
fn messages_of_a_queue_drive_it() {
    let world = world();
    world.put(vec![("d1.md".into(), String::new())]);
    let record = |name: &str, key: &str| serde_json::json!({"eventName": name, "s3": {"bucket": {"name": "docs"}, "object": {"key": key, "sequencer": "01"}}});
    let body = serde_json::json!({"Records": [
        record("ObjectRemoved:Delete", "all/d1.md"), record("ObjectCreated:Put", "all/d1.md"), record("ObjectCreated:Put", "other/d2.md")
    ]});
    let received = serde_json::json!({"Messages": [{"MessageId": "1", "Body": body.to_string()}]}).to_string();
    let changed = changed_below("s3://docs/all", &ObjectEvents::read_all(&received).unwrap()).unwrap();
    assert_eq!(changed.keys().collect::<Vec<_>>(), ["d1.md"]);
    assert_eq!(did(&world, &["d1.md"]), [0, 0, 0, 1]);
}
