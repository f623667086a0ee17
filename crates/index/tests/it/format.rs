//! Indexes written by earlier versions open for ever.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use safepassage_access::Identity;
use safepassage_index::storage::LocalStorage;
use safepassage_index::{Filter, Index, Language, VisibleRows, Words};

use crate::world::*;

/// Opens the index of `format` and checks everything that is known to be in it; returns how many graphs it has.
fn holds(format: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/format").join(format);
    let index = Index::open(Arc::new(LocalStorage::new(folder)), clock()).unwrap();
    let verified = index.verify().unwrap();
    assert_eq!((verified.generations, verified.acl_epochs, verified.documents), (3, 5, 2));

    let hr = Identity::asserted("bob").groups(["hr"]).clearance("internal").issue(&clock()).unwrap();
    assert_eq!(index.visible_documents(&hr).unwrap(), ["b"]);
    assert_eq!(index.visible_documents(&user("alice")).unwrap(), ["a"]);
    assert!(index.visible_documents(&user("bob")).unwrap().is_empty());

    let (snapshot, visible) = index.visible(&user("alice")).unwrap();
    let answer = snapshot.search(&visible, &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 2, 1.0).unwrap();
    let passages = snapshot.passages(&answer.hits).unwrap();
    assert_eq!(passages[0].text, "passage 1 of a");
    assert_eq!((passages[0].span, passages[0].uri.as_deref()), ((20, 34), Some("https://example.org/a")));
    index.stats().unwrap().graphs
}

#[test]
fn format_1_opens_and_gives_what_was_written() {
    // Its graph is of format 1: the segment is scanned until a merge rewrites it.
    assert_eq!(holds("1"), 0);
}

#[test]
fn format_3_opens_with_objects_sections_and_what_was_derived() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/format/3");
    let index = Index::open(Arc::new(LocalStorage::new(folder)), clock()).unwrap();
    let verified = index.verify().unwrap();
    assert_eq!((verified.acl_epochs, verified.documents), (8, 4));
    let who = |user: &str, groups: &[&str]| {
        Identity::asserted(user).groups(groups.iter().copied()).clearance("internal").issue(&clock()).unwrap()
    };
    let sees = |user: &str, groups: &[&str]| index.visible_documents(&who(user, groups)).unwrap().join(" ");
    assert_eq!(sees("alice", &[]), "a");
    assert_eq!(sees("bob", &["staff", "hr"]), "b");
    assert_eq!(sees("bob", &["staff", "cleared"]), "d e");
    assert_eq!(sees("mallory", &["staff", "cleared", "hr"]), "d");
    for (groups, rows) in [(&["staff", "cleared"][..], 11), (&["staff", "cleared", "hr"][..], 18)] {
        let (_, visible) = index.visible(&who("bob", groups)).unwrap();
        assert_eq!(visible.len(), rows, "the section of the summary is for HR");
    }
}

#[test]
fn format_4_opens_with_words_fields_and_pages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/format/4");
    let index = Index::open(Arc::new(LocalStorage::new(folder)), clock()).unwrap();
    let verified = index.verify().unwrap();
    assert_eq!((verified.acl_epochs, verified.documents), (8, 4));
    let who = Identity::asserted("bob").groups(["staff", "cleared"]).clearance("internal").issue(&clock()).unwrap();
    let (snapshot, visible) = index.visible(&who).unwrap();
    let settings = &snapshot.manifest().settings;
    assert_eq!(settings.language, Language::German);
    let found = |asked: &str, visible: &VisibleRows| {
        let words = Words::read(asked, settings.language).unwrap();
        let answer = snapshot.search_words(visible, &words, 100).unwrap();
        let ids: BTreeSet<&str> = answer.hits.iter().map(|hit| snapshot.document_of(hit)).collect();
        (answer.hits.len(), ids.into_iter().collect::<Vec<_>>().join(" "), answer.hits)
    };
    let (rows, ids, _) = found("Haus", &visible);
    assert_eq!((rows, ids.as_str()), (11, "d e"), "the words of a section for HR are not found by others");
    let (rows, ids, hits) = found("Tür", &visible);
    assert_eq!((rows, ids.as_str()), (5, "d e"));
    let pages: BTreeSet<_> = snapshot.passages(&hits).unwrap().iter().map(|row| row.page).collect();
    assert_eq!(pages, [Some(1), Some(2), Some(3)].into());
    for (filter, ids) in [
        (r#"{"equals": {"key": "year", "value": 2023}}"#, "d"),
        (r#"{"greaterThan": {"key": "year", "value": 2023}}"#, "e"),
        (r#"{"listContains": {"key": "topics", "value": "Häuser"}}"#, "d e"),
    ] {
        let narrowed = snapshot.filtered(&visible, &filter.parse::<Filter>().unwrap()).unwrap();
        assert_eq!(found("Haus", &narrowed).1, ids, "{filter}");
    }
}

#[test]
fn format_2_opens_and_gives_what_was_written() {
    assert_eq!(holds("2"), 1);
}
