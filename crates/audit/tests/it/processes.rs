//! Two processes on one log. The test starts its own binary again; [`part`] is what those run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use safepassage_audit::AuditLog;
use safepassage_audit::folder::LocalFolder;

use crate::{clock, lines, search, set};

const PART: &str = "SAFEPASSAGE_TEST_PART";
const FOLDER: &str = "SAFEPASSAGE_TEST_FOLDER";
const EACH: usize = 60;

fn open(folder: &Path) -> AuditLog {
    AuditLog::new(Arc::new(LocalFolder::new(folder)), clock())
}

#[test]
fn part() {
    let (Ok(part), Ok(folder)) = (std::env::var(PART), std::env::var(FOLDER)) else { return };
    let log = open(Path::new(&folder));
    for n in 0..EACH {
        log.append(vec![search(&part, &[&n.to_string()])]).unwrap();
    }
}

#[test]
fn processes_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    set(&open(folder.path()), |settings| settings.rotate_bytes = 10_000);
    let parts = ["one", "other", "third"];
    let children = parts.map(|part| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "processes::part"]).env(PART, part).env(FOLDER, folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let lines = lines(&open(folder.path()));
    for part in parts {
        let own = lines.iter().filter(|line| line.entry.user.as_deref() == Some(part));
        let order: Vec<String> = own.flat_map(|line| line.entry.documents.clone().unwrap()).collect();
        assert_eq!(order, (0..EACH).map(|n| n.to_string()).collect::<Vec<_>>(), "{part}");
    }
}
