//! Who was given what stands in the log before they have it, and nothing else of it does.

use std::fs;
use std::path::Path;

use safepassage::audit::{AuditFilter, AuditLine, Durability};
use safepassage::{
    Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Kind, Principal, Session, Tenant, VectorHits,
};
use safepassage_tests::Numbers;

const DIM: usize = 8;
const SECRET_TEXT: &str = "the merger with Corrib closes in May";

pub fn document(id: &str, allow: Principal, label: Option<&str>) -> BatchDocument {
    let mut numbers = Numbers(id.bytes().map(u64::from).sum());
    let (vector, acl) = (Some(numbers.vector(DIM).into()), Some(Acl::new([allow], [])));
    let (text, label) = (Some(format!("{SECRET_TEXT}: {id}")), label.map(str::to_owned));
    BatchDocument { id: id.to_owned(), text, vector, acl, label, ..BatchDocument::default() }
}

/// An index of three open documents and two that eve may not read.
pub fn made(folder: &Path) -> Engine {
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create(folder, create).unwrap();
    let open = ["handbook", "menu", "map"].map(|id| document(id, Principal::Everyone, None));
    let closed = ["salaries", "memo"].map(|id| document(id, Principal::group("hr"), None));
    engine.add(open.into_iter().chain(closed).collect()).unwrap();
    engine.commit().unwrap();
    engine
}

pub fn session(engine: &Engine, user: &str) -> Session {
    engine.session(Identity::asserted(user).issue(engine.clock()).unwrap()).unwrap()
}

pub fn lines(engine: &Engine) -> Vec<AuditLine> {
    let mut lines = Vec::new();
    let shown = engine.audit().unwrap().show(&AuditFilter::default(), &mut |line| {
        lines.push(line.clone());
        Ok(())
    });
    shown.unwrap();
    lines
}

fn last(engine: &Engine) -> AuditLine {
    lines(engine).pop().unwrap()
}

fn on(engine: &Engine) {
    engine.audit().unwrap().set(|settings| settings.on = true).unwrap();
}

pub fn bits(hits: &VectorHits) -> Vec<(String, u32)> {
    hits.ids().map(str::to_owned).zip(hits.scores().map(f32::to_bits)).collect()
}

#[test]
fn every_answer_is_a_line_with_what_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let eve = session(&engine, "eve");
    let before = eve.search_vector(&[1.0; DIM], 10, Some(1.0)).unwrap();
    assert!(!folder.path().join("audit").exists(), "who is not asked to keep a log keeps none");
    on(&engine);
    let found = eve.search_vector(&[1.0; DIM], 10, Some(1.0)).unwrap();
    assert_eq!(bits(&found), bits(&before), "the answer is the same");
    let line = last(&engine);
    let ids: Vec<String> = found.ids().map(str::to_owned).collect();
    let entry = &line.entry;
    assert_eq!((&*entry.action, &*entry.outcome, entry.user.as_deref()), ("search_vector", "ok", Some("eve")));
    assert_eq!(entry.documents.as_ref(), Some(&ids));
    assert_eq!((entry.k, entry.hits, entry.plan.as_deref()), (Some(10), Some(3), Some("scan")));
    assert_eq!((entry.acl_epoch, entry.generation), (Some(found.acl_epoch()), Some(found.generation())));
    assert_eq!(entry.identity.as_deref(), Some(&*eve.identity().digest().to_string()));
    assert!(entry.query_sha256.is_some() && entry.query.is_none());
    // Many at once: a line for each.
    let many = eve.search_vectors(&[[1.0; DIM], [0.5; DIM]].concat(), 2, Some(1.0)).unwrap();
    let written = lines(&engine);
    for (line, found) in written[written.len() - 2..].iter().zip(&many) {
        assert_eq!((&*line.entry.action, line.entry.k), ("search_vectors", Some(2)));
        assert!(line.entry.documents.iter().flatten().map(String::as_str).eq(found.ids()));
    }
    let visible = eve.visible().unwrap();
    assert_eq!(last(&engine).entry.documents, Some(visible.documents));
    assert_eq!(lines(&engine).iter().filter(|line| line.entry.user.is_some()).count(), 4);
    // Reading the passages later is part of the answer that was written down.
    found.results().unwrap();
    assert_eq!(lines(&engine).iter().filter(|line| line.entry.user.is_some()).count(), 4);
    engine.audit().unwrap().verify(None).unwrap();
}

