//! The shapes and exit codes that other people's scripts depend on.

use std::process::Command;

use crate::program::{Said, Scratch, keys};

const WHO: &[&str] = &["--index", "index", "--user", "ann", "--group", "hr"];

fn made() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("docs/a.md", "# Leave\n\nHolidays are booked by the team.");
    scratch.write("docs/b.md", "# Pay\n\nPay is reviewed once a year.");
    let acl = r#"{"_id": "./", "acl": {"allow": ["group:hr"], "deny": ["user:bob"]}}"#;
    scratch.write("docs/acl.jsonl", acl);
    scratch.sync(&["docs"]);
    scratch
}

#[test]
fn every_command_has_the_keys_of_the_contract() {
    let scratch = made();
    let report = scratch.sync(&["docs"]);
    for key in ["added", "changed", "permission_only", "deleted", "without_acl", "chunks", "embedded", "generation"] {
        assert!(report[key].is_u64(), "{key}");
    }
    let wanted = "acl_epoch acl_objects added changed chunks cost currency deleted dry_run embedded generation left permission_only \
                  priced skipped stopped tokens truncated truncated_documents unchanged warnings without_acl without_acl_documents";
    assert_eq!(keys(&report).join(" "), wanted);
    let results = scratch.ok(&[&["search", "holidays"], WHO].concat());
    assert_eq!(keys(&results).join(" "), "acl_epoch complete exact generation hits plan");
    let hit = &results["hits"][0];
    assert_eq!(keys(hit).join(" "), "chunk document heading label metadata page rank score span text title uri");
    assert_eq!((&hit["rank"], hit["span"].as_array().unwrap().len()), (&1.into(), 2));
    let scores: Vec<f64> =
        results["hits"].as_array().unwrap().iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(scores.len() == 2 && scores[0] >= scores[1]);
    assert_eq!(keys(&scratch.ok(&[&["visible"], WHO].concat())), ["count", "documents"]);
    let explained = scratch.ok(&[&["explain", "--document", "a.md"], WHO].concat());
    assert_eq!(keys(&explained), ["acl_epoch", "reasons", "visible"]);
    assert_eq!(keys(&explained["reasons"][0]), ["effect", "object", "path", "principal"]);
    let document = ["--index", "index", "--document", "a.md"];
    let inspected = scratch.ok(&[&["inspect"], &document[..]].concat());
    assert_eq!(keys(&inspected).join(" "), "content document file passages source tenant uri");
    let nothing = ["inspect", "--index", "index", "--document", "nothing"];
    assert_eq!(scratch.run(&nothing).error().0, "NotFound");
    let acl = "acl_epoch all_of allow deny document inherit label origin parent revoked";
    assert_eq!(keys(&scratch.ok(&[&["acl", "get"], &document[..]].concat())).join(" "), acl);
    let set = scratch.ok(&[&["acl", "set", "--allow", "group:hr", "everyone"], &document[..]].concat());
    assert_eq!((keys(&set).join(" ").as_str(), &set["origin"]), (acl, &"set".into()));
    let revoked = scratch.ok(&[&["acl", "revoke", "--principal", "user:bob"], &document[..]].concat());
    assert_eq!((keys(&revoked).join(" ").as_str(), &revoked["revoked"][0]), (acl, &"user:bob".into()));
    let restore = ["acl", "restore", "--principal", "user:bob", "--reason", "asked for"];
    assert_eq!(keys(&scratch.ok(&[&restore, &document[..]].concat())).join(" "), acl);
    let all = scratch.ok(&["generations", "--index", "index"]);
    assert_eq!(keys(&all), ["generations"]);
    let generation = "acl_epoch chunks created_ms dim documents generation model operation parent segments";
    assert_eq!(keys(&all["generations"][0]).join(" "), generation);
    assert_eq!(keys(&scratch.ok(&["rollback", "1", "--index", "index"])), ["generation"]);
    assert_eq!(keys(&scratch.ok(&["merge", "--index", "index"])), ["generation"]);
    let verified = scratch.ok(&["verify", "--index", "index"]);
    assert_eq!(keys(&verified).join(" "), "acl_epochs bytes documents generations segments");
    let verified = scratch.ok(&["verify", "--digest", "--index", "index"]);
    assert_eq!(keys(&verified).join(" "), "acl_epochs bytes digest documents generations segments");
    assert_eq!(verified["digest"].as_str().unwrap().len(), 64);
    let stats = "acl_epoch chunker chunks default_label dim distinct_acls documents generation graphs language \
                 merge_error merging model segments tombstones";
    assert_eq!(keys(&scratch.ok(&["stats", "--index", "index"])).join(" "), stats);
}

