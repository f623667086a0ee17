//! Files are followed by new ones, old ones go by an explicit call, and nothing else may be missing.

use safepassage_audit::{AuditLog, Keep};
use safepassage_error::Kind;
use safepassage_error::system::Clock;
use std::sync::Arc;

use crate::faulty::{Fault, FaultyFolder};
use crate::{clock, lines, open, search, set};

const DAY: u64 = 86_400;

/// A log with a file a day.
fn days(days: u32) -> (FaultyFolder, AuditLog, Clock) {
    let (folder, clock) = (FaultyFolder::empty(), clock());
    let log = AuditLog::new(Arc::new(folder.clone()), clock.clone());
    set(&log, |settings| settings.rotate_days = 1);
    for n in 0..days {
        log.append(vec![search(&format!("user-{n}"), &["memo"])]).unwrap();
        clock.advance_seconds(DAY);
    }
    (folder, log, clock)
}

#[test]
fn a_file_is_followed_by_another_when_it_is_old_or_large() {
    let (folder, log, _) = days(5);
    assert_eq!(log.verify(None).unwrap().files, 5);
    let first = |number: u32| folder.files().live[&format!("audit/{number:08}.jsonl")].clone();
    for number in 1..=5 {
        let line = first(number).split(|&byte| byte == b'\n').next().unwrap().to_vec();
        let line = safepassage_audit::Line::parse(&line).unwrap();
        assert!(line.entry.standing.is_some(), "the first line of a file says what is in force");
    }
    set(&log, |settings| settings.rotate_bytes = 4096);
    for _ in 0..40 {
        log.append(vec![search("alice", &["memo"])]).unwrap();
    }
    let verified = log.verify(None).unwrap();
    assert!(verified.files >= 8, "{verified:?}");
    assert_eq!(open(&folder).settings().unwrap(), log.settings().unwrap());
}

#[test]
fn retired_is_told_from_lost() {
    let (folder, log, _) = days(6);
    assert_eq!(log.retire(Keep::Days(3), "policy 4").unwrap().files, 2, "of day 0 and 1; day 2 ended three days ago");
    let verified = log.verify(None).unwrap();
    assert_eq!((verified.files, verified.first_seq > 1), (4 + 1, true), "and the line that says so is in a new one");
    let kept = lines(&log);
    assert!(kept.iter().all(|line| line.entry.user.as_deref() != Some("user-1")));
    assert!(kept.iter().any(|line| line.entry.user.as_deref() == Some("user-2")));
    let retired = kept.iter().find(|line| line.entry.action == "retired").unwrap();
    assert_eq!(retired.entry.reason.as_deref(), Some("policy 4"));
    log.append(vec![search("later", &[])]).unwrap();
    log.verify(None).unwrap();
    // One more file that nobody retired.
    folder.files().live.remove("audit/00000003.jsonl");
    assert_eq!(log.verify(None).unwrap_err().kind(), Kind::Corrupted);
}

#[test]
fn what_the_settings_keep_and_the_newest_file_stay() {
    let (_, log, clock) = days(6);
    assert_eq!(log.retire(Keep::Files(0), "").unwrap_err().kind(), Kind::Invalid);
    set(&log, |settings| settings.keep_days = 4);
    let error = log.retire(Keep::Days(3), "").unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("at least 4 days"));
    assert_eq!(log.retire(Keep::Files(1), "").unwrap().files, 1, "the others are too young");
    set(&log, |settings| settings.keep_days = 0);
    assert_eq!(log.retire(Keep::Files(2), "").unwrap().files, 4);
    clock.advance_seconds(1);
    assert_eq!(log.retire(Keep::Days(0), "").unwrap().files, 1);
    assert_eq!(log.retire(Keep::Days(0), "").unwrap().files, 0, "one file is left");
    log.verify(None).unwrap();
}

#[test]
fn a_death_while_retiring_leaves_a_log_that_is_whole() {
    let (folder, log, clock) = days(6);
    drop(log);
    for change in 0..10 {
        let failing = folder.failing(Fault::DiesAfter { change, bytes: 0 });
        let log = AuditLog::new(Arc::new(failing.clone()), clock.clone());
        let retired = log.retire(Keep::Files(1), "");
        let after = failing.after_death();
        let log = AuditLog::new(Arc::new(after.clone()), clock.clone());
        log.verify(None).unwrap_or_else(|e| panic!("change {change}: {e}"));
        if retired.is_err() {
            log.retire(Keep::Files(1), "").unwrap();
        }
        log.append(vec![search("later", &[])]).unwrap();
        assert!(log.verify(None).unwrap().files <= 2);
    }
}

#[test]
fn nothing_is_retired_from_a_damaged_log() {
    let (folder, log, _) = days(6);
    folder.files().live.get_mut("audit/00000004.jsonl").unwrap()[20] ^= 1;
    assert_eq!(log.retire(Keep::Files(1), "").unwrap_err().kind(), Kind::Corrupted);
    assert!(folder.files().live.contains_key("audit/00000001.jsonl"));
}
