//! Against a small server that speaks the interface word for word and fails when told to.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use safepassage_error::Kind;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::catalogue::{Catalogue, Cleared};
use crate::embedder::{Embedder, Embeddings};
use crate::remote::tests::words;
use crate::remote::{BreakerLimits, CallLimits, RemoteEmbedder};

const DIM: usize = 4;

/// What the server does to a request instead of answering it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Status(u16),
    /// With a wait of so many milliseconds.
    Throttle(u64),
    Hang,
    Close,
    Short,
    OtherDim,
    NotFinite,
    NoJson,
    CutOff,
}

#[derive(Default)]
struct State {
    /// Faults for requests to come, the next one last.
    faults: Vec<Fault>,
    /// Every fifth request fails with one of these, by a count.
    often: Vec<Fault>,
    requests: u64,
    /// How often each text was embedded in an answer that was whole.
    paid: HashMap<String, u64>,
    most_texts: usize,
}

type Shared = Arc<Mutex<State>>;

/// The vector that the server has for a text.
fn vector(text: &str) -> Vec<f32> {
    let sum = text.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    (0..DIM).map(|n| ((sum >> (8 * n)) & 255) as f32 + 1.0).collect()
}

fn serve() -> (String, Shared) {
    let state = Shared::default();
    let shared = Arc::clone(&state);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while answer(&mut stream, &state).await.is_some() {}
                });
            }
        });
    });
    (format!("http://{}/v1", receiver.recv().unwrap()), state)
}

/// Answers one request of a connection; none if that is over.
async fn answer(stream: &mut BufReader<TcpStream>, state: &Shared) -> Option<()> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let asked: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&asked["model"], &asked["encoding_format"]), (&json!("m"), &json!("float")));
    let texts: Vec<String> = serde_json::from_value(asked["input"].clone()).unwrap();
    let fault = {
        let mut state = state.lock().unwrap();
        state.requests += 1;
        state.most_texts = state.most_texts.max(texts.len());
        let (n, often) = (state.requests, state.often.len() as u64);
        let often = (often > 0 && n.is_multiple_of(5)).then(|| state.often[(n / 5 % often) as usize]);
        state.faults.pop().or(often)
    };
    let mut vectors: Vec<Value> = texts.iter().map(|text| json!(vector(text))).collect();
    let (mut status, mut headers, mut cut) = (200, String::new(), 0);
    match fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Close) => return None,
        Some(Fault::Status(given)) => status = given,
        Some(Fault::Throttle(wait)) => {
            status = 429;
            headers = format!("retry-after-ms: {wait}\r\n");
        }
        Some(Fault::Short) => drop(vectors.pop()),
        Some(Fault::OtherDim) => vectors[0] = json!([1.0, 2.0]),
        Some(Fault::NotFinite) => vectors[0] = json!([0.0, 0.0, 0.0, 0.0]),
        Some(Fault::CutOff) => cut = 10,
        Some(Fault::NoJson) | None => {}
    }
    if texts.iter().any(|text| text.contains("refuse me")) && status == 200 {
        status = 400;
    }
    if status == 200 && fault.is_none() {
        let mut state = state.lock().unwrap();
        texts.iter().for_each(|text| *state.paid.entry(text.clone()).or_default() += 1);
    }
    let data = vectors.iter().enumerate().rev().map(|(index, v)| json!({"index": index, "embedding": v}));
    let usage = json!({"prompt_tokens": texts.len() * 3});
    let mut body = json!({"object": "list", "data": data.collect::<Vec<_>>(), "usage": usage}).to_string();
    if status != 200 || fault == Some(Fault::NoJson) {
        body = "no".into();
    }
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let whole = [head.as_bytes(), body.as_bytes()].concat();
    stream.write_all(&whole[..whole.len() - cut]).await.ok()?;
    (cut == 0).then_some(())
}

fn limits() -> CallLimits {
    CallLimits {
        attempt: Duration::from_millis(400),
        first_wait: Duration::from_millis(4),
        longest_wait: Duration::from_millis(50),
        max_attempts: 12,
        ..CallLimits::default()
    }
}