#[test]
fn errors_have_their_exit_codes() {
    let scratch = made();
    let bob = ["--index", "index", "--user", "bob", "--no-groups"];
    let document = ["--index", "index", "--document", "nothing"];
    for (arguments, kind, text) in [
        (&["frob"][..], "Invalid", "frob"),
        (&["visible", "--index", "index"], "Invalid", "--identity <FILE>"),
        (&["visible", "--index", "index", "--user", "a"], "Invalid", "--no-groups"),
        (&["visible", "--index", "index", "--user", "", "--no-groups"], "Invalid", "empty"),
        (&["search", "--index", "index", "--user", "a", "--no-groups", " "], "Invalid", "the question is empty"),
        (
            &["visible", "--index", "index", "--user", "a", "--no-groups", "--clearance", "cosmic"],
            "Invalid",
            "`cosmic`",
        ),
        (&["visible", "--index", "index", "--identity", "none.json"], "Invalid", "`none.json` cannot be read"),
        (&["acl", "set", "--allow", "grup:hr", "--index", "index", "--document", "a.md"], "Invalid", "grup:hr"),
        (&["visible", "--index", "nothing", "--user", "a", "--no-groups"], "NotFound", "there is no index here"),
        (&["visible", "--index", "docs/a.md", "--user", "a", "--no-groups"], "Invalid", "not a folder"),
        (&["sync", "docs", "--index", "docs/a.md"], "Invalid", "not a folder"),
        (&["sync", "nowhere", "--index", "other"], "NotFound", "nowhere"),
        (&["sync", "docs", "--index", "index", "--chunk-tokens", "7"], "Invalid", "--chunk-tokens"),
        (&["sync", "docs", "--index", "index", "--default-label", "restricted"], "Invalid", "--default-label"),
        (&["sync", "docs", "--index", "index", "--embedder", "builtin"], "Invalid", "the model"),
        (&["rollback", "99", "--index", "index"], "NotFound", "generation 99 does not exist"),
        (&["rollback", "0", "--index", "index"], "NotFound", "generation 0 does not exist"),
    ] {
        let (got, message) = scratch.run(arguments).error();
        assert!(got == kind && message.contains(text), "{arguments:?}: {got} {message}");
    }
    for (options, kind) in [
        (["--recall", "2"], "Invalid"),
        (["--recall", "NaN"], "Invalid"),
        (["--mode", "words"], "Invalid"),
        (["--fusion", "scores:2"], "Invalid"),
    ] {
        assert_eq!(scratch.run(&[&["search", "x"], &bob[..], &options].concat()).error().0, kind, "{options:?}");
    }
    for mode in ["hybrid", "vector", "lexical"] {
        scratch.ok(&[&["search", "x", "--mode", mode], &bob[..]].concat());
    }
    for verb in [&["get"][..], &["set", "--allow", "public"], &["revoke", "--principal", "public"]] {
        assert_eq!(scratch.run(&[&["acl"], verb, &document].concat()).error().0, "NotFound");
    }
    assert!(!scratch.path("other").exists());
    // Nothing to see is an answer, not an error; so is asking for nothing, or for everything.
    assert!(scratch.visible("bob").is_empty() && scratch.found("bob").is_empty());
    let none = scratch.ok(&[&["search", "x", "-k", "0"], WHO].concat());
    assert_eq!((none["hits"].as_array().unwrap().len(), &none["complete"]), (0, &true.into()));
    let all = scratch.ok(&[&["search", "x", "-k", "18446744073709551615"], WHO].concat());
    assert_eq!(all["hits"].as_array().unwrap().len(), 2);
}

#[test]
fn without_json_results_and_errors_go_to_their_own_streams() {
    let scratch = made();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_safepassage"));
        Said::of(&command.current_dir(scratch.path(".")).args(arguments).output().unwrap())
    };
    let said = run(&[&["visible"], WHO].concat());
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "a.md\nb.md\n2 documents\n", ""));
    let said = run(&["rollback", "99", "--index", "index"]);
    assert!(said.code == Some(3) && said.stdout.is_empty() && said.stderr.contains("generation 99"), "{said:?}");
    assert_eq!(run(&["--help"]).code, Some(0));
    assert_eq!(run(&[]).code, Some(2));
}

#[test]
fn the_default_label_is_above_who_is_not_cleared() {
    let scratch = Scratch::new();
    scratch.write(
        "lines.jsonl",
        r#"{"id": "a", "text": "x", "acl": {"allow": ["public"]}}
{"id": "b", "text": "y", "acl": {"allow": ["public"]}, "label": "public"}"#,
    );
    scratch.sync(&["lines.jsonl", "--default-label", "confidential"]);
    assert_eq!(scratch.visible("eve"), ["b"]);
    let cleared = ["visible", "--index", "index", "--user", "eve", "--no-groups", "--clearance", "restricted"];
    assert_eq!(scratch.ok(&cleared)["count"], 2);
}