#[test]
fn what_was_refused_is_a_line_and_tells_the_asker_nothing_new() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let eve = session(&engine, "eve");
    let refusals: [&dyn Fn() -> Option<safepassage::Error>; 5] = [
        &|| eve.search_vector(&[1.0; 3], 10, None).err(),
        &|| eve.search_vector(&[0.0; DIM], 10, None).err(),
        &|| eve.search_vectors(&[1.0; DIM + 1], 10, None).err(),
        &|| eve.search(" ").run().err(),
        &|| engine.session(Identity::asserted("eve").clearance("cosmic").issue(engine.clock()).unwrap()).err(),
    ];
    for (n, refusal) in refusals.iter().enumerate() {
        engine.audit().unwrap().set(|settings| settings.on = false).unwrap();
        let silent = refusal().unwrap().to_string();
        on(&engine);
        let error = refusal().unwrap();
        assert_eq!(error.to_string(), silent, "{n}");
        let entry = last(&engine).entry;
        assert_eq!((&*entry.outcome, entry.user.as_deref()), (error.kind().name(), Some("eve")), "{n}");
        assert_eq!((entry.documents, entry.hits), (None, None), "{n}");
    }
}

#[test]
fn forbidden_and_absent_look_the_same_outside_and_differ_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    on(&engine);
    let eve = session(&engine, "eve");
    let told: Vec<String> =
        ["salaries", "nothing"].map(|id| serde_json::to_string(&eve.explain(id).unwrap()).unwrap()).to_vec();
    assert_eq!(told[0], told[1]);
    eve.explain("menu").unwrap();
    let verdicts: Vec<String> = lines(&engine).into_iter().filter_map(|line| line.entry.verdict).collect();
    assert_eq!(verdicts, ["forbidden", "absent", "visible"]);
}

#[test]
fn no_text_is_in_the_log_unless_it_is_switched_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::create(folder.path(), Create::default()).unwrap();
    let text = Some(SECRET_TEXT.to_owned());
    let acl = Some(Acl::new([Principal::Everyone], []));
    engine.add(vec![BatchDocument { id: "memo".into(), text, acl, ..BatchDocument::default() }]).unwrap();
    on(&engine);
    engine.commit().unwrap();
    let ask = |question: &str| {
        let results = session(&engine, "eve").search(question).run().unwrap();
        assert!(results.hits[0].text.contains("Corrib"));
    };
    ask("when does zebrafish Corrib close?");
    let log = || -> String {
        let files = fs::read_dir(folder.path().join("audit")).unwrap();
        files.map(|file| String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap()).into_owned()).collect()
    };
    assert!(log().contains("query_sha256"));
    for word in ["zebrafish", "Corrib", "closes"] {
        assert!(!log().contains(word), "{word}");
    }
    engine.audit().unwrap().set(|settings| settings.texts = true).unwrap();
    ask("when does zebrafish Corrib close?");
    assert!(log().contains("when does zebrafish Corrib close?"));
    assert!(!log().contains("closes"), "the text of documents never is");
    let digests: Vec<_> = lines(&engine).into_iter().filter_map(|line| line.entry.query_sha256).collect();
    assert_eq!(digests[0], digests[1], "the same question has the same digest");
}

#[test]
fn a_log_that_refuses_withholds_every_answer() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let eve = session(&engine, "eve");
    on(&engine);
    let other = Engine::open(folder.path()).unwrap();
    let (log, kept) = (folder.path().join("audit/00000001.jsonl"), folder.path().join("kept"));
    let answers = |what: &str, works: bool| {
        for engine in [&engine, &other] {
            let eve = session(engine, "eve");
            let outcomes = [
                eve.search_vector(&[1.0; DIM], 3, None).map(drop),
                eve.search_vectors(&[1.0; DIM], 3, None).map(drop),
                eve.visible().map(drop),
                eve.explain("menu").map(drop),
                engine.explain(eve.identity(), "menu").map(drop),
                eve.search_vector(&[1.0; 1], 3, None).map(drop).map_err(|error| {
                    assert!(works == (error.kind() == Kind::Invalid), "{what}: {error}");
                    error
                }),
            ];
            for (n, outcome) in outcomes.into_iter().enumerate().take(5) {
                match outcome {
                    Ok(()) => assert!(works, "{what}: {n} was given out"),
                    Err(error) => assert!(!works && error.kind() == Kind::Corrupted, "{what}: {n}: {error}"),
                }
            }
        }
    };
    answers("whole", true);
    fs::rename(&log, &kept).unwrap();
    answers("the log is gone", false);
    let bytes = fs::read(&kept).unwrap();
    fs::write(&log, &bytes[..bytes.len() - 10]).unwrap();
    answers("the end of the log is gone", false);
    fs::rename(&kept, &log).unwrap();
    answers("put back", true);
    let head = folder.path().join("audit/head");
    let bytes = fs::read(&head).unwrap();
    fs::remove_file(&head).unwrap();
    answers("the head is gone", false);
    fs::write(&head, bytes).unwrap();
    answers("put back again", true);
    drop(eve);
}

