//! The company's folder, synced with the built-in model: who sees what, and who is told what.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use safepassage::{Create, Engine, Session, Silent, SourceSpec, SyncOptions, identity_from_json};
use safepassage_tests::root;

/// The index, made once.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<(Engine, tempfile::TempDir)> = OnceLock::new();
    let (engine, _) = ENGINE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::create(folder.path(), Create::default()).unwrap();
        let source = SourceSpec::new(root().join("fixtures/company"));
        let report = engine.sync(&[source], &SyncOptions::default(), &Silent).unwrap();
        assert_eq!((report.added, report.skipped.len(), report.warnings.len()), (69, 0, 0), "{report:?}");
        assert_eq!(report.without_acl_documents, ["drafts/2026-brand-refresh.md"]);
        (engine, folder)
    });
    engine
}

fn session(name: &str) -> Session {
    let json = fs::read(root().join(format!("fixtures/identities/{name}.json"))).unwrap();
    engine().session(identity_from_json(&json, engine().clock()).unwrap()).unwrap()
}

fn expected() -> BTreeMap<String, Vec<String>> {
    let lines = fs::read_to_string(root().join("fixtures/expected/company-visible.jsonl")).unwrap();
    let parse = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let documents = line["documents"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
        (line["identity"].as_str().unwrap().to_owned(), documents.collect())
    };
    lines.lines().map(parse).collect()
}

#[test]
fn everybody_sees_what_the_fixtures_say() {
    let expected = expected();
    assert_eq!(expected.len(), fs::read_dir(root().join("fixtures/identities")).unwrap().count());
    for (name, mut documents) in expected {
        documents.sort_unstable();
        assert_eq!(session(&name).visible().unwrap().documents, documents, "{name}");
    }
}

#[test]
fn no_search_gives_what_the_asker_may_not_see() {
    let everything =
        ["salary", "board minutes offer", "security incident", "password", "interlock", "price", "freezer"];
    for (name, documents) in expected() {
        let session = session(&name);
        for question in everything {
            let results = session.search(question).k(400).run().unwrap();
            assert!(results.complete, "{name}: {question}");
            let outside: Vec<&String> =
                results.hits.iter().map(|hit| &hit.document).filter(|id| !documents.contains(id)).collect();
            assert!(outside.is_empty(), "{name}: {question}: {outside:?}");
        }
        for id in engine().session(operator()).unwrap().visible().unwrap().documents {
            assert_eq!(session.explain(&id).unwrap().visible, documents.contains(&id), "{name}: {id}");
        }
    }
}

/// Somebody in every group that allows something.
fn operator() -> safepassage::Identity {
    let groups = ["hr", "leadership", "engineering", "firmware", "board", "legal", "finance", "security", "sales"];
    safepassage::Identity::asserted("operator").groups(groups).issue(engine().clock()).unwrap()
}

#[test]
fn the_questions_of_the_demo_are_answered_from_the_right_document() {
    let salary = "What will the salary increase be in 2026?";
    let leaving = "How much notice and severance does someone get when they leave?";
    let discount = "What discount does Corrib University Hospital get on freezers?";
    let incident = "Was customer data exposed in the September security incident?";
    let sold = "Is the company being sold, and for how much?";
    let bench = "Who bridged the interlock on test bench 4?";
    let compressors = "What do we pay for compressors?";
    for (question, names, document) in [
        (salary, &["alice", "sunniva-cfo"][..], "hr/pay-memo-2026.md"),
        (salary, &["bruno"], "handbook/pay-and-reviews.md"),
        (salary, &["anonymous"], "public/careers.html"),
        (leaving, &["alice"], "hr/severance-guidelines.md"),
        (leaving, &["bruno", "tomas-contractor"], "handbook/leaving-the-company.md"),
        (discount, &["padraig-legal", "niamh-sales"], "contracts/customers/"),
        (discount, &["bruno", "anonymous"], "public/products.html"),
        (incident, &["yusuf-security"], "incidents/security/2025-09-18-stolen-token.md"),
        (incident, &["bruno"], "incidents/2025-09-19-watch-token-rotation.md"),
        (incident, &["tomas-contractor"], "incidents/how-we-write-incident-reports.md"),
        (incident, &["anonymous"], "public/status-history.md"),
        (sold, &["sunniva-cfo"], "board/2025-11-board-minutes.md"),
        (sold, &["bruno"], "handbook/all-hands-2025-11.md"),
        (bench, &["bruno"], "incidents/2025-10-07-bench-interlock.md"),
        (bench, &["marta"], "handbook/health-and-safety.md"),
        (compressors, &["padraig-legal"], "contracts/suppliers/zefrane-compressors.md"),
        (compressors, &["niamh-sales"], "finance/budget-2026.md"),
    ] {
        for name in names {
            let results = session(name).search(question).k(5).run().unwrap();
            assert!(results.hits[0].document.starts_with(document), "{name}: {question} {}", results.hits[0].document);
            assert_eq!(results.hits.len(), 5);
        }
    }
}
