//! The binary with a real model: llama.cpp's server and SmolLM2-135M. What it says is of no matter; that it streams, is
//! cited from, is counted and stops when nobody listens is.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::{Scratch, keys};

/// The server, as a process of its own.
struct Llama {
    url: String,
    process: Child,
}

impl Llama {
    fn start() -> Self {
        let mut process =
            Command::new(binary()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        said.read_line(&mut url).unwrap();
        // A full pipe would stop it.
        std::thread::spawn(move || drop(said.read_to_end(&mut Vec::new())));
        Self { url: url.trim().to_owned(), process }
    }

    /// The model as the command names it.
    fn model(&self) -> String {
        format!("openai:{}/v1#smollm2", self.url)
    }

    /// Whether it writes anything now.
    fn is_at_work(&self) -> bool {
        let out = Command::new("curl").args(["--silent", &format!("{}/slots", self.url)]).output().unwrap();
        let slots: Value = serde_json::from_slice(&out.stdout).unwrap();
        slots.as_array().unwrap().iter().any(|slot| slot["is_processing"] == true)
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The program that `.ci/llama` installs, or the one that is named.
fn binary() -> PathBuf {
    let named = std::env::var_os("SAFEPASSAGE_LLAMA").map(PathBuf::from);
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let found = named.unwrap_or_else(|| target.join("llama/bin/llama-server"));
    assert!(found.exists(), "there is no {}; `.ci/llama` installs it", found.display());
    found
}

#[test]
fn a_real_model_answers_is_cited_and_counted_and_stops_when_nobody_listens() {
    let (llama, scratch) = (Llama::start(), Scratch::new());
    scratch.write("docs/pay.md", "# Pay\n\nPay is reviewed once a year, in July.");
    scratch.write("docs/secret.md", "# Plan\n\nPay rises by four percent, the secret plan.");
    scratch.write("docs/acl.jsonl", "{\"_id\": \"pay.md\", \"acl\": {\"allow\": [\"everyone\"]}}\n{\"_id\": \"secret.md\", \"acl\": {\"allow\": [\"group:hr\"]}}");
    scratch.sync(&["docs"]);
    let model = llama.model();
    let who = ["--index", "index", "--user", "ann", "--no-groups"];
    let of = ["--generator", &model, "--highest-label", "internal", "--temperature", "0"];
    let asked = [&["ask", "when is pay reviewed?", "--tokens", "24"], &who[..], &of[..]].concat();
    let answer = scratch.ok(&asked);
    let wanted = "acl_epoch citations complete cost exact generation id model passages plan recorded redacted sent stop suspects template text \
                  unknown_citations usage withheld";
    assert_eq!(keys(&answer).join(" "), wanted);
    assert!(!answer["text"].as_str().unwrap().is_empty() && answer["sent"] == true, "{answer}");
    assert_eq!(answer["passages"].as_array().unwrap().len(), 1, "{answer}");
    let usage = &answer["usage"];
    assert!(usage["tokens_in"].as_u64() > Some(50) && usage["tokens_out"].as_u64() <= Some(24), "{answer}");
    // Each citation is one of its passages; a model this small may cite none.
    for citation in answer["citations"].as_array().unwrap() {
        let at = citation["number"].as_u64().unwrap() as usize - 1;
        assert_eq!(citation["document"], answer["passages"][at]["document"]);
    }
    let sums = scratch.ok(&["usage", "--index", "index"]);
    let sum_of = |name: &str| sums["sums"].as_array().unwrap().iter().find(|sum| sum["name"] == name).unwrap().clone();
    assert_eq!((sum_of(&model)["calls"].as_u64(), &sum_of(&model)["tokens_out"]), (Some(1), &usage["tokens_out"]));
    let by_operation = scratch.ok(&["usage", "--index", "index", "--by", "operation"]);
    let names: Vec<&str> =
        by_operation["sums"].as_array().unwrap().iter().map(|sum| sum["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["chat", "embeddings"], "the question's vector is counted too");
    // Somebody reads a little and goes away: a pipe that is closed ends the call.
    let long = [&["ask", "write all you know of pay", "--tokens", "2000"], &who[..], &of[..]].concat();
    let command = scratch.command(&long[..]);
    let arguments: Vec<_> =
        command.get_args().filter(|argument| *argument != "--json").map(ToOwned::to_owned).collect();
    let mut reading = Command::new(command.get_program())
        .args(arguments)
        .current_dir(scratch.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = reading.stdout.take().unwrap();
    out.read_exact(&mut [0; 4]).unwrap();
    assert!(llama.is_at_work());
    drop(out);
    assert!(!reading.wait().unwrap().success());
    while llama.is_at_work() {
        std::thread::yield_now();
    }
    let calls = scratch.ok(&["usage", "--index", "index", "--calls"]);
    let chats = calls["calls"].as_array().unwrap().iter().filter(|call| call["operation"] == "chat");
    let outcomes: Vec<&str> = chats.map(|call| call["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ok", "cancelled"]);
    let again = [&["ask", "when is pay reviewed?"], &who[..], &["--generator", &model][..]].concat();
    assert_eq!(scratch.run(&again).error().0, "Denied", "nobody said up to which label");
}
