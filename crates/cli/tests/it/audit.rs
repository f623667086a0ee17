//! `audit` and `break-glass`: what the binary writes down, shows, refuses and withholds.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::program::{Said, Scratch, copy, fixtures, strings};

const REASON: &str = "regulator asks for file 17";

fn made() -> Scratch {
    let scratch = Scratch::new();
    copy(&fixtures().join("company"), &scratch.path("docs"));
    scratch.sync(&["docs"]);
    scratch
}

fn audit(scratch: &Scratch, arguments: &[&str]) -> Value {
    scratch.ok(&[&["audit"], arguments, &["--index", "index"]].concat())
}

fn search(scratch: &Scratch, user: &str) -> Said {
    scratch.run(&["search", "freezer", "--index", "index", "--user", user, "--no-groups", "-k", "5"])
}

#[test]
fn a_log_is_switched_on_shown_verified_and_switched_off() {
    let scratch = made();
    assert_eq!(scratch.run(&["audit", "verify", "--index", "index"]).error().0, "NotFound");
    assert_eq!(audit(&scratch, &["settings"])["on"], false);
    assert_eq!(audit(&scratch, &["on"])["on"], true);
    let changed = audit(&scratch, &["settings", "--durability", "written", "--keep-days", "30"]);
    assert_eq!((&changed["durability"], &changed["on"]), (&"written".into(), &true.into()));
    let found = search(&scratch, "eve").json();
    let lines = audit(&scratch, &["show", "--user", "eve"]);
    let line = &lines["lines"][0];
    assert_eq!((&line["action"], &line["outcome"], &line["k"]), (&"search".into(), &"ok".into(), &5.into()));
    for document in strings(&line["documents"]) {
        assert!(found["hits"].as_array().unwrap().iter().any(|hit| hit["document"] == document.as_str()));
    }
    assert!(!lines.to_string().contains("freezer"), "no question is in it");
    let head = audit(&scratch, &["head"]);
    search(&scratch, "bob");
    let verified = audit(&scratch, &["verify", "--expect", head["hash"].as_str().unwrap()]);
    assert_eq!(verified["lines"], head["seq"].as_u64().unwrap() + 1);
    audit(&scratch, &["off"]);
    let before = audit(&scratch, &["head"]);
    search(&scratch, "eve");
    assert_eq!(audit(&scratch, &["head"]), before);
    scratch.ok(&["acl", "revoke", "--index", "index", "--document", "it/new-laptop.md", "--principal", "user:eve"]);
    let shown = audit(&scratch, &["show", "--document", "it/new-laptop.md", "--action", "acl_revoke"]);
    assert_eq!(shown["lines"][0]["change"], "user:eve");
    assert_eq!(scratch.run(&["audit", "retire", "--index", "index", "--keep-days", "29"]).error().0, "Invalid");
}

