//! `sync --watch` of a bucket: by looking again, and by what a queue says.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::ministack::Ministack;
use crate::program::Scratch;
use crate::weed::{KEY, SECRET, Weed};

/// A bucket `docs` of a store that needs no keys to be written to.
struct Bucket(Weed);

impl Bucket {
    fn new() -> Self {
        let bucket = Self(Weed::start(true));
        bucket.ask("PUT", "/docs", "");
        bucket
    }

    fn ask(&self, method: &str, path: &str, body: &str) {
        let (address, length) = (&self.0.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
    }

    fn permit(&self, id: &str, group: &str) {
        let acl = json!([{"name": group, "type": "GROUP", "access": "ALLOW"}]);
        let sidecar = json!({"metadataAttributes": {}, "accessControlList": acl});
        self.ask("PUT", &format!("/docs/all/{id}.metadata.json"), &sidecar.to_string());
    }

    /// The sidecar first, so that nobody ever sees the text without it.
    fn put(&self, id: &str, text: &str, group: &str) {
        self.permit(id, group);
        self.ask("PUT", &format!("/docs/all/{id}"), text);
    }

    fn source(&self) -> String {
        format!("s3://docs/all?region=eu-central-1&endpoint=http://{}", self.0.address)
    }
}

/// A sync that goes on until it is dropped.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(scratch: &Scratch, arguments: &[&str]) -> Self {
        let mut command = with_keys(scratch, arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it says next.
    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Of what it says next: added, changed, permission only, deleted, embedded.
    fn did(&mut self) -> [u64; 5] {
        let report = self.next();
        ["added", "changed", "permission_only", "deleted", "embedded"]
            .map(|name| report[name].as_u64().unwrap_or_else(|| panic!("no {name}: {report}")))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn with_keys(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = scratch.command(&scratch.sync_arguments(arguments));
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "eu-central-1");
    command
}

#[test]
fn a_watched_bucket_is_followed_by_looking_again() {
    let (scratch, bucket) = (Scratch::new(), Bucket::new());
    bucket.put("a.md", "Salaries rise in July.", "hr");
    let mut watching = Watching::start(&scratch, &[&bucket.source(), "--watch=1"]);
    assert_eq!(watching.did(), [1, 0, 0, 0, 1]);
    bucket.put("b.md", "The roses are cut.", "hr");
    assert_eq!(watching.did(), [1, 0, 0, 0, 1]);
    bucket.ask("PUT", "/docs/all/a.md", "Salaries rise in August.");
    assert_eq!(watching.did(), [0, 1, 0, 0, 1]);
    bucket.permit("a.md", "board");
    assert_eq!(watching.did(), [0, 0, 1, 0, 0]);
    assert_eq!((scratch.visible("ann hr"), scratch.visible("ann board")), (vec!["b.md".into()], vec!["a.md".into()]));
    bucket.ask("DELETE", "/docs/all/a.md", "");
    assert_eq!(watching.did(), [0, 0, 0, 1, 0]);
    assert_eq!(scratch.visible("ann board"), Vec::<String>::new());
}

fn event(name: &str, key: &str) -> Value {
    json!({"Records": [{"eventName": name, "s3": {"bucket": {"name": "docs"}, "object": {"key": format!("all/{key}")}}}]})
}

#[test]
fn a_watched_queue_names_what_is_looked_at_and_is_empty_once_that_is_done() {
    let (scratch, bucket, stack) = (Scratch::new(), Bucket::new(), Ministack::start());
    let url = stack.queue("docs");
    bucket.put("a.md", "Salaries rise in July.", "hr");
    // A message from before is done with the first look at everything.
    stack.send(&url, &event("ObjectCreated:Put", "a.md"));
    let mut watching = Watching::start(&scratch, &[&bucket.source(), "--watch", "--queue", &url]);
    assert_eq!(watching.did(), [1, 0, 0, 0, 1]);
    bucket.put("unnamed.md", "Nobody speaks of this.", "hr");
    bucket.put("b.md", "The roses are cut.", "hr");
    stack.send(&url, &event("ObjectCreated:Put", "b.md"));
    stack.send(&url, &event("ObjectCreated:Put", "b.md.metadata.json"));
    assert_eq!(watching.did(), [1, 0, 0, 0, 1]);
    assert_eq!(scratch.visible("ann hr"), ["a.md", "b.md"]);
    bucket.ask("DELETE", "/docs/all/a.md", "");
    stack.send(&url, &event("ObjectRemoved:Delete", "a.md"));
    assert_eq!(watching.did(), [0, 0, 0, 1, 0]);
    stack.send(&url, &json!("nobody knows what this is"));
    let error = &watching.next()["error"];
    let message = error["message"].as_str().unwrap();
    assert!(error["kind"] == "Invalid" && message.contains("it stays in the queue"), "{error}");
    // A file that speaks of others: everything is looked at.
    bucket.ask("PUT", "/docs/all/acl.jsonl", r#"{"_id": "b.md", "acl": {"deny": ["group:hr"]}}"#);
    stack.send(&url, &event("ObjectCreated:Put", "acl.jsonl"));
    assert_eq!(watching.did(), [1, 0, 1, 0, 1]);
    assert_eq!(scratch.visible("ann hr"), ["unnamed.md"]);
    while stack.waiting(&url) != (0, 1) {
        std::thread::yield_now();
    }
}

#[test]
fn the_version_that_was_read_is_shown() {
    let (scratch, bucket) = (Scratch::new(), Bucket::new());
    let on = r#"<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>"#;
    bucket.ask("PUT", "/docs?versioning", on);
    bucket.put("a.md", "Salaries rise in July.", "hr");
    let sync = || {
        let output = with_keys(&scratch, &[&format!("docs={}", bucket.source())]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        scratch.ok(&["inspect", "--index", "index", "--document", "docs/a.md"])
    };
    let first = sync();
    assert_eq!((&first["source"], &first["uri"]), (&"docs".into(), &"s3://docs/all/a.md".into()));
    assert_eq!((&first["file"]["key"], &first["file"]["bytes"]), (&"a.md".into(), &22.into()));
    bucket.put("a.md", "Salaries rise in August.", "hr");
    let second = sync();
    let [first, second] = [&first, &second].map(|found| found["file"]["version"].as_str().unwrap());
    assert!(first != second && !first.is_empty());
}

#[test]
fn a_queue_that_is_not_there_ends_the_watch_before_anything_is_done() {
    let (scratch, stack) = (Scratch::new(), Ministack::start());
    let url = format!("http://{}/000000000000/nothing", stack.address);
    let said = |arguments: &[&str]| {
        let output = with_keys(&scratch, arguments).output().unwrap();
        crate::program::Said::of(&output).error()
    };
    let (kind, message) = said(&["s3://docs/all?endpoint=http://127.0.0.1:1", "--watch", "--queue", &url]);
    assert_eq!((kind.as_str(), message.contains(&url)), ("NotFound", true), "{message}");
    for (source, queue, wanted) in
        [("s3://docs/all", "docs", "is not https://HOST/ACCOUNT/QUEUE"), ("docs", &*url, "--queue needs one source")]
    {
        let (kind, message) = said(&[source, "--watch", "--queue", queue]);
        assert!(kind == "Invalid" && message.contains(wanted), "{message}");
    }
}
