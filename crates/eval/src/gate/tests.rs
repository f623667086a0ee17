//! What passes, what fails, and what cannot be asked.

use safepassage::Kind;

use super::*;
use crate::collection::{Collection, Persona};
use crate::estimate::Estimate;
use crate::evaluate::Run;
use crate::report::{Leak, OfCollection, OfIndex};
use crate::summary::{Latency, OfPersona};

fn summary(ndcg: f64) -> Summary {
    let estimate = Estimate { mean: ndcg, low: ndcg, high: ndcg };
    Summary {
        asked: 10,
        answerable: 10,
        unanswerable: 0.0,
        below_least_score: None,
        measures: BTreeMap::from([("ndcg@10".to_owned(), estimate)]),
        k_fill: 1.0,
        recall_of_search: Some(0.97),
        exact: 0.0,
        leaks: 0,
        out_of_reach: 0,
        missing: 0,
        latency: Latency { p50_ms: 1.0, p95_ms: 2.0, p99_ms: 3.0, first_ms: 4.0 },
    }
}

fn report(ndcg: f64, leaks: usize) -> Report {
    let persona =
        OfPersona { persona: "ann".into(), visible: 1, live: 2, selectivity: 0.5, summary: summary(ndcg / 2.0) };
    let leak = Leak { persona: "ann".into(), question: Some("q".into()), document: "d".into() };
    Report {
        collection: OfCollection { name: "c".into(), split: None, questions: 1, personas: 1 },
        index: OfIndex { documents: 2, chunks: 2, generation: 1, acl_epoch: 1, model: None },
        run: Run::default(),
        all: Summary { leaks, ..summary(ndcg) },
        personas: vec![persona],
        bands: Vec::new(),
        leaks: vec![leak; leaks],
        distributions: crate::report::Distributions::default(),
        canaries: None,
        against: None,
        gate: None,
        questions: None,
    }
}

fn failed(gate: &str, ndcg: f64, leaks: usize) -> Vec<String> {
    let verdict = Gate::from_json(gate).unwrap().judge(&report(ndcg, leaks), None);
    assert_eq!(verdict.passed, verdict.lines.iter().all(|line| line.passed));
    verdict.lines.iter().filter(|line| !line.passed).map(Line::text).collect()
}

#[test]
fn bounds_hold_at_both_ends() {
    let gate = r#"{"ndcg@10": {"min": 0.6}, "latency_p99_ms": {"max": 3}, "leaks": {"max": 0}, "recall_of_search": {"min": 0.9, "max": 1}}"#;
    assert!(failed(gate, 0.6, 0).is_empty());
    assert_eq!(failed(gate, 0.599, 0), ["FAILED: everybody ndcg@10 is 0.5990, asked at least 0.6"]);
    let slow = r#"{"latency_p99_ms": {"max": 2.9}}"#;
    assert_eq!(failed(slow, 1.0, 0), ["FAILED: everybody latency_p99_ms is 3.0000, asked at most 2.9"]);
}

#[test]
fn a_leak_never_passes() {
    assert_eq!(failed("{}", 1.0, 1), ["FAILED: everybody leaks is 1.0000, asked at most 0, always"]);
    assert_eq!(failed(r#"{"leaks": {"max": 5}}"#, 1.0, 1).len(), 1);
    assert_eq!(failed(r#"{"leaks": {"max": 0}}"#, 1.0, 1).len(), 1);
    assert!(failed("{}", 0.0, 0).is_empty());
}

#[test]
fn each_persona_is_held_to_its_own() {
    assert_eq!(failed(r#"{"personas": {"ann": {"ndcg@10": {"min": 0.5}}}}"#, 0.8, 0).len(), 1);
    assert_eq!(failed(r#"{"personas": {"*": {"ndcg@10": {"min": 0.4}}}}"#, 0.8, 0).len(), 0);
    assert_eq!(
        failed(r#"{"personas": {"*": {"ndcg@10": {"min": 1}}, "ann": {"k_fill": {"min": 1}}}}"#, 0.8, 0).len(),
        0
    );
}

#[test]
fn what_was_not_measured_fails() {
    assert_eq!(
        failed(r#"{"below_least_score": {"max": 1}}"#, 1.0, 0),
        ["FAILED: everybody below_least_score is not measured, asked at most 1"]
    );
    assert_eq!(failed(r#"{"against": {"ndcg@10": {"max_drop": 1}}}"#, 1.0, 0).len(), 1);
}

#[test]
fn toml_says_the_same() {
    let json = r#"{"ndcg@10": {"min": 0.6}, "personas": {"ann": {"leaks": {"max": 0}}}, "against": {"mrr@10": {"max_drop": 0.01, "p": 0.05}}}"#;
    let toml =
        "personas.ann.leaks.max = 0\n[\"ndcg@10\"]\nmin = 0.6\n[against]\n\"mrr@10\" = { max_drop = 0.01, p = 0.05 }\n";
    assert_eq!(Gate::from_toml(toml).unwrap(), Gate::from_json(json).unwrap());
}

#[test]
fn what_cannot_be_asked_is_invalid() {
    let ann = Persona::described("ann", r#"{"user": "ann", "groups": []}"#);
    let collection = Collection { personas: vec![ann], ..Collection::default() };
    for (gate, says) in [
        ("[]", "invalid"),
        (r#"{"ndcg@10": {}}"#, "`ndcg@10` has neither"),
        (r#"{"ndcg@10": {"least": 1}}"#, "least"),
        (r#"{"ndcg@10": 0.6}"#, "invalid type"),
        (r#"{"ndgc@10": {"min": 0.6}}"#, "there is no measure `ndgc@10`"),
        (r#"{"ndcg@20": {"min": 0.6}}"#, "ask for it with -k 20"),
        (r#"{"personas": {"bob": {"leaks": {"max": 0}}}}"#, "`bob`"),
        (r#"{"personas": {"ann": {"lekas": {"max": 0}}}}"#, "`lekas`"),
        (r#"{"bands": {"<1%": {"leaks": {"max": 0}}}}"#, "`<1%` is no band"),
        (r#"{"against": {"ndcg@10": {"max_drop": 0.01}}}"#, "--against"),
        (r#"{"against": {"leaks": {"max_drop": 0}}}"#, "no measure `leaks`"),
    ] {
        let error = Gate::from_json(gate).and_then(|gate| gate.check(&Run::default(), &collection, false)).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{gate}");
        assert!(error.to_string().contains(says), "{gate}: {error}");
    }
}
