//! `eval` and `canary`: what passes, what does not, and what is said to bad input.

use std::fs;

use serde_json::Value;

use crate::program::{Said, Scratch, fixtures, keys};

/// The company's folder in an index of the small model, whose vectors mean nothing: with every passage asked for, all that
/// may be seen is found.
fn company() -> Scratch {
    let scratch = Scratch::new();
    scratch.sync(&[fixtures().join("company").to_str().unwrap()]);
    scratch
}

fn questions() -> String {
    fixtures().join("company-questions").to_str().unwrap().to_owned()
}

fn eval(scratch: &Scratch, questions: &str, options: &[&str]) -> Said {
    scratch.run(&[&["eval", questions, "--index", "index"], options].concat())
}

#[test]
fn a_good_index_passes_and_says_what_it_measured() {
    let scratch = company();
    scratch.write(
        "gate.json",
        r#"{"leaks": {"max": 0}, "k_fill": {"min": 1}, "recall_of_search": {"min": 0.95}, "recall@70": {"min": 0.999},
            "personas": {"visitor": {"unanswerable": {"min": 0.5}}}}"#,
    );
    let said = eval(&scratch, &questions(), &["-k", "5,70", "--gate", "gate.json", "--html", "report.html"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let report = said.json();
    let wanted = "all bands collection distributions gate index leaks personas run";
    assert_eq!(keys(&report).join(" "), wanted);
    assert_eq!((&report["gate"]["passed"], report["leaks"].as_array().unwrap().len()), (&true.into(), 0));
    let seen: Vec<u64> =
        report["personas"].as_array().unwrap().iter().map(|persona| persona["visible"].as_u64().unwrap()).collect();
    assert_eq!(seen, [40, 40, 6], "the same as `fixtures/expected`");
    let page = fs::read_to_string(scratch.path("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("The gate lets it pass."));
    assert!(!page.contains("Wi-Fi"), "no text of a question unless asked for");
    let said = eval(&scratch, &questions(), &["--html", "report.html", "--show-questions"]);
    assert_eq!(said.code, Some(0));
    assert!(fs::read_to_string(scratch.path("report.html")).unwrap().contains("Wi-Fi"));
}

#[test]
fn a_planted_leak_fails_without_any_gate() {
    let scratch = company();
    // The index opens what the persona's own line says it must not see.
    scratch.ok(&["acl", "set", "--index", "index", "--document", "board/chair-notes.txt", "--allow", "everyone"]);
    let said = eval(&scratch, &questions(), &["-k", "70"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    let report = said.json();
    let leaks = report["leaks"].as_array().unwrap();
    assert!(leaks.iter().all(|leak| leak["document"] == "board/chair-notes.txt" && leak["persona"] != "visitor"));
    let persona = |name: &str| {
        report["personas"].as_array().unwrap().iter().find(|p| p["persona"] == name).unwrap()["leaks"].clone()
    };
    // Alice by her own line at every question; Bruno too; the visitor is not signed in.
    assert_eq!((persona("alice"), persona("bruno"), persona("visitor")), (16.into(), 16.into(), 0.into()));
    scratch.write("gate.json", r#"{"leaks": {"max": 100}}"#);
    let said = eval(&scratch, &questions(), &["-k", "70", "--gate", "gate.json"]);
    assert_eq!(said.code, Some(7));
    assert!(said.stderr.contains("leaks") && said.stderr.contains("always"), "{said:?}");
}

#[test]
fn a_planted_loss_of_recall_fails_the_gate_and_is_named() {
    let scratch = company();
    scratch.write("gate.toml", "[\"recall@70\"]\nmin = 0.9\n[personas.bruno.\"hit@70\"]\nmin = 0.99\n");
    let options = ["-k", "70", "--gate", "gate.toml"];
    assert_eq!(eval(&scratch, &questions(), &options).code, Some(0));
    // The handbook goes: judged documents are not in the index any more.
    let part = Scratch::new();
    part.sync(&[&format!("{}", fixtures().join("company/public").display())]);
    let said = part.run(
        &[
            &["eval", &questions(), "--index", "index"],
            &["-k", "70", "--gate", scratch.path("gate.toml").to_str().unwrap()][..],
        ]
        .concat(),
    );
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.stderr.contains("recall@70") && said.stderr.contains("bruno hit@70"), "{said:?}");
    // Beside the whole index the loss is one of many questions, and no chance.
    let whole = scratch.path("index");
    let gate = r#"{"against": {"recall@70": {"max_drop": 0.01, "p": 0.05}}}"#;
    part.write("against.json", gate);
    let said = part.run(&[
        "eval",
        &questions(),
        "--index",
        "index",
        "-k",
        "70",
        "--against",
        whole.to_str().unwrap(),
        "--gate",
        "against.json",
    ]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.stderr.contains("against recall@70"), "{said:?}");
    let compared = &said.json()["against"]["measures"]["recall@70"];
    assert!(compared["p"].as_f64().unwrap() < 0.05 && compared["wins"] == 0, "{compared}");
    scratch.write("against.json", gate);
    let options = ["-k", "70", "--against-recall", "1", "--gate", "against.json"];
    assert_eq!(eval(&scratch, &questions(), &options).code, Some(0));
}

#[test]
fn canaries_are_planted_asked_for_and_taken_away() {
    let scratch = company();
    let planted = scratch.ok(&["canary", "plant", "--index", "index", "--acl", "group:board", "--count", "2"]);
    assert_eq!(planted["planted"].as_array().unwrap().len(), 2);
    let personas = fixtures().join("company-questions/personas.jsonl");
    let check = ["canary", "check", "--index", "index", "--personas", personas.to_str().unwrap()];
    let report = scratch.ok(&check);
    assert_eq!((&report["canaries"], &report["proved"]), (&2.into(), &true.into()), "{report}");
    let all: Vec<(&str, u64, u64, usize)> = report["personas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            (
                p["persona"].as_str().unwrap(),
                p["may_read"].as_u64().unwrap(),
                p["found"].as_u64().unwrap(),
                p["leaks"].as_array().unwrap().len(),
            )
        })
        .collect();
    assert_eq!(
        all,
        [("alice", 0, 0, 0), ("bruno", 0, 0, 0), ("visitor", 0, 0, 0), ("whoever is group:board", 2, 2, 0)]
    );
    let report = eval(&scratch, &questions(), &[]).json();
    assert_eq!((&report["canaries"]["canaries"], &report["canaries"]["proved"]), (&2.into(), &true.into()));
    assert_eq!(
        scratch.ok(&["canary", "check", "--index", "index", "--public"])["personas"].as_array().unwrap().len(),
        2
    );
    // A sync of the company's folder leaves them alone, a removal takes them and nothing else.
    scratch.sync(&[fixtures().join("company").to_str().unwrap()]);
    let removed = scratch.ok(&["canary", "remove", "--index", "index"]);
    assert_eq!(removed["removed"], planted_sorted(&planted));
    assert_eq!(scratch.ok(&check)["canaries"], 0);
    assert_eq!(scratch.visible("alice.keane hr leadership").len(), 40);
}

fn planted_sorted(planted: &Value) -> Value {
    let mut ids: Vec<String> = serde_json::from_value(planted["planted"].clone()).unwrap();
    ids.sort();
    ids.into()
}

#[test]
fn drift_of_generations() {
    let scratch = company();
    let before = scratch.ok(&["stats", "--index", "index"])["generation"].to_string();
    scratch.write("more/a.txt", "Some other words about freezers and holidays.");
    scratch.write("more/acl.jsonl", r#"{"_id": "./", "acl": {"allow": ["everyone"]}}"#);
    scratch.sync(&["more=more"]);
    let questions = questions();
    let options = ["--from", &before, "--questions", &questions];
    let drift = scratch.ok(&[&["eval", "drift", "--index", "index"], &options[..]].concat());
    assert_eq!(keys(&drift).join(" "), "documents from scores settings shift to");
    assert_eq!(scratch.ok(&["usage", "--index", "index"])["measured"], Value::Array(vec![]), "only if it is asked for");
    scratch.ok(&[&["eval", "drift", "--index", "index", "--record"], &options[..]].concat());
    let said = eval(&scratch, &questions, &["--record"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let measured = scratch.ok(&["usage", "--index", "index"])["measured"].clone();
    assert_eq!((&measured[0]["by"], &measured[1]["by"]), (&"drift".into(), &"eval".into()));
    let near = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9;
    assert!(near(&measured[0]["figures"]["energy_p"], &drift["shift"]["energy_p"]), "{measured}");
    let mean = &said.json()["all"]["measures"]["ndcg@10"]["mean"];
    assert!(near(&measured[1]["figures"]["ndcg@10"], mean), "{measured}");
    assert_eq!(
        (&measured[1]["figures"]["leaks"], &measured[1]["questions"]),
        (&0.0.into(), &"company-questions".into())
    );
    assert_eq!(drift["documents"]["added"], 1);
    assert!(drift["shift"]["energy_p"].as_f64().unwrap() > 0.05, "{drift}");
    let gone = scratch.run(&["eval", "drift", "--index", "index", "--from", "999"]);
    assert_eq!(gone.error().0, "NotFound");
    assert_eq!(scratch.run(&["eval", "drift", "--index", "index"]).error().0, "Invalid");
}

#[test]
fn a_weight_of_words_is_learnt_from_enough_questions() {
    let scratch = company();
    let line = |n: usize| {
        format!("{{\"question\": \"How do we welcome number {n}?\", \"expected\": [\"handbook/welcome.md\"]}}\n")
    };
    scratch.write("many/questions.jsonl", (0..24).map(line).collect::<String>());
    scratch.write("few/questions.jsonl", (0..3).map(line).collect::<String>());
    let learn = |folder| ["eval", "learn", folder, "--index", "index", "--user", "ann", "--no-groups"];
    let learnt = scratch.ok(&learn("many"));
    assert_eq!(keys(&learnt).join(" "), "argument default fusion held_out measure questions weights");
    assert_eq!((learnt["questions"].as_u64(), learnt["weights"].as_array().unwrap().len()), (Some(24), 21));
    let argument = learnt["argument"].as_str().unwrap();
    scratch.ok(&["search", "welcome", "--index", "index", "--user", "ann", "--no-groups", "--fusion", argument]);
    let (kind, message) = scratch.run(&learn("few")).error();
    assert!(kind == "Invalid" && message.contains("3 questions"), "{message}");
}

#[test]
fn what_cannot_be_evaluated_is_said() {
    let scratch = company();
    scratch.write("q/questions.jsonl", "{\"question\": \"One?\", \"expected\": [\"a\"]}\n{\"question\": 2}\n");
    scratch.write("fine/questions.jsonl", "{\"question\": \"One?\", \"expected\": [\"handbook/welcome.md\"]}\n");
    scratch.write("gate.json", r#"{"ndgc@10": {"min": 0.5}}"#);
    scratch.write("against.json", r#"{"against": {"ndcg@10": {"max_drop": 0.5}}}"#);
    for (options, kind, says) in [
        (&["q", "--public"][..], "Invalid", "line `2`"),
        (&["gone", "--public"], "NotFound", "gone"),
        (&["fine"], "Invalid", "nobody asks"),
        (&["fine", "--public", "-k", "0"], "Invalid", "from 1 on"),
        (&["fine", "--public", "--recall", "2"], "Invalid", "recall"),
        (&["fine", "--public", "--gate", "gate.json"], "Invalid", "`ndgc@10`"),
        (&["fine", "--public", "--gate", "against.json"], "Invalid", "--against"),
        (&["fine", "--public", "--gate", "gone.json"], "NotFound", "gone.json"),
        (&["fine", "--public", "--split", "dev"], "Invalid", "split"),
        (&["fine", "--user", "ann"], "Invalid", "--no-groups"),
        (&["fine", "--public", "--user", "ann"], "Invalid", "--public"),
    ] {
        let said = scratch.run(&[&["eval"], options, &["--index", "index"]].concat());
        let (found, message) = said.error();
        assert_eq!(found, kind, "{options:?}: {message}");
        assert!(message.contains(says), "{options:?}: {message}");
    }
    assert_eq!(eval(&scratch, "fine", &["--public"]).code, Some(0));
    assert_eq!(eval(&scratch, "fine", &["--user", "ann", "--no-groups"]).code, Some(0));
    assert_eq!(scratch.run(&["canary", "check", "--index", "index"]).error().0, "Invalid");
}
