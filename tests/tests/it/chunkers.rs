//! By whatever way a document is cut: no passage has texts of different permissions, and what is given around one is looked
//! up among what the asker may read.

use std::sync::Arc;

use safepassage::models::Catalogue;
use safepassage::system::{Clock, Timestamp};
use safepassage::{
    Acl, Around, BatchDocument, ChunkWay, Cleared, Create, Embedder, EmbedderChoice, Embeddings, Engine, Identity,
    Kind, Mode, ModelStamp, Principal, Purpose, Result, Results, Section, Session, Silent, SourceSpec, SyncOptions,
    Tokenizer,
};
use safepassage_index::storage::MemoryStorage;

const WAYS: [&str; 6] = ["structure", "fixed", "sentences:2", "hierarchical:96", "semantic:80", "none"];

/// A sentence about a subject; long enough to be one.
fn sentence(subject: &str, n: usize) -> String {
    format!("The {subject} of number {n} is written down in the large book of the house.")
}

fn create(way: &str) -> Create {
    let chunker: ChunkWay = way.parse().unwrap();
    let overlap_tokens = (!way.starts_with("sentences")).then_some(8);
    Create { chunker, chunk_tokens: Some(40), overlap_tokens, ..Create::default() }
}

/// `d` has forty sentences; those from 15 to 24 are for hr alone, and they run on from what stands before them. `e` is open.
fn engine(way: &str) -> Engine {
    let clock = Clock::fixed(Timestamp(1));
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create(way), clock).unwrap();
    let subject = |n: usize| if (15..25).contains(&n) { "secret" } else { "weather" };
    let all: Vec<String> = (0..40).map(|n| sentence(subject(n), n)).collect();
    let from = all[..15].join(" ").len();
    let until = all[..25].join(" ").len();
    let section = Section { span: (from, until), acl: Acl::new([Principal::group("hr")], []) };
    let document = |id: &str, text: String, sections| BatchDocument {
        id: id.into(),
        text: Some(text),
        acl: Some(Acl::new([Principal::Everyone], [])),
        sections,
        ..BatchDocument::default()
    };
    let open: Vec<String> = (50..90).map(|n| sentence("harvest", n)).collect();
    engine.add(vec![document("d", all.join(" "), vec![section]), document("e", open.join(" "), Vec::new())]).unwrap();
    engine.commit().unwrap();
    engine
}

fn session(engine: &Engine, groups: &[&str]) -> Session {
    let identity = Identity::asserted("ann").groups(groups.iter().copied()).issue(engine.clock()).unwrap();
    engine.session(identity).unwrap()
}

fn ask(session: &Session, question: &str, k: usize) -> Results {
    session.search(question).mode(Mode::Lexical).k(k).recall(1.0).run().unwrap()
}

#[test]
fn no_passage_of_any_way_has_texts_of_different_permissions() {
    for way in WAYS {
        let engine = engine(way);
        let hr = session(&engine, &["hr"]);
        let rows = hr.search("book").mode(Mode::Lexical).k(1_000).around(Around::Neighbours(0));
        let rows = rows.find().unwrap();
        let all = hr.nearest(&[0.05; 384]).k(1_000).recall(1.0).find().unwrap();
        assert!(rows.ids().len() > 0);
        let passages = all.results().unwrap().hits;
        let (mut secret, mut open) = (0, 0);
        for (passage, section) in passages.iter().zip(all.sections()) {
            let has = (passage.text.contains("secret"), passage.text.contains("weather"));
            assert!(has != (true, true), "{way}: {}", passage.text);
            assert_eq!(section == 1, has.0, "{way}: {}", passage.text);
            (secret, open) = (secret + usize::from(has.0), open + usize::from(has.1));
        }
        assert!(secret > 0 && open > 1, "{way}");
        let ann = session(&engine, &[]);
        assert!(ask(&ann, "secret", 100).hits.is_empty(), "{way}");
        let given = ask(&ann, "weather harvest book", 100);
        assert!(given.complete && given.exact, "{way}");
        assert!(given.hits.iter().all(|hit| !hit.text.contains("secret")), "{way}");
    }
}

#[test]
fn a_sentence_comes_with_those_around_it_that_may_be_read() {
    let engine = engine("sentences:2");
    let numbers = |text: &str| -> Vec<usize> {
        text.split("number ").skip(1).map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
    };
    let given = |groups: &[&str], question: &str| ask(&session(&engine, groups), question, 1).hits.remove(0);
    let hit = given(&["hr"], "14");
    assert_eq!((numbers(&hit.text), &hit.chunks[..]), (vec![12, 13, 14, 15, 16], &[12, 13, 14, 15, 16][..]));
    assert!(hit.text.contains("house. The secret of number 15"), "{}", hit.text);
    let hit = given(&[], "14");
    assert_eq!(numbers(&hit.text), [12, 13, 14], "what is withheld at the end leaves no trace");
    assert!(!hit.text.contains('…'), "{}", hit.text);
    // Whoever wants the sentence alone says so.
    let alone =
        session(&engine, &[]).search("14").mode(Mode::Lexical).k(1).around(Around::Neighbours(0)).run().unwrap();
    assert_eq!(numbers(&alone.hits[0].text), [14]);
}

