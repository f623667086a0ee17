//! Somebody outside decides too: what is found is what ACLs and authorizer both permit, and never a word more is asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use safepassage::system::{Clock, Timestamp};
use safepassage::{
    Acl, Authorizer, AuthorizerLimits, BatchDocument, Create, EmbedderChoice, Engine, Error, Identity, Kind, Listed,
    Principal, Result, Session,
};
use safepassage_index::storage::MemoryStorage;
use safepassage_tests::{Numbers, cosine};

mod words;

const DIM: usize = 8;

/// An authorizer that permits `permitted`, and fails or answers wrongly at the call `fails_at`.
#[derive(Debug, Default)]
struct Judge {
    permitted: BTreeSet<String>,
    /// `None`: cannot list; else whether the list is complete. An incomplete one lacks every second document.
    lists: Option<bool>,
    max_batch: usize,
    fails_at: Option<usize>,
    /// Instead of failing, gives this many answers more or fewer.
    answers_off_by: isize,
    calls: Mutex<usize>,
    asked: Mutex<Vec<String>>,
}

impl Judge {
    fn is_wrong(&self) -> bool {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        self.fails_at.is_some_and(|at| *calls > at)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Authorizer for Judge {
    fn list(&self, _: &Identity) -> Result<Option<Listed>> {
        let Some(complete) = self.lists else { return Ok(None) };
        if self.is_wrong() {
            return Err(Error::new(Kind::Unavailable, "list", "the engine is down"));
        }
        let mut documents: Vec<String> = self.permitted.iter().cloned().collect();
        if !complete {
            documents = documents.into_iter().step_by(2).collect();
        }
        // A name that the asker may not see or that is none makes no difference.
        documents.extend(["hidden-0".into(), "nowhere".into()]);
        Ok(Some(Listed { documents, complete }))
    }

    fn check(&self, _: &Identity, documents: &[&str]) -> Result<Vec<bool>> {
        assert!(documents.len() <= self.max_batch && !documents.is_empty());
        self.asked.lock().unwrap().extend(documents.iter().map(ToString::to_string));
        let mut answers: Vec<bool> = documents.iter().map(|id| self.permitted.contains(*id)).collect();
        if self.is_wrong() {
            if self.answers_off_by == 0 {
                return Err(Error::new(Kind::Unavailable, "check", "the engine is down"));
            }
            answers.resize(documents.len().checked_add_signed(self.answers_off_by).unwrap(), true);
        }
        Ok(answers)
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }
}

/// Documents that eve may read by their ACLs, and some that she may not.
struct World {
    engine: Engine,
    open: Vec<(String, Vec<f32>)>,
}

fn world(numbers: &mut Numbers, open: usize, commits: usize) -> World {
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap();
    let open: Vec<(String, Vec<f32>)> = (0..open).map(|n| (format!("d{n}"), numbers.vector(DIM))).collect();
    let document = |id: &str, vector: &[f32], reader| BatchDocument {
        id: id.to_owned(),
        vector: Some(vector.to_vec().into()),
        acl: Some(Acl::new([reader], [])),
        ..BatchDocument::default()
    };
    for part in 0..commits {
        let some = open.iter().skip(part).step_by(commits);
        let mut documents: Vec<_> = some.map(|(id, vector)| document(id, vector, Principal::user("eve"))).collect();
        documents.push(document(&format!("hidden-{part}"), &numbers.vector(DIM), Principal::user("bob")));
        engine.add(documents).unwrap();
        engine.commit().unwrap();
    }
    World { engine, open }
}

impl World {
    fn session(&self, judge: &Arc<Judge>, limits: AuthorizerLimits) -> Session {
        let eve = Identity::asserted("eve").issue(self.engine.clock()).unwrap();
        self.engine.session(eve).unwrap().with_authorizer_within(Arc::<Judge>::clone(judge), limits)
    }

    /// The ids of the `k` nearest documents that `judge` permits, by plain loops.
    fn nearest(&self, judge: &Judge, question: &[f32], k: usize) -> Vec<String> {
        let permitted = self.open.iter().filter(|(id, _)| judge.permitted.contains(id));
        let mut scored: Vec<(f64, &String)> = permitted.map(|(id, v)| (cosine(v, question), id)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(k).map(|(_, id)| id.clone()).collect()
    }
}

fn ids(hits: &safepassage::VectorHits) -> Vec<String> {
    hits.ids().map(str::to_owned).collect()
}

#[test]
fn what_both_permit_is_found_and_k_is_filled() {
    for seed in 0..80 {
        let mut numbers = Numbers(seed);
        let (open, commits) = (1 + numbers.below(300), 1 + numbers.below(4));
        let world = world(&mut numbers, open, commits);
        // From nearly none to nearly all.
        let (share, max_batch) = (numbers.below(101), 1 + numbers.below(60));
        let permitted: BTreeSet<String> =
            world.open.iter().filter(|_| numbers.below(100) < share).map(|(id, _)| id.clone()).collect();
        for lists in [None, Some(false), Some(true)] {
            let judge = Judge { permitted: permitted.clone(), lists, max_batch, ..Judge::default() };
            let judge = Arc::new(judge);
            let session = world.session(&judge, AuthorizerLimits::default());
            let k = numbers.pick(&[0, 1, 3, 10, 400]);
            let questions: Vec<Vec<f32>> = (0..3).map(|_| numbers.vector(DIM)).collect();
            let together = session.search_vectors(&questions.concat(), k, Some(1.0)).unwrap();
            for (question, among) in questions.iter().zip(together) {
                let found = session.search_vector(question, k, Some(1.0)).unwrap();
                let case = format!("seed {seed}, {lists:?}, k {k}, {} of {open}", permitted.len());
                assert_eq!(ids(&found), world.nearest(&judge, question, k), "{case}");
                assert_eq!(ids(&among), ids(&found), "{case}");
                assert!(found.complete() && found.exact() && among.complete() && among.exact(), "{case}");
            }
            let visible: BTreeSet<String> = session.visible().unwrap().documents.into_iter().collect();
            assert_eq!(visible, permitted, "seed {seed}, {lists:?}");
            for id in ["d0", "hidden-0", "nowhere"] {
                let explained = session.explain(id).unwrap();
                assert_eq!(explained.visible, permitted.contains(id), "seed {seed}: {id}");
                assert!(explained.visible || explained.reasons.is_empty(), "seed {seed}: {id}");
            }
            assert!(judge.asked().iter().all(|id| id.starts_with('d')), "it heard of what the ACLs withhold");
        }
    }
}

#[test]
fn an_authorizer_that_fails_at_any_call_gives_nothing() {
    let mut numbers = Numbers(1);
    let world = world(&mut numbers, 60, 2);
    let question = numbers.vector(DIM);
    let permitted: BTreeSet<String> = world.open.iter().step_by(4).map(|(id, _)| id.clone()).collect();
    let mut calls = 0;
    for (lists, answers_off_by) in [(None, 0), (None, 1), (None, -1), (Some(false), 0), (Some(true), 0)] {
        for fails_at in 0.. {
            let judge = || {
                let (permitted, fails_at) = (permitted.clone(), Some(fails_at));
                let judge = Judge { permitted, lists, max_batch: 3, fails_at, answers_off_by, ..Judge::default() };
                Arc::new(judge)
            };
            let session = |judge: &Arc<Judge>| world.session(judge, AuthorizerLimits::default());
            let judges = [judge(), judge(), judge(), judge()];
            let outcomes = [
                session(&judges[0]).search_vector(&question, 5, Some(1.0)).map(drop),
                session(&judges[1]).search_vectors(&question, 5, None).map(drop),
                session(&judges[2]).visible().map(drop),
                session(&judges[3]).explain("d0").map(drop),
            ];
            let mut none_failed = true;
            for (outcome, judge) in outcomes.into_iter().zip(&judges) {
                // A call that was not reached cannot fail.
                let failed = *judge.calls.lock().unwrap() > fails_at;
                none_failed &= !failed;
                calls += usize::from(failed);
                assert_eq!(outcome.map_err(|error| error.kind()), if failed { Err(Kind::Unavailable) } else { Ok(()) });
            }
            if none_failed {
                break;
            }
        }
    }
    assert!(calls > 50, "only {calls} failures were tried");
}

#[test]
fn a_search_that_may_ask_no_more_says_that_it_is_not_complete() {
    for seed in 0..40 {
        let mut numbers = Numbers(seed);
        let world = world(&mut numbers, 100, 2);
        let question = numbers.vector(DIM);
        let permitted = world.open.iter().filter(|_| numbers.one_in(5)).map(|(id, _)| id.clone()).collect();
        let judge = Arc::new(Judge { permitted, max_batch: 7, ..Judge::default() });
        for max_documents in [0, 1, 10, 50, 99, 100] {
            judge.asked.lock().unwrap().clear();
            let limits = AuthorizerLimits { max_documents, ..AuthorizerLimits::default() };
            let session = world.session(&judge, limits);
            let found = session.search_vector(&question, 10, Some(1.0)).unwrap();
            let (ids, all) = (ids(&found), world.nearest(&judge, &question, 10));
            let asked = judge.asked().len();
            assert!(asked <= max_documents, "seed {seed}");
            assert_eq!(ids, all[..ids.len()], "seed {seed}: hits are the nearest ones also then");
            assert_eq!(found.complete(), ids.len() == all.len(), "seed {seed}, {max_documents}");
            assert_eq!(found.exact(), found.complete(), "seed {seed}, {max_documents}");
            let visible = session.visible().map(|visible| visible.count).map_err(|error| error.kind());
            let whole = if max_documents < 100 { Err(Kind::Unavailable) } else { Ok(judge.permitted.len()) };
            assert_eq!(visible, whole, "seed {seed}");
        }
    }
}

#[test]
fn after_the_deadline_nothing_is_asked_and_nothing_given() {
    let mut numbers = Numbers(3);
    let world = world(&mut numbers, 10, 1);
    let permitted = world.open.iter().map(|(id, _)| id.clone()).collect();
    let judge = Arc::new(Judge { permitted, lists: Some(true), max_batch: 5, ..Judge::default() });
    let limits = AuthorizerLimits { deadline: Duration::ZERO, ..AuthorizerLimits::default() };
    let session = world.session(&judge, limits);
    assert_eq!(session.search_vector(&numbers.vector(DIM), 3, None).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(session.visible().unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(session.explain("d0").unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(*judge.calls.lock().unwrap(), 0);
}

#[test]
fn a_document_of_many_passages_is_refused_as_a_whole() {
    let create = Create { chunk_tokens: Some(16), overlap_tokens: Some(0), ..Create::default() };
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap();
    let document = |id: &str, sentence: &str| BatchDocument {
        id: id.to_owned(),
        text: Some(format!("{sentence} once more, as the committee has decided.\n\n").repeat(12)),
        acl: Some(Acl::new([Principal::Everyone], [])),
        ..BatchDocument::default()
    };
    engine.add(vec![document("pay", "Salaries rise in July"), document("garden", "The roses are cut")]).unwrap();
    engine.commit().unwrap();
    let eve = engine.session(Identity::asserted("eve").issue(engine.clock()).unwrap()).unwrap();
    let question = "when do salaries rise?";
    assert!(eve.search(question).k(5).recall(1.0).find().unwrap().ids().all(|id| id == "pay"));
    for lists in [None, Some(true)] {
        let permitted = BTreeSet::from(["garden".to_owned()]);
        let judge = Arc::new(Judge { permitted, lists, max_batch: 5, ..Judge::default() });
        let guarded = eve.clone().with_authorizer(Arc::<Judge>::clone(&judge));
        let found = guarded.search(question).k(5).recall(1.0).find().unwrap();
        assert_eq!((ids(&found), found.complete(), found.exact()), (vec!["garden".to_owned(); 5], true, true));
        assert!(found.results().unwrap().hits.iter().all(|hit| hit.text.contains("roses")));
        let asked = judge.asked();
        assert_eq!(asked.len(), asked.iter().collect::<BTreeSet<_>>().len(), "it was asked twice about one document");
        assert!(
            eve.search(question).k(5).find().unwrap().ids().all(|id| id == "pay"),
            "the other session is as it was"
        );
    }
}
