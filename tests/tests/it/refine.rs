//! Reranking, variety, what stands around a hit: all of it among visible passages.

use std::sync::{Arc, Mutex};

use safepassage::models::Catalogue;
use safepassage::system::{Clock, Timestamp};
use safepassage::{
    Acl, Around, BatchDocument, Cleared, Create, EmbedderChoice, Engine, Identity, Kind, Labels, Mode, Principal,
    RerankWith, Reranker, Result, Section, Session,
};
use safepassage_index::storage::MemoryStorage;

/// Long enough to be a chunk each; the rest are stop words.
const REST: &str = "and the and of the to and in the is";
const WORDS: [&str; 6] = ["one", "two", "secret", "four", "five", "six"];

fn part(word: &str) -> String {
    format!("alpha {word} {REST}")
}

/// `d` is a text of parts under headings; the third is for hr alone. `s` says the same as its first part.
fn engine(builtin: bool) -> Engine {
    let embedder = if builtin { EmbedderChoice::Builtin } else { EmbedderChoice::Vectors(4) };
    let create = Create {
        embedder,
        chunk_tokens: builtin.then_some(16),
        overlap_tokens: builtin.then_some(0),
        ..Create::default()
    };
    Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap()
}

fn parted() -> Engine {
    let engine = engine(true);
    let text = WORDS.map(part).join(
        "

",
    );
    let from = text.find(&part(WORDS[2])).unwrap();
    let section = Section { span: (from, from + part(WORDS[2]).len()), acl: Acl::new([Principal::group("hr")], []) };
    let document = |id: &str, text: String, sections| BatchDocument {
        id: id.into(),
        text: Some(text),
        acl: Some(Acl::new([Principal::Everyone], [])),
        sections,
        ..BatchDocument::default()
    };
    engine.add(vec![document("d", text, vec![section]), document("s", part(WORDS[0]), Vec::new())]).unwrap();
    engine.commit().unwrap();
    engine
}

fn session(engine: &Engine, groups: &[&str]) -> Session {
    let identity = Identity::asserted("ann").groups(groups.iter().copied()).issue(engine.clock()).unwrap();
    engine.session(identity).unwrap()
}

#[test]
fn around_a_hit_only_what_may_be_read_with_gaps_marked() {
    let engine = parted();
    let ask = |groups: &[&str], question: &str, around| {
        let session = session(&engine, groups);
        let found = session.search(question).mode(Mode::Lexical).k(1).around(around).run().unwrap();
        (found.hits[0].text.clone(), found.hits[0].chunks.clone())
    };
    let (text, chunks) = ask(&[], "four", Around::Neighbours(2));
    assert!(!text.contains("secret") && text.contains("is\n[…]\nalpha four"), "{text}");
    assert_eq!(chunks, [1, 3, 4, 5]);
    let (text, chunks) = ask(&["hr"], "four", Around::Neighbours(2));
    assert!(
        text.contains(&format!("{}\n{}\n{}", part("two"), part("secret"), part("four"))) && !text.contains("[…]"),
        "{text}"
    );
    assert_eq!(chunks, [1, 2, 3, 4, 5]);
    // What is withheld at the end leaves no trace.
    assert_eq!(ask(&[], "two", Around::Neighbours(1)), (format!("{}\n{}", part("one"), part("two")), vec![0, 1]));
    assert!(!ask(&[], "two", Around::Section(9)).0.contains("secret"));
    let error = session(&engine, &[]).search("two").around(Around::Neighbours(65)).run().unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
}

#[test]
fn hits_that_meet_are_one_and_what_says_the_same_is_left_out() {
    let engine = parted();
    let ann = session(&engine, &[]);
    let merged = ann.search("alpha five six four").mode(Mode::Lexical).k(3).merged().run().unwrap();
    assert_eq!((merged.hits.len(), &merged.hits[0].chunks[..]), (1, &[3, 4, 5][..]));
    let ids = ann.search("alpha five six four").mode(Mode::Lexical).k(3).merged().find().unwrap();
    assert_eq!(ids.ids().collect::<Vec<_>>(), ["d"]);
    let all = ann.search("one").mode(Mode::Lexical).k(9).run().unwrap();
    assert_eq!(all.hits.len(), 2);
    let distinct = ann.search("one").mode(Mode::Lexical).k(9).distinct().run().unwrap();
    assert_eq!((distinct.hits.len(), distinct.complete), (1, true));
    let filled = ann.search("alpha one").mode(Mode::Lexical).k(5).distinct().run().unwrap();
    assert_eq!(filled.hits.len(), 5);
}

#[test]
fn a_reranker_reads_visible_passages_alone_and_decides_the_order() {
    let engine = parted();
    let read = Mutex::new(Vec::new());
    let longest_last = RerankWith::new("by text", |_, passages| {
        read.lock().unwrap().extend(passages.iter().map(|passage| (*passage).to_owned()));
        Ok(passages
            .iter()
            .map(|passage| if passage.contains("five") { 9.0 } else { -(passage.len() as f32) })
            .collect())
    });
    let ann = session(&engine, &[]);
    let found = ann.search("alpha").mode(Mode::Lexical).k(2).rerank(&longest_last).run().unwrap();
    assert_eq!((&found.hits[0].text, found.hits[0].score), (&part("five"), 9.0));
    assert_eq!(found.hits.len(), 2);
    assert!(read.lock().unwrap().iter().all(|passage| !passage.contains("secret")));
    assert!(!read.lock().unwrap().is_empty());
    let broken = RerankWith::new("broken", |_, _| Ok(Vec::new()));
    let error = ann.search("alpha").mode(Mode::Lexical).rerank(&broken).run().unwrap_err();
    assert!(error.to_string().contains("`broken` gave 0 scores"), "{error}");
}

