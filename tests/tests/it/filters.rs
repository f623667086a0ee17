//! Filters, facets and counts: of what the asker may read, and of nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use safepassage::system::{Clock, Timestamp};
use safepassage::{
    Acl, Authorizer, AuthorizerLimits, BatchDocument, Create, EmbedderChoice, Engine, Error, Fields, Filter, Identity,
    Kind, Listed, Principal, Result, Session,
};
use safepassage_index::storage::MemoryStorage;
use safepassage_tests::Numbers;
use serde_json::{Value, json};

use crate::audit::lines;

const DIM: usize = 8;

fn schema() -> Fields {
    r#"{"dept": "string", "n": "number", "tags": "list", "open": "bool", "day": "date"}"#.parse().unwrap()
}

fn engine(storage: MemoryStorage) -> Engine {
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), fields: schema(), ..Create::default() };
    Engine::create_in(Arc::new(storage), create, Clock::fixed(Timestamp(1))).unwrap()
}

fn document(id: String, vector: Vec<f32>, reader: Principal, metadata: Value) -> BatchDocument {
    let acl = Some(Acl::new([reader], []));
    let metadata = metadata.as_object().cloned();
    BatchDocument { id, vector: Some(vector.into()), acl, metadata, ..BatchDocument::default() }
}

fn metadata(numbers: &mut Numbers, of: &str) -> Value {
    let n = numbers.below(40) as i64 - 20;
    let tag = format!("{of}{}", numbers.below(5));
    let year = 2000 + numbers.below(30);
    match numbers.below(6) {
        0 => json!({}),
        1 => json!({"dept": 5, "n": "many", "tags": "one", "open": "yes", "day": "soon"}),
        _ => json!({"dept": tag, "n": n, "tags": [tag, "all"], "open": n % 2 == 0, "day": format!("{year}-03-01")}),
    }
}

fn session(engine: &Engine, user: &str) -> Session {
    engine.session(Identity::asserted(user).issue(engine.clock()).unwrap()).unwrap()
}

fn filter(json: Value) -> Filter {
    json.try_into().unwrap()
}

fn filters() -> Vec<Filter> {
    [
        json!({"equals": {"key": "dept", "value": "open1"}}),
        json!({"notEquals": {"key": "dept", "value": "open1"}}),
        json!({"startsWith": {"key": "dept", "value": "hidden"}}),
        json!({"stringContains": {"key": "tags", "value": "n2"}}),
        json!({"andAll": [{"greaterThan": {"key": "n", "value": -5}}, {"equals": {"key": "open", "value": true}}]}),
        json!({"lessThan": {"key": "day", "value": "2010-01-01"}}),
    ]
    .into_iter()
    .map(filter)
    .collect()
}

/// `seed` makes what eve may read, `hidden` the rest.
fn twin(seed: u64, hidden: Option<u64>, commits: usize) -> Engine {
    let engine = engine(MemoryStorage::default());
    let mut shown = Numbers(seed);
    for part in 0..commits {
        let open = (0..1 + shown.below(25)).map(|n| {
            let metadata = metadata(&mut shown, "open");
            document(format!("m{part}-{n}"), shown.vector(DIM), Principal::Everyone, metadata)
        });
        let mut documents: Vec<BatchDocument> = open.collect();
        if let Some(seed) = hidden {
            let mut numbers = Numbers(seed + part as u64);
            for n in 0..1 + numbers.below(60) {
                let of = numbers.pick(&["open", "hidden", "a"]).to_owned();
                let metadata = metadata(&mut numbers, &of);
                let reader = Principal::group("hr");
                let id = format!("{}{part}-{n}x", numbers.pick(&["a", "m", "z"]));
                documents.push(document(id, numbers.vector(DIM), reader, metadata));
            }
        }
        engine.add(documents).unwrap();
        engine.commit().unwrap();
    }
    engine
}

