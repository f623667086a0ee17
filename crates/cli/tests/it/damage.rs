//! Bytes flipped and files cut short in a real index: `verify` finds each, and no answer is ever another one.

use std::fs;

use crate::program::{Said, Scratch, copy, fixtures};

/// An index with segments of two generations, tombstones and some epochs.
fn made() -> Scratch {
    let scratch = Scratch::new();
    copy(&fixtures().join("company"), &scratch.path("docs"));
    scratch.sync(&["docs"]);
    scratch.write("docs/it/printers.txt", "The printers were sold.");
    fs::remove_file(scratch.path("docs/it/new-laptop.md")).unwrap();
    scratch.sync(&["docs"]);
    let document = ["--index", "index", "--document", "it/printers.txt"];
    scratch.ok(&[&["acl", "revoke", "--principal", "user:eve"], &document[..]].concat());
    scratch
}

fn answers(scratch: &Scratch) -> [Said; 2] {
    let who = ["--index", "index", "--user", "eve", "--no-groups"];
    [
        scratch.run(&[&["visible"], &who[..]].concat()),
        scratch.run(&[&["search", "holidays", "-k", "200"], &who[..]].concat()),
    ]
}

#[test]
fn every_damaged_file_is_found_and_nothing_leaks() {
    let whole = made();
    let right = answers(&whole).map(|said| said.stdout);
    let files = whole.files("index");
    assert!(files.len() >= 14 && files.keys().any(|path| path.contains("tombstones")), "{:?}", files.keys());
    let scratch = Scratch::new();
    copy(&whole.path("index"), &scratch.path("index"));
    for (path, bytes) in &files {
        let last = bytes.len() - 1;
        let flipped = [0, bytes.len() / 2, last].map(|at| {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            damaged
        });
        let cut = [bytes[..last].to_vec(), bytes[..bytes.len() / 2].to_vec(), Vec::new()];
        for (n, damaged) in flipped.into_iter().chain(cut).enumerate() {
            scratch.write(&format!("index/{path}"), damaged);
            assert_eq!(scratch.run(&["verify", "--index", "index"]).error().0, "Corrupted", "{path} damage {n}");
            for (said, right) in answers(&scratch).into_iter().zip(&right) {
                match said.code {
                    Some(0) => assert_eq!(said.stdout, *right, "{path} damage {n}"),
                    _ => assert_eq!(said.error().0, "Corrupted", "{path} damage {n}"),
                }
            }
        }
        scratch.write(&format!("index/{path}"), bytes);
    }
    scratch.ok(&["verify", "--index", "index"]);
}