#[test]
fn variety_takes_what_is_unlike() {
    let engine = engine(false);
    let document = |id: &str, vector: [f32; 4]| BatchDocument {
        id: id.into(),
        vector: Some(vector.to_vec().into()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        ..BatchDocument::default()
    };
    engine
        .add(vec![
            document("a", [1.0, 0.1, 0.0, 0.0]),
            document("b", [1.0, 0.11, 0.0, 0.0]),
            document("c", [0.6, 0.0, 0.8, 0.0]),
            document("z", [-1.0, 0.0, 0.0, 0.0]),
        ])
        .unwrap();
    engine.commit().unwrap();
    let ann = session(&engine, &[]);
    let order = |relevance: f32| -> Vec<String> {
        let search = ann.search("x").mode(Mode::Vector).vector(&[1.0, 0.0, 0.0, 0.0]).k(2);
        search.candidates(4).diverse(relevance).find().unwrap().ids().map(str::to_owned).collect()
    };
    assert_eq!((order(1.0), order(0.5)), (vec!["a".to_owned(), "b".into()], vec!["a".to_owned(), "c".into()]));
    assert_eq!(ann.search("x").mode(Mode::Lexical).diverse(2.0).run().unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn what_a_transform_asks_is_asked_as_the_same_asker() {
    let engine = parted();
    let parts = |question: &str| Ok(question.split(" and ").map(str::to_owned).collect::<Vec<_>>());
    let ask = |groups: &[&str]| -> Vec<String> {
        let session = session(&engine, groups);
        let found = session.search("secret and five").mode(Mode::Lexical).transform(&parts).run().unwrap();
        found.hits.into_iter().map(|hit| hit.text).collect()
    };
    assert_eq!(ask(&[]), [part("five")]);
    assert_eq!(ask(&["hr"]).len(), 2);
    let none = |_: &str| Ok(Vec::new());
    let error = session(&engine, &[]).search("x").transform(&none).run().unwrap_err();
    assert!(error.to_string().contains("made 0 questions"), "{error}");
    let vector = vec![1.0; 384];
    let error = session(&engine, &[]).search("x").vector(&vector).transform(&parts).run().unwrap_err();
    assert!(error.to_string().contains("one question"), "{error}");
}

/// Reads what it is cleared for, and remembers what it read.
struct Elsewhere {
    cleared: Cleared,
    read: Mutex<Vec<String>>,
}

impl Reranker for Elsewhere {
    fn name(&self) -> &str {
        "elsewhere"
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.cleared)
    }

    fn scores(&self, _: &str, passages: &[&str]) -> Result<Vec<f32>> {
        self.read.lock().unwrap().extend(passages.iter().map(ToString::to_string));
        Ok((0..passages.len()).map(|n| n as f32).collect())
    }
}

#[test]
fn a_reranker_elsewhere_reads_nothing_above_its_label() {
    let create = Create { embedder: EmbedderChoice::Vectors(4), ..Create::default() };
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap();
    let document = |(n, label): (usize, &str)| BatchDocument {
        id: format!("{label}-{n}"),
        text: Some(format!("alpha {label} number {n}")),
        vector: Some(vec![1.0, n as f32, 0.0, 0.0].into()),
        label: Some(label.to_owned()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        ..BatchDocument::default()
    };
    let labels = ["public", "confidential", "internal", "restricted"];
    engine.add((0..12).map(|n| document((n, labels[n % 4]))).collect()).unwrap();
    engine.commit().unwrap();
    let elsewhere = |highest: &str| {
        let text = format!("[[model]]\nname = \"n\"\nprovider = \"p\"\nmodel = \"m\"\nhighest_label = \"{highest}\"");
        let cleared = Catalogue::parse(&text).unwrap().model("n").unwrap().cleared().unwrap();
        Elsewhere { cleared, read: Mutex::default() }
    };
    let ann = Identity::asserted("ann").clearance("restricted").issue(engine.clock()).unwrap();
    let ann = engine.session(ann).unwrap();
    let ask = |reranker: &Elsewhere| ann.search("alpha").mode(Mode::Lexical).k(12).rerank(reranker).run();
    let reranker = elsewhere("internal");
    let hits = ask(&reranker).unwrap().hits;
    let read = reranker.read.lock().unwrap();
    assert_eq!(read.len(), 6);
    assert!(read.iter().all(|text| text.contains("public") || text.contains("internal")), "{read:?}");
    let labels: Vec<bool> = hits.iter().map(|hit| ["public", "internal"].contains(&hit.label.as_str())).collect();
    assert_eq!(labels, [vec![true; 6], vec![false; 6]].concat(), "what was not read comes last");
    assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
    assert_eq!(ask(&elsewhere("restricted")).unwrap().hits.len(), 12);
    assert_eq!(ask(&elsewhere("top secret")).unwrap_err().kind(), Kind::Invalid);
    // A question counts as a text without a label: where that is high, it is not sent either.
    let create = Create {
        labels: Labels::default().with_default("restricted").unwrap(),
        embedder: EmbedderChoice::Vectors(4),
        ..Create::default()
    };
    let high = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap();
    high.add(vec![document((0, "public"))]).unwrap();
    high.commit().unwrap();
    let ann = high.session(Identity::asserted("ann").issue(high.clock()).unwrap()).unwrap();
    let reranker = elsewhere("internal");
    let refused = ann.search("alpha").mode(Mode::Lexical).rerank(&reranker).run().unwrap_err();
    assert_eq!((refused.kind(), reranker.read.lock().unwrap().len()), (Kind::Denied, 0));
}
