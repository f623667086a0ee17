//! The index is written while its model is changed: all of it is taken in, whenever it comes.

use std::sync::Arc;

use safepassage::{Engine, Fields, Kind, Mode, Principal, ReEmbedOptions, Silent, Tenant};
use safepassage_index::storage::MemoryStorage;

use super::given;
use super::house::{Model, create, document, fill, who};

#[test]
fn what_changes_meanwhile_is_taken_in_and_permissions_only_move_forward() {
    let (old, new) = (Model::new("old"), Model::new("new"));
    let engine = create(Arc::new(MemoryStorage::default()), &old, "structure");
    fill(&engine);
    let here = Tenant::default();
    let sees =
        |engine: &Engine, user: &str| engine.session(who(engine, user, &[], "")).unwrap().visible().unwrap().documents;
    let asked = |engine: &Engine, user: &str| {
        let session = engine.session(who(engine, user, &[], "")).unwrap();
        let hits = session.search("what does it say?").k(1000).recall(1.0).run().unwrap().hits;
        let mut documents: Vec<String> = hits.into_iter().map(|hit| hit.document).collect();
        documents.dedup();
        documents
    };
    let during = engine.clone();
    new.meanwhile(move || {
        let here = Tenant::default();
        during.revoke(&here, "d0", &Principal::user("ann")).unwrap();
        during.delete(&here, "d1").unwrap();
        during.add(vec![document("d2", "it says something else now", Principal::Everyone)]).unwrap();
        during.add(vec![document("late", "it says that it is late", Principal::Everyone)]).unwrap();
        during.commit().unwrap();
    });
    let report = engine.re_embed(&given(&new), &ReEmbedOptions::default(), &Silent).unwrap();
    assert!(report.ready && report.deleted == 1, "{report:?}");
    // And once more between the job and the switch.
    engine.add(vec![document("later", "it says that it is later", Principal::Everyone)]).unwrap();
    engine.delete(&here, "d4").unwrap();
    engine.commit().unwrap();
    engine.revoke(&here, "titled", &Principal::user("ann")).unwrap();
    assert_eq!(engine.candidate().unwrap().map(|c| (c.missing, c.gone)), Some((1, 1)));
    let switched = engine.switch(&ReEmbedOptions::default(), &Silent).unwrap();
    assert_eq!((switched.embedded, switched.deleted), (1, 1));
    let wanted = ["d2", "d5", "empty", "late", "later", "narrowed"];
    assert_eq!(sees(&engine, "ann"), wanted);
    for id in ["d0", "d1", "d4", "hr", "titled"] {
        assert!(!asked(&engine, "ann").contains(&id.to_owned()), "{id}");
    }
    let session = engine.session(who(&engine, "ann", &[], "")).unwrap();
    let hits = session.search("something else").mode(Mode::Lexical).k(1).run().unwrap().hits;
    assert_eq!((hits[0].document.as_str(), hits[0].text.as_str()), ("d2", "it says something else now"));
    assert_eq!(new.most_paid(), 1);

    // Back: d1 and d4 were live in the generation that is gone back to, and the revocations stand.
    let generation = engine.generations().unwrap().iter().rposition(|m| m.operation == "switch").unwrap() as u64;
    engine.rollback(generation).unwrap();
    assert_eq!(sees(&engine, "ann"), wanted);
    assert!(!asked(&engine, "ann").iter().any(|id| id == "d0" || id == "titled"));
    engine.restore(&here, "titled", &Principal::user("ann"), "asked for").unwrap();
    assert!(asked(&engine, "ann").contains(&"titled".to_owned()));
    engine.verify().unwrap();
}

/// Each time that `model` is asked for passages, another document is committed, while somebody else may write at all.
fn keep_adding(engine: &Engine, model: &Arc<Model>, n: usize) {
    let (during, asked) = (engine.clone(), Arc::clone(model));
    model.meanwhile(move || {
        let late = document(&format!("late{n}"), &format!("it says that it is late {n} times"), Principal::Everyone);
        during.add(vec![late]).unwrap();
        match during.commit() {
            Ok(_) => keep_adding(&during, &asked, n + 1),
            Err(error) => assert_eq!(error.kind(), Kind::Conflict, "{error}"),
        }
    });
}

#[test]
fn a_switch_takes_in_what_never_stops_coming() {
    let (old, new) = (Model::new("old"), Model::new("new"));
    let engine = create(Arc::new(MemoryStorage::default()), &old, "structure");
    fill(&engine);
    engine.re_embed(&given(&new), &ReEmbedOptions::default(), &Silent).unwrap();
    engine.add(vec![document("first", "it says that it is first", Principal::Everyone)]).unwrap();
    engine.commit().unwrap();
    keep_adding(&engine, &new, 0);
    engine.switch(&ReEmbedOptions::default(), &Silent).unwrap();
    let session = engine.session(who(&engine, "ann", &[], "")).unwrap();
    let late = session.visible().unwrap().documents.into_iter().filter(|id| id.starts_with("late")).count();
    assert!(late >= 4, "{late} came in time");
    let hits = session.search("what does it say?").k(1000).recall(1.0).run().unwrap().hits;
    assert_eq!(hits.iter().filter(|hit| hit.document.starts_with("late")).count(), late);
    assert_eq!(new.most_paid(), 1);
    engine.verify().unwrap();
}

#[test]
fn fields_that_are_declared_meanwhile_can_be_asked_for_after_a_switch() {
    let (old, new) = (Model::new("old"), Model::new("new"));
    let engine = create(Arc::new(MemoryStorage::default()), &old, "structure");
    fill(&engine);
    engine.re_embed(&given(&new), &ReEmbedOptions::default(), &Silent).unwrap();
    let fields: Fields = r#"{"dept": "string"}"#.parse().unwrap();
    engine.set_fields(&fields).unwrap();
    engine.switch(&ReEmbedOptions::default(), &Silent).unwrap();
    assert_eq!(engine.fields().unwrap(), fields);
}
