//! The map of the house shows rooms that are there.

use std::fs;

use safepassage_tests::root;

/// What stands in backticks, holds a `/` and is a path by its letters, outside of code blocks.
fn paths(text: &str) -> Vec<&str> {
    let outside = text.split("```").step_by(2).flat_map(str::lines);
    let quoted = outside.flat_map(|line| line.split('`').skip(1).step_by(2));
    let letters = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    quoted.filter(|path| path.contains('/') && !path.contains("//") && path.chars().all(letters)).collect()
}

#[test]
fn every_path_of_the_map_exists() {
    let map = fs::read_to_string(root().join("crates/README.md")).unwrap();
    let paths = paths(&map);
    assert!(paths.len() >= 5, "{paths:?}");
    let gone: Vec<_> = paths.into_iter().filter(|path| !root().join(path).exists()).collect();
    assert!(gone.is_empty(), "not there: {gone:?}");
}

#[test]
fn paths_are_told_from_other_code() {
    let text = "`crates/access` and `a` and `x / y`\n```\n`no/path`\n```\n`https://x.y/z` `src/<id>/a` `tests/`";
    assert_eq!(paths(text), ["crates/access", "tests/"]);
}
