//! A provider that speaks OpenAI's interfaces and means no good: what it refuses, it repeats.
//!
//! What it does is in the name of the model; every refusal has the whole request in it, its key included.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// In a text that it makes no vector of.
pub const VECTORLESS: &str = "vectorless";

/// What it was sent, bodies and heads.
pub type Heard = Arc<Mutex<Vec<String>>>;

/// Its URL, up to and with `/v1`, and what it will have heard.
pub fn serve() -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let heard = Heard::default();
    let own = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let own = Arc::clone(&own);
            // Who goes away in the middle is of no interest.
            std::thread::spawn(move || drop(answer(stream, &own)));
        }
    });
    (url, heard)
}

fn answer(mut to: TcpStream, heard: &Heard) -> std::io::Result<()> {
    let mut from = BufReader::new(to.try_clone()?);
    let (mut head, mut length, mut line) = (String::new(), 0, String::new());
    while from.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
        line.clear();
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let request: Value = serde_json::from_slice(&body).unwrap();
    let all = format!("{head}{request}");
    heard.lock().unwrap().push(all.clone());
    let echo = json!({"error": {"message": all, "type": all, "param": all}}).to_string();
    let plain = |to: &mut TcpStream, status: u16, body: &str| {
        write!(to, "HTTP/1.1 {status} {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{body}")
    };
    let path = head.split(' ').nth(1).unwrap();
    let model = request["model"].as_str().unwrap();
    if let Some(status) = model.strip_prefix("status-") {
        return plain(&mut to, status.parse().unwrap(), &echo);
    }
    match path {
        "/v1/embeddings" if request["input"].to_string().contains(VECTORLESS) => plain(&mut to, 400, &echo),
        "/v1/embeddings" => {
            let count = request["input"].as_array().unwrap().len();
            let vectors: Vec<Value> =
                (0..count).map(|index| json!({"index": index, "embedding": [1.0, 0.0]})).collect();
            let usage = json!({"prompt_tokens": 9, "total_tokens": 9});
            plain(&mut to, 200, &json!({"data": vectors, "usage": usage}).to_string())
        }
        "/v1/rerank" => {
            let count = request["documents"].as_array().unwrap().len();
            let scores: Vec<Value> = (0..count).map(|index| json!({"index": index, "relevance_score": 0.5})).collect();
            plain(&mut to, 200, &json!({"results": scores}).to_string())
        }
        _ => streamed(&mut to, model, &echo),
    }
}

fn streamed(to: &mut TcpStream, model: &str, echo: &str) -> std::io::Result<()> {
    write!(to, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
    let mut event = |text: &str| write!(to, "data: {text}\n\n");
    event(&json!({"choices": [{"delta": {"content": "The wombat says [1]."}}]}).to_string())?;
    match model {
        "breaking" => event(echo),
        "garbage" => event(&echo.replace('{', "wombat")),
        "cut" => Ok(()),
        _ => {
            event(&json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}).to_string())?;
            event(&json!({"choices": [], "usage": {"prompt_tokens": 77, "completion_tokens": 7}}).to_string())?;
            event("[DONE]")
        }
    }
}
