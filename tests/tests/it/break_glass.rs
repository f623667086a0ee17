//! The glass is broken with a secret and a reason, for a while, in one tenant; all of it is written down and none of it
//! is remembered.

use std::fs;
use std::sync::Arc;

use safepassage::audit::Secret;
use safepassage::system::{Clock, Timestamp};
use safepassage::{BatchDocument, Engine, Identity, Kind, Principal, Tenant};
use safepassage_index::storage::LocalStorage;

use crate::audit::{bits, document, lines, made, session};

const DIM: usize = 8;
const REASON: &str = "regulator asks for file 17";

fn who(engine: &Engine, user: &str) -> Identity {
    Identity::asserted(user).issue(engine.clock()).unwrap()
}

#[test]
fn it_opens_every_live_document_and_leaves_no_trace_in_what_others_see() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let nobody = BatchDocument { acl: None, ..document("orphan", Principal::Everyone, None) };
    let restricted = document("restricted", Principal::group("board"), Some("restricted"));
    let other = document("theirs", Principal::Everyone, None);
    engine.add(vec![nobody, restricted, BatchDocument { tenant: Tenant("other".into()), ..other }]).unwrap();
    engine.delete(&Tenant::default(), "map").unwrap();
    engine.commit().unwrap();
    engine.revoke(&Tenant::default(), "menu", &Principal::Everyone).unwrap();
    let secret = engine.enable_break_glass().unwrap();
    // The same identity in a session that is there already, and remembered everywhere.
    let eve = session(&engine, "eve");
    let seen = (eve.visible().unwrap(), bits(&eve.search_vector(&[1.0; DIM], 50, Some(1.0)).unwrap()));
    assert_eq!(seen.0.documents, ["handbook"]);
    let broken = engine.break_glass(&secret, eve.identity().clone(), REASON).unwrap();
    let all = ["handbook", "memo", "menu", "orphan", "restricted", "salaries"];
    for _ in 0..2 {
        assert_eq!(broken.visible().unwrap().documents, all, "not the deleted one, not another tenant's");
        let found = broken.search_vector(&[1.0; DIM], 50, Some(1.0)).unwrap();
        let mut ids: Vec<&str> = found.ids().collect();
        ids.sort_unstable();
        assert_eq!(ids, all);
        assert_eq!(found.results().unwrap().hits.len(), all.len());
        for eve in [&eve, &session(&engine, "eve")] {
            assert_eq!(eve.visible().unwrap(), seen.0);
            assert_eq!(bits(&eve.search_vector(&[1.0; DIM], 50, Some(1.0)).unwrap()), seen.1);
            assert!(!eve.explain("memo").unwrap().visible);
        }
    }
    let written: Vec<_> =
        lines(&engine).into_iter().filter(|line| line.entry.action.starts_with("break_glass")).collect();
    let actions: Vec<&str> = written.iter().map(|line| &*line.entry.action).collect();
    let calls = ["break_glass_visible", "break_glass_search_vector"];
    assert_eq!(actions, [&["break_glass_enabled", "break_glass"][..], &calls, &calls].concat());
    for line in &written[1..] {
        assert_eq!((line.entry.user.as_deref(), line.entry.reason.as_deref()), (Some("eve"), Some(REASON)));
    }
    assert_eq!(written[2].entry.documents.as_deref().unwrap(), all);
    assert_eq!(written[3].entry.hits, Some(6));
}

#[test]
fn a_wrong_secret_looks_like_none_and_the_log_tells_them_apart() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let guess = Secret::shown("safepassage-break-glass-0000");
    let refuse = |secret: &Secret| {
        let error = engine.break_glass(secret, who(&engine, "eve"), REASON).unwrap_err();
        assert_eq!(error.kind(), Kind::Denied);
        error.to_string()
    };
    let none = refuse(&guess);
    let secret = engine.enable_break_glass().unwrap();
    assert_eq!(refuse(&guess), none);
    assert_eq!(refuse(&Secret::shown("")), none);
    let newer = engine.enable_break_glass().unwrap();
    assert_eq!(refuse(&secret), none, "a new secret replaces the old one");
    engine.break_glass(&Secret::shown(newer.reveal()), who(&engine, "eve"), REASON).unwrap();
    engine.disable_break_glass().unwrap();
    assert_eq!(refuse(&newer), none);
    let verdicts: Vec<String> = lines(&engine).into_iter().filter_map(|line| line.entry.verdict).collect();
    assert_eq!(verdicts, ["not enabled", "wrong secret", "wrong secret", "wrong secret", "not enabled"]);
    let log = fs::read_to_string(folder.path().join("audit/00000001.jsonl")).unwrap();
    for secret in [&secret, &newer, &guess] {
        assert!(!log.contains(secret.reveal()), "no secret is in the log, not even a wrong one");
    }
}

