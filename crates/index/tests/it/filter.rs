//! Filters keep to what is visible, k is filled, and segments of every age answer alike.

use std::collections::BTreeSet;

use safepassage_access::{Acl, Principal, Tenant};
use safepassage_error::Kind;
use safepassage_index::storage::MemoryStorage;
use safepassage_index::{FacetValues, Fields, Filter, GraphSettings, Index, NewDocument, Snapshot, VisibleRows};
use serde_json::json;

use crate::world::*;

fn schema() -> Fields {
    r#"{"dept": "string", "n": "number", "tags": "list", "even": "bool", "day": "date"}"#.parse().unwrap()
}

fn metadata(n: usize) -> String {
    let tags = &["a", "b", "c"][..n % 4];
    json!({"dept": format!("d{}", n % 7), "n": n, "tags": tags, "even": n.is_multiple_of(2),
           "day": format!("2024-{:02}-{:02}", n % 12 + 1, n % 28 + 1)})
    .to_string()
}

/// Document `n`, of alice or of bob, with one to three passages.
fn document(index: &Index, n: usize, owner: &str, numbers: &mut Numbers) -> NewDocument {
    let mut document = bound(index, &format!("{n:04}"), 1, &allow(owner), 1 + n % 3, numbers).unwrap();
    document.metadata = Some(metadata(n));
    document
}

/// So many documents of which alice may read every third, in so many segments.
fn filled(index: &Index, documents: usize, commits: usize) {
    let mut numbers = Numbers(21);
    let mut writer = index.writer().unwrap();
    for part in 0..commits {
        for n in (part..documents).step_by(commits) {
            let owner = if n % 3 == 0 { "alice" } else { "bob" };
            writer.upsert(&Tenant::default(), document(index, n, owner, &mut numbers)).unwrap();
        }
        writer.commit().unwrap();
    }
}

fn filter(json: serde_json::Value) -> Filter {
    json.try_into().unwrap()
}

/// Ids of the documents that alice sees through `filter`.
fn seen(index: &Index, filter: &Filter) -> Vec<usize> {
    let (snapshot, visible) = index.visible(&user("alice")).unwrap();
    let narrowed = snapshot.filtered(&visible, filter).unwrap();
    snapshot.documents_with(&narrowed).unwrap().into_iter().map(|id| id.parse().unwrap()).collect()
}

/// Filters and what of `n` matches each.
type Case = (serde_json::Value, fn(usize) -> bool);

fn cases() -> [Case; 8] {
    [
        (json!({"equals": {"key": "dept", "value": "d3"}}), |n| n % 7 == 3),
        (json!({"notIn": {"key": "dept", "value": ["d3", "d4"]}}), |n| n % 7 != 3 && n % 7 != 4),
        (json!({"lessThan": {"key": "n", "value": 30.5}}), |n| n <= 30),
        (json!({"greaterThanOrEquals": {"key": "n", "value": 10}}), |n| n >= 10),
        (json!({"listContains": {"key": "tags", "value": "c"}}), |n| n % 4 == 3),
        (
            json!({"andAll": [{"equals": {"key": "even", "value": true}}, {"startsWith": {"key": "dept", "value": "d"}}]}),
            |n| n % 2 == 0,
        ),
        (json!({"orAll": [{"equals": {"key": "n", "value": 6}}, {"equals": {"key": "n", "value": 7}}]}), |n| {
            n == 6 || n == 7
        }),
        (json!({"lessThan": {"key": "day", "value": "2024-02-01T00:00:00Z"}}), |n| n % 12 == 0),
    ]
}

/// What every case gives alice is what it should be.
fn check_cases(index: &Index, documents: usize) {
    for (stated, wanted) in cases() {
        let all: Vec<usize> = (0..documents).filter(|n| n % 3 == 0 && wanted(*n)).collect();
        assert_eq!(seen(index, &filter(stated.clone())), all, "{stated}");
    }
}

fn create_with(storage: &MemoryStorage, fields: Fields) -> Index {
    let settings = safepassage_index::Settings { fields, ..settings() };
    Index::create(std::sync::Arc::new(storage.clone()), settings, &safepassage_access::Labels::default(), clock())
        .unwrap()
}