fn embedder(url: &str, texts_per_call: usize, limits: CallLimits) -> RemoteEmbedder {
    let caller = Caller::new(limits).unwrap();
    let texts_per_call = Some(texts_per_call);
    let settings = OpenAiSettings {
        url: url.into(),
        model: "m".into(),
        dim: Some(DIM),
        texts_per_call,
        ..OpenAiSettings::default()
    };
    let provider = OpenAi::new(settings, &caller).unwrap();
    RemoteEmbedder::new(cleared("m"), provider, caller, words()).unwrap()
}

fn cleared(model: &str) -> Cleared {
    let text =
        format!("[[model]]\nname = \"n\"\nprovider = \"openai\"\nmodel = \"{model}\"\nhighest_label = \"internal\"");
    Catalogue::parse(&text).unwrap().model("n").unwrap().cleared().unwrap()
}

fn check_rows(embeddings: &Embeddings, texts: &[String]) {
    for (row, text) in embeddings.rows().zip(texts) {
        let right = vector(text);
        let length = right.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!(row.iter().zip(&right).all(|(a, b)| (a - b / length).abs() < 1e-6), "{text}: {row:?}");
    }
}

#[test]
fn every_fault_is_outlived_and_every_text_gets_its_own_vector() {
    let faults = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(408),
        Fault::Throttle(20),
        Fault::Status(429),
        Fault::Hang,
        Fault::Close,
        Fault::Short,
        Fault::OtherDim,
        Fault::NotFinite,
        Fault::NoJson,
        Fault::CutOff,
    ];
    for fault in faults {
        let (url, state) = serve();
        state.lock().unwrap().faults = vec![fault, fault];
        let texts: Vec<String> = (0..5).map(|n| format!("text {n}")).collect();
        let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
        let embeddings =
            embedder(&url, 64, limits()).embed(&refs, Purpose::Document).unwrap_or_else(|e| panic!("{fault:?}: {e}"));
        check_rows(&embeddings, &texts);
        let state = state.lock().unwrap();
        // Answers of no use are charged too.
        let charged = if matches!(fault, Fault::Short | Fault::OtherDim | Fault::NotFinite) { 45 } else { 15 };
        assert_eq!((embeddings.tokens, state.requests), (charged, 3), "{fault:?}");
    }
}

#[test]
fn a_fifth_of_ten_thousand_requests_fails_and_each_text_is_paid_once() {
    let (url, state) = serve();
    state.lock().unwrap().often = vec![
        Fault::Status(503),
        Fault::Throttle(1),
        Fault::Short,
        Fault::Close,
        Fault::Status(500),
        Fault::NoJson,
        Fault::Status(408),
        Fault::OtherDim,
    ];
    let texts: Vec<String> = (0..8000).map(|n| format!("text {n}")).collect();
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let embedder = embedder(&url, 1, CallLimits { attempt: Duration::from_secs(5), ..limits() });
    check_rows(&embedder.embed(&refs, Purpose::Document).unwrap(), &texts);
    let (calls, state) = (embedder.calls()[0], state.lock().unwrap());
    assert!(state.paid.len() == texts.len() && state.paid.values().all(|paid| *paid == 1));
    assert_eq!((calls.calls, calls.attempts), (8000, state.requests));
    assert!((9_900..10_100).contains(&state.requests), "{} requests for 8000 calls", state.requests);
}

#[test]
fn a_text_that_is_refused_is_found_and_fails_no_other() {
    let (url, _) = serve();
    let mut texts: Vec<String> = (0..40).map(|n| format!("text {n}")).collect();
    texts[7] = "please refuse me".into();
    texts[33] = "refuse me too".into();
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let embedder = embedder(&url, 16, limits());
    let mut rows = HashMap::new();
    let kept = embedder.embed_each(&refs, Purpose::Document, &mut |at, row| {
        assert!(rows.insert(at, row.to_vec()).is_none(), "text {at} came twice");
        Ok(())
    });
    let refused: Vec<usize> = kept.unwrap().refused.iter().map(|refused| refused.text).collect();
    assert_eq!((refused, rows.len()), (vec![7, 33], 38));
    let error = embedder.embed(&refs, Purpose::Document).unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("400"), "{error}");
}

