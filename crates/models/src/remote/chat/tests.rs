//! Against a small server that speaks the interface word for word and fails when told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use safepassage_error::Kind;
use serde_json::{Value, json};

use super::*;
use crate::catalogue::{Catalogue, Cleared};
use crate::generator::{Cancel, Generator, Lost, Permit, Pieces};
use crate::remote::{BreakerLimits, CallLimits, Caller, RemoteGenerator};

/// What the server does for one request.
#[derive(Clone)]
enum Deed {
    /// Answers with this status and body.
    Status(u16, &'static str),
    /// Writes these portions of an event stream, and closes.
    Events(Vec<Vec<u8>>),
    /// Writes these and waits for the other side to go away.
    Hang(Vec<Vec<u8>>),
}

struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
    /// Told when the other side has gone away.
    gone: Receiver<()>,
}

/// Does one deed after the other, the last one again and again.
fn serve(deeds: Vec<Deed>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (sender, gone) = channel();
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let (deed, seen, sender) = (deeds[n.min(deeds.len() - 1)].clone(), Arc::clone(&seen), sender.clone());
            std::thread::spawn(move || {
                if answer(stream, deed, &seen, &sender).is_err() {
                    // It went away before it could be answered.
                    sender.send(()).unwrap_or_default();
                }
            });
        }
    });
    Server { url, asked, gone }
}

fn answer(mut to: TcpStream, deed: Deed, seen: &Mutex<Vec<Value>>, gone: &Sender<()>) -> std::io::Result<()> {
    let mut from = BufReader::new(to.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" || line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    seen.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let (status, kind) = match deed {
        Deed::Status(status, _) => (status, "application/json"),
        _ => (200, "text/event-stream"),
    };
    write!(to, "HTTP/1.1 {status} status\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n")?;
    match deed {
        Deed::Status(_, body) => to.write_all(body.as_bytes())?,
        Deed::Events(portions) => portions.iter().try_for_each(|portion| to.write_all(portion))?,
        Deed::Hang(portions) => {
            portions.iter().try_for_each(|portion| to.write_all(portion))?;
            from.read_to_end(&mut Vec::new())?;
            gone.send(()).unwrap();
        }
    }
    Ok(())
}

fn event(value: &Value) -> Vec<u8> {
    format!("data: {value}\n\n").into_bytes()
}

fn text(text: &str) -> Vec<u8> {
    event(&json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

fn whole() -> Vec<Vec<u8>> {
    vec![
        event(&json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": null}}]})),
        text("Salaries"),
        text(" rise. é"),
        event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})),
        event(&json!({"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 6,
            "prompt_tokens_details": {"cached_tokens": 4}}})),
        b"data: [DONE]\n\n".to_vec(),
    ]
}

fn cleared() -> Cleared {
    let text = "[[model]]\nname = \"house\"\nprovider = \"openai\"\nmodel = \"m\"\nhighest_label = \"internal\"";
    Catalogue::parse(text).unwrap().model("house").unwrap().cleared().unwrap()
}

fn limits() -> CallLimits {
    let first_wait = Duration::from_millis(1);
    CallLimits { first_wait, longest_wait: first_wait, ..CallLimits::default() }
}

fn generator(url: &str, limits: CallLimits) -> RemoteGenerator {
    let settings = OpenAiSettings { url: url.into(), model: "m".into(), ..OpenAiSettings::default() };
    RemoteGenerator::new(cleared(), ChatServer::new(settings).unwrap(), Caller::new(limits).unwrap(), 4096, None)
        .unwrap()
}

fn request() -> Request {
    let message = |role, text: &str| Message { role, text: text.into() };
    let messages = vec![message(Role::System, "be brief"), message(Role::User, "the secret prompt")];
    Request { messages, most_tokens: 64, ..Request::default() }
}

fn permit() -> Permit {
    Arc::new(|| Ok(()))
}

fn begin(server: &Server) -> Result<Pieces> {
    generator(&server.url, limits()).generate(&request(), &permit())
}

fn said(pieces: Pieces) -> (String, Result<Finished>) {
    let mut all = String::new();
    for piece in pieces {
        match piece {
            Ok(Piece::Text(text)) => all.push_str(&text),
            Ok(Piece::Finished(finished)) => return (all, Ok(finished)),
            Ok(Piece::Counted(_)) => {}
            Err(error) => return (all, Err(error)),
        }
    }
    panic!("no end");
}

