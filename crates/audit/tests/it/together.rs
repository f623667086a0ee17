//! Many threads, and somebody who does not let go.

use std::fs::{self, File};
use std::sync::Arc;

use safepassage_audit::AuditLog;
use safepassage_audit::folder::LocalFolder;
use safepassage_error::Kind;

use crate::{clock, lines, search, set};

const THREADS: usize = 8;
const EACH: usize = 50;

#[test]
fn every_line_of_every_thread_is_there_once_and_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let open = || AuditLog::new(Arc::new(LocalFolder::new(folder.path())), clock());
    // Two logs on one folder take turns as two processes do.
    let logs = [open(), open()];
    set(&logs[0], |settings| settings.rotate_bytes = 20_000);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &logs[thread % 2];
            scope.spawn(move || {
                let mut last = 0;
                for n in 0..EACH {
                    let receipt = log.append(vec![search(&format!("{thread}"), &[&n.to_string()])]).unwrap();
                    assert!(receipt.seq() > last);
                    last = receipt.seq();
                }
            });
        }
    });
    let lines = lines(&open());
    for thread in 0..THREADS {
        let own = lines.iter().filter(|line| line.entry.user.as_deref() == Some(&*thread.to_string()));
        let order: Vec<String> = own.flat_map(|line| line.entry.documents.clone().unwrap()).collect();
        assert_eq!(order, (0..EACH).map(|n| n.to_string()).collect::<Vec<_>>());
    }
    assert!(logs[0].verify(None).unwrap().files > 2);
}

#[test]
fn a_log_that_somebody_holds_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::new(Arc::new(LocalFolder::new(folder.path()).patience_ms(20)), clock());
    log.append(vec![search("alice", &["memo"])]).unwrap();
    let held = File::open(folder.path().join("audit/append.lock")).unwrap();
    held.lock().unwrap();
    let error = log.append(vec![search("bob", &["memo"])]).unwrap_err();
    assert!(error.kind() == Kind::Unavailable && error.message().contains("another process"), "{error}");
    assert!(!log.settings().unwrap().on, "what is in force can be read all the same");
    drop(held);
    log.append(vec![search("bob", &["memo"])]).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_refuses() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("audit"), "a file where the log should be").unwrap();
    let log = AuditLog::new(Arc::new(LocalFolder::new(folder.path())), clock());
    assert_eq!(log.append(vec![search("bob", &["memo"])]).unwrap_err().kind(), Kind::Unavailable);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_really_full_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::new(Arc::new(LocalFolder::new(folder.path())), clock());
    log.append(vec![search("alice", &["memo"])]).unwrap();
    let file = folder.path().join("audit/00000001.jsonl");
    let bytes = fs::read(&file).unwrap();
    let kept = folder.path().join("kept");
    fs::rename(&file, &kept).unwrap();
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();
    assert!(log.append(vec![search("bob", &["memo"])]).is_err());
    fs::remove_file(&file).unwrap();
    fs::rename(&kept, &file).unwrap();
    log.append(vec![search("bob", &["memo"])]).unwrap();
    assert!(fs::read(&file).unwrap().starts_with(&bytes));
}
