//! An index changes its model: nothing is lost, nothing paid twice, no permission changed, no answer mixed.

pub mod house;
mod labels;
mod meanwhile;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use safepassage::audit::{AuditFilter, AuditLine};
use safepassage::models::CachedEmbedder;
use safepassage::{
    BatchDocument, Embedder, EmbedderChoice, Engine, Kind, Mode, Principal, ReEmbedOptions, Result, Silent, SourceSpec,
    SyncOptions, Tenant,
};
use safepassage_index::storage::{Fault, FaultyStorage, LocalStorage, MemoryStorage, Storage};
use serde_json::json;

use self::house::{Model, answers, clock, content, create, document, fill, who};

fn given(model: &Arc<Model>) -> EmbedderChoice {
    EmbedderChoice::Given(Arc::clone(model) as _)
}

fn change(engine: &Engine, model: &Arc<Model>) -> Result<u64> {
    let report = engine.re_embed(&given(model), &ReEmbedOptions::default(), &Silent)?;
    assert!(report.ready, "{report:?}");
    Ok(engine.switch(&ReEmbedOptions::default(), &Silent)?.generation)
}

#[test]
fn after_a_switch_answers_are_those_of_an_index_made_with_the_new_model() {
    for chunker in ["structure", "sentences:1", "hierarchical:96", "fixed"] {
        let (old, new) = (Model::new("old"), Model::new("new"));
        let engine = create(Arc::new(MemoryStorage::default()), &old, chunker);
        fill(&engine);
        let before = answers(&engine);
        change(&engine, &new).unwrap();
        let fresh = create(Arc::new(MemoryStorage::default()), &Model::new("new"), chunker);
        fill(&fresh);
        assert_eq!(answers(&engine), answers(&fresh), "{chunker}");
        assert_eq!(content(&engine), content(&fresh), "{chunker}");
        assert_eq!(engine.digest().unwrap(), fresh.digest().unwrap(), "{chunker}");
        assert_ne!(answers(&engine), before, "{chunker}");
        assert_eq!(new.most_paid(), 1, "{chunker}");
        let generation = engine.generations().unwrap().len() as u64 - 1;
        engine.rollback(generation).unwrap();
        assert_eq!(answers(&engine), before, "{chunker}");
        assert_eq!(engine.candidate().unwrap(), None);
    }
}

#[test]
fn whatever_is_cut_off_ends_as_if_undisturbed_and_nothing_is_paid_twice() {
    let (old, new) = (Model::new("old"), Model::new("new"));
    let start = MemoryStorage::default();
    fill(&create(Arc::new(start.clone()), &old, "structure"));
    // It may be of either model, after a cut.
    let open = |storage: Arc<dyn Storage>| {
        let engine = Engine::open_storage(storage, None, clock()).unwrap();
        engine.give_embedder(Arc::clone(&old) as _);
        engine
    };
    let before = answers(&open(Arc::new(start.durable_copy())));
    // What nobody disturbs, and how often it writes.
    let counted = Arc::new(FaultyStorage::new(start.durable_copy(), u64::MAX, Fault::FullOnce));
    let undisturbed = open(Arc::clone(&counted) as _);
    change(&undisturbed, &new).unwrap();
    undisturbed.wait_for_merges();
    let (wanted, after, writes) = (content(&undisturbed), answers(&undisturbed), counted.writes());
    let digest = undisturbed.digest().unwrap();
    assert!(writes > 15, "{writes}");
    let passages = new.passages_paid();
    for at in 0..writes {
        for fault in [Fault::CutBefore, Fault::CutAfter] {
            let place = format!("{fault:?} at write {at} of {writes}");
            let (memory, model) = (start.durable_copy(), Model::new("new"));
            let folder = tempfile::tempdir().unwrap();
            let cached = || {
                let inner = Arc::clone(&model) as Arc<dyn Embedder>;
                Arc::new(CachedEmbedder::open(inner, &folder.path().join("cache.sqlite")).unwrap())
            };
            {
                let engine = open(Arc::new(FaultyStorage::new(memory.clone(), at, fault)));
                let choice = EmbedderChoice::Given(cached() as _);
                let cut = engine.re_embed(&choice, &ReEmbedOptions::default(), &Silent);
                if cut.is_ok() {
                    drop(engine.switch(&ReEmbedOptions::default(), &Silent));
                }
                engine.wait_for_merges();
            }
            let engine = open(Arc::new(memory.durable_copy()));
            engine.give_embedder(cached() as _);
            let between = answers(&engine);
            assert!(between == before || between == after, "{place}: neither the old nor the new");
            if between == before {
                let choice = EmbedderChoice::Given(cached() as _);
                let report = engine.re_embed(&choice, &ReEmbedOptions::default(), &Silent).unwrap();
                assert!(report.ready, "{place}");
                engine.switch(&ReEmbedOptions::default(), &Silent).unwrap();
            }
            assert_eq!(content(&engine), wanted, "{place}");
            assert_eq!(engine.digest().unwrap(), digest, "{place}");
            assert_eq!(answers(&engine), after, "{place}");
            assert_eq!((model.most_paid(), model.passages_paid()), (1, passages), "{place}");
            // What is left of a switch that was cut goes.
            engine.drop_candidate().unwrap();
            assert_eq!(engine.candidate().unwrap(), None, "{place}");
        }
    }
}

