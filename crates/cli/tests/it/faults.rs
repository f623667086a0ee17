//! A lease somebody else holds, a newer format, a limit on file sizes, a folder that cannot be written.

use std::fs;
use std::process::Command;

use safepassage_index::storage::{LocalStorage, Storage};
use twox_hash::XxHash3_64;

use crate::model;
use crate::program::{Said, Scratch, copy, fixtures};

fn made() -> Scratch {
    let scratch = Scratch::new();
    copy(&fixtures().join("company"), &scratch.path("docs"));
    scratch.sync(&["docs"]);
    scratch
}

#[test]
fn a_second_writer_is_refused_and_readers_and_permissions_are_not() {
    let scratch = made();
    let storage = LocalStorage::new(scratch.path("index"));
    let leases = ["writer", "merger"].map(|role| storage.lease(role, "the nightly job").unwrap());
    for arguments in [&["merge", "--index", "index"][..], &["rollback", "1", "--index", "index"]] {
        let (kind, message) = scratch.run(arguments).error();
        assert!(kind == "Conflict" && message.contains("the nightly job"), "{message}");
    }
    assert_eq!(scratch.try_sync(&["docs"]).error().0, "Conflict");
    scratch.sync(&["docs", "--dry-run"]);
    assert!(scratch.visible("eve").contains(&"it/new-laptop.md".to_owned()));
    let document = ["--index", "index", "--document", "it/new-laptop.md"];
    scratch.ok(&[&["acl", "revoke", "--principal", "user:eve"], &document[..]].concat());
    assert!(!scratch.visible("eve").contains(&"it/new-laptop.md".to_owned()));
    drop(leases);
    scratch.ok(&["merge", "--index", "index"]);
}

#[test]
fn a_newer_format_is_named_and_not_guessed_at() {
    for path in ["manifest/000002.json", "access/log/000000000002.json"] {
        let scratch = made();
        let file = scratch.path("index").join(path);
        let text = fs::read_to_string(&file).unwrap();
        let (line, body) = text.split_once('\n').unwrap();
        let kind = if path.starts_with("manifest") { "manifest" } else { "access" };
        assert!(line.contains(&format!("\"{kind}\"")));
        let sum = XxHash3_64::oneshot_with_seed(4, body.as_bytes());
        let newer = format!("{{\"safepassage\":\"{kind}\",\"format\":4,\"xxh3\":\"{sum:016x}\"}}\n{body}");
        fs::remove_file(&file).unwrap();
        fs::write(&file, newer).unwrap();
        for command in ["verify", "stats", "generations"] {
            let (kind, message) = scratch.run(&[command, "--index", "index"]).error();
            assert!(kind == "Invalid" && message.contains("format 4 is newer"), "{command}: {message}");
        }
    }
}

/// Runs a sync in a shell that lets no file grow beyond `blocks` of 512 bytes.
#[cfg(unix)]
fn limited(scratch: &Scratch, blocks: u32, before: &str) -> Said {
    let script = format!("{before} ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.current_dir(scratch.path(".")).args(["-c", &script, env!("CARGO_BIN_EXE_safepassage")]);
    command.args(["sync", "docs", "--index", "index", "--json", "--embedder", model::folder().to_str().unwrap()]);
    Said::of(&command.output().unwrap())
}

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_is_told_and_loses_nothing() {
    let scratch = made();
    let before = (scratch.visible("ann hr"), scratch.found("ann hr"));
    for n in 0..400 {
        scratch.write(&format!("docs/handbook/more-{n}.md"), format!("# More {n}\n\n{}", "holiday notice ".repeat(40)));
    }
    for blocks in [0, 1, 8, 64] {
        let said = limited(&scratch, blocks, "trap '' XFSZ;");
        let (kind, message) = said.error();
        assert!(kind == "Unavailable" && message.contains("nothing committed is lost"), "{blocks}: {message}");
        // Without a handler the process is ended by the system in the middle of a write: as a kill.
        assert_ne!(limited(&scratch, blocks, "").code, Some(0), "{blocks}");
        scratch.ok(&["verify", "--index", "index"]);
        assert_eq!((scratch.visible("ann hr"), scratch.found("ann hr")), before, "{blocks}");
    }
    scratch.sync(&["docs"]);
    assert_eq!(scratch.visible("ann hr").len(), before.0.len() + 400);
    assert!(
        fs::read_dir(scratch.path("index/tmp"))
            .unwrap()
            .all(|left| { left.unwrap().file_name().to_string_lossy().starts_with("access") })
    );
}

/// Whether this process may write where its permissions say it may not.
#[cfg(unix)]
fn is_above_permissions(scratch: &Scratch) -> bool {
    fs::write(scratch.path("index/probe"), "").is_ok()
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = made();
    let set = |mode: u32| {
        let folders = ["index", "index/manifest", "index/access", "index/access/log", "index/tmp", "index/segment"];
        for folder in folders {
            fs::set_permissions(scratch.path(folder), fs::Permissions::from_mode(mode)).unwrap();
        }
        let lock = fs::Permissions::from_mode(if mode == 0o555 { 0o444 } else { 0o644 });
        fs::set_permissions(scratch.path("index/writer.lock"), lock).unwrap();
    };
    set(0o555);
    if !is_above_permissions(&scratch) {
        assert!(!scratch.visible("eve").is_empty());
        scratch.ok(&["verify", "--index", "index"]);
        assert_eq!(scratch.try_sync(&["docs"]).error().0, "Unavailable");
        let document = ["--index", "index", "--document", "it/new-laptop.md"];
        let revoke = scratch.run(&[&["acl", "revoke", "--principal", "user:eve"], &document[..]].concat());
        assert_eq!(revoke.error().0, "Unavailable");
    }
    set(0o755);
}