#[test]
fn filters_keep_to_what_is_visible_in_segments_of_every_age() {
    let storage = MemoryStorage::default();
    let index = create_with(&storage, Fields::default());
    filled(&index, 120, 3);
    // Nothing is declared yet: nothing matches, and nothing is stored.
    assert!(cases().into_iter().all(|(stated, _)| seen(&index, &filter(stated)).is_empty()));
    assert!(!storage.contents().iter().any(|(path, _)| path.ends_with("fields.bin")));
    let generation = index.writer().unwrap().set_fields(&schema()).unwrap();
    assert_eq!((generation, index.writer().unwrap().set_fields(&schema()).unwrap()), (5, 5));
    // Declared after they were written: made of the metadata.
    check_cases(&index, 120);
    // A segment that has them beside those that do not, and replaced and deleted documents.
    let mut writer = index.writer().unwrap();
    writer.upsert(&Tenant::default(), document(&index, 120, "alice", &mut Numbers(5))).unwrap();
    writer.commit().unwrap();
    drop(writer);
    check_cases(&index, 121);
    index.verify().unwrap();
    let stored = || storage.contents().iter().filter(|(path, _)| path.ends_with("fields.bin")).count();
    assert_eq!(stored(), 1);
    let merged = index.merge().unwrap();
    assert_eq!((index.stats().unwrap().segments, stored()), (1, 2));
    check_cases(&index, 121);
    index.verify().unwrap();
    check_cases(&open(&storage).unwrap(), 121);
    // Going back brings content back and leaves what is declared.
    assert_eq!(index.writer().unwrap().rollback(generation).unwrap(), merged + 1);
    check_cases(&index, 120);
    // Another type is another field.
    index.writer().unwrap().set_fields(&r#"{"n": "string", "dept": "string"}"#.parse().unwrap()).unwrap();
    assert!(seen(&index, &filter(json!({"startsWith": {"key": "n", "value": ""}}))).is_empty());
    assert_eq!(seen(&index, &filter(cases()[0].0.clone())).len(), 120_usize.div_ceil(21));
    let error = index
        .visible(&user("alice"))
        .map(|(snapshot, visible)| snapshot.filtered(&visible, &filter(cases()[2].0.clone())));
    assert_eq!(error.unwrap().unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn dead_documents_do_not_match_and_replaced_ones_match_as_they_are() {
    let index = create_with(&MemoryStorage::default(), schema());
    filled(&index, 60, 2);
    let mut writer = index.writer().unwrap();
    for n in (0..60).step_by(6) {
        writer.delete(&Tenant::default(), &format!("{n:04}"));
    }
    let mut changed = document(&index, 3, "alice", &mut Numbers(9));
    changed.metadata = Some(json!({"dept": "new", "n": -1}).to_string());
    writer.upsert(&Tenant::default(), changed).unwrap();
    writer.commit().unwrap();
    drop(writer);
    for round in 0..2 {
        let even = filter(json!({"equals": {"key": "even", "value": true}}));
        assert!(seen(&index, &even).is_empty(), "round {round}");
        assert_eq!(seen(&index, &filter(json!({"equals": {"key": "dept", "value": "new"}}))), [3]);
        assert!(!seen(&index, &filter(cases()[0].0.clone())).contains(&3));
        let (snapshot, visible) = index.visible(&user("alice")).unwrap();
        let counted = snapshot.counted(&visible).unwrap();
        assert_eq!((counted.documents, counted.passages), (10, visible.len()));
        let stats = snapshot.field_stats().unwrap();
        let of = |name: &str| stats.iter().find(|field| field.field == name).map(|field| field.documents);
        assert_eq!((of("dept"), of("n"), of("even")), (Some(50), Some(50), Some(49)));
        index.merge().unwrap();
    }
}

/// The ids of the `k` best of `visible` by plain loops over exact scores.
fn best(snapshot: &Snapshot, visible: &VisibleRows, query: &[f32], k: usize) -> Vec<String> {
    let all = snapshot.search(visible, query, usize::MAX >> 8, 1.0).unwrap();
    all.hits.iter().take(k).map(|hit| snapshot.document_of(hit).to_owned()).collect()
}

#[test]
fn k_is_filled_under_filter_and_permissions_at_every_selectivity() {
    let storage = MemoryStorage::default();
    let index = create_with(&storage, schema())
        .with_graph_settings(GraphSettings { from_rows: 500, ..GraphSettings::default() });
    filled(&index, 3000, 1);
    assert_eq!(index.stats().unwrap().graphs, 1);
    let mut numbers = Numbers(4);
    for below in [0, 3, 30, 60, 300, 1500, 3000] {
        let narrow = filter(json!({"lessThan": {"key": "n", "value": below}}));
        let (snapshot, visible) = index.visible(&user("alice")).unwrap();
        let narrowed = snapshot.filtered(&visible, &narrow).unwrap();
        let rows: u64 = (0..below).filter(|n| n % 3 == 0).map(|n| 1 + n as u64 % 3).sum();
        assert_eq!(narrowed.len(), rows, "below {below}");
        let (mut right, mut wanted) = (0, 0);
        for _ in 0..10 {
            let query = numbers.vector(DIM);
            let exact = snapshot.search(&narrowed, &query, 10, 1.0).unwrap();
            assert_eq!(exact.hits.len() as u64, rows.min(10));
            let ids: Vec<&str> = exact.hits.iter().map(|hit| snapshot.document_of(hit)).collect();
            let plain = best(&snapshot, &visible, &query, usize::MAX);
            let plain: Vec<&String> = plain.iter().filter(|id| id.parse::<usize>().unwrap() < below).take(10).collect();
            assert_eq!(ids, plain, "below {below}");
            let found = snapshot.search(&narrowed, &query, 10, 0.95).unwrap();
            assert!(found.complete && found.hits.len() as u64 == rows.min(10), "below {below}");
            let found: BTreeSet<&str> = found.hits.iter().map(|hit| snapshot.document_of(hit)).collect();
            assert!(found.iter().all(|id| id.parse::<usize>().is_ok_and(|n| n < below && n % 3 == 0)));
            right += ids.iter().filter(|id| found.contains(*id)).count();
            wanted += ids.len();
        }
        assert!(right * 100 >= wanted * 90, "below {below}: {right} of {wanted}");
    }
}

#[test]
fn a_filter_only_takes_away_and_knows_its_generation() {
    let index = create_with(&MemoryStorage::default(), schema());
    filled(&index, 90, 2);
    let (snapshot, visible) = index.visible(&user("alice")).unwrap();
    let everything = filter(json!({"notIn": {"key": "dept", "value": []}}));
    let narrowed = snapshot.filtered(&visible, &everything).unwrap();
    assert_eq!((narrowed.len(), narrowed.epoch()), (visible.len(), visible.epoch()));
    let (_, nobody) = index.visible(&user("mallory")).unwrap();
    assert!(snapshot.filtered(&nobody, &everything).unwrap().is_empty());
    index.merge().unwrap();
    let merged = index.snapshot().unwrap();
    assert_eq!(merged.filtered(&visible, &everything).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(merged.facets(&visible, "dept", 5).unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn a_narrower_section_is_filtered_by_its_documents_metadata() {
    let index = create_with(&MemoryStorage::default(), schema());
    let mut numbers = Numbers(2);
    let mut writer = index.writer().unwrap();
    for n in 0..9 {
        let acl = Acl::new([Principal::Everyone], []);
        let mut document = bound(&index, &n.to_string(), 1, &acl, 3, &mut numbers).unwrap();
        document.metadata = Some(metadata(n));
        writer.upsert(&Tenant::default(), document).unwrap();
    }
    // Without passages there is no metadata.
    let mut empty = bound(&index, "empty", 1, &Acl::new([Principal::Everyone], []), 0, &mut numbers).unwrap();
    empty.metadata = Some(metadata(2));
    writer.upsert(&Tenant::default(), empty).unwrap();
    writer.commit().unwrap();
    let (snapshot, visible) = index.visible(&user("alice")).unwrap();
    let narrowed = snapshot.filtered(&visible, &filter(json!({"equals": {"key": "even", "value": true}}))).unwrap();
    let counted = snapshot.counted(&narrowed).unwrap();
    assert_eq!((counted.documents, counted.passages), (5, 15));
    let not = snapshot.filtered(&visible, &filter(json!({"notEquals": {"key": "even", "value": true}}))).unwrap();
    assert_eq!(snapshot.documents_with(&not).unwrap(), ["1", "3", "5", "7"]);
}

#[test]
fn facets_are_of_visible_documents() {
    let index = create_with(&MemoryStorage::default(), schema());
    filled(&index, 84, 3);
    let (snapshot, visible) = index.visible(&user("alice")).unwrap();
    let facets = snapshot.facets(&visible, "dept", 3).unwrap();
    assert_eq!((facets.documents, facets.present), (28, 28));
    let json = serde_json::to_value(&facets).unwrap();
    assert_eq!((&json["type"], &json["distinct"]), (&json!("string"), &json!(7)));
    assert_eq!(
        json["values"],
        json!([{"value": "d0", "count": 4}, {"value": "d1", "count": 4}, {"value": "d2", "count": 4}])
    );
    let few = snapshot.filtered(&visible, &filter(json!({"lessThan": {"key": "n", "value": 10}}))).unwrap();
    let tags = serde_json::to_value(snapshot.facets(&few, "tags", 9).unwrap()).unwrap();
    // 0, 3, 6 and 9 have none, a b c, a b and a.
    assert_eq!(
        tags["values"],
        json!([{"value": "a", "count": 3}, {"value": "b", "count": 2}, {"value": "c", "count": 1}])
    );
    assert_eq!((&tags["documents"], &tags["present"]), (&json!(4), &json!(3)));
    let even = serde_json::to_value(snapshot.facets(&few, "even", 9).unwrap()).unwrap();
    assert_eq!(even["values"], json!([{"value": false, "count": 2}, {"value": true, "count": 2}]));
    let numbers = serde_json::to_value(snapshot.facets(&few, "n", 3).unwrap()).unwrap();
    assert_eq!((&numbers["min"], &numbers["max"]), (&json!(0), &json!(9)));
    assert_eq!(
        numbers["buckets"],
        json!([{"from": 0, "to": 3.0, "count": 1}, {"from": 3.0, "to": 6.0, "count": 1}, {"from": 6.0, "to": 9, "count": 2}])
    );
    let days = serde_json::to_value(snapshot.facets(&few, "day", 12).unwrap()).unwrap();
    let month = |n: usize, next: usize| json!({"from": format!("2024-{n:02}-01T00:00:00Z"), "to": format!("2024-{next:02}-01T00:00:00Z"), "count": 1});
    assert_eq!(days["buckets"], json!([month(1, 2), month(4, 5), month(7, 8), month(10, 11)]));
    let years = serde_json::to_value(snapshot.facets(&few, "day", 1).unwrap()).unwrap();
    assert_eq!(years["buckets"], json!([{"from": "2024-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z", "count": 4}]));
    let (_, nobody) = index.visible(&user("mallory")).unwrap();
    for field in ["dept", "n", "day", "even", "tags"] {
        let facets = snapshot.facets(&nobody, field, 3).unwrap();
        assert_eq!((facets.documents, facets.present), (0, 0));
        let none = match facets.values {
            FacetValues::Values { distinct, values } => distinct == 0 && values.is_empty(),
            FacetValues::Range { min, max, buckets } => min.is_none() && max.is_none() && buckets.is_empty(),
        };
        assert!(none, "{field}");
    }
    for (field, limit) in [("team", 3), ("dept", 0), ("dept", 10_001)] {
        assert_eq!(snapshot.facets(&visible, field, limit).unwrap_err().kind(), Kind::Invalid);
    }
}

#[test]
fn a_schema_is_suggested_of_what_is_live() {
    let index = create_with(&MemoryStorage::default(), Fields::default());
    filled(&index, 30, 2);
    let mut writer = index.writer().unwrap();
    for (n, stated) in
        [json!({"dept": "x", "n": "many", "team": {"lead": "a", "size": 4}, "none": null}), json!({"day": "soon"})]
            .into_iter()
            .enumerate()
    {
        let mut document = bound(&index, &format!("{n:04}"), 2, &allow("alice"), 1, &mut Numbers(3)).unwrap();
        document.metadata = Some(stated.to_string());
        writer.upsert(&Tenant::default(), document).unwrap();
    }
    writer.commit().unwrap();
    let suggestion = serde_json::to_value(index.snapshot().unwrap().suggest_fields().unwrap()).unwrap();
    let fields = json!({"dept": "string", "day": "string", "even": "bool", "tags": "list", "team.lead": "string", "team.size": "number"});
    assert_eq!(suggestion, json!({"fields": fields, "mixed": {"n": {"number": 28, "string": 1}}}));
}
