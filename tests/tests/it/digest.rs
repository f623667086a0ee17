//! `Engine::digest`: the same for indexes that say the same, however they came to it, and another one for whatever is said
//! otherwise.

use std::sync::Arc;

use safepassage::{Acl, BatchDocument, Engine, Principal, Section, Tenant};
use safepassage_index::storage::MemoryStorage;

use crate::re_embed::house::{DIM, Model, create, document};

const TEXT: &str = "One says this. Two says that. Three says nothing at all.";

fn empty() -> Engine {
    create(Arc::new(MemoryStorage::default()), &Model::new("m"), "structure")
}

fn digest(engine: &Engine) -> String {
    engine.wait_for_merges();
    engine.digest().unwrap()
}

fn documents(count: usize) -> Vec<BatchDocument> {
    let one = |n: usize| {
        let mut one =
            document(&format!("d{n}"), &format!("# H {n}\n\n{TEXT}"), Principal::group(&format!("g{}", n % 3)));
        one.sections = vec![Section { span: (30, 60), acl: Acl::new([Principal::user("ann")], []) }];
        one.metadata = serde_json::json!({"year": n}).as_object().cloned();
        one
    };
    (0..count).map(one).collect()
}

#[test]
fn how_an_index_came_about_is_no_part_of_it() {
    let at_once = empty();
    at_once.add(documents(40)).unwrap();
    at_once.commit().unwrap();
    let wanted = digest(&at_once);
    assert_eq!(wanted.len(), 64);

    // One by one, the last first, with others that go again, with changes, merged and rolled back.
    let detours = empty();
    for (n, one) in documents(40).into_iter().enumerate().rev() {
        let gone = document(&format!("x{n}"), "x", Principal::user("eve"));
        let before = BatchDocument { text: Some(format!("before {n}")), sections: Vec::new(), ..one.clone() };
        for staged in [vec![gone, before], vec![one]] {
            detours.add(staged).unwrap();
            detours.commit().unwrap();
        }
        detours.delete(&Tenant::default(), &format!("x{n}")).unwrap();
    }
    detours.commit().unwrap();
    detours.revoke(&Tenant::default(), "d7", &Principal::user("ann")).unwrap();
    assert_ne!(digest(&detours), wanted);
    detours.restore(&Tenant::default(), "d7", &Principal::user("ann"), "again").unwrap();
    assert_eq!(digest(&detours), wanted);
    detours.merge().unwrap();
    assert_eq!(digest(&detours), wanted);
    detours.delete(&Tenant::default(), "d3").unwrap();
    detours.commit().unwrap();
    assert_ne!(digest(&detours), wanted);
    detours.rollback(detours.generations().unwrap().len() as u64 - 1).unwrap();
    assert_eq!(digest(&detours), wanted);
}

#[test]
fn whatever_is_said_otherwise_makes_it_another() {
    let tenant = Tenant::default();
    let base = || BatchDocument { title: Some("T".into()), ..document("d", TEXT, Principal::group("hr")) };
    let input = || document("input", "what it was made of", Principal::Everyone);
    let made = |documents: Vec<BatchDocument>, then: &dyn Fn(&Engine)| {
        let engine = empty();
        engine.add(documents).unwrap();
        engine.commit().unwrap();
        then(&engine);
        digest(&engine)
    };
    let of = |one: BatchDocument| made(vec![input(), one], &|_| ());
    let then = |then: &dyn Fn(&Engine)| made(vec![input(), base()], then);
    let mut all = vec![
        ("as it was", of(base())),
        ("id", of(BatchDocument { id: "e".into(), ..base() })),
        ("tenant", of(BatchDocument { tenant: Tenant("other".into()), ..base() })),
        ("text", of(BatchDocument { text: Some(TEXT.replace("One", "No one")), ..base() })),
        ("title", of(BatchDocument { title: Some("U".into()), ..base() })),
        ("no title", of(BatchDocument { title: None, ..base() })),
        ("place", of(BatchDocument { uri: Some("file:d".into()), ..base() })),
        ("metadata", of(BatchDocument { metadata: serde_json::json!({"year": 1}).as_object().cloned(), ..base() })),
        ("label", of(BatchDocument { label: Some("restricted".into()), ..base() })),
        ("nobody", of(BatchDocument { acl: None, ..base() })),
        ("ACL", of(BatchDocument { acl: Some(Acl::new([Principal::group("it")], [])), ..base() })),
        (
            "deny",
            of(BatchDocument { acl: Some(Acl::new([Principal::group("hr")], [Principal::user("ann")])), ..base() }),
        ),
        ("derived", of(BatchDocument { derived_from: vec!["input".into()], ..base() })),
        (
            "revoked",
            then(&|engine| {
                engine.revoke(&tenant, "d", &Principal::user("ann")).unwrap();
            }),
        ),
        (
            "object",
            then(&|engine| {
                engine.set_acl_object(&tenant, "folder", Acl::new([Principal::Everyone], [])).unwrap();
            }),
        ),
        (
            "set by hand",
            then(&|engine| {
                engine.set_acl(&tenant, "d", Acl::new([Principal::user("bob")], [])).unwrap();
            }),
        ),
        (
            "gone",
            then(&|engine| {
                engine.delete(&tenant, "input").unwrap();
                engine.commit().unwrap();
            }),
        ),
    ];
    for (n, readers) in [["ann"], ["bob"]].iter().enumerate() {
        let acl = Acl::new(readers.iter().map(|user| Principal::user(user)), []);
        let name = ["section", "section of another"][n];
        all.push((name, of(BatchDocument { sections: vec![Section { span: (0, 14), acl }], ..base() })));
    }
    // The same text with a vector of its own.
    let vector = |last: f32| {
        let values: Vec<f32> = (1..DIM).map(|_| 1.0).chain([last]).collect();
        of(BatchDocument { vector: Some(values.into()), ..base() })
    };
    all.extend([("vector", vector(1.0)), ("vector by a hair", vector(1.000_001))]);
    let other = create(Arc::new(MemoryStorage::default()), &Model::new("another"), "structure");
    all.extend([("empty", digest(&empty())), ("empty, of another model", digest(&other))]);
    for (n, (name, digest)) in all.iter().enumerate() {
        let same = all[..n].iter().find(|(_, other)| other == digest);
        assert!(same.is_none(), "{name} is as {:?}", same.map(|(other, _)| other));
    }
    assert_eq!(all[0].1, of(base()));
}
