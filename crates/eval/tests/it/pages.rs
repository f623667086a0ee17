//! What people read: the table, the JSON and the page.

use std::collections::BTreeSet;

use safepassage_eval::{Gate, OfIndex, Passage, Report, Run, compare, page, table};
use serde_json::Value;

use crate::world::{Spoilt, World, world};

/// Everything that a report can have, with names that would like to be markup.
fn full() -> (World, Report) {
    let mut world = world();
    world.collection.name = "<b>world</b>".into();
    world.collection.personas[0].id = "<script>alert(1)</script>".into();
    world.collection.questions[1].id = "\"onload=alert(1) x='".into();
    let run = Run { k: vec![5, 10], ..Run::default() };
    let adds = Some(Passage { document: "</td><img src=x>".into(), section: 0, score: 2.0 });
    let mut spoilt = Spoilt { adds, loses: true, ..Spoilt::new(world.retriever()) };
    let here = world.evaluate(&mut spoilt, &run).unwrap();
    let mut spoilt = Spoilt { loses: true, ..Spoilt::new(world.retriever()) };
    let there = world.evaluate(&mut spoilt, &run).unwrap();
    let index = || OfIndex::of(&world.engine).unwrap();
    let mut report = Report::new(&world.collection, index(), &here, true);
    report.against = Some(compare(&world.collection, &there, &here, "<i>that</i>".into(), index()).unwrap());
    let gate = Gate::from_json(r#"{"ndcg@5": {"min": 0.1}, "personas": {"*": {"k_fill": {"min": 1}}}}"#).unwrap();
    report.gate = Some(gate.judge(&report, None));
    (world, report)
}

#[test]
fn nothing_in_a_page_is_markup_but_our_own() {
    let (_world, report) = full();
    let page = page(&report);
    for bad in ["<script", "<img", "<b>world", "<i>that", "\"onload", "x='", "http:", "https:", "url("] {
        assert!(!page.contains(bad), "{bad}");
    }
    for escaped in ["&lt;script&gt;alert(1)", "&lt;/td&gt;&lt;img", "&lt;b&gt;world", "&quot;onload"] {
        assert!(page.contains(escaped), "{escaped}");
    }
    assert!(page.contains("default-src 'none'"));
    for tag in page.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag) {
        let attributes: Vec<&str> =
            tag.split('"').step_by(2).flat_map(str::split_whitespace).filter(|part| part.ends_with('=')).collect();
        let bad = |name: &&str| name.starts_with("on") || ["src=", "href=", "srcset=", "xlink:href="].contains(name);
        assert!(!attributes.iter().any(bad), "{tag}");
    }
}

#[test]
fn every_element_of_a_page_ends() {
    let (_world, report) = full();
    for page in [page(&report), page(&Report { against: None, gate: None, questions: None, ..report })] {
        let mut open = Vec::new();
        let body = page.split_once("<style>").unwrap().0.to_owned() + page.split_once("</style>").unwrap().1;
        for part in body.split('<').skip(1) {
            let (tag, _) = part.split_once('>').expect("every tag ends");
            let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            if tag.starts_with('!') || tag.ends_with('/') || ["meta", "br"].contains(&name.as_str()) {
                continue;
            }
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "before {part}");
            } else {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn a_page_has_every_section() {
    let (_world, report) = full();
    let page = page(&report);
    for section in [
        "The gate does not let it pass.",
        "Leaks",
        "Who asked",
        "nDCG@5 by persona",
        "Precision (up)",
        "Milliseconds",
        "Score of the best",
        "Against",
        "What lost most",
        "Question by question",
    ] {
        assert!(page.contains(section), "{section}");
    }
}

#[test]
fn the_json_has_these_names() {
    let (world, report) = full();
    let json = serde_json::to_value(&report).unwrap();
    let keys = |value: &Value| {
        value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys(&json), "against all bands collection distributions gate index leaks personas questions run");
    let summary = "answerable asked below_least_score exact k_fill latency leaks measures missing out_of_reach recall_of_search unanswerable";
    assert_eq!(keys(&json["all"]), summary);
    let persona = "answerable asked below_least_score exact k_fill latency leaks live measures missing out_of_reach persona recall_of_search selectivity unanswerable visible";
    assert_eq!(keys(&json["personas"][0]), persona);
    assert_eq!(keys(&json["all"]["latency"]), "first_ms p50_ms p95_ms p99_ms");
    assert_eq!(keys(&json["all"]["measures"]["ndcg@5"]), "high low mean");
    assert_eq!(json["all"]["measures"].as_object().unwrap().len(), 10);
    assert_eq!(keys(&json["against"]["measures"]["ndcg@5"]), "difference here losses p there ties wins worst");
    assert_eq!(keys(&json["gate"]["lines"][0]), "bound measure of passed value");
    let plain = Report::new(
        &world.collection,
        report.index.clone(),
        &world.evaluate(&mut world.retriever(), &Run::default()).unwrap(),
        false,
    );
    let plain = serde_json::to_value(&plain).unwrap();
    assert_eq!(keys(&plain), "all bands collection distributions index leaks personas run");
    // No text of a question and no document, unless asked for.
    assert!(!plain.to_string().contains("Question 3?") && !plain.to_string().contains("\"d3\""));
}

#[test]
fn the_table_names_leaks_first_and_counts_the_rest() {
    let (_world, report) = full();
    let text = table(&report);
    assert!(text.contains("LEAK: </td><img src=x> to <script>") && text.contains("leaks more"), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("everybody")).collect();
    assert_eq!(rows.len(), 1);
}
