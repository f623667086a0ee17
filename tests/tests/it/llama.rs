//! The library with a real model: llama.cpp's server and SmolLM2-135M. What it says is of no matter; that it streams, is
//! cited from, and stops when nobody wants the rest is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use safepassage::models::open_local_generator;
use safepassage::system::{Clock, Timestamp};
use safepassage::{
    Acl, BatchDocument, Cancel, Create, EmbedderChoice, Engine, Identity, Mode, Principal, Session, StopReason,
};
use safepassage_index::storage::MemoryStorage;

/// The server, as a process of its own.
struct Llama {
    url: String,
    process: Child,
}

impl Llama {
    fn start() -> Self {
        let named = std::env::var_os("SAFEPASSAGE_LLAMA").map(PathBuf::from);
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
        let binary = named.unwrap_or_else(|| target.join("llama/bin/llama-server"));
        assert!(binary.exists(), "there is no {}; `.ci/llama` installs it", binary.display());
        let mut process =
            Command::new(binary).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut url, mut said) = (String::new(), BufReader::new(process.stdout.take().unwrap()));
        said.read_line(&mut url).unwrap();
        // A full pipe would stop it.
        std::thread::spawn(move || drop(said.read_to_end(&mut Vec::new())));
        Self { url: url.trim().to_owned(), process }
    }

    /// Whether it writes anything now.
    fn is_at_work(&self) -> bool {
        let host = self.url.trim_start_matches("http://");
        let mut server = TcpStream::connect(host).unwrap();
        write!(server, "GET /slots HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut said = String::new();
        server.read_to_string(&mut said).unwrap();
        said.replace(' ', "").contains("\"is_processing\":true")
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn ann() -> Session {
    let create = Create { embedder: EmbedderChoice::Vectors(2), ..Create::default() };
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap();
    let document = |id: &str, text: &str, reader| BatchDocument {
        id: id.into(),
        text: Some(text.into()),
        vector: Some(vec![1.0, 0.0].into()),
        acl: Some(Acl::new([reader], [])),
        ..BatchDocument::default()
    };
    let all = [
        document("pay", "Pay is reviewed once a year, in July.", Principal::Everyone),
        document("plan", "Pay rises by four percent, the secret plan.", Principal::group("hr")),
    ];
    engine.add(all.into()).unwrap();
    engine.commit().unwrap();
    engine.session(Identity::asserted("ann").issue(engine.clock()).unwrap()).unwrap()
}

#[test]
fn a_real_model_streams_is_cited_and_stops_when_nobody_wants_the_rest() {
    let (llama, ann) = (Llama::start(), ann());
    let model = open_local_generator(&format!("{}/v1", llama.url), "smollm2", "internal", 4096).unwrap();
    let ask = |question| ann.ask(question).generator(&*model).search(|search| search.mode(Mode::Lexical));
    let mut stream = ask("when is pay reviewed?").most_tokens(24).temperature(0.0).stream().unwrap();
    let pieces: Vec<String> = stream.by_ref().map(|piece| piece.unwrap()).collect();
    let answer = stream.finish().unwrap();
    assert!(pieces.len() > 1 && pieces.concat() == answer.text && answer.sent, "{answer:?}");
    let usage = answer.usage.unwrap();
    assert!(usage.tokens_in > 50 && (1..=24).contains(&usage.tokens_out), "{usage:?}");
    assert!(matches!(answer.stop, Some(StopReason::End | StopReason::Length)));
    // Each citation is one of its passages; a model this small may cite none.
    assert_eq!(answer.passages.iter().map(|hit| hit.document.as_str()).collect::<Vec<_>>(), ["pay"]);
    for citation in &answer.citations {
        let passage = &answer.passages[citation.number - 1];
        assert_eq!(
            (&citation.document, citation.chunk, citation.span),
            (&passage.document, passage.chunk, passage.span)
        );
    }
    let mut dropped = ask("write all you know of pay").most_tokens(2000).stream().unwrap();
    dropped.next().unwrap().unwrap();
    assert!(llama.is_at_work());
    drop(dropped);
    while llama.is_at_work() {
        std::thread::yield_now();
    }
    // Ended from outside, whatever it was doing: reading the prompt, or writing.
    let cancel = Cancel::default();
    let ended = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask("write all you know of pay").most_tokens(2000).cancel(&cancel).run());
        while !llama.is_at_work() {
            std::thread::yield_now();
        }
        cancel.cancel();
        asking.join().unwrap()
    });
    assert!(ended.unwrap_err().message().contains("cancelled"));
    while llama.is_at_work() {
        std::thread::yield_now();
    }
}
