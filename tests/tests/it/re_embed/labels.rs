//! Texts go to the new model only while their labels let it read them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use safepassage::{Engine, Kind, ReEmbedOptions, Silent, SourceSpec, SyncOptions};
use safepassage_index::storage::MemoryStorage;
use serde_json::json;

use super::given;
use super::house::{Model, create, who};

#[test]
fn no_text_above_the_new_models_label_is_sent_whatever_newer_content_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.jsonl");
    let write = |documents: &[(&str, &str, &str)]| {
        let line = |(id, label, text): &(&str, &str, &str)| {
            json!({"id": id, "label": label, "text": text, "acl": {"allow": ["everyone"]}}).to_string()
        };
        std::fs::write(&file, documents.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    };
    let old = Model::new("old");
    let engine = create(Arc::new(MemoryStorage::default()), &old, "structure");
    let sync = || engine.sync(&[SourceSpec::new(&file)], &SyncOptions::default(), &Silent);
    write(&[
        ("a", "internal", "fit for many"),
        ("b", "restricted", "the secret itself"),
        ("c", "confidential", "close"),
    ]);
    sync().unwrap();
    // The label is lowered with newer content, which is never embedded: the old text is live still.
    write(&[("a", "internal", "fit for many"), ("b", "internal", "nothing at all"), ("c", "confidential", "close")]);
    old.down.store(true, Ordering::SeqCst);
    assert_eq!(sync().unwrap_err().kind(), Kind::Unavailable);
    old.down.store(false, Ordering::SeqCst);

    let new = Model::elsewhere("new", "internal");
    let error = engine.re_embed(&given(&new), &ReEmbedOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.message().contains("`new` may read: 1 `confidential`, 1 `restricted`"), "{error}");
    assert_eq!(new.passages_paid(), 0);
    assert!(!error.to_string().contains("secret"));

    let options = ReEmbedOptions { leave_out: true, ..ReEmbedOptions::default() };
    let report = engine.re_embed(&given(&new), &options, &Silent).unwrap();
    let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.document.as_str()).collect();
    assert_eq!((skipped, report.ready), (vec!["b", "c"], true));
    assert_eq!(new.paid.lock().unwrap().keys().cloned().collect::<Vec<_>>(), ["fit for many"]);
    assert_eq!(engine.switch(&ReEmbedOptions::default(), &Silent).unwrap_err().kind(), Kind::Denied);
    assert_eq!(engine.switch(&options, &Silent).unwrap().skipped.len(), 2);
    let documents = engine.session(who(&engine, "ann", &[], "")).unwrap().visible().unwrap().documents;
    assert_eq!(documents, ["a"]);
    // A sync brings back what may be read by now.
    assert_eq!(sync().unwrap().added, 1);
    assert_eq!(new.paid.lock().unwrap().len(), 2);
}

/// An index of a file of documents, each a label and a text.
struct Labelled {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Labelled {
    fn new(documents: &[(String, &str, String)]) -> Self {
        let engine = create(Arc::new(MemoryStorage::default()), &Model::new("old"), "structure");
        let labelled = Self { folder: tempfile::tempdir().unwrap(), engine };
        labelled.sync(documents);
        labelled
    }

    fn sync(&self, documents: &[(String, &str, String)]) {
        sync(&self.engine, self.folder.path(), documents);
    }
}

fn sync(engine: &Engine, folder: &Path, documents: &[(String, &str, String)]) {
    let line = |(id, label, text): &(String, &str, String)| {
        json!({"id": id, "label": label, "text": text, "acl": {"allow": ["everyone"]}}).to_string()
    };
    let file = folder.join("documents.jsonl");
    std::fs::write(&file, documents.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    engine.sync(&[SourceSpec::new(&file)], &SyncOptions::default(), &Silent).unwrap();
}

/// More documents than are read and embedded at once.
fn many() -> Vec<(String, &'static str, String)> {
    (0..1200).map(|n| (format!("d{n:04}"), "internal", format!("letter number {n}"))).collect()
}

#[test]
fn a_label_that_is_raised_at_work_holds_for_what_is_not_sent_yet() {
    let mut documents = many();
    let labelled = Labelled::new(&documents);
    let new = Model::elsewhere("new", "internal");
    let (during, folder) = (labelled.engine.clone(), labelled.folder.path().to_owned());
    documents.last_mut().unwrap().1 = "restricted";
    new.meanwhile(move || sync(&during, &folder, &documents));
    let options = ReEmbedOptions { leave_out: true, ..ReEmbedOptions::default() };
    let report = labelled.engine.re_embed(&given(&new), &options, &Silent).unwrap();
    let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.document.as_str()).collect();
    assert_eq!((skipped, report.ready), (vec!["d1199"], true));
    let paid = new.paid.lock().unwrap();
    assert!(paid.contains_key("letter number 1198") && !paid.contains_key("letter number 1199"));
}

#[test]
fn what_a_candidate_had_of_a_document_that_it_does_without_now_does_not_come_back() {
    let mut documents = many();
    documents.truncate(3);
    let labelled = Labelled::new(&documents);
    let new = Model::elsewhere("new", "internal");
    let options = ReEmbedOptions { leave_out: true, ..ReEmbedOptions::default() };
    assert!(labelled.engine.re_embed(&given(&new), &options, &Silent).unwrap().skipped.is_empty());
    documents[1] = ("d0001".into(), "restricted", "another letter".into());
    labelled.sync(&documents);
    let report = labelled.engine.switch(&options, &Silent).unwrap();
    assert_eq!(report.skipped.len(), 1);
    let session = labelled.engine.session(who(&labelled.engine, "ann", &[], "")).unwrap();
    assert_eq!(session.visible().unwrap().documents, ["d0000", "d0002"]);
    assert!(!new.paid.lock().unwrap().contains_key("another letter"));
    labelled.engine.verify().unwrap();
}
