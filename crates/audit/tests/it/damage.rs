//! Anything that is done to the files of a log is found.

use std::collections::BTreeMap;

use safepassage_audit::{AuditLog, Durability, Entry, Keep};
use safepassage_error::Kind;

use crate::faulty::{Fault, FaultyFolder};
use crate::{open, search, set};

type Files = BTreeMap<String, Vec<u8>>;

/// A log of three files, with an append that was not finished in the middle of it.
fn small() -> Files {
    let folder = FaultyFolder::empty();
    let log = open(&folder);
    set(&log, |settings| {
        settings.on = true;
        settings.rotate_bytes = 4096;
    });
    log.append(vec![search("alice", &["memo", "handbook"])]).unwrap();
    let failing = folder.failing(Fault::DiesAfter { change: 0, bytes: 40 });
    open(&failing).append(vec![search("bob", &["handbook"])]).unwrap_err();
    let folder = failing.after_death();
    let log = open(&folder);
    while !folder.files().live.contains_key("audit/00000003.jsonl") {
        log.append(vec![search("carol", &["handbook"])]).unwrap();
    }
    log.append(vec![search("dave", &["handbook"])]).unwrap();
    assert_eq!(log.verify(None).unwrap().files, 3, "the log is as small as it should be");
    assert_eq!(log.verify(None).unwrap().set_aside, 1);
    folder.files().live.clone()
}

/// The lines of a file, line feeds included.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn logs(files: &Files) -> Vec<String> {
    files.keys().filter(|name| name.ends_with(".jsonl")).cloned().collect()
}

fn is_found(files: Files, what: &str) {
    let error = open(&FaultyFolder::new(files)).verify(None).expect_err(what);
    assert_eq!(error.kind(), Kind::Corrupted, "{what}: {error}");
    assert!(error.to_string().contains("path"), "{what}: {error}");
}

#[test]
fn every_changed_dropped_or_added_byte_of_every_file_is_found() {
    let files = small();
    for (name, bytes) in &files {
        for at in 0..bytes.len() {
            let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
                let mut files = files.clone();
                change(files.get_mut(name).unwrap());
                files
            };
            is_found(damaged(&|bytes| bytes[at] ^= 1), &format!("{name}: bit 0 of byte {at}"));
            is_found(damaged(&|bytes| bytes[at] ^= 32), &format!("{name}: bit 5 of byte {at}"));
            is_found(damaged(&|bytes| _ = bytes.remove(at)), &format!("{name}: without byte {at}"));
            if at % 7 == 0 {
                is_found(damaged(&|bytes| bytes.insert(at, b' ')), &format!("{name}: a blank before byte {at}"));
                is_found(damaged(&|bytes| bytes.truncate(at)), &format!("{name}: cut at {at}"));
            }
        }
    }
}

#[test]
fn every_dropped_doubled_or_moved_line_is_found() {
    let files = small();
    for name in logs(&files) {
        let lines = split(&files[&name]);
        let with = |lines: Vec<Vec<u8>>| {
            let mut files = files.clone();
            files.insert(name.clone(), lines.concat());
            files
        };
        for n in 0..lines.len() {
            let mut dropped = lines.clone();
            dropped.remove(n);
            is_found(with(dropped), &format!("{name}: without line {n}"));
            for to in 0..=lines.len() {
                let mut doubled = lines.clone();
                doubled.insert(to, lines[n].clone());
                is_found(with(doubled), &format!("{name}: line {n} once more before {to}"));
            }
            for other in 0..n {
                let mut swapped = lines.clone();
                swapped.swap(n, other);
                is_found(with(swapped), &format!("{name}: lines {n} and {other} swapped"));
            }
        }
    }
}

#[test]
fn every_dropped_doubled_or_moved_file_is_found() {
    let files = small();
    for name in files.keys() {
        let mut dropped = files.clone();
        dropped.remove(name);
        is_found(dropped, &format!("without {name}"));
        let mut empty = files.clone();
        empty.insert(name.clone(), Vec::new());
        is_found(empty, &format!("{name} empty"));
    }
    let names = logs(&files);
    for (n, name) in names.iter().enumerate() {
        let mut doubled = files.clone();
        doubled.insert("audit/00000004.jsonl".into(), files[name].clone());
        is_found(doubled, &format!("{name} once more"));
        for other in &names[..n] {
            let mut swapped = files.clone();
            swapped.insert(name.clone(), files[other].clone());
            swapped.insert(other.clone(), files[name].clone());
            is_found(swapped, &format!("{name} and {other} swapped"));
        }
    }
    let mut strange = files.clone();
    strange.insert("audit/1.jsonl".into(), Vec::new());
    is_found(strange, "a file that is none of the log");
}