#[test]
fn a_switch_holds_in_every_process_and_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let other = Engine::open(folder.path()).unwrap();
    let eve = session(&other, "eve");
    let searches =
        |engine: &Engine| lines(engine).into_iter().filter(|line| line.entry.action == "search_vector").count();
    on(&engine);
    eve.search_vector(&[1.0; DIM], 3, None).unwrap();
    assert_eq!(searches(&engine), 1, "a session that was there before sees the switch");
    let settings = other.audit().unwrap().set(|settings| {
        settings.on = false;
        settings.durability = Durability::Written;
    });
    assert_eq!(engine.audit().unwrap().settings().unwrap(), settings.unwrap());
    eve.search_vector(&[1.0; DIM], 3, None).unwrap();
    assert_eq!(searches(&engine), 1);
    assert_eq!(last(&engine).entry.action, "audit_off");
}

#[test]
fn changes_of_permissions_are_lines_also_while_decisions_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let (tenant, eve) = (Tenant::default(), Principal::user("eve"));
    engine.revoke(&tenant, "menu", &eve).unwrap();
    engine.restore(&tenant, "menu", &eve, "hired again").unwrap();
    let epoch = engine.set_acl(&tenant, "memo", Acl::new([eve.clone()], [Principal::group("guests")])).unwrap();
    engine.restore(&tenant, "memo", &eve, "by mistake").unwrap_err();
    engine.revoke(&tenant, "nothing", &eve).unwrap_err();
    let lines = lines(&engine);
    let said: Vec<(&str, &str)> = lines.iter().map(|line| (&*line.entry.action, &*line.entry.outcome)).collect();
    let restore = [("acl_restore", "begun"), ("acl_restore", "ok"), ("acl_set", "begun"), ("acl_set", "ok")];
    let failed = [("acl_restore", "begun"), ("acl_restore", "NotFound"), ("acl_revoke", "NotFound")];
    assert_eq!(said, [&[("begin", "ok"), ("acl_revoke", "ok")][..], &restore, &failed].concat());
    let set = &lines[5].entry;
    assert_eq!((set.acl_epoch, set.change.as_deref()), (Some(epoch), Some("allow user:eve; deny group:guests")));
    assert_eq!(lines[3].entry.reason.as_deref(), Some("hired again"));
    assert_eq!(lines[1].entry.documents, Some(vec!["menu".to_owned()]));
}

#[test]
fn a_log_that_refuses_holds_up_what_gives_and_not_what_takes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let (tenant, everyone) = (Tenant::default(), Principal::Everyone);
    engine.revoke(&tenant, "menu", &everyone).unwrap();
    let (log, kept) = (folder.path().join("audit/00000001.jsonl"), folder.path().join("kept"));
    fs::rename(&log, &kept).unwrap();
    let acl = engine.acl(&tenant, "map").unwrap();
    assert_eq!(engine.set_acl(&tenant, "map", Acl::new([Principal::Public], [])).unwrap_err().kind(), Kind::Corrupted);
    assert_eq!(engine.restore(&tenant, "menu", &everyone, "why not").unwrap_err().kind(), Kind::Corrupted);
    assert_eq!(engine.acl(&tenant, "map").unwrap().allow, acl.allow, "nothing was changed");
    let error = engine.revoke(&tenant, "map", &everyone).unwrap_err();
    assert!(error.kind() == Kind::Corrupted && error.message().contains("in force"), "{error}");
    fs::rename(&kept, &log).unwrap();
    assert_eq!(session(&engine, "eve").visible().unwrap().documents, ["handbook"], "the revocation holds");
}

#[test]
fn an_index_in_memory_has_no_log_and_says_so() {
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let storage = std::sync::Arc::new(safepassage_index::storage::MemoryStorage::default());
    let engine = Engine::create_in(storage, create, safepassage::system::Clock::system()).unwrap();
    assert_eq!(engine.audit().unwrap_err().kind(), Kind::Invalid);
    assert_eq!(engine.enable_break_glass().unwrap_err().kind(), Kind::Invalid);
}
