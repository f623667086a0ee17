//! A sync killed at many moments: what was committed is whole, and the next sync finishes the job.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::program::{Scratch, copy, fixtures};

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

fn arguments<'a>(scratch: &Scratch) -> Vec<&'a str> {
    let mut arguments = scratch.sync_arguments(&["pages=docs", "--chunk-tokens", "64", "--overlap", "0"]);
    if !arguments.contains(&"--embedder") {
        arguments.extend(["--embedder", crate::model::folder().to_str().unwrap()]);
    }
    arguments
}

/// Starts a sync and kills it when the index folder has changed `changes` times; gives whether it was still running.
fn killed_after(scratch: &Scratch, changes: usize) -> bool {
    let mut child = scratch.command(&arguments(scratch)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
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

fn answers(scratch: &Scratch) -> [Vec<String>; 2] {
    [scratch.visible(WHO), scratch.found(WHO)]
}

/// Kills a sync of `start` at ten moments. Each time the index is as before or as after, and the next sync finishes.
fn disturb(start: &Scratch, before: &[Vec<String>; 2]) -> Scratch {
    let again = || {
        let scratch = Scratch::new();
        copy(&start.path("docs"), &scratch.path("docs"));
        if start.path("index").exists() {
            copy(&start.path("index"), &scratch.path("index"));
        }
        scratch
    };
    let undisturbed = again();
    let whole = undisturbed.ok(&arguments(&undisturbed));
    let (after, embedded) = (answers(&undisturbed), whole["embedded"].as_u64().unwrap());
    assert!(embedded > 100 && after != *before, "{whole}");
    let (mut running, mut stages) = (0, BTreeSet::new());
    for changes in 1..=10 {
        let scratch = again();
        running += usize::from(killed_after(&scratch, changes));
        let committed = fs::read_dir(scratch.path("index/manifest")).map_or(0, Iterator::count);
        stages.insert(scratch.files("index").len());
        let mut done = false;
        if committed > 0 {
            scratch.ok(&["verify", "--index", "index"]);
            let stats = scratch.ok(&["stats", "--index", "index"]);
            assert_eq!(stats["generation"], committed, "{changes}: {stats}");
            let now = answers(&scratch);
            done = now == after;
            assert!(done || now == *before, "{changes}: neither as before nor as after");
        }
        let report = scratch.ok(&arguments(&scratch));
        assert_eq!(report["embedded"].as_u64().unwrap(), if done { 0 } else { embedded }, "{changes}");
        assert_eq!(answers(&scratch), after, "{changes}");
        scratch.ok(&["verify", "--index", "index"]);
    }
    // A fast disk shows fewer moments; the crash suite of the index cuts at every one.
    assert!(running >= 1 && stages.len() >= 2, "no sync was caught at work: {running}, {stages:?}");
    undisturbed
}

#[test]
fn a_killed_sync_loses_nothing_and_is_finished_by_the_next() {
    let start = Scratch::new();
    copy(&fixtures().join("docs"), &start.path("docs"));
    let first = disturb(&start, &[vec![], vec![]]);
    let before = answers(&first);
    assert!(before[0].len() > 250);
    for (n, id) in before[0].iter().enumerate().step_by(4) {
        let path = first.path("docs").join(id.trim_start_matches("pages/"));
        if n % 3 == 0 {
            fs::remove_file(path).unwrap();
        } else {
            fs::write(path, format!("# New\n\n{}", "holiday notice rota ".repeat(60))).unwrap();
        }
    }
    disturb(&first, &before);
}
