//! A server of plain HTTP/1.1 for tests: every request is one call of a function, whose reply may also be none.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What goes back.
#[derive(Debug, Clone)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// As many bytes are announced as the body has, and this many are sent before the connection is closed.
    CutOff {
        sent: usize,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The connection is closed.
    Closed,
    /// Nothing, until the other side gives up.
    Silence,
    /// This, of more that is announced, and then nothing until the other side goes away, which is told.
    Waits {
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        gone: Sender<()>,
    },
}

impl Reply {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Answer { status, headers, body: body.to_string().into_bytes() }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } | Self::CutOff { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// Serves on the loopback until the process ends; gives its URL.
pub fn serve(answer: impl Fn(Request) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A connection that breaks ends its thread and nothing else.
            std::thread::spawn(move || drop(converse(stream, &*answer)));
        }
    });
    url
}

fn converse(stream: TcpStream, answer: &dyn Fn(Request) -> Reply) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut from, mut to) = (BufReader::new(stream.try_clone()?), stream);
    while let Some(request) = read(&mut from, &mut to)? {
        let head = request.method == "HEAD";
        match answer(request) {
            Reply::Answer { status, headers, body } => {
                write_head(&mut to, status, &headers, body.len())?;
                to.write_all(if head { &[] } else { &body })?;
            }
            Reply::CutOff { sent, headers, body } => {
                write_head(&mut to, 200, &headers, body.len())?;
                return to.write_all(&body[..sent]);
            }
            Reply::Closed => return Ok(()),
            Reply::Waits { headers, body, gone } => {
                write_head(&mut to, 200, &headers, usize::MAX >> 1)?;
                to.write_all(&body)?;
                from.read_to_end(&mut Vec::new())?;
                gone.send(()).unwrap();
                return Ok(());
            }
            Reply::Silence => {
                // Comes back when the other side closes.
                from.read_to_end(&mut Vec::new())?;
                return Ok(());
            }
        }
    }
    Ok(())
}

fn write_head(to: &mut TcpStream, status: u16, headers: &[(String, String)], length: usize) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} status\r\n");
    for (name, value) in headers.iter().filter(|(name, _)| name != "content-length" && name != "transfer-encoding") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {length}\r\n\r\n"));
    to.write_all(head.as_bytes())
}

fn read(from: &mut impl BufRead, to: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    if headers.get("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
        to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some(Request { method, target, headers, body }))
}