/// Everything that eve can find out with filters, facets and counts, as text.
fn told(engine: &Engine, question: &[f32]) -> Vec<String> {
    let eve = session(engine, "eve");
    let mut told = vec![format!("{:?}", eve.count().run().unwrap())];
    for field in ["dept", "n", "tags", "open", "day"] {
        for limit in [1, 3, 50] {
            told.push(serde_json::to_string(&eve.facets(field).limit(limit).run().unwrap()).unwrap());
            for filter in filters() {
                let facets = eve.facets(field).limit(limit).filter(filter).run().unwrap();
                told.push(serde_json::to_string(&facets).unwrap());
            }
        }
    }
    for filter in filters() {
        told.push(format!("{:?}", eve.count().filter(filter.clone()).run().unwrap()));
        for k in [1, 10, 500] {
            let hits = eve.nearest(question).k(k).recall(1.0).filter(filter.clone()).find().unwrap();
            let found: Vec<(&str, u32)> = hits.ids().zip(hits.scores().map(f32::to_bits)).collect();
            told.push(format!("{found:?} {} {} {:?}", hits.complete(), hits.exact(), hits.results().unwrap().hits));
        }
    }
    for stated in
        [json!({"equals": {"key": "n", "value": "hidden0"}}), json!({"greaterThan": {"key": "dept", "value": 1}})]
    {
        let error = eve.nearest(question).filter(filter(stated)).find().unwrap_err();
        told.push(format!("{:?} {error}", error.kind()));
    }
    told.push(eve.facets("hidden").run().unwrap_err().to_string());
    told
}

#[test]
fn what_is_forbidden_leaves_no_trace_in_filters_facets_and_counts() {
    for seed in 1..25 {
        let mut numbers = Numbers(seed);
        let (question, commits) = (numbers.vector(DIM), 1 + numbers.below(4));
        let alone = told(&twin(seed, None, commits), &question);
        let beside = twin(seed, Some(1000 * seed), commits);
        assert!(session(&beside, "eve").count().run().unwrap().documents < beside.stats().unwrap().documents);
        assert_eq!(told(&beside, &question), alone, "seed {seed}");
        beside.merge().unwrap();
        assert_eq!(told(&beside, &question), alone, "seed {seed}, merged");
        // Fields that were declared late are the same fields.
        beside.set_fields(&Fields::default()).unwrap();
        assert_eq!(session(&beside, "eve").facets("dept").run().unwrap_err().kind(), Kind::Invalid);
        beside.set_fields(&schema()).unwrap();
        assert_eq!(told(&beside, &question), alone, "seed {seed}, declared again");
    }
}

/// Permits some documents, and can list them or not.
#[derive(Debug)]
struct Judge {
    permitted: BTreeSet<String>,
    lists: bool,
    fails: bool,
}

impl Authorizer for Judge {
    fn list(&self, _: &Identity) -> Result<Option<Listed>> {
        let documents = self.permitted.iter().cloned().collect();
        Ok(self.lists.then_some(Listed { documents, complete: true }))
    }

    fn check(&self, _: &Identity, documents: &[&str]) -> Result<Vec<bool>> {
        if self.fails {
            return Err(Error::new(Kind::Unavailable, "check", "the engine is down"));
        }
        assert!(!documents.iter().any(|id| id.ends_with('x')), "it hears of no forbidden document");
        Ok(documents.iter().map(|id| self.permitted.contains(*id)).collect())
    }

    fn max_batch(&self) -> usize {
        7
    }
}

