//! What is measured where the answers are known.

use safepassage::Kind;
use safepassage_eval::{Collection, Run, compare};

use crate::world::{Spoilt, world, world_without};

#[test]
fn everybody_finds_what_they_may_see() {
    let world = world();
    let run = Run { k: vec![5, 10], ..Run::default() };
    let evaluation = world.evaluate(&mut world.retriever(), &run).unwrap();
    assert_eq!(evaluation.asked.len(), 80);
    let personas = evaluation.personas();
    let facts: Vec<_> = personas
        .iter()
        .map(|p| {
            (p.persona.as_str(), p.visible, p.live, p.summary.answerable, p.summary.out_of_reach, p.summary.missing)
        })
        .collect();
    assert_eq!(
        facts,
        [("ann", 60, 60, 20, 0, 0), ("bob", 40, 60, 13, 7, 0), ("eve", 20, 60, 6, 14, 0), ("nobody", 0, 0, 20, 0, 20)]
    );
    for persona in &personas[..3] {
        let summary = &persona.summary;
        assert!(summary.measures.values().filter(|m| m.mean == 1.0).count() >= 8, "{summary:?}");
        assert!((summary.measures["precision@5"].mean - 0.2).abs() < 1e-9);
        assert_eq!((summary.leaks, summary.k_fill, summary.recall_of_search), (0, 1.0, Some(1.0)));
    }
    // Another tenant has none of the documents: they should be there and are not.
    assert_eq!(personas[3].summary.measures["ndcg@10"].mean, 0.0);
    assert_eq!(personas[3].summary.recall_of_search, None);
    let bands: Vec<_> = evaluation.bands().into_iter().map(|band| (band.band, band.personas.join(" "))).collect();
    assert_eq!(bands, [("≤0.1%", "nobody".into()), ("≤50%", "eve".into()), ("≤100%", "ann bob".into())]);
}

#[test]
fn a_search_that_loses_its_best_is_seen() {
    let world = world();
    let mut spoilt = Spoilt { loses: true, ..Spoilt::new(world.retriever()) };
    let all = world.evaluate(&mut spoilt, &Run::default()).unwrap().all();
    // One of ten for who sees sixty; k is not filled any more either.
    assert!((all.recall_of_search.unwrap() - 0.9).abs() < 1e-9);
    assert_eq!(all.k_fill, 0.25);
    assert_eq!(all.measures["hit@10"].mean, 0.0);
}

#[test]
fn documents_that_are_not_in_the_index_count_as_not_found() {
    let (whole, part) = (world(), world_without(10));
    let here = part.evaluate(&mut part.retriever(), &Run::default()).unwrap();
    assert_eq!(here.personas()[0].summary.measures["recall@10"].mean, 0.5);
    assert_eq!(here.personas()[0].summary.missing, 10);
    let there = whole.evaluate(&mut whole.retriever(), &Run::default()).unwrap();
    let index = safepassage_eval::OfIndex::of(&whole.engine).unwrap();
    let compared = compare(&part.collection, &here, &there, "the whole".into(), index).unwrap();
    let ndcg = &compared.measures["ndcg@10"];
    assert!(ndcg.difference.mean < -0.3 && ndcg.p < 0.01, "{ndcg:?}");
    assert_eq!((ndcg.wins, ndcg.worst.len()), (0, 10));
    let other = Run { k: vec![3], ..Run::default() };
    let other = whole.evaluate(&mut whole.retriever(), &other).unwrap();
    let index = safepassage_eval::OfIndex::of(&whole.engine).unwrap();
    assert_eq!(compare(&part.collection, &here, &other, "k".into(), index).unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn what_changes_meanwhile_is_judged_anew() {
    use safepassage::{Principal, Tenant};
    let world = world();
    let revoked = std::cell::Cell::new(false);
    let revoke = || {
        if !revoked.replace(true) {
            world.engine.revoke(&Tenant::default(), "d0", &Principal::Public).unwrap();
        }
    };
    let mut spoilt = Spoilt { before: &revoke, ..Spoilt::new(world.retriever()) };
    let evaluation = world.evaluate(&mut spoilt, &Run::default()).unwrap();
    assert_eq!(evaluation.all().leaks, 0);
    assert_eq!(evaluation.asked[0].out_of_reach, 1);
    let always = || {
        drop(world.engine.revoke(
            &Tenant::default(),
            "d1",
            &Principal::user(&format!("u{}", world.engine.stats().unwrap().acl_epoch)),
        ))
    };
    let mut spoilt = Spoilt { before: &always, ..Spoilt::new(world.retriever()) };
    assert_eq!(world.evaluate(&mut spoilt, &Run::default()).unwrap_err().kind(), Kind::Conflict);
}

#[test]
fn nobody_and_no_k() {
    let mut world = world();
    for k in [vec![], vec![0], vec![10, 5], vec![5, 5]] {
        let run = Run { k, ..Run::default() };
        assert_eq!(world.evaluate(&mut world.retriever(), &run).unwrap_err().kind(), Kind::Invalid);
    }
    world.collection.questions[0].persona = Some("zoe".into());
    let error = world.evaluate(&mut world.retriever(), &Run::default()).unwrap_err();
    assert!(error.to_string().contains("`zoe`"), "{error}");
    world.collection = Collection { personas: Vec::new(), ..world.collection };
    assert_eq!(world.evaluate(&mut world.retriever(), &Run::default()).unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn a_question_of_a_persona_is_asked_by_it_alone() {
    let mut world = world();
    world.collection.questions.iter_mut().for_each(|question| question.persona = Some("eve".into()));
    let evaluation = world.evaluate(&mut world.retriever(), &Run::default()).unwrap();
    assert!(evaluation.asked.len() == 20 && evaluation.asked.iter().all(|asked| asked.persona == 2));
}
