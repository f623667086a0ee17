//! An engine outside decides too: it is asked as its file says, and only takes away.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::program::Scratch;

/// A policy decision point that lets everybody read `open.md`, whoever knows the token.
fn point() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    url
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut length, mut known) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        known |= line == "authorization: bearer sesame";
        length = line.strip_prefix("content-length: ").map_or(length, |length| length.parse().unwrap());
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let decision = |one: &Value| json!({"decision": one["resource"]["id"] == "open.md"});
    let decided = match body["evaluations"].as_array() {
        Some(all) => json!({"evaluations": all.iter().map(decision).collect::<Vec<_>>()}),
        None => decision(&body),
    };
    let (status, body) = if known { (200, decided.to_string()) } else { (401, "{}".to_owned()) };
    let head = format!("HTTP/1.1 {status} .\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

#[test]
fn an_engine_outside_only_takes_away() {
    let scratch = Scratch::new();
    let acl = r#"{"_id": "./", "acl": {"allow": ["user:ann"]}}"#;
    scratch.write("docs/acl.jsonl", acl);
    scratch.write("docs/open.md", "# Rota\n\nThe holiday rota that is open.");
    scratch.write("docs/shut.md", "# Rota\n\nThe holiday rota that is shut.");
    scratch.sync(&["docs"]);
    scratch.write("point.json", json!({"authzen": {"at": {"url": point(), "token_env": "POINT_TOKEN"}}}).to_string());
    let run = |arguments: &[&str], user: &str, token: Option<&str>| {
        let who = ["--index", "index", "--user", user, "--no-groups", "--authorizer", "point.json"];
        let mut command = scratch.command(&[arguments, &who].concat());
        command.env_remove("POINT_TOKEN").envs(token.map(|token| ("POINT_TOKEN", token)));
        crate::program::Said::of(&command.output().unwrap())
    };
    let documents = |found: &Value| -> Vec<String> {
        let hits = found["hits"].as_array().unwrap().iter();
        hits.map(|hit| hit["document"].as_str().unwrap().to_owned()).collect()
    };
    let sesame = Some("sesame");
    for mode in ["hybrid", "vector", "lexical"] {
        let found = run(&["search", "holiday rota", "--mode", mode], "ann", sesame).json();
        assert_eq!(documents(&found), ["open.md"], "{mode}");
    }
    assert_eq!(run(&["visible"], "ann", sesame).json()["documents"], json!(["open.md"]));
    assert_eq!(run(&["count"], "ann", sesame).json()["documents"], 1);
    // Whom the ACLs let read nothing the engine opens nothing.
    assert_eq!(run(&["visible"], "bob", sesame).json()["documents"], json!([]));

    let explained = run(&["explain", "--document", "shut.md"], "ann", sesame).json();
    assert_eq!(explained["visible"], false, "{explained}");
    let effects: Vec<&str> =
        explained["reasons"].as_array().unwrap().iter().map(|reason| reason["effect"].as_str().unwrap()).collect();
    assert_eq!(effects, ["allow", "authorizer"]);
    let explained = run(&["explain", "--document", "open.md"], "ann", sesame).json();
    assert_eq!((explained["visible"].as_bool(), explained["reasons"].as_array().unwrap().len()), (Some(true), 1));

    // An engine that cannot be asked is an error, and no answer.
    let (kind, message) = run(&["search", "holiday rota"], "ann", Some("guess")).error();
    assert!(kind == "Unavailable" && message.contains("401"), "{kind} {message}");
    let (kind, message) = run(&["visible"], "ann", None).error();
    assert!(kind == "Invalid" && message.contains("`POINT_TOKEN` with its token is not set"), "{kind} {message}");
    for wrong in
        ["{}", "[]", r#"{"authzen": {"at": {"url": "http://127.0.0.1:1"}, "stor": "x"}}"#, r#"{"openfga": {}}"#]
    {
        scratch.write("point.json", wrong);
        let (kind, message) = run(&["search", "holiday rota"], "ann", sesame).error();
        assert!(kind == "Invalid" && message.contains("describes no authorizer"), "{wrong}: {kind} {message}");
    }
    scratch.write("point.json", r#"{"openfga": {"at": {"url": "http://fga.example.com"}, "store": "s"}}"#);
    assert_eq!(run(&["search", "holiday rota"], "ann", sesame).error().0, "Invalid", "a token goes over no open line");
}
