//! What a store may do instead: nothing is lost, nothing comes twice, and nobody sees more than before.

use std::sync::Arc;

use safepassage_error::Kind;

use super::proxy::{Asked, Instead, refused};
use super::{World, put, sidecar};
use crate::server::Reply;

/// What is put in the place of an answer, made anew for each.
type Make = fn() -> Instead;

fn get(asked: &Asked, key: &str) -> bool {
    matches!(asked, Asked::Get(got) if got == &format!("all/{key}"))
}

fn ids(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("d{n}.md")).collect()
}

/// Twenty documents for `staff`, in the bucket and in the index.
fn world() -> World {
    let world = World::new();
    let mut objects: Vec<(String, String)> =
        ids(10, 30).into_iter().map(|id| (id.clone(), format!("the text of {id}"))).collect();
    objects.extend(ids(10, 30).iter().map(|id| sidecar(id, "staff")));
    world.put(objects);
    assert_eq!(world.did(), (20, 0, 0, 0, 0, 20));
    world
}

#[test]
fn every_fault_of_the_store_is_survived_or_named() {
    let world = world();
    let all = ids(10, 30);
    assert_eq!(world.visible("staff"), all);
    let mut table = vec!["| what happens | what becomes of it |".to_owned(), "|---|---|".to_owned()];
    let mut row = |what: &str, became: &str| table.push(format!("| {what} | {became} |"));
    let mut round = 0;
    // Every document changes before each round, so that every one has to be read.
    let mut changed = |world: &World| {
        round += 1;
        world.put(ids(10, 30).into_iter().map(|id| (id.clone(), format!("text {round} of {id}"))).collect());
    };

    // What passes is asked for again.
    let passing: [(&str, Make); 5] = [
        ("503 SlowDown", || Instead::Reply(refused(503, "SlowDown"))),
        ("500 InternalError", || Instead::Reply(refused(500, "InternalError"))),
        ("a closed connection", || Instead::Reply(Reply::Closed)),
        ("an answer that is cut off", || Instead::Half),
        ("a byte of the content is another", || Instead::Turned),
    ];
    for (what, instead) in passing {
        changed(&world);
        let turned = what.starts_with("a byte");
        world.proxy.plan(move |asked, nth| (nth == 0 && (!turned || matches!(asked, Asked::Get(_)))).then(instead));
        assert_eq!(world.did(), (0, 20, 0, 0, 0, 20), "{what}");
        row(&format!("{what}, once for every page and object"), "asked again: 20 changed, 20 embedded");
    }

    // A listing that is not whole deletes nothing.
    let listings: [(&str, Make, Kind); 4] = [
        ("503 SlowDown for every listing", || Instead::Reply(refused(503, "SlowDown")), Kind::Throttled),
        ("listings that are cut off", || Instead::Half, Kind::Unavailable),
        ("expired credentials", || Instead::Reply(refused(400, "ExpiredToken")), Kind::Denied),
        ("the bucket is gone", || Instead::Reply(refused(404, "NoSuchBucket")), Kind::NotFound),
    ];
    for (what, instead, kind) in listings {
        world.proxy.plan(move |asked, _| matches!(asked, Asked::Page { .. }).then(instead));
        let error = world.sync().unwrap_err();
        assert_eq!((error.kind(), world.visible("staff")), (kind, all.clone()), "{what}: {error:?}");
        row(what, &format!("`{}`, nothing is written: {error}", kind.name()));
    }
    let lacks_next = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    world.proxy.plan(move |asked, _| {
        let headers = vec![("content-type".to_owned(), "application/xml".to_owned())];
        let reply = Reply::Answer { status: 200, headers, body: lacks_next.as_bytes().to_vec() };
        matches!(asked, Asked::Page { .. }).then_some(Instead::Reply(reply))
    });
    assert_eq!((world.sync().unwrap_err().kind(), world.visible("staff")), (Kind::Unavailable, all.clone()));
    row("a page that says there are more and not where", "`Unavailable`, nothing is written");

    // The credentials expire while objects are read.
    changed(&world);
    world.proxy.plan(|asked, _| {
        let after_some = matches!(asked, Asked::Get(key) if key.as_str() > "all/d20");
        after_some.then(|| Instead::Reply(refused(400, "ExpiredToken")))
    });
    let error = world.sync().unwrap_err();
    assert_eq!((error.kind(), world.visible("staff")), (Kind::Denied, all.clone()));
    row("credentials that expire while objects are read", &format!("`Denied`, nothing is written: {error}"));
    world.proxy.plan(|_, _| None);
    assert_eq!(world.did(), (0, 20, 0, 0, 0, 20));

    // One object alone: it is put aside by name, what is there of it stays as permitted, and comes when it can.
    let alone: [(&str, Make); 3] = [
        ("one object is always cut off", || Instead::Half),
        ("one object is always another than its checksum", || Instead::Turned),
        ("one object may not be read", || Instead::Reply(refused(403, "AccessDenied"))),
    ];
    for (what, instead) in alone {
        changed(&world);
        world.proxy.plan(move |asked, _| get(asked, "d15.md").then(instead));
        let report = world.sync().unwrap();
        let [skipped] = &report.skipped[..] else { panic!("{what}: {:?}", report.skipped) };
        assert_eq!((report.changed, skipped.document.as_str()), (19, "d15.md"), "{what}");
        assert_eq!(world.visible("staff"), all, "{what}");
        row(what, &format!("19 changed, `{}` put aside: {}", skipped.document, skipped.reason));
        world.proxy.plan(|_, _| None);
        assert_eq!(world.did(), (0, 1, 0, 0, 0, 1), "{what}");
    }

    // A sidecar that does not arrive might have closed its document.
    world.put(vec![sidecar("d15.md", "board")]);
    world.proxy.plan(|asked, _| get(asked, "d15.md.metadata.json").then_some(Instead::Half));
    let report = world.sync().unwrap();
    assert_eq!((report.skipped.len(), report.skipped[0].document.as_str()), (1, "d15.md"));
    assert!(!world.visible("staff").contains(&"d15.md".to_owned()) && world.visible("board").is_empty());
    row("a changed sidecar is always cut off", &format!("hidden from everybody: {}", report.skipped[0].reason));
    world.proxy.plan(|_, _| None);
    assert_eq!((world.did().5, world.visible("board")), (0, vec!["d15.md".to_owned()]));
    world.put(vec![sidecar("d15.md", "staff")]);
    assert_eq!((world.did().5, world.visible("staff")), (0, all.clone()));

    // It changes between the listing and the reading.
    changed(&world);
    let client = Arc::new(world.client.clone());
    let putting = Arc::clone(&client);
    world.proxy.plan(move |asked, nth| {
        let client = Arc::clone(&putting);
        let change =
            move || put(&client, vec![("d15.md".into(), "changed in between".into()), sidecar("d15.md", "board")]);
        (get(asked, "d15.md") && nth == 0).then(|| Instead::After(Box::new(change)))
    });
    assert_eq!(world.did(), (0, 20, 0, 0, 0, 20));
    assert_eq!(world.visible("board"), ["d15.md"]);
    row(
        "content and sidecar change between listing and reading",
        "both are read anew; the new permissions are in force",
    );
    world.proxy.plan(|_, _| None);
    assert_eq!(world.did(), (0, 0, 0, 0, 0, 0));

    let putting = Arc::clone(&client);
    world.put(vec![("d15.md".into(), "the next text".into())]);
    world.proxy.plan(move |asked, nth| {
        let client = Arc::clone(&putting);
        let change = move || put(&client, vec![("d15.md".into(), format!("another text {nth}"))]);
        get(asked, "d15.md").then(|| Instead::After(Box::new(change)))
    });
    let report = world.sync().unwrap();
    assert_eq!((report.skipped.len(), report.embedded), (1, 0));
    row("an object changes whenever it is read", &format!("put aside: {}", report.skipped[0].reason));
    world.proxy.plan(|_, _| None);
    assert_eq!(world.did().5, 1);

    let putting = Arc::clone(&client);
    world.put(vec![("d16.md".into(), "the next text".into())]);
    world.proxy.plan(move |asked, nth| {
        let client = Arc::clone(&putting);
        let remove = move || {
            put(&client, vec![("d16.md".into(), String::new()), ("d16.md.metadata.json".into(), String::new())])
        };
        (get(asked, "d16.md") && nth == 0).then(|| Instead::After(Box::new(remove)))
    });
    let report = world.sync().unwrap();
    assert_eq!((report.skipped.len(), report.deleted), (1, 0));
    row("an object goes between listing and reading", &format!("put aside: {}", report.skipped[0].reason));
    world.proxy.plan(|_, _| None);
    assert_eq!(world.did(), (0, 0, 0, 1, 0, 0));
    assert!(!world.visible("staff").contains(&"d16.md".to_owned()));

    // An ACL file that cannot be read might hold a deny.
    world.put(vec![("acl.jsonl".into(), r#"{"_id": "./", "acl": {"deny": ["group:staff"]}}"#.into())]);
    world.proxy.plan(|asked, _| get(asked, "acl.jsonl").then(|| Instead::Reply(refused(403, "AccessDenied"))));
    let before = world.visible("staff");
    assert_eq!((world.sync().unwrap_err().kind(), world.visible("staff")), (Kind::Denied, before));
    row("`acl.jsonl` may not be read", "`Denied`, nothing is written");
    world.proxy.plan(|_, _| None);
    let did = world.did();
    assert_eq!((did.5, world.visible("staff").len()), (0, 0));
    // The texts are not fetched to permit otherwise.
    assert_eq!(world.proxy.gets(), 1);

    world.index.verify().unwrap();
    println!("{}", table.join("\n"));
    assert!(!world.weed.address.is_empty());
}
