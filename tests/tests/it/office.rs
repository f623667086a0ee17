//! Office files under permissions: who gets which, from which page, and what a file that breaks does.

use std::fs;
use std::path::Path;

use safepassage::{Around, Create, Engine, Identity, Mode, Report, Session, Silent, SourceSpec, SyncOptions};
use safepassage_tests::root;

fn sync(engine: &Engine, folder: &Path) -> Report {
    engine.sync(&[SourceSpec::new(folder)], &SyncOptions::default(), &Silent).unwrap()
}

fn engine(folder: &Path) -> (Engine, tempfile::TempDir, Report) {
    let index = tempfile::tempdir().unwrap();
    let create = Create { chunk_tokens: Some(48), overlap_tokens: Some(0), ..Create::default() };
    let engine = Engine::create(index.path(), create).unwrap();
    let report = sync(&engine, folder);
    (engine, index, report)
}

fn session(engine: &Engine, user: &str, groups: &[&str]) -> Session {
    engine.session(Identity::asserted(user).groups(groups.iter().copied()).issue(engine.clock()).unwrap()).unwrap()
}

const PEOPLE: [&str; 2] = ["people/leave.docx", "people/rota.py"];
const FINANCE: [&str; 5] =
    ["finance/fees.csv", "finance/forecast.ipynb", "finance/limits.json", "finance/rates.tsv", "finance/salaries.xlsx"];
const LEGAL: [&str; 3] = ["legal/complaint.eml", "legal/contract.pdf", "legal/minutes.pdf"];

#[test]
fn each_asker_gets_their_own_files_and_what_cannot_be_read_is_named() {
    let (engine, _index, report) = engine(&root().join("fixtures/office"));
    let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.document.as_str()).collect();
    assert_eq!((report.added, skipped), (12, vec!["legal/scan.pdf"]), "{report:?}");
    assert!(report.skipped[0].reason.contains("1 pages and no text"), "{:?}", report.skipped);

    let with = |more: &[&str]| {
        let mut all: Vec<String> = PEOPLE.iter().chain(more).map(|id| (*id).to_owned()).collect();
        all.sort_unstable();
        all
    };
    let asked = [
        ("ann", &[][..], with(&[])),
        ("ann", &["finance"], with(&FINANCE)),
        ("ann", &["legal"], with(&LEGAL)),
        ("tomas", &["legal"], with(&[])),
        ("ann", &["leads"], with(&["people/town-hall.pptx"])),
    ];
    for (user, groups, documents) in asked {
        let session = session(&engine, user, groups);
        assert_eq!(session.visible().unwrap().documents, documents, "{user} {groups:?}");
        for question in ["salary of the head of treasury", "interest of the loan", "branch closes", "leave", "customer"]
        {
            let found = session.search(question).k(100).run().unwrap();
            assert!(
                found.complete && found.hits.iter().all(|hit| documents.contains(&hit.document)),
                "{user} {groups:?}"
            );
        }
    }
}

