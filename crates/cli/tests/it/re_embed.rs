//! Another model for an index: made beside it, measured, switched to, and back.

use std::fs;
use std::path::Path;

use crate::model;
use crate::program::{Scratch, copy, keys};

const OPEN: &str = r#"{"_id": "./", "acl": {"allow": ["everyone"]}}"#;

/// Some documents in an index of the small model, and another model of the same size beside them.
fn company() -> Scratch {
    let scratch = Scratch::new();
    for (n, name) in ["leave", "travel", "freezer"].iter().enumerate() {
        let text = format!("# {name}\n\n{}", format!("The {name} notice says holiday rota {n}. ").repeat(20));
        scratch.write(&format!("docs/{name}.md"), text);
    }
    scratch.write("docs/acl.jsonl", OPEN);
    scratch.sync(&["docs"]);
    other(&scratch.path("other"));
    scratch
}

/// The small model with other weights.
fn other(folder: &Path) {
    copy(model::folder(), folder);
    let weights = folder.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let end = bytes.len();
    // The low bytes of the numbers of the embeddings: other numbers, and finite still.
    let start = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize + 8;
    bytes[start..start + (end - start) / 4].chunks_exact_mut(4).for_each(|number| number[2] ^= 0x55);
    fs::write(weights, bytes).unwrap();
}

fn hits(scratch: &Scratch) -> String {
    let arguments = ["search", "holiday rota", "--index", "index", "--user", "ann", "--no-groups", "--recall", "1"];
    let results = scratch.ok(&[&arguments[..], &["--mode", "vector"]].concat());
    let all: Vec<String> =
        results["hits"].as_array().unwrap().iter().map(|hit| format!("{} {}", hit["document"], hit["score"])).collect();
    all.join("\n")
}

#[test]
fn an_index_changes_its_model_and_goes_back() {
    let scratch = company();
    let before = hits(&scratch);
    let re_embed = ["re-embed", "--index", "index", "--embedder", "other"];
    let files = scratch.files("index");
    let dry = scratch.ok(&[&re_embed[..], &["--dry-run"]].concat());
    assert_eq!((dry["dry_run"].as_bool(), dry["left"].as_u64()), (Some(true), Some(3)));
    assert_eq!(scratch.files("index"), files);
    assert_eq!(scratch.run(&["switch", "--index", "index"]).error().0, "NotFound");

    let report = scratch.ok(&re_embed);
    assert_eq!((report["ready"].as_bool(), report["embedded"].as_u64()), (Some(true), dry["embedded"].as_u64()));
    assert_eq!(hits(&scratch), before, "a candidate changes no answer");
    let listed = scratch.ok(&["generations", "--index", "index"]);
    assert_eq!(keys(&listed), ["candidate", "generations"]);
    assert_eq!(listed["candidate"]["missing"], 0);
    let again = scratch.ok(&re_embed);
    assert_eq!((again["chunks"].as_u64(), again["embedded"].as_u64()), (Some(0), Some(0)));

    let switched = scratch.ok(&["switch", "--index", "index"]);
    let generation = switched["generation"].as_u64().unwrap();
    let after = hits(&scratch);
    assert_ne!(after, before);
    // As an index that was made with that model.
    let fresh = Scratch::new();
    copy(&scratch.path("docs"), &fresh.path("docs"));
    fresh.ok(&["sync", "docs", "--index", "index", "--embedder", scratch.path("other").to_str().unwrap()]);
    assert_eq!(after, hits(&fresh));
    scratch.ok(&["verify", "--index", "index"]);
    let listed = scratch.ok(&["generations", "--index", "index"]);
    assert_eq!(keys(&listed), ["generations"]);
    let newest = listed["generations"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((newest["operation"].as_str(), newest["model"].as_str()), (Some("switch"), Some("other")));

    // A sync knows the new model by itself, and refuses the old one.
    scratch.write("docs/new.md", "# New\n\nA new notice.");
    assert_eq!(scratch.ok(&["sync", "docs", "--index", "index"])["added"], 1);
    let old = model::folder().to_str().unwrap();
    assert_eq!(scratch.run(&["sync", "docs", "--index", "index", "--embedder", old]).error().0, "Invalid");

    scratch.ok(&["rollback", &(generation - 1).to_string(), "--index", "index"]);
    assert_eq!(hits(&scratch), before);
    scratch.ok(&["verify", "--index", "index"]);
}

#[test]
fn a_candidate_that_is_dropped_gives_its_disk_back_and_one_of_another_model_is_in_the_way() {
    let scratch = company();
    let names = |scratch: &Scratch| scratch.files("index").into_keys().collect::<Vec<_>>();
    let before = names(&scratch);
    scratch.ok(&["re-embed", "--index", "index", "--embedder", "other"]);
    assert!(names(&scratch).len() > before.len());
    let (kind, message) = scratch.run(&["re-embed", "--index", "index", "--embedder", "builtin"]).error();
    assert_eq!(kind, "Conflict");
    assert!(message.contains("candidate of the model `other`"), "{message}");
    assert_eq!(scratch.ok(&["re-embed", "--index", "index", "--drop"])["dropped"], true);
    assert_eq!(names(&scratch), before);
    assert_eq!(scratch.ok(&["re-embed", "--index", "index", "--drop"])["dropped"], false);
    let (kind, message) = scratch.run(&["re-embed", "--index", "index"]).error();
    assert_eq!((kind.as_str(), message.contains("--embedder")), ("Invalid", true), "{message}");
    let same = model::folder().to_str().unwrap();
    let (kind, message) = scratch.run(&["re-embed", "--index", "index", "--embedder", same]).error();
    assert_eq!((kind.as_str(), message.contains("already")), ("Invalid", true), "{message}");
}

#[test]
fn a_candidate_is_measured_like_an_index() {
    let scratch = company();
    scratch.write("questions/queries.jsonl", "{\"_id\": \"q\", \"text\": \"the freezer notice\"}\n");
    scratch.write("questions/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq\tfreezer.md\t1\n");
    scratch.write("questions/corpus.jsonl", "{\"_id\": \"freezer.md\", \"text\": \"x\"}\n");
    let eval = |more: &[&str]| {
        let arguments = ["eval", "questions", "--index", "index", "--user", "ann", "--no-groups"];
        scratch.run(&[&arguments[..], more].concat())
    };
    assert_eq!(eval(&["--candidate"]).error().0, "NotFound");
    scratch.ok(&["re-embed", "--index", "index", "--embedder", "other"]);
    for more in [&["--candidate"][..], &["--candidate", "--against", "index"]] {
        let said = eval(more);
        assert_eq!(said.code, Some(0), "{said:?}");
    }
}
