//! A bucket that keeps versions: which one was read, and is it another by now?

use std::collections::BTreeMap;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use safepassage_access::Tenant;
use safepassage_ingest::read_at;
use safepassage_models::remote::wait_for;

use super::proxy::{Asked, Instead};
use super::{World, put, sidecar};

fn versioning(world: &World, status: BucketVersioningStatus) {
    let client = world.client.clone();
    let configuration = VersioningConfiguration::builder().status(status).build();
    let set = wait_for(async move {
        let request = client.put_bucket_versioning().bucket("docs").versioning_configuration(configuration);
        request.send().await.unwrap();
        Ok(())
    });
    set.unwrap();
}

/// A world whose bucket keeps versions from the first object on.
fn versioned() -> World {
    let world = World::new();
    versioning(&world, BucketVersioningStatus::Enabled);
    world.put(vec![("a.md".into(), "a text".into()), sidecar("a.md", "staff")]);
    assert_eq!(world.did(), (1, 0, 0, 0, 0, 1));
    world
}

fn newest(world: &World, key: &str) -> String {
    let (client, key) = (world.client.clone(), format!("all/{key}"));
    let found = wait_for(async move { Ok(client.head_object().bucket("docs").key(key).send().await.unwrap()) });
    found.unwrap().version_id.unwrap()
}

/// The version that `a.md` in the index was read from.
fn recorded(world: &World) -> Option<String> {
    let snapshot = world.index.snapshot().unwrap();
    let live = snapshot.find(&Tenant::default(), "a.md").unwrap();
    read_at(&world.index, "s3://docs/all/a.md", live.version).unwrap().unwrap().version
}

#[test]
fn the_version_that_was_read_is_remembered_and_a_later_one_is_another() {
    let world = versioned();
    let first = newest(&world, "a.md");
    assert_eq!(recorded(&world).as_ref(), Some(&first));
    world.put(vec![("a.md".into(), "another text".into())]);
    let second = newest(&world, "a.md");
    assert!(first != second);
    assert_eq!(world.did(), (0, 1, 0, 0, 0, 1));
    assert_eq!(recorded(&world), Some(second));
    // The same text anew is another version, and embeds nothing.
    world.put(vec![("a.md".into(), "another text".into())]);
    let third = newest(&world, "a.md");
    assert_ne!(recorded(&world).as_ref(), Some(&third));
    let report = world.sync_versions(BTreeMap::from([("a.md".to_owned(), Some(third.clone()))])).unwrap();
    assert_eq!((report.unchanged, report.embedded), (1, 0));
    assert_eq!(recorded(&world), Some(third));
    // Earlier versions are there still, and nobody sees them.
    world.put(vec![("a.md".into(), String::new())]);
    assert_eq!(world.did(), (0, 0, 0, 1, 0, 0));
    assert!(world.visible("staff").is_empty());
}

#[test]
fn of_an_object_that_changes_between_list_and_get_the_version_that_was_got_is_remembered() {
    let world = versioned();
    world.put(vec![("a.md".into(), "as it is listed".into())]);
    let listed = newest(&world, "a.md");
    let client = world.client.clone();
    world.proxy.plan(move |asked, nth| match asked {
        Asked::Get(key) if key == "all/a.md" && nth == 0 => {
            let client = client.clone();
            Some(Instead::After(Box::new(move || put(&client, vec![("a.md".into(), "as it is got".into())]))))
        }
        _ => None,
    });
    assert_eq!(world.did(), (0, 1, 0, 0, 0, 1));
    let got = newest(&world, "a.md");
    assert!(got != listed);
    assert_eq!(recorded(&world), Some(got));
    world.proxy.plan(|_, _| None);
    assert_eq!(world.did(), (0, 0, 0, 0, 0, 0));
    assert_eq!(world.proxy.gets(), 0);
}

#[test]
fn a_message_about_a_version_that_was_read_asks_the_store_for_nothing_of_it() {
    let world = versioned();
    let beside = "a.md.metadata.json".to_owned();
    let named = |version: String, of_sidecar: String| {
        BTreeMap::from([("a.md".to_owned(), Some(version)), (beside.clone(), Some(of_sidecar))])
    };
    let (first, of_sidecar) = (newest(&world, "a.md"), newest(&world, &beside));
    world.proxy.plan(|_, _| None);
    let report = world.sync_versions(named(first.clone(), of_sidecar.clone())).unwrap();
    assert_eq!((report.unchanged, report.changed, report.deleted), (1, 0, 0));
    assert!(world.proxy.seen().iter().all(|asked| *asked == Asked::Find("all/acl.jsonl".into())));
    // A later one is looked at, and a message about the earlier one then too.
    world.put(vec![("a.md".into(), "another text".into())]);
    let report = world.sync_versions(named(newest(&world, "a.md"), of_sidecar.clone())).unwrap();
    assert_eq!((report.changed, report.embedded), (1, 1));
    let report = world.sync_versions(named(first, of_sidecar.clone())).unwrap();
    assert_eq!((report.unchanged, report.changed), (1, 0));
    assert_eq!(recorded(&world), Some(newest(&world, "a.md")));
    // It is gone, and the message of that says so by naming no version.
    let last = newest(&world, "a.md");
    world.put(vec![("a.md".into(), String::new())]);
    let report = world.sync_versions(BTreeMap::from([("a.md".to_owned(), None)])).unwrap();
    assert_eq!(report.deleted, 1);
    let report = world.sync_versions(named(last, of_sidecar)).unwrap();
    assert_eq!((report.added, report.deleted), (0, 0));
    assert!(world.visible("staff").is_empty());
}

#[test]
fn where_no_versions_are_kept_none_is_named() {
    let world = World::new();
    world.put(vec![("a.md".into(), "a text".into()), sidecar("a.md", "staff")]);
    assert_eq!((world.did(), recorded(&world)), ((1, 0, 0, 0, 0, 1), None));
    // What is written while versions are not kept any more is called `null` each time.
    versioning(&world, BucketVersioningStatus::Enabled);
    versioning(&world, BucketVersioningStatus::Suspended);
    world.put(vec![("a.md".into(), "another text".into())]);
    assert_eq!((world.did(), recorded(&world)), ((0, 1, 0, 0, 0, 1), None));
}
