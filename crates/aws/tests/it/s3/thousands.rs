//! Ten thousand objects with sidecars: what is done again?

use super::proxy::Asked;
use super::{World, sidecar};

const OBJECTS: usize = 10_000;

fn id(n: usize) -> String {
    format!("folder {}/document+{n}.md", n % 10)
}

fn text(n: usize, of: &str) -> String {
    format!("# Document {n}\n\nThis is the {of} text of document {n}.")
}

#[test]
fn of_ten_thousand_objects_ten_that_change_are_embedded() {
    let world = World::new();
    let mut objects: Vec<(String, String)> = (0..OBJECTS).map(|n| (id(n), text(n, "first"))).collect();
    objects.extend((0..OBJECTS).map(|n| sidecar(&id(n), &format!("g{}", n % 4))));
    world.put(objects);

    world.proxy.plan(|_, _| None);
    let all = OBJECTS as u64;
    assert_eq!(world.did(), (all, 0, 0, 0, 0, all));
    assert_eq!(world.visible("g0").len(), OBJECTS / 4);
    let pages = world.proxy.seen().iter().filter(|asked| matches!(asked, Asked::Page { .. })).count();
    assert!(pages >= 20, "{pages} pages");

    // Nothing changed: a listing, and nothing is fetched.
    world.proxy.plan(|_, _| None);
    assert_eq!(world.did(), (0, 0, 0, 0, 0, 0));
    assert_eq!(world.proxy.gets(), 0);

    // Ten change, ten go, ten are permitted to somebody else.
    let mut changes: Vec<(String, String)> = (0..10).map(|n| (id(n), text(n, "second"))).collect();
    for n in 10..20 {
        changes.extend([(id(n), String::new()), (format!("{}.metadata.json", id(n)), String::new())]);
    }
    changes.extend((20..30).map(|n| sidecar(&id(n), "auditors")));
    world.put(changes);
    world.proxy.plan(|_, _| None);
    assert_eq!(world.did(), (0, 10, 10, 10, 0, 10));
    // Ten sidecars; ten texts once to plan by and once to write.
    assert_eq!(world.proxy.gets(), 30);
    assert_eq!(
        world.visible("auditors"),
        (20..30).map(id).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
    assert_eq!(world.visible("g0").len(), OBJECTS / 4 - 2 - 3);

    world.proxy.plan(|_, _| None);
    assert_eq!(world.did(), (0, 0, 0, 0, 0, 0));
    assert_eq!(world.proxy.gets(), 0);
    world.index.verify().unwrap();
}
