//! Texts that were made of others: a model elsewhere reads them only if it may read what they were made of.

use std::sync::Arc;

use safepassage::{
    BatchDocument, EmbedderChoice, Engine, Identity, Kind, Principal, ReEmbedOptions, Report, Silent, SourceSpec,
    SyncOptions, Tenant,
};
use safepassage_index::storage::MemoryStorage;
use serde_json::json;

use crate::re_embed::house::{DIM, Model, create, document};

/// A document of a file: id, label, text, what it was derived from.
type Line<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

fn sync(engine: &Engine, documents: &[Line<'_>]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let line = |(id, label, text, from): &Line<'_>| {
        let acl = json!({"allow": ["everyone"]});
        json!({"id": id, "label": label, "text": text, "acl": acl, "derived_from": from}).to_string()
    };
    let file = folder.path().join("documents.jsonl");
    std::fs::write(&file, documents.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    let source = SourceSpec { name: Some("texts".into()), ..SourceSpec::new(&file) };
    engine.sync(&[source], &SyncOptions::default(), &Silent).unwrap()
}

fn skipped(report: &Report) -> Vec<&str> {
    let mut ids: Vec<&str> = report.skipped.iter().map(|skipped| skipped.document.as_str()).collect();
    ids.sort_unstable();
    ids
}

fn sent(model: &Model) -> Vec<String> {
    model.paid.lock().unwrap().keys().cloned().collect()
}

fn seen(engine: &Engine) -> Vec<String> {
    let ann = Identity::asserted("ann").clearance("restricted").issue(engine.clock()).unwrap();
    engine.session(ann).unwrap().visible().unwrap().documents
}

#[test]
fn a_sync_sends_no_summary_of_what_the_model_may_not_read() {
    let model = Model::elsewhere("m", "internal");
    let engine = create(Arc::new(MemoryStorage::default()), &model, "structure");
    let mut documents: Vec<Line<'_>> = vec![
        ("open", "internal", "for all", &[]),
        ("plans", "restricted", "the secret itself", &[]),
        ("summary", "public", "a secret in short", &["open", "plans"]),
        ("digest", "public", "a secret in a word", &["summary"]),
        ("list", "internal", "of what is for all", &["open"]),
    ];
    let report = sync(&engine, &documents);
    assert_eq!(skipped(&report), ["texts/digest", "texts/plans", "texts/summary"]);
    let of = |id: &str| report.skipped.iter().find(|skipped| skipped.document == id).unwrap().reason.clone();
    assert!(of("texts/summary").contains("derived from `texts/plans`"), "{}", of("texts/summary"));
    assert_eq!(sent(&model), ["for all", "of what is for all"]);

    documents[1].1 = "internal";
    assert_eq!(skipped(&sync(&engine, &documents)), [""; 0]);
    assert_eq!(sent(&model).len(), 5);
    assert_eq!(seen(&engine).len(), 5);

    // Once more restricted: what is made of it anew is not sent, and what was sent is hidden until it can be known.
    (documents[1].1, documents[3].2) = ("restricted", "the newest of the secret");
    assert_eq!(skipped(&sync(&engine, &documents)), ["texts/digest", "texts/plans", "texts/summary"]);
    assert_eq!(sent(&model).len(), 5);
    assert_eq!(seen(&engine), ["texts/list", "texts/open", "texts/plans"]);
}

#[test]
fn nor_is_one_sent_that_is_handed_over() {
    let model = Model::elsewhere("m", "internal");
    let engine = create(Arc::new(MemoryStorage::default()), &model, "structure");
    let labelled = |id: &str, label: &str, from: &[&str]| BatchDocument {
        label: Some(label.into()),
        derived_from: from.iter().map(|id| (*id).to_owned()).collect(),
        ..document(id, &format!("text of {id}"), Principal::Everyone)
    };
    let plans = || BatchDocument { vector: Some(vec![0.5; DIM].into()), ..labelled("plans", "restricted", &[]) };
    let refused = |engine: &Engine, of: &str| {
        let error = engine.commit().unwrap_err();
        assert!(error.kind() == Kind::Denied && error.message().contains(of), "{error}");
        assert_eq!(sent(&model), [""; 0]);
    };
    // Staged together.
    engine.add(vec![plans(), labelled("summary", "public", &["plans"])]).unwrap();
    refused(&engine, "`summary`: it is derived from `plans`");
    engine.delete(&Tenant::default(), "summary").unwrap();
    engine.commit().unwrap();
    // The one is in the index, the other made of something that was made of it.
    let local = BatchDocument { vector: Some(vec![0.5; DIM].into()), ..labelled("summary", "public", &["plans"]) };
    engine.add(vec![local]).unwrap();
    engine.commit().unwrap();
    engine.add(vec![labelled("digest", "public", &["summary"])]).unwrap();
    refused(&engine, "`digest`: it is derived from `summary`");
    // Its input goes in the same commit, and what it said is not known any more.
    engine.delete(&Tenant::default(), "summary").unwrap();
    refused(&engine, "`digest`: it is derived from `summary`: its label is not known");
    engine.delete(&Tenant::default(), "digest").unwrap();
    engine.add(vec![labelled("open", "internal", &[]), labelled("list", "public", &["open"])]).unwrap();
    engine.commit().unwrap();
    assert_eq!(sent(&model), ["text of list", "text of open"]);
}

#[test]
fn nor_to_another_model() {
    let old = Model::new("old");
    let engine = create(Arc::new(MemoryStorage::default()), &old, "structure");
    sync(
        &engine,
        &[
            ("plans", "restricted", "the secret itself", &[]),
            ("summary", "public", "a secret in short", &["plans"]),
            ("digest", "public", "a secret in a word", &["summary"]),
            ("open", "internal", "for all", &[]),
        ],
    );
    let new = Model::elsewhere("new", "internal");
    let choice = EmbedderChoice::Given(Arc::clone(&new) as _);
    let error = engine.re_embed(&choice, &ReEmbedOptions::default(), &Silent).unwrap_err();
    assert!(error.kind() == Kind::Denied && error.message().contains("3 `restricted`"), "{error}");
    assert_eq!(new.passages_paid(), 0);
    let options = ReEmbedOptions { leave_out: true, ..ReEmbedOptions::default() };
    let report = engine.re_embed(&choice, &options, &Silent).unwrap();
    let left: Vec<&str> = report.skipped.iter().map(|skipped| skipped.document.as_str()).collect();
    assert_eq!((left, sent(&new)), (vec!["texts/digest", "texts/plans", "texts/summary"], vec!["for all".to_owned()]));
}