#[test]
fn an_answer_comes_in_pieces_with_its_reason_and_its_usage() {
    let bytes: Vec<Vec<u8>> = whole().concat().iter().map(|byte| vec![*byte]).collect();
    for portions in [whole(), vec![whole().concat()], bytes] {
        let server = serve(vec![Deed::Events(portions)]);
        let (all, finished) = said(begin(&server).unwrap());
        assert_eq!(all, "Salaries rise. é");
        let usage = Some(Usage { tokens_in: 20, tokens_out: 6, tokens_cached: 4 });
        assert_eq!(finished.unwrap(), Finished { reason: StopReason::Length, usage });
        let asked = server.asked.lock().unwrap().clone();
        let want = json!({"model": "m", "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 64,
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "the secret prompt"}]});
        assert_eq!(asked, [want]);
    }
}

#[test]
fn what_fails_before_the_first_text_is_tried_again_and_what_fails_later_is_not() {
    let empty = Deed::Events(vec![event(&json!({"choices": [{"delta": {"role": "assistant"}}]}))]);
    let server = serve(vec![Deed::Status(503, ""), empty, Deed::Events(whole())]);
    assert_eq!(said(begin(&server).unwrap()).0, "Salaries rise. é");
    assert_eq!(server.asked.lock().unwrap().len(), 3);
    let broken = event(&json!({"error": {"message": "the secret prompt", "code": 500}}));
    for ends in [vec![], broken, b"data: the secret prompt\n\n".to_vec()] {
        let server = serve(vec![Deed::Events(vec![text("Salaries"), ends]), Deed::Events(whole())]);
        let (all, finished) = said(begin(&server).unwrap());
        let error = finished.unwrap_err();
        assert_eq!(
            (all.as_str(), error.kind(), server.asked.lock().unwrap().len()),
            ("Salaries", Kind::Unavailable, 1)
        );
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[test]
fn what_was_counted_before_an_answer_breaks_off_is_told() {
    let counted = event(&json!({"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 2}}));
    let broken = event(&json!({"error": {"message": "no"}, "usage": {"prompt_tokens": 20, "completion_tokens": 2}}));
    let usage = Usage { tokens_in: 20, tokens_out: 2, tokens_cached: 0 };
    let all =
        |deeds| begin(&serve(deeds)).unwrap().map(|piece| piece.map_err(|error| error.kind())).collect::<Vec<_>>();
    for ends in [counted.clone(), broken.clone()] {
        let given = all(vec![Deed::Events(vec![text("Salaries"), ends])]);
        let want = [Ok(Piece::Text("Salaries".into())), Ok(Piece::Counted(usage)), Err(Kind::Unavailable)];
        assert_eq!(given, want);
    }
    // Of attempts before the one that answers too.
    let given = all(vec![Deed::Events(vec![broken]), Deed::Events(vec![counted]), Deed::Events(whole())]);
    let twice = Usage { tokens_in: 40, tokens_out: 4, tokens_cached: 0 };
    assert_eq!((given.len(), &given[0]), (4, &Ok(Piece::Counted(twice))));
}

#[test]
fn what_attempts_cost_is_told_though_none_of_them_answers() {
    let counted = json!({"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 2}});
    let broken = event(&json!({"error": {"message": "no"}}));
    let server = serve(vec![Deed::Events(vec![event(&counted), broken])]);
    let lost = Lost::default();
    let request = Request { lost: Some(lost.clone()), ..request() };
    let model = generator(&server.url, CallLimits { max_attempts: 3, ..limits() });
    assert_eq!(model.generate(&request, &permit()).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(lost.take(), Usage { tokens_in: 60, tokens_out: 6, tokens_cached: 0 });
    assert_eq!(lost.take(), Usage::default(), "it is told once");
}

#[test]
fn an_answer_is_over_with_its_reason_though_the_stream_does_not_say_so() {
    let all = whole();
    for kept in [4, 5] {
        let (said, finished) = said(begin(&serve(vec![Deed::Events(all[..kept].to_vec())])).unwrap());
        let finished = finished.unwrap();
        assert_eq!((said.as_str(), finished.reason), ("Salaries rise. é", StopReason::Length));
        assert_eq!(finished.usage.is_some(), kept == 5);
    }
    // Comments keep a connection open and say nothing.
    let mut commented = all;
    (0..6).for_each(|at| commented.insert(at * 2, b": wait\r\n\r\n".to_vec()));
    assert_eq!(said(begin(&serve(vec![Deed::Events(commented)])).unwrap()).0, "Salaries rise. é");
    let endless = [b"data: ".to_vec(), vec![b'x'; 2 << 20]].concat();
    let (all, finished) = said(begin(&serve(vec![Deed::Events(vec![text("Salaries"), endless])])).unwrap());
    assert_eq!((all.as_str(), finished.unwrap_err().kind()), ("Salaries", Kind::Unavailable));
}

#[test]
fn a_key_of_a_cache_goes_only_to_servers_that_take_one() {
    for cache_key in [true, false] {
        let server = serve(vec![Deed::Events(whole())]);
        let settings =
            OpenAiSettings { url: server.url.clone(), model: "m".into(), cache_key, ..OpenAiSettings::default() };
        let caller = Caller::new(limits()).unwrap();
        let model = RemoteGenerator::new(cleared(), ChatServer::new(settings).unwrap(), caller, 4096, None).unwrap();
        let request = Request { cache_key: Some("k".into()), ..request() };
        model.generate(&request, &permit()).unwrap().for_each(drop);
        let want = if cache_key { json!("k") } else { Value::Null };
        assert_eq!(server.asked.lock().unwrap()[0]["prompt_cache_key"], want);
    }
}

#[test]
fn a_refusal_says_its_status_and_type_and_no_word_of_the_prompt() {
    let body = r#"{"error": {"message": "no: the secret prompt", "type": "context_length_exceeded"}}"#;
    for (status, kind) in [(400, Kind::Invalid), (401, Kind::Denied), (404, Kind::NotFound), (429, Kind::Throttled)] {
        let server = serve(vec![Deed::Status(status, body)]);
        let error = begin(&server).unwrap_err();
        assert_eq!(error.kind(), kind);
        let shown = format!("{error:?}");
        assert!(shown.contains(&status.to_string()) && shown.contains("`context_length_exceeded`"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn who_drops_the_pieces_ends_the_call_and_frees_its_place() {
    let server = serve(vec![Deed::Hang(vec![text("Salaries")]), Deed::Hang(vec![text("rise")])]);
    // Nothing else ends it while it is waited for here.
    let idle = Duration::from_secs(3600);
    let model = generator(&server.url, CallLimits { max_concurrent: 1, idle, ..limits() });
    for word in ["Salaries", "rise"] {
        let mut pieces = model.generate(&request(), &permit()).unwrap();
        assert_eq!(pieces.next().unwrap().unwrap(), Piece::Text(word.into()));
        drop(pieces);
        server.gone.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn a_call_that_is_cancelled_ends_before_and_within_its_answer() {
    for (deed, begun) in [(Deed::Hang(vec![]), false), (Deed::Hang(vec![text("Salaries")]), true)] {
        let server = serve(vec![deed]);
        let hour = Duration::from_secs(3600);
        let limits = CallLimits { attempt: hour, deadline: hour, idle: hour, ..limits() };
        let (model, cancel) = (generator(&server.url, limits), Cancel::default());
        let request = Request { cancel: Some(cancel.clone()), ..request() };
        if begun {
            let mut pieces = model.generate(&request, &permit()).unwrap();
            assert_eq!(pieces.next().unwrap().unwrap(), Piece::Text("Salaries".into()));
            cancel.cancel();
            assert!(pieces.next().unwrap().unwrap_err().message().contains("cancelled"));
        } else {
            let asked = Arc::clone(&server.asked);
            let waits = std::thread::spawn(move || model.generate(&request, &permit()).map(drop));
            while asked.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            cancel.cancel();
            assert!(waits.join().unwrap().unwrap_err().message().contains("cancelled"));
        }
        server.gone.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn silence_before_and_within_an_answer_is_an_error_and_counts_against_the_provider() {
    let short = Duration::from_millis(30);
    let breaker = BreakerLimits { failures: 1, open_for: Duration::from_secs(3600) };
    for (deed, begun) in [(Deed::Hang(vec![]), false), (Deed::Hang(vec![text("Salaries")]), true)] {
        let server = serve(vec![deed]);
        let model = generator(&server.url, CallLimits { attempt: short, idle: short, breaker, ..limits() });
        // Hurried as it is, an attempt may also end before the first text is there.
        let error = match model.generate(&request(), &permit()) {
            Ok(pieces) => said(pieces).1.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), Kind::Unavailable, "{begun}");
        let left_alone = model.generate(&request(), &permit()).unwrap_err();
        assert!(left_alone.message().contains("left alone"), "{left_alone}");
    }
}

#[test]
fn nothing_is_sent_that_is_not_permitted_and_every_attempt_asks() {
    let server = serve(vec![Deed::Status(503, ""), Deed::Events(whole())]);
    let model = generator(&server.url, limits());
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let permit: Permit = Arc::new(move || {
        *count.lock().unwrap() += 1;
        match *count.lock().unwrap() {
            1 => Ok(()),
            _ => Err(Error::new(Kind::Conflict, "ask", "a passage was revoked")),
        }
    });
    let error = model.generate(&request(), &permit).unwrap_err();
    assert_eq!((error.kind(), *asked.lock().unwrap(), server.asked.lock().unwrap().len()), (Kind::Conflict, 2, 1));
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let endless = vec![text(&"x".repeat(3000)); 4];
    let (all, finished) = said(begin(&serve(vec![Deed::Events(endless)])).unwrap());
    assert_eq!((all.len(), finished.unwrap_err().kind()), (3000, Kind::Unavailable));
}