#[test]
fn a_short_secret_between_sentences_is_a_gap() {
    let engine =
        Engine::create_in(Arc::new(MemoryStorage::default()), create("sentences:2"), Clock::fixed(Timestamp(1)));
    let engine = engine.unwrap();
    let (before, secret, after) = (sentence("weather", 1), sentence("secret", 2), sentence("weather", 3));
    let text = format!("{before} {secret} {after}");
    let span = (before.len() + 1, before.len() + 1 + secret.len());
    let document = BatchDocument {
        id: "d".into(),
        text: Some(text),
        acl: Some(Acl::new([Principal::Everyone], [])),
        sections: vec![Section { span, acl: Acl::new([Principal::group("hr")], []) }],
        ..BatchDocument::default()
    };
    engine.add(vec![document]).unwrap();
    engine.commit().unwrap();
    let text = ask(&session(&engine, &[]), "weather", 1).hits.remove(0).text;
    assert_eq!(text, format!("{before}{}{after}", safepassage::GAP));
    let text = ask(&session(&engine, &["hr"]), "weather", 1).hits.remove(0).text;
    assert_eq!(text, format!("{before} {secret} {after}"));
}

#[test]
fn k_parents_come_each_once_and_within_their_section() {
    let engine = engine("hierarchical:96");
    for (groups, most) in [(&[][..], "weather harvest"), (&["hr"][..], "weather harvest secret")] {
        let session = session(&engine, groups);
        let all = ask(&session, most, 100);
        assert!(all.complete && all.hits.len() > 8, "{}", all.hits.len());
        let mut chunks: Vec<(String, u32)> =
            all.hits.iter().flat_map(|hit| hit.chunks.iter().map(|chunk| (hit.document.clone(), *chunk))).collect();
        let given = chunks.len();
        chunks.sort();
        chunks.dedup();
        assert_eq!(chunks.len(), given, "a passage came twice");
        assert!(all.hits.iter().filter(|hit| hit.chunks.len() > 1).count() > 4, "parents have children");
        for hit in &all.hits {
            assert!(!(hit.text.contains("secret") && hit.text.contains("weather")), "{}", hit.text);
        }
        for k in 1..=all.hits.len() {
            let some = ask(&session, most, k);
            assert!(some.complete && some.hits.len() == k, "{k}: {}", some.hits.len());
        }
    }
    let merged = session(&engine, &[]).search("harvest").mode(Mode::Lexical).k(40).merged().run().unwrap();
    assert_eq!(merged.hits.len(), 1, "parents that follow each other are one where that is asked for");
}

#[test]
fn a_revocation_reaches_what_stands_around_a_hit() {
    let engine = engine("hierarchical:96");
    let session = session(&engine, &[]);
    assert!(!ask(&session, "harvest", 3).hits.is_empty());
    engine.revoke(&safepassage::Tenant::default(), "e", &Principal::Everyone).unwrap();
    assert!(ask(&session, "harvest", 3).hits.is_empty());
}

#[test]
fn a_sync_says_which_documents_were_cut_that_were_to_be_one_chunk() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("short.md"), sentence("weather", 1)).unwrap();
    let long: Vec<String> = (0..20).map(|n| sentence("weather", n)).collect();
    std::fs::write(folder.path().join("long.md"), long.join(" ")).unwrap();
    let engine =
        Engine::create_in(Arc::new(MemoryStorage::default()), create("none"), Clock::fixed(Timestamp(1))).unwrap();
    let sources = [SourceSpec::new(folder.path())];
    let report = engine.sync(&sources, &SyncOptions::default(), &Silent).unwrap();
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("`long.md` is longer than one chunk"), "{:?}", report.warnings);
    assert_eq!((report.truncated, report.chunks > 5), (0, true));
}

/// A model of which a catalogue says that it is elsewhere.
struct Elsewhere(Arc<dyn Embedder>, Cleared);

impl Embedder for Elsewhere {
    fn stamp(&self) -> &ModelStamp {
        self.0.stamp()
    }

    fn embed(&self, _: &[&str], _: Purpose) -> Result<Embeddings> {
        panic!("a sentence was sent");
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.1)
    }

    fn tokenizer(&self) -> &Tokenizer {
        self.0.tokenizer()
    }
}

#[test]
fn breaks_of_meaning_are_refused_with_a_model_elsewhere() {
    let text = "[[model]]\nname = \"n\"\nprovider = \"p\"\nmodel = \"m\"\nhighest_label = \"internal\"";
    let cleared = Catalogue::parse(text).unwrap().model("n").unwrap().cleared().unwrap();
    let model = Arc::new(Elsewhere(engine("structure").embedder().unwrap(), cleared));
    let made = |way: &str| {
        let embedder = EmbedderChoice::Given(Arc::clone(&model) as _);
        let create = Create { embedder, ..create(way) };
        Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1)))
    };
    let error = made("semantic:90").unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("`n` would be paid"), "{error}");
    assert!(made("sentences:1").is_ok());
}
