//! An engine at a URL that says what a test tells it to: HTTP/1.1 on a port of this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use safepassage_access::{Authorizer, Identity, Listed};
use safepassage_error::Kind;
use safepassage_policy::Endpoint;
use serde_json::Value;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Question {
    pub path: String,
    pub body: Value,
    pub headers: Vec<String>,
}

/// What the engine does about it.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers with this JSON.
    Json(Value),
    /// Answers with this status, further header lines and body.
    Other(u16, &'static str, String),
    /// Says how long the body is, and sends half of it.
    Half(String),
    /// Takes the question and never answers.
    Late,
    /// Hangs up.
    Nothing,
}

/// An engine and what it was asked.
#[derive(Debug, Clone)]
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl Server {
    pub fn start(mut answer: impl FnMut(&Question) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<Question>>>::default();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut waiting = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let Some(question) = read(&stream) else { continue };
                let reply = answer(&question);
                seen.lock().unwrap().push(question);
                if let Reply::Late = reply {
                    waiting.push(stream);
                } else {
                    write(stream, reply);
                }
            }
        });
        Self { url, asked }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint { timeout: Duration::from_secs(20), ..Endpoint::at(&self.url) }
    }

    /// One that gives up soon, for engines that do not answer.
    pub fn impatient(&self) -> Endpoint {
        Endpoint { timeout: Duration::from_millis(200), ..Endpoint::at(&self.url) }
    }

    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Question> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_ascii_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0").parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).ok()? };
    Some(Question { path, body, headers: lines })
}

fn write(mut stream: TcpStream, reply: Reply) {
    let (status, headers, body, length) = match reply {
        Reply::Json(value) => (200, "Content-Type: application/json\r\n", value.to_string(), None),
        Reply::Other(status, headers, body) => (status, headers, body, None),
        Reply::Half(body) => (200, "", body[..body.len() / 2].to_owned(), Some(body.len())),
        Reply::Late | Reply::Nothing => return,
    };
    let length = length.unwrap_or(body.len());
    let head = format!("HTTP/1.1 {status} .\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    // Whoever asked may have hung up.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// An engine of which every question gets this reply.
pub fn always(reply: Reply) -> Server {
    Server::start(move |_| reply.clone())
}

/// Faults that no protocol may take for an answer, with the kind they are.
pub fn faults() -> Vec<(&'static str, Reply, Kind)> {
    let unavailable = Kind::Unavailable;
    vec![
        ("no JSON", Reply::Other(200, "", "<html>welcome</html>".into()), unavailable),
        ("an empty answer", Reply::Other(200, "", String::new()), unavailable),
        ("an array", Reply::Json(serde_json::json!([])), unavailable),
        ("null", Reply::Json(Value::Null), unavailable),
        ("another object", Reply::Json(serde_json::json!({})), unavailable),
        ("a fault of the engine", Reply::Other(500, "", r#"{"decision": true, "allowed": true}"#.into()), unavailable),
        ("no access", Reply::Other(401, "", "{}".into()), unavailable),
        ("a created thing", Reply::Other(201, "", "{}".into()), unavailable),
        ("too many questions", Reply::Other(429, "", "{}".into()), Kind::Throttled),
        ("nothing", Reply::Nothing, unavailable),
        ("an answer that does not come", Reply::Late, unavailable),
    ]
}

/// Holds `make`'s authorizer to the rule that no fault is an answer, for good answers `batch`, `one` and `list` that
/// are also cut in half and trailed by something.
pub fn hold_to_faults(make: impl Fn(Endpoint, usize) -> Box<dyn Authorizer>, good: [Value; 3], alice: &Identity) {
    let mut faults = faults();
    for value in &good {
        faults.push(("half an answer", Reply::Half(value.to_string()), Kind::Unavailable));
        let long = " ".repeat(1 << 20) + &value.to_string();
        faults.push(("an answer that is too long", Reply::Other(200, "", long), Kind::Unavailable));
        faults.push(("an answer and more", Reply::Other(200, "", format!("{value} {value}")), Kind::Unavailable));
    }
    for (what, reply, kind) in faults {
        let server = always(reply);
        let endpoint = || if what.contains("not come") { server.impatient() } else { server.endpoint() };
        let kinds = [
            make(endpoint(), 2).check(alice, &["a", "b"]).map(drop),
            make(endpoint(), 1).check(alice, &["a"]).map(drop),
            make(endpoint(), 2).list(alice).map(drop),
        ];
        for (i, outcome) in kinds.into_iter().enumerate() {
            let error = outcome.expect_err(what);
            assert_eq!(error.kind(), kind, "{what}, question {i}: {error:?}");
        }
    }
    for value in good {
        // A good answer waits where the redirect leads.
        let server = Server::start(move |question| match question.path.as_str() {
            "/elsewhere" => Reply::Json(value.clone()),
            _ => Reply::Other(302, "Location: /elsewhere\r\n", String::new()),
        });
        let make = |max_batch| make(server.endpoint(), max_batch);
        let followed = [
            make(2).check(alice, &["a", "b"]).is_ok(),
            make(1).check(alice, &["a"]).is_ok(),
            make(2).list(alice).is_ok(),
        ];
        assert_eq!(followed, [false; 3], "a redirect was followed");
        assert!(server.asked().iter().all(|question| question.path != "/elsewhere"));
    }
    let nobody = Endpoint::at("http://127.0.0.1:9");
    assert_eq!(make(nobody, 1).check(alice, &["a"]).unwrap_err().kind(), Kind::Unavailable);
}

pub fn listed(documents: &[&str], complete: bool) -> Option<Listed> {
    Some(Listed { documents: documents.iter().map(ToString::to_string).collect(), complete })
}