#[test]
fn damage_is_exit_code_6_with_the_file_and_the_line() {
    let scratch = made();
    audit(&scratch, &["on"]);
    for user in ["eve", "bob"] {
        search(&scratch, user);
    }
    let log = scratch.path("index/audit/00000001.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("eve", "bob", 1)).unwrap();
    let said = scratch.run(&["audit", "verify", "--index", "index"]);
    let (kind, message) = said.error();
    assert_eq!((kind.as_str(), said.code), ("Corrupted", Some(6)));
    assert!(message.contains("audit/00000001.jsonl") && message.contains("line `3`"), "{message}");
    // The last line is gone: nothing is given out until somebody says why.
    let cut = text.trim_end().rsplit_once('\n').unwrap().0;
    fs::write(&log, format!("{cut}\n")).unwrap();
    for said in [search(&scratch, "eve"), scratch.run(&["audit", "verify", "--index", "index"])] {
        assert_eq!(said.error().0, "Corrupted");
        assert!(!said.stdout.contains("hits"));
    }
    audit(&scratch, &["mend", "--reason", "restored from last night's copy"]);
    assert_eq!(search(&scratch, "eve").code, Some(0));
    audit(&scratch, &["verify"]);
}

/// Searches in a shell that lets no file grow beyond `blocks` of 512 bytes.
#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_withholds_the_answer() {
    let scratch = made();
    audit(&scratch, &["on"]);
    let log = scratch.path("index/audit/00000001.jsonl");
    let mut withheld = 0;
    for blocks in [0, 1, 2, 3] {
        for before in ["trap '' XFSZ;", ""] {
            let script = format!("{before} ulimit -f {blocks}; exec \"$0\" \"$@\"");
            let mut command = Command::new("sh");
            command.current_dir(scratch.path(".")).args(["-c", &script, env!("CARGO_BIN_EXE_safepassage")]);
            command.args(["search", "freezer", "--index", "index", "--user", "eve", "--no-groups", "--json"]);
            let said = Said::of(&command.output().unwrap());
            if said.code == Some(0) {
                continue;
            }
            withheld += 1;
            assert!(!said.stdout.contains("hits"), "{said:?}");
            if !before.is_empty() {
                assert_eq!(said.error().0, "Unavailable");
            }
            // Whatever was left is closed by the next that can write.
            let size = fs::metadata(&log).unwrap().len();
            assert_eq!(search(&scratch, "bob").code, Some(0));
            assert!(fs::metadata(&log).unwrap().len() > size);
            audit(&scratch, &["verify"]);
        }
    }
    assert!(withheld >= 4, "the limit never held");
}

#[test]
fn the_glass_is_broken_with_a_secret_that_is_no_argument() {
    let scratch = made();
    let emergency = ["--index", "index", "--user", "eve", "--reason", REASON];
    let visible = [&["break-glass", "visible"], &emergency[..]].concat();
    let said = scratch.run(&visible);
    assert!(said.error().0 == "Invalid" && said.error().1.contains("SAFEPASSAGE_BREAK_GLASS"));
    let with = |arguments: &[&str], secret: &str| {
        let mut command = scratch.command(arguments);
        Said::of(&command.env("SAFEPASSAGE_BREAK_GLASS", secret).output().unwrap())
    };
    let none = with(&visible, "guess").error();
    assert_eq!(none.0, "Denied");
    let made = scratch.ok(&["break-glass", "enable", "--index", "index"]);
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(with(&visible, "guess").error(), none, "a wrong secret looks like none");
    let all = with(&visible, secret).json();
    assert!(all["count"].as_u64().unwrap() > scratch.visible("eve").len() as u64);
    scratch.write("secret", format!("{secret}\n"));
    let search = [&["break-glass", "search", "salary bands", "--secret-file", "secret", "-k", "3"], &emergency[..]];
    assert_eq!(scratch.ok(&search.concat())["hits"].as_array().unwrap().len(), 3);
    let short = ["--index", "index", "--user", "eve", "--reason", "because"];
    assert_eq!(with(&[&["break-glass", "visible"], &short[..]].concat(), secret).error().0, "Invalid");
    scratch.ok(&["break-glass", "disable", "--index", "index"]);
    assert_eq!(with(&visible, secret).error(), none);
    let lines = audit(&scratch, &["show", "--user", "eve"]);
    let said: Vec<_> =
        lines["lines"].as_array().unwrap().iter().map(|line| (&line["action"], &line["outcome"])).collect();
    let said: Vec<String> =
        said.iter().map(|(action, outcome)| format!("{action} {outcome}").replace('"', "")).collect();
    let expected = ["break_glass Denied", "break_glass Denied", "break_glass ok", "break_glass_visible ok"];
    let then = ["break_glass ok", "break_glass_search ok", "break_glass Invalid", "break_glass Denied"];
    assert_eq!(said, [expected, then].concat());
    assert!(!lines.to_string().contains(secret) && !lines.to_string().contains("salary bands"));
}
