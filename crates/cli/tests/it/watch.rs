//! `sync --watch`: what changes in the folder is in the index a moment later.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::program::Scratch;

/// In one step, as whoever is looking wants it.
fn permit(scratch: &Scratch, group: &str) {
    scratch.write("acl.new", format!("{{\"_id\": \"x/\", \"acl\": {{\"allow\": [\"group:{group}\"]}}}}\n"));
    fs::rename(scratch.path("acl.new"), scratch.path("docs/acl.jsonl")).unwrap();
}

#[test]
fn a_watched_folder_is_followed_and_a_changed_permission_embeds_nothing() {
    let scratch = Scratch::new();
    scratch.write("docs/x/a.md", "Salaries rise in July.");
    permit(&scratch, "hr");
    let arguments = [scratch.sync_arguments(&["docs"]), vec!["--watch=1"]].concat();
    let mut child = scratch.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["added"], 1);
    scratch.write("docs/x/b.md", "The roses are cut.");
    let second = next();
    assert_eq!((&second["added"], &second["embedded"]), (&1.into(), &1.into()));
    permit(&scratch, "board");
    let third = next();
    assert_eq!((&third["permission_only"], &third["embedded"]), (&2.into(), &0.into()));
    assert_eq!(scratch.visible("ann hr"), Vec::<String>::new());
    assert_eq!(scratch.visible("ann board"), ["x/a.md", "x/b.md"]);
    fs::remove_file(scratch.path("docs/x/a.md")).unwrap();
    assert_eq!(next()["deleted"], 1);
    scratch.write("docs/x/broken.pdf", "no PDF");
    assert_eq!(next()["skipped"][0]["document"], "x/broken.pdf");
    scratch.write("docs/x/c.md", "Nobody is told twice.");
    assert_eq!(next()["added"], 1);
    child.kill().unwrap();
    child.wait().unwrap();
}
