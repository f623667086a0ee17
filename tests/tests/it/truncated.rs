//! A model that reads no more than the beginning of a text: whose texts are these, however they came?

use std::sync::Arc;

use safepassage::models::CachedEmbedder;
use safepassage::{
    Create, Embedder, EmbedderChoice, Embeddings, Engine, ModelStamp, Principal, Purpose, ReEmbedOptions, Report,
    Result, Silent, SourceSpec, SyncOptions, Tokenizer,
};
use safepassage_index::storage::MemoryStorage;

use crate::re_embed::house::{Model, clock, document};

/// Says of every text with the word `long` that it was cut.
struct Short(Arc<Model>);

impl Embedder for Short {
    fn stamp(&self) -> &ModelStamp {
        self.0.stamp()
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embeddings> {
        let truncated = (0..texts.len()).filter(|&at| texts[at].contains("long")).collect();
        Ok(Embeddings { truncated, ..self.0.embed(texts, purpose)? })
    }

    fn tokenizer(&self) -> &Tokenizer {
        self.0.tokenizer()
    }
}

fn create(embedder: Arc<dyn Embedder>) -> Engine {
    let create = Create { embedder: EmbedderChoice::Given(embedder), chunk_tokens: Some(24), ..Create::default() };
    Engine::create_in(Arc::new(MemoryStorage::default()), create, clock()).unwrap()
}

fn short(model: &Arc<Model>) -> Arc<dyn Embedder> {
    Arc::new(Short(Arc::clone(model)))
}

fn sync(engine: &Engine, documents: &[(&str, &str)]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    documents.iter().for_each(|(id, text)| std::fs::write(folder.path().join(id), text).unwrap());
    let source = SourceSpec { name: Some("texts".into()), ..SourceSpec::new(folder.path()) };
    engine.sync(&[source], &SyncOptions::default(), &Silent).unwrap()
}

/// One document of long passages, one of none.
fn documents() -> [(&'static str, String); 2] {
    let long = |n: usize| format!("# A long part {n}\n\nThis is a long story about {n}, and longer still.\n\n");
    [("a.md", format!("{}{}", long(1), long(2))), ("b.md", "# One\n\nBrief.".into())]
}

#[test]
fn a_sync_names_the_documents_also_where_their_vectors_were_kept_from_before() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::new("m");
    let kept = || Arc::new(CachedEmbedder::open(short(&model), &folder.path().join("cache.sqlite")).unwrap());
    let texts = documents();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    for is_first in [true, false] {
        let engine = create(kept() as _);
        let report = sync(&engine, &texts);
        assert!(report.chunks > 2);
        assert_eq!((report.embedded, report.truncated), (if is_first { report.chunks } else { 0 }, report.chunks - 1));
        assert_eq!(report.truncated_documents, ["texts/a.md"]);
        // What stays as it is was named before.
        let report = sync(&engine, &texts);
        assert_eq!((report.truncated, report.truncated_documents.len()), (0, 0));
    }
}

#[test]
fn no_more_than_a_hundred_are_named() {
    let engine = create(short(&Model::new("m")));
    let ids: Vec<String> = (0..120).map(|n| format!("{n}.md")).collect();
    let texts: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "a long text")).collect();
    let report = sync(&engine, &texts);
    assert_eq!((report.truncated, report.truncated_documents.len()), (120, 100));
}

#[test]
fn a_commit_and_a_change_of_model_name_them_too() {
    let engine = create(short(&Model::new("m")));
    let [(_, long), (_, brief)] = &documents();
    engine.add(vec![document("b", brief, Principal::Everyone), document("a", long, Principal::Everyone)]).unwrap();
    let committed = engine.commit().unwrap();
    assert_eq!((committed.truncated > 1, &committed.truncated_documents[..]), (true, &["a".to_owned()][..]));
    let truncated = committed.truncated;
    engine.add(vec![document("c", brief, Principal::Everyone)]).unwrap();
    let committed = engine.commit().unwrap();
    assert_eq!((committed.truncated, committed.truncated_documents.len()), (0, 0));
    let other = EmbedderChoice::Given(short(&Model::new("other")));
    let report = engine.re_embed(&other, &ReEmbedOptions::default(), &Silent).unwrap();
    assert_eq!((report.truncated, &report.truncated_documents[..]), (truncated, &["a".to_owned()][..]));
}