#[test]
fn a_hit_names_its_page_and_can_be_given_with_all_of_it() {
    let (engine, _index, _) = engine(&root().join("fixtures/office"));
    let found = |groups: &[&str], question: &str| {
        let found = session(&engine, "ann", groups).search(question).k(1).run().unwrap();
        let hit = &found.hits[0];
        (hit.document.clone(), hit.page, hit.heading.clone(), hit.text.clone())
    };
    let (document, page, heading, _) = found(&["legal"], "What interest does the loan bear?");
    assert_eq!((document.as_str(), page, heading.as_str()), ("legal/contract.pdf", Some(2), "Interest"));
    let (document, page, _, _) = found(&["leads"], "Which branch closes in June?");
    assert_eq!((document.as_str(), page), ("people/town-hall.pptx", Some(2)));
    let (document, page, heading, text) = found(&["finance"], "What does Ines Okafor earn?");
    assert_eq!((document.as_str(), page, heading.as_str()), ("finance/salaries.xlsx", None, "Salaries"));
    assert!(text.contains("Name: Ines Okafor; Role: Head of treasury; Salary: 182500; Since: 2019-04-01"), "{text}");
    let (document, page, heading, _) = found(&[], "How many weeks does the other parent get?");
    assert_eq!(
        (document.as_str(), page, heading.as_str()),
        ("people/leave.docx", None, "Annual leave > Parental leave")
    );

    let session = session(&engine, "ann", &["legal"]);
    let search = || session.search("66,875").mode(Mode::Lexical).k(1);
    let alone = &search().run().unwrap().hits[0];
    let whole = &search().around(Around::Page(64)).run().unwrap().hits[0];
    assert!(whole.chunks.len() > 1 && whole.text.len() > alone.text.len(), "{whole:?}");
    assert!(whole.text.starts_with("Interest") && whole.text.contains("66,875"), "{}", whole.text);
    assert!(!whole.text.contains("Parties") && !whole.text.contains("Default"), "{}", whole.text);
    assert_eq!(whole.page, Some(2));
    // A document without pages gives the hit alone.
    let sheet = session.search("leave").k(1).around(Around::Page(64)).run().unwrap();
    assert_eq!(sheet.hits[0].chunks.len(), 1);
}

/// The rights of `legal/contract.pdf`, of which `bytes` are the content.
fn state(folder: &Path, groups: &str, bytes: &[u8]) {
    fs::write(folder.join("contract.pdf"), bytes).unwrap();
    let line = format!("{{\"_id\": \"contract.pdf\", \"acl\": {{\"allow\": [{groups}]}}}}\n");
    fs::write(folder.join("acl.jsonl"), line).unwrap();
}

#[test]
fn a_file_that_breaks_stays_as_narrow_and_its_rights_only_narrow() {
    let whole = fs::read(root().join("fixtures/office/legal/contract.pdf")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (a, b, both) = ("\"group:a\"", "\"group:b\"", "\"group:a\", \"group:b\"");
    state(folder.path(), a, &whole);
    let (engine, _index, _) = engine(folder.path());
    let sees = |group: &str| !session(&engine, "ann", &[group]).search("interest").run().unwrap().hits.is_empty();
    assert_eq!((sees("a"), sees("b")), (true, false));

    // Broken, and opened to others by the same change: the old text stays, for whom it was.
    state(folder.path(), both, &whole[..whole.len() / 3]);
    let report = sync(&engine, folder.path());
    assert_eq!((report.added, report.changed, report.skipped.len()), (0, 0, 1), "{report:?}");
    assert_eq!((sees("a"), sees("b")), (true, false));
    // Broken otherwise and narrowed: that holds at once.
    state(folder.path(), b, b"not a PDF");
    sync(&engine, folder.path());
    assert_eq!((sees("a"), sees("b")), (false, false));
    // Whole again: what is stated counts.
    state(folder.path(), b, &whole);
    let report = sync(&engine, folder.path());
    assert!(report.skipped.is_empty(), "{report:?}");
    assert_eq!((sees("a"), sees("b")), (false, true));
}

#[test]
fn strict_refuses_what_cannot_be_parsed_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("acl.jsonl"), "{\"_id\": \"./\", \"acl\": {\"allow\": [\"everyone\"]}}").unwrap();
    fs::write(folder.path().join("a.md"), "# Fine").unwrap();
    fs::write(folder.path().join("b.docx"), "no parcel").unwrap();
    let (engine, _index, report) = engine(folder.path());
    assert_eq!((report.added, report.skipped.len()), (1, 1));
    fs::write(folder.path().join("a.md"), "# Changed").unwrap();
    let options = SyncOptions { strict: true, ..SyncOptions::default() };
    let refused = engine.sync(&[SourceSpec::new(folder.path())], &options, &Silent).unwrap_err();
    assert!(refused.message().contains("b.docx: it is not a whole file"), "{refused}");
    let found = session(&engine, "ann", &[]).search("changed").mode(Mode::Lexical).run().unwrap();
    assert!(found.hits.is_empty());
}