#[test]
fn searches_beside_a_switch_get_the_old_answer_or_the_new_one() {
    let (old, new) = (Model::new("old"), Model::new("new"));
    let storage = Arc::new(MemoryStorage::default());
    let engine = create(Arc::clone(&storage) as _, &old, "structure");
    fill(&engine);
    let before = answers(&engine);
    let first = engine.generations().unwrap().len() as u64;
    let switched = change(&engine, &new).unwrap();
    let after = answers(&engine);
    assert_ne!(before, after);
    // Another engine that knows both models, as a process would that opens them itself.
    let other = Engine::open_storage(storage, Some(Arc::clone(&new) as _), clock()).unwrap();
    other.give_embedder(Arc::clone(&old) as _);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for engine in [&engine, &other] {
            scope.spawn(|| {
                let (mut olds, mut news) = (0, 0);
                let session = engine.session(who(engine, "ann", &[], "")).unwrap();
                let of = |all: &[String]| -> Vec<String> {
                    all.iter().filter(|line| line.starts_with("ann")).cloned().collect()
                };
                let wanted = [of(&before), of(&after)];
                while !done.load(Ordering::SeqCst) {
                    let found = session.search("what does it say?").k(10_000).recall(1.0).run();
                    let hits = match found {
                        Ok(found) => found.hits,
                        Err(error) => {
                            assert_eq!(error.kind(), Kind::Conflict, "{error}");
                            continue;
                        }
                    };
                    let got: Vec<String> = hits
                        .into_iter()
                        .map(|hit| {
                            format!(
                                "ann {} {} {:08x} {} {:?}",
                                hit.document,
                                hit.chunk,
                                hit.score.to_bits(),
                                hit.text,
                                hit.title
                            )
                        })
                        .collect();
                    olds += usize::from(got == wanted[0]);
                    news += usize::from(got == wanted[1]);
                    assert!(wanted.contains(&got), "an answer of neither");
                }
                println!("{olds} old answers, {news} new ones");
            });
        }
        for _ in 0..6 {
            engine.rollback(first).unwrap();
            engine.rollback(switched).unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn whoever_has_the_old_model_is_refused_after_a_switch() {
    let (old, new) = (Model::new("old"), Model::new("new"));
    let storage = Arc::new(MemoryStorage::default());
    let engine = create(Arc::clone(&storage) as _, &old, "structure");
    fill(&engine);
    let open = || Engine::open_storage(Arc::clone(&storage) as _, Some(Arc::clone(&old) as _), clock()).unwrap();
    let (staged, writer, searcher) = (open(), open(), open());
    // Vectors of the same length, so that nothing but the stamp can tell.
    let vector =
        BatchDocument { vector: Some(vec![1.0; house::DIM].into()), ..document("v", "v", Principal::Everyone) };
    staged.add(vec![vector]).unwrap();
    writer.add(vec![document("w", "a text", Principal::Everyone)]).unwrap();
    change(&engine, &new).unwrap();
    let error = staged.commit().unwrap_err();
    assert!(
        error.kind() == Kind::Conflict && error.message().contains("`v` has vectors of the model `old`"),
        "{error}"
    );
    let error = writer.commit().unwrap_err();
    assert!(error.kind() == Kind::Conflict && error.message().contains("open the index again"), "{error}");
    let session = searcher.session(who(&searcher, "ann", &[], "")).unwrap();
    for mode in [Mode::Vector, Mode::Hybrid] {
        assert_eq!(session.search("what?").mode(mode).run().unwrap_err().kind(), Kind::Conflict);
    }
    assert!(!session.search("says").mode(Mode::Lexical).run().unwrap().hits.is_empty());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.jsonl"), json!({"id": "s", "text": "t"}).to_string()).unwrap();
    let source = [SourceSpec::new(folder.path().join("d.jsonl"))];
    assert_eq!(searcher.sync(&source, &SyncOptions::default(), &Silent).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(engine.candidate().unwrap(), None);
    // Whoever has both goes on.
    writer.give_embedder(Arc::clone(&new) as _);
    writer.commit().unwrap();
    assert!(
        engine.session(who(&engine, "ann", &[], "")).unwrap().visible().unwrap().documents.contains(&"w".to_owned())
    );
}

#[test]
fn a_candidate_is_searched_under_the_permissions_of_now_and_written_by_nobody() {
    let (old, new) = (Model::new("old"), Model::new("new"));
    let storage = Arc::new(MemoryStorage::default());
    let engine = create(Arc::clone(&storage) as _, &old, "structure");
    fill(&engine);
    let before = storage.contents().len();
    engine.re_embed(&given(&new), &ReEmbedOptions::default(), &Silent).unwrap();
    let shared = Arc::clone(&storage) as Arc<dyn Storage>;
    let candidate = Engine::open_candidate_in(shared, Some(Arc::clone(&new) as _), clock()).unwrap();
    let fresh = create(Arc::new(MemoryStorage::default()), &new, "structure");
    fill(&fresh);
    assert_eq!(answers(&candidate), answers(&fresh));
    engine.revoke(&Tenant::default(), "d0", &Principal::user("ann")).unwrap();
    let sees = |engine: &Engine| engine.session(who(engine, "ann", &[], "")).unwrap().visible().unwrap().documents;
    assert_eq!(sees(&candidate), sees(&engine));
    assert!(!sees(&candidate).contains(&"d0".to_owned()));
    candidate.add(vec![document("x", "x", Principal::Everyone)]).unwrap();
    for refused in [candidate.commit().map(drop), candidate.rollback(1).map(drop), candidate.merge().map(drop)] {
        assert_eq!(refused.unwrap_err().kind(), Kind::Conflict);
    }
    engine.drop_candidate().unwrap();
    assert_eq!(storage.contents().len(), before + 1, "but for the revocation all is as it was");
}

#[test]
fn the_audit_log_says_which_answers_came_from_a_candidate() {
    let (old, new) = (Model::new("old"), Model::new("new"));
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path())) as Arc<dyn Storage>;
    let engine = create(Arc::clone(&storage), &old, "structure");
    fill(&engine);
    engine.audit().unwrap().set(|settings| settings.on = true).unwrap();
    engine.re_embed(&given(&new), &ReEmbedOptions::default(), &Silent).unwrap();
    let candidate = Engine::open_candidate_in(storage, Some(Arc::clone(&new) as _), clock()).unwrap();
    for engine in [&engine, &candidate] {
        let session = engine.session(who(engine, "ann", &[], "")).unwrap();
        session.search("what does it say?").run().unwrap();
        session.visible().unwrap();
        session.search_vector(&[1.0; house::DIM], 3, None).unwrap();
    }
    let mut said = Vec::new();
    let answers = |line: &AuditLine| matches!(line.entry.action.as_str(), "search" | "search_vector" | "visible");
    let visit = &mut |line: &AuditLine| {
        if answers(line) {
            said.push((line.entry.candidate, line.entry.generation.is_some()));
        }
        Ok(())
    };
    engine.audit().unwrap().show(&AuditFilter::default(), visit).unwrap();
    assert_eq!(said, [[(None, true); 3], [(Some(true), true); 3]].concat());
    engine.audit().unwrap().verify(None).unwrap();
}
