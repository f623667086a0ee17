//! A proxy in front of the store: counts what goes through, and puts something else in its place as told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::server::{Reply, Request, serve};

/// What becomes of a request: `None` passes it on. The `nth` request (from 0) for this key, or for a page of a listing.
pub type Plan = Box<dyn Fn(&Asked, u64) -> Option<Instead> + Send + Sync>;

/// A request as the tests see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Asked {
    /// A page of a listing, from the first or a later one.
    Page {
        first: bool,
    },
    /// One object is looked for.
    Find(String),
    Get(String),
    Delete(String),
    Other,
}

/// What happens instead.
pub enum Instead {
    Reply(Reply),
    /// Something is done to the store before the request goes on to it.
    After(Box<dyn Fn() + Send + Sync>),
    /// Half of the answer arrives.
    Half,
    /// The answer arrives with a byte of its body turned.
    Turned,
}

pub struct Proxy {
    pub url: String,
    seen: Arc<Mutex<Vec<Asked>>>,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    /// In front of the store at `address`, for the bucket `docs`.
    pub fn start(address: &str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let plan: Arc<Mutex<Plan>> = Arc::new(Mutex::new(Box::new(|_, _| None)));
        let (in_server, by, to) = (Arc::clone(&seen), Arc::clone(&plan), address.to_owned());
        let url = serve(move |request| {
            let asked = asked(&request);
            let nth = {
                let mut seen = in_server.lock().unwrap();
                seen.push(asked.clone());
                seen.iter().filter(|before| **before == asked).count() as u64 - 1
            };
            let instead = by.lock().unwrap()(&asked, nth);
            match instead {
                None => pass(&to, &request),
                Some(Instead::Reply(reply)) => reply,
                Some(Instead::After(before)) => {
                    before();
                    pass(&to, &request)
                }
                Some(Instead::Half) => match pass(&to, &request) {
                    Reply::Answer { headers, body, .. } => Reply::CutOff { sent: body.len() / 2, headers, body },
                    other => other,
                },
                Some(Instead::Turned) => match pass(&to, &request) {
                    Reply::Answer { status, headers, mut body } => {
                        body[0] ^= 1;
                        Reply::Answer { status, headers, body }
                    }
                    other => other,
                },
            }
        });
        Self { url, seen, plan }
    }

    /// From now on by `plan`, and counting from nothing.
    pub fn plan(&self, plan: impl Fn(&Asked, u64) -> Option<Instead> + Send + Sync + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
        self.seen.lock().unwrap().clear();
    }

    pub fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    pub fn gets(&self) -> usize {
        self.seen().iter().filter(|asked| matches!(asked, Asked::Get(_))).count()
    }
}

/// An error as S3 writes it.
pub fn refused(status: u16, code: &str) -> Reply {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as told</Message></Error>");
    let headers = vec![("content-type".to_owned(), "application/xml".to_owned())];
    Reply::Answer { status, headers, body: body.into_bytes() }
}

fn asked(request: &Request) -> Asked {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let key = path.strip_prefix("/docs/").unwrap_or_default();
    match request.method.as_str() {
        "GET" if query.contains("list-type=2") && query.contains("max-keys=1") => {
            let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).unwrap_or_default();
            Asked::Find(prefix.replace("%2F", "/"))
        }
        "GET" if query.contains("list-type=2") => Asked::Page { first: !query.contains("continuation-token=") },
        "GET" if !key.is_empty() => Asked::Get(key.to_owned()),
        "DELETE" => Asked::Delete(key.to_owned()),
        _ => Asked::Other,
    }
}

/// What the store says.
fn pass(to: &str, request: &Request) -> Reply {
    // 1.0, so that the answer ends with the connection.
    let mut head = format!("{} {} HTTP/1.0\r\n", request.method, request.target);
    for (name, value) in request.headers.iter().filter(|(name, _)| *name != "connection") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<_> = headers.filter(|(name, _)| name != "connection").collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, length)| length.parse().ok());
    // Of a body that was not asked for the length is said all the same.
    let body = if request.method == "HEAD" { vec![0; length.unwrap_or(0)] } else { answer[end + 4..].to_vec() };
    Reply::Answer { status, headers, body }
}