#[test]
fn it_needs_a_reason_somebody_and_time() {
    let folder = tempfile::tempdir().unwrap();
    drop(made(folder.path()));
    let clock = Clock::fixed(Timestamp(4_000_000_000_000));
    let storage = Arc::new(LocalStorage::new(folder.path()));
    let engine = Engine::open_storage(storage, None, clock.clone()).unwrap();
    let secret = engine.enable_break_glass().unwrap();
    let eve = Identity::asserted("eve").ttl_seconds(86_400).issue(&clock).unwrap();
    for reason in ["", "because", "help me"] {
        let error = engine.break_glass(&secret, eve.clone(), reason).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{reason}");
    }
    let anonymous = Identity::anonymous().issue(&clock).unwrap();
    assert_eq!(engine.break_glass(&secret, anonymous, REASON).unwrap_err().kind(), Kind::Denied);
    let broken = engine.break_glass(&secret, eve, REASON).unwrap();
    assert_eq!(broken.expires_at(), clock.now().plus_seconds(900));
    clock.advance_seconds(899);
    assert_eq!(broken.visible().unwrap().count, 5);
    clock.advance_seconds(1);
    assert_eq!(broken.visible().unwrap_err().kind(), Kind::Denied);
    assert_eq!(broken.search_vector(&[1.0; DIM], 5, None).unwrap_err().kind(), Kind::Denied);
    let outcomes: Vec<String> = lines(&engine).into_iter().map(|line| line.entry.outcome).collect();
    let refused = ["Invalid", "Invalid", "Invalid", "Denied", "ok", "ok", "Denied", "Denied"];
    assert_eq!(outcomes[2..], refused, "every attempt and every call is a line");
}

#[test]
fn it_ends_when_the_secret_does_and_when_the_log_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let secret = engine.enable_break_glass().unwrap();
    let broken = engine.break_glass(&secret, who(&engine, "eve"), REASON).unwrap();
    assert_eq!(broken.visible().unwrap().count, 5);
    let (log, kept) = (folder.path().join("audit/00000001.jsonl"), folder.path().join("kept"));
    fs::rename(&log, &kept).unwrap();
    assert_eq!(broken.visible().unwrap_err().kind(), Kind::Corrupted);
    assert_eq!(broken.search_vector(&[1.0; DIM], 5, None).unwrap_err().kind(), Kind::Corrupted);
    let again = engine.break_glass(&secret, who(&engine, "eve"), REASON);
    assert_eq!(again.unwrap_err().kind(), Kind::Corrupted, "no line, no broken glass");
    fs::rename(&kept, &log).unwrap();
    assert_eq!(broken.visible().unwrap().count, 5);
    Engine::open(folder.path()).unwrap().disable_break_glass().unwrap();
    assert_eq!(broken.visible().unwrap_err().kind(), Kind::Denied, "another process took the secret away");
    assert_eq!(broken.search_vector(&[1.0; DIM], 5, None).unwrap_err().kind(), Kind::Denied);
}

#[test]
fn it_stays_in_its_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let engine = made(folder.path());
    let tenant = |id: &str| {
        let document = document(id, Principal::group("nobody"), None);
        BatchDocument { tenant: Tenant("acme".into()), ..document }
    };
    engine.add(vec![tenant("acme-1"), tenant("acme-2")]).unwrap();
    engine.commit().unwrap();
    let secret = engine.enable_break_glass().unwrap();
    let acme = Identity::asserted("eve").tenant("acme").issue(engine.clock()).unwrap();
    let broken = engine.break_glass(&secret, acme, REASON).unwrap();
    assert_eq!(broken.visible().unwrap().documents, ["acme-1", "acme-2"]);
    let found = broken.search_vector(&[1.0; DIM], 50, Some(1.0)).unwrap();
    assert!(found.complete() && found.ids().all(|id| id.starts_with("acme-")));
}
