//! Whoever writes may die, find the disk full or lose power at any byte: nothing acknowledged is lost, nothing hidden.

use safepassage_audit::{Durability, Line};
use safepassage_error::Kind;

use crate::faulty::{Fault, FaultyFolder};
use crate::{lines, open, search, set};

/// A log that rotates at every second line or so.
fn begun(durability: Durability) -> FaultyFolder {
    let folder = FaultyFolder::empty();
    set(&open(&folder), |settings| {
        settings.on = true;
        settings.durability = durability;
        settings.rotate_bytes = 4096;
    });
    folder
}

const USERS: usize = 14;
/// More bytes than any one change writes.
const MOST_BYTES: usize = 2000;

/// Appends until something fails; gives the users whose line was acknowledged.
fn append_all(folder: &FaultyFolder) -> Vec<String> {
    let log = open(folder);
    let users = (0..USERS).map(|n| format!("user-{n}"));
    users.take_while(|user| log.append(vec![search(user, &["handbook", "memo"])]).is_ok()).collect()
}

fn users(lines: &[Line]) -> Vec<String> {
    lines.iter().filter_map(|line| line.entry.user.clone()).collect()
}

/// Every acknowledged line is there, in order; at most the one that was being written is there too.
fn nothing_is_lost(lines: &[Line], acknowledged: &[String], what: &str) {
    let found = users(lines);
    assert!(found.starts_with(acknowledged) && found.len() <= acknowledged.len() + 1, "{what}: {found:?}");
}

#[test]
fn a_death_at_every_byte_of_every_change_is_closed_and_told() {
    let begun = begun(Durability::Synced);
    let (mut torn, mut whole) = (0, 0);
    let changes = {
        let folder = begun.failing(Fault::Never);
        assert_eq!(append_all(&folder).len(), USERS);
        folder.changes()
    };
    for change in 0..changes {
        for bytes in (0..MOST_BYTES).step_by(if change < 2 { 1 } else { 61 }) {
            let what = format!("change {change}, {bytes} bytes");
            let folder = begun.failing(Fault::DiesAfter { change, bytes });
            let acknowledged = append_all(&folder);
            let folder = folder.after_death();
            let log = open(&folder);
            let before = log.verify(None).unwrap_or_else(|e| panic!("{what}: {e}"));
            log.append(vec![search("next", &[])]).unwrap_or_else(|e| panic!("{what}: {e}"));
            let after = log.verify(None).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(after.unfinished_bytes, 0, "{what}");
            let mut lines = lines(&log);
            let recovered = lines.iter().filter(|line| line.entry.action == "recovered").count() as u64;
            assert_eq!(recovered, after.set_aside, "{what}");
            assert_eq!(after.set_aside > before.set_aside, recovered > 0, "{what}");
            torn += recovered;
            whole += u64::from(recovered == 0);
            assert_eq!(lines.pop().unwrap().entry.user.as_deref(), Some("next"), "{what}");
            nothing_is_lost(&lines, &acknowledged, &what);
        }
    }
    assert!(torn > 300 && whole > 100, "{torn} torn, {whole} whole");
}

#[test]
fn a_death_while_a_recovery_is_written_is_recovered_too() {
    let begun = begun(Durability::Synced);
    let first = begun.failing(Fault::DiesAfter { change: 0, bytes: 100 });
    assert!(append_all(&first).is_empty());
    for bytes in 0..MOST_BYTES {
        let second = first.after_death().failing(Fault::DiesAfter { change: 0, bytes });
        assert!(append_all(&second).is_empty());
        let folder = second.after_death();
        assert_eq!(append_all(&folder).len(), USERS, "{bytes}");
        assert_eq!(open(&folder).verify(None).unwrap().unfinished_bytes, 0, "{bytes}");
    }
}

#[test]
fn a_full_disk_refuses_and_the_log_goes_on_when_there_is_room() {
    let begun = begun(Durability::Synced);
    for change in 0..6 {
        for bytes in (0..MOST_BYTES).step_by(37) {
            let folder = begun.failing(Fault::FullOnce { change, bytes });
            let log = open(&folder);
            let mut refused = Vec::new();
            for n in 0..USERS {
                let user = format!("user-{n}");
                if let Err(error) = log.append(vec![search(&user, &["memo"])]) {
                    assert_eq!(error.kind(), Kind::Unavailable, "change {change}, {bytes} bytes");
                    refused.push(user);
                }
            }
            assert_eq!(refused.len(), 1, "change {change}, {bytes} bytes");
            let found = users(&lines(&log));
            let acknowledged = (0..USERS).map(|n| format!("user-{n}")).filter(|user| !refused.contains(user));
            assert!(acknowledged.into_iter().all(|user| found.contains(&user)), "{found:?}");
        }
    }
}

#[test]
fn what_is_synced_survives_a_power_cut_at_every_change() {
    let begun = begun(Durability::Synced);
    for change in 0..60 {
        for bytes in [0, 1, 300, MOST_BYTES] {
            let folder = begun.failing(Fault::DiesAfter { change, bytes });
            let acknowledged = append_all(&folder);
            let what = format!("change {change}, {bytes} bytes");
            let folder = folder.after_power_cut();
            nothing_is_lost(&lines(&open(&folder)), &acknowledged, &what);
            assert_eq!(append_all(&folder).len(), USERS, "{what}");
        }
    }
}

#[test]
fn what_was_only_written_and_lost_is_told() {
    let folder = begun(Durability::Written);
    assert_eq!(append_all(&folder).len(), USERS);
    assert_eq!(users(&lines(&open(&folder.after_death()))).len(), USERS, "the end of a process takes nothing");
    let folder = folder.after_power_cut();
    let log = open(&folder);
    assert_eq!(log.verify(None).unwrap_err().kind(), Kind::Corrupted);
    assert_eq!(log.append(vec![search("next", &[])]).unwrap_err().kind(), Kind::Corrupted);
    let mended = log.mend("power cut on 3 May").unwrap();
    assert!(mended.head_seq.is_some_and(|head| head > mended.seq), "{mended:?}");
    log.append(vec![search("next", &[])]).unwrap();
    assert!(
        lines(&log).iter().any(|line| line.entry.change.as_ref().is_some_and(|text| text.contains("the head knew")))
    );
}

#[test]
fn a_beginning_that_died_is_begun_anew() {
    let changes = {
        let folder = FaultyFolder::empty();
        open(&folder).append(vec![search("alice", &[])]).unwrap();
        folder.changes()
    };
    assert!(changes >= 8);
    for change in 0..changes {
        for bytes in [0, 1, 30, 64, 100, MOST_BYTES] {
            let folder = FaultyFolder::empty().failing(Fault::DiesAfter { change, bytes });
            open(&folder).append(vec![search("alice", &[])]).unwrap_err();
            let folder = folder.after_death();
            let log = open(&folder);
            assert!(!log.settings().unwrap().on, "change {change}, {bytes} bytes");
            log.append(vec![search("bob", &[])]).unwrap_or_else(|e| panic!("change {change}, {bytes} bytes: {e}"));
            log.verify(None).unwrap();
            assert!(users(&lines(&log)).contains(&"bob".to_owned()));
        }
    }
}