#[test]
fn a_log_written_anew_is_found_by_whoever_kept_a_hash() {
    let folder = FaultyFolder::empty();
    let log = open(&folder);
    log.append(vec![search("alice", &["memo"])]).unwrap();
    let kept = log.head().unwrap();
    log.append(vec![search("bob", &["memo"])]).unwrap();
    assert_eq!(log.verify(Some(kept.hash())).unwrap().seq, kept.seq() + 1);
    // Whoever can write the folder makes a log without alice, and everything in it fits.
    let forged = open(&FaultyFolder::empty());
    forged.append(vec![search("bob", &["memo"])]).unwrap();
    forged.append(vec![search("bob", &["memo"])]).unwrap();
    forged.verify(None).unwrap();
    let error = forged.verify(Some(kept.hash())).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupted);
    assert!(error.message().contains(&kept.hash().to_string()));
}

#[test]
fn a_log_whose_end_is_gone_takes_nothing_until_it_is_mended() {
    let files = small();
    let last = logs(&files).pop().unwrap();
    let mut cut = files.clone();
    let lines = split(&files[&last]);
    cut.insert(last.clone(), lines[..lines.len() - 2].concat());
    for (what, files) in [("cut", cut), ("head gone", without(&files, "audit/head")), ("log gone", only_mark(&files))] {
        let folder = FaultyFolder::new(files);
        let log = open(&folder);
        let error = log.append(vec![search("eve", &[])]).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupted, "{what}");
        assert_eq!(log.change(Entry::new("audit_off", "ok"), |_, _| Ok(())).unwrap_err().kind(), Kind::Corrupted);
        assert_eq!(log.retire(Keep::Files(1), "").unwrap_err().kind(), Kind::Corrupted, "{what}");
        if what == "log gone" {
            assert_eq!(log.standing().unwrap_err().kind(), Kind::Corrupted);
            assert_eq!(log.mend("x").unwrap_err().kind(), Kind::NotFound);
            continue;
        }
        assert_eq!(log.mend(" ").unwrap_err().kind(), Kind::Invalid);
        log.mend("the disk of host 7 was replaced").unwrap();
        assert_eq!(log.mend("again").unwrap_err().kind(), Kind::Invalid, "there is nothing to mend");
        log.append(vec![search("eve", &[])]).unwrap();
        let lines = crate::lines(&log);
        let mended = &lines[lines.len() - 2].entry;
        assert_eq!((&*mended.action, mended.reason.as_deref()), ("mended", Some("the disk of host 7 was replaced")));
        assert!(log.settings().unwrap().on, "what is in force stays");
    }
}

fn without(files: &Files, name: &str) -> Files {
    let mut files = files.clone();
    files.remove(name);
    files
}

fn only_mark(files: &Files) -> Files {
    files.iter().filter(|(name, _)| *name == "audited").map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
}

#[test]
fn damage_in_the_last_file_is_mended_without_hiding_it() {
    let mut files = small();
    let last = logs(&files).pop().unwrap();
    let lines = split(&files[&last]);
    let mut damaged = lines.clone();
    damaged[1][9] ^= 1;
    files.insert(last.clone(), damaged.concat());
    files.remove("audit/head");
    let folder = FaultyFolder::new(files);
    let log = open(&folder);
    let mended = log.mend("a sector went bad").unwrap();
    assert_eq!(mended.set_aside_bytes as usize, lines[1..].concat().len());
    log.verify(None).unwrap();
    log.append(vec![search("eve", &[])]).unwrap();
    assert_eq!(log.verify(None).unwrap().set_aside, 2);
    let mut kept = folder.files().live[&last].clone();
    kept.truncate(damaged.concat().len());
    assert_eq!(kept, damaged.concat(), "what was set aside is still there");
}

#[test]
fn a_process_that_saw_a_log_refuses_when_it_is_gone() {
    let folder = FaultyFolder::empty();
    let log: AuditLog = open(&folder);
    set(&log, |settings| {
        settings.on = true;
        settings.durability = Durability::Written;
    });
    assert!(log.settings().unwrap().on);
    folder.files().live.clear();
    assert_eq!(log.settings().unwrap_err().kind(), Kind::Corrupted);
    assert!(!open(&folder).settings().unwrap().on, "whoever takes the mark away too hides it from new processes");
}