#[test]
fn an_authorizer_is_asked_for_counts_and_facets_too_and_k_is_filled() {
    let engine = engine(MemoryStorage::default());
    let mut numbers = Numbers(3);
    let mut documents: Vec<BatchDocument> = (0..200)
        .map(|n| {
            let metadata = json!({"n": n, "dept": format!("d{}", n % 4), "open": n % 2 == 0});
            document(format!("{n:03}"), numbers.vector(DIM), Principal::Everyone, metadata)
        })
        .collect();
    documents.push(document("0x".into(), numbers.vector(DIM), Principal::group("hr"), json!({"n": 0, "dept": "d0"})));
    engine.add(documents).unwrap();
    engine.commit().unwrap();
    let permitted: BTreeSet<String> = (0..200).filter(|n| n % 5 != 0).map(|n| format!("{n:03}")).collect();
    let low = filter(json!({"lessThan": {"key": "n", "value": 100}}));
    let even = filter(json!({"equals": {"key": "open", "value": true}}));
    for lists in [true, false] {
        let judge = Arc::new(Judge { permitted: permitted.clone(), lists, fails: false });
        let eve = session(&engine, "eve").with_authorizer(judge);
        assert_eq!(eve.count().run().unwrap().documents, 160);
        // Of two filters both hold: of 50 even ones below 100 every fifth is refused.
        assert_eq!(eve.count().filter(low.clone()).filter(even.clone()).run().unwrap().documents, 40);
        let facets = serde_json::to_value(eve.facets("dept").filter(low.clone()).run().unwrap()).unwrap();
        assert_eq!((&facets["documents"], facets["values"][0]["count"].as_u64()), (&json!(80), Some(20)));
        for k in [1, 10, 39, 40, 60] {
            let question = numbers.vector(DIM);
            let search = eve.nearest(&question).k(k).recall(1.0);
            let found = search.filter(low.clone()).filter(even.clone()).find().unwrap();
            assert!(found.complete() && found.ids().len() == k.min(40), "k {k}, lists {lists}");
            let fits = |id: &str| id.parse::<u32>().is_ok_and(|n| n < 100 && n % 2 == 0 && n % 5 != 0);
            assert!(found.ids().all(fits));
        }
    }
    let judge = |fails| Arc::new(Judge { permitted: permitted.clone(), lists: false, fails });
    let few = AuthorizerLimits { max_documents: 90, ..AuthorizerLimits::default() };
    let limited = session(&engine, "eve").with_authorizer_within(judge(false), few);
    assert_eq!(limited.count().run().unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(limited.facets("dept").run().unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(limited.count().filter(low.clone()).filter(even.clone()).run().unwrap().documents, 40);
    let failing = session(&engine, "eve").with_authorizer(judge(true));
    assert_eq!(failing.count().run().unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(failing.facets("dept").run().unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn a_filter_is_in_the_log_by_its_digest_and_in_words_only_where_texts_are() {
    let folder = tempfile::tempdir().unwrap();
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), fields: schema(), ..Create::default() };
    let engine = Engine::create(folder.path(), create).unwrap();
    let mut numbers = Numbers(1);
    let open =
        |id: &str, dept: &str, vector| document(id.to_owned(), vector, Principal::Everyone, json!({"dept": dept}));
    engine.add(vec![open("a", "hr", numbers.vector(DIM)), open("b", "it", numbers.vector(DIM))]).unwrap();
    engine.commit().unwrap();
    let hr = filter(json!({"equals": {"key": "dept", "value": "hr"}}));
    let ask = || {
        let eve = session(&engine, "eve");
        let question = [1.0; DIM];
        eve.nearest(&question).filter(hr.clone()).find().unwrap();
        eve.nearest(&question).filter(hr.clone()).find_each().unwrap();
        eve.nearest(&question).find().unwrap();
        eve.count().filter(hr.clone()).run().unwrap();
        eve.facets("dept").filter(hr.clone()).run().unwrap();
        eve.count().filter(filter(json!({"equals": {"key": "n", "value": "hr"}}))).run().unwrap_err();
        lines(&engine).into_iter().map(|line| line.entry).collect::<Vec<_>>().split_off(lines(&engine).len() - 6)
    };
    engine.audit().unwrap().set(|settings| settings.on = true).unwrap();
    let told = ask();
    assert!(told.iter().all(|entry| entry.filter.is_none()));
    let digests: Vec<_> = told.iter().map(|entry| entry.filter_sha256.as_ref().map(ToString::to_string)).collect();
    assert!(digests[0].is_some() && digests[2].is_none());
    assert!([1, 3, 4].iter().all(|i| digests[*i] == digests[0]) && digests[5].is_some() && digests[5] != digests[0]);
    assert_eq!((told[3].action.as_str(), told[3].documents_count, told[3].hits), ("count", Some(1), Some(1)));
    assert_eq!((told[4].action.as_str(), told[4].field.as_deref()), ("facets", Some("dept")));
    assert_eq!((told[5].outcome.as_str(), told[5].documents_count), ("Invalid", None));
    engine.audit().unwrap().set(|settings| settings.texts = true).unwrap();
    let told = ask();
    assert_eq!(told[0].filter.as_deref(), Some(hr.to_string().as_str()));
    engine.set_fields(&Fields::default()).unwrap();
    let line = lines(&engine).pop().unwrap().entry;
    assert_eq!((line.action.as_str(), line.change.as_deref()), ("set_fields", Some("{}")));
    engine.verify().unwrap();
}