#[test]
fn what_was_there_before_a_failure_is_given_and_nothing_begins_after_it() {
    let (url, state) = serve();
    let refused = Fault::Status(401);
    // The sixth request: the next fault is the last of the list, and the first five have none.
    state.lock().unwrap().faults = vec![refused];
    let texts: Vec<String> = (0..500).map(|n| format!("text {n}")).collect();
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut given = Vec::new();
    let error = embedder(&url, 1, limits()).embed_each(&refs, Purpose::Document, &mut |at, _| {
        given.push(texts[at].clone());
        Ok(())
    });
    assert_eq!(error.unwrap_err().kind(), Kind::Denied);
    let state = state.lock().unwrap();
    let mut paid: Vec<&String> = state.paid.keys().collect();
    paid.sort_unstable();
    given.sort_unstable();
    assert_eq!(given.iter().collect::<Vec<_>>(), paid, "paid and not given");
    assert!(state.requests < 20, "{} requests", state.requests);
}

#[test]
fn long_texts_are_cut_and_told_and_calls_hold_as_many_texts_as_may_be() {
    let (url, state) = serve();
    let long = "one two three four five six seven eight nine";
    let embeddings = embedder(&url, 3, limits()).embed(&["a", "b", "c", "d", long], Purpose::Document).unwrap();
    assert_eq!(embeddings.truncated, [4]);
    let state = state.lock().unwrap();
    assert_eq!((state.requests, state.most_texts), (2, 3));
    assert!(state.paid.contains_key("one two three four five six seven eight "));
}

#[test]
fn another_route_is_taken_where_the_first_is_down_and_only_for_the_same_model() {
    let (first, second) = (serve(), serve());
    first.1.lock().unwrap().faults = vec![Fault::Status(503); 1000];
    let breaker = BreakerLimits { failures: 3, open_for: Duration::from_secs(60) };
    let limits = CallLimits { breaker, deadline: Duration::from_millis(500), ..limits() };
    let both = embedder(&first.0, 1, limits).or(embedder(&second.0, 1, limits)).unwrap();
    let texts: Vec<String> = (0..10).map(|n| format!("text {n}")).collect();
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    check_rows(&both.embed(&refs, Purpose::Document).unwrap(), &texts);
    assert!(first.1.lock().unwrap().requests <= 16, "the first was hammered");
    assert_eq!(second.1.lock().unwrap().paid.len(), 10);
    let caller = Caller::new(limits).unwrap();
    let settings = OpenAiSettings { url: second.0, model: "other".into(), dim: Some(DIM), ..OpenAiSettings::default() };
    let other =
        RemoteEmbedder::new(cleared("other"), OpenAi::new(settings, &caller).unwrap(), caller, words()).unwrap();
    assert!(both.or(other).is_err());
}

#[test]
fn nothing_is_sent_to_a_model_that_is_not_cleared() {
    let (url, state) = serve();
    let caller = Caller::new(limits()).unwrap();
    let settings = OpenAiSettings { url, model: "m".into(), dim: Some(DIM), ..OpenAiSettings::default() };
    let provider = OpenAi::new(settings, &caller).unwrap();
    let refused = RemoteEmbedder::new(cleared("other"), provider, caller, words()).map(drop).unwrap_err();
    assert_eq!((refused.kind(), state.lock().unwrap().requests), (Kind::Denied, 0));
}

#[test]
fn the_dimension_is_asked_for_where_it_is_not_set() {
    let (url, _) = serve();
    let settings = OpenAiSettings { url, model: "m".into(), ..OpenAiSettings::default() };
    assert_eq!(OpenAi::new(settings, &Caller::new(limits()).unwrap()).unwrap().stamp().dim, DIM);
}
