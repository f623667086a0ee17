//! A sync killed at many moments: what was committed is whole, and the next sync finishes the job.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::program::{Scratch, fixtures};

const WHO: &str = "bruno.ferri engineering firmware";

/// The names in the index, without the part of a temporary name that differs from run to run.
fn names(folder: &Path, prefix: &str, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if prefix == "tmp/" { name.split('-').next().unwrap_or_default().to_owned() } else { name };
        into.insert(format!("{prefix}{name}"));
        if entry.path().is_dir() {
            names(&entry.path(), &format!("{name}/"), into);
        }
    }
}

/// The pages twice, so that there is more than one commit, and small chunks, so that these are many.
fn arguments<'a>(scratch: &Scratch, sources: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = scratch.sync_arguments(sources);
    arguments.extend(["--chunk-tokens", "64", "--overlap", "0"]);
    arguments
}

/// Starts a sync and kills it when the index folder has changed `changes` times; gives whether it was still running.
fn killed_after(scratch: &Scratch, sources: &[&str], changes: usize) -> bool {
    let mut child =
        scratch.command(&arguments(scratch, sources)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut seen, mut last) = (0, BTreeSet::new());
    while seen < changes {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let mut now = BTreeSet::new();
        names(&scratch.path("index"), "", &mut now);
        if now != last {
            seen += 1;
            last = now;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[test]
fn a_killed_sync_loses_nothing_and_is_finished_by_the_next() {
    let pages = fixtures().join("docs").display().to_string();
    let twice = ["a", "b"].map(|name| format!("{name}={pages}"));
    let source = &twice.each_ref().map(String::as_str)[..];
    let undisturbed = Scratch::new();
    let whole = undisturbed.ok(&arguments(&undisturbed, source));
    let right = (undisturbed.visible(WHO), undisturbed.found(WHO));
    let total = whole["chunks"].as_u64().unwrap();
    assert!(right.0.len() > 500 && total > 8_192, "too small to commit more than once: {whole}");
    let (mut while_running, mut stages) = (0, BTreeSet::new());
    for changes in 1..=20 {
        let scratch = Scratch::new();
        while_running += u32::from(killed_after(&scratch, source, changes));
        let committed = fs::read_dir(scratch.path("index/manifest")).map_or(0, Iterator::count);
        stages.insert(committed);
        let mut kept = 0;
        if committed > 0 {
            scratch.ok(&["verify", "--index", "index"]);
            let stats = scratch.ok(&["stats", "--index", "index"]);
            assert!(stats["generation"].as_u64().unwrap() >= committed as u64, "{changes}: {stats}");
            kept = stats["chunks"].as_u64().unwrap();
            let visible = scratch.visible(WHO);
            assert!(visible.iter().all(|id| right.0.contains(id)), "{changes}");
            assert_eq!(visible.len(), stats["documents"].as_u64().unwrap() as usize, "{changes}");
        }
        let mut resumed = arguments(&scratch, source);
        if !resumed.contains(&"--embedder") {
            resumed.extend(["--embedder", crate::model::folder().to_str().unwrap()]);
        }
        let report = scratch.ok(&resumed);
        assert_eq!(report["embedded"].as_u64().unwrap(), total - kept, "{changes}: paid twice, or not at all");
        assert_eq!((scratch.visible(WHO), scratch.found(WHO)), right, "{changes}");
        scratch.ok(&["verify", "--index", "index"]);
    }
    assert!(while_running >= 12 && stages.len() >= 3, "the moments were too alike: {while_running}, {stages:?}");
}
