//! Spans that a collector of OpenTelemetry gets: their names, and no word of what was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::program::Scratch;

/// Of a question, of a passage, of an answer, of what a provider repeats.
const WORDS: [&str; 4] = ["quetzal", "zanzibar", "wombat", "echoed"];

/// A collector and a model in one.
#[derive(Clone, Default)]
struct Both {
    exported: Arc<Mutex<Vec<u8>>>,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Both {
    fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let own = self.clone();
        std::thread::spawn(move || listener.incoming().flatten().try_for_each(|stream| own.answer(stream)));
        url
    }

    fn answer(&self, mut to: TcpStream) -> std::io::Result<()> {
        let mut from = BufReader::new(to.try_clone()?);
        let (mut path, mut length, mut line) = (String::new(), 0, String::new());
        while from.read_line(&mut line)? > 2 {
            if let Some(rest) = line.strip_prefix("POST ") {
                path = rest.split(' ').next().unwrap().to_owned();
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        let head = |status, kind| format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
        if path == "/v1/traces" {
            let request = ExportTraceServiceRequest::decode(&*body).unwrap();
            self.exported.lock().unwrap().extend_from_slice(&body);
            let spans = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            self.spans.lock().unwrap().extend(spans.flat_map(|scope| scope.spans));
            return to.write_all(head(200, "application/x-protobuf").as_bytes());
        }
        let asked = String::from_utf8(body).unwrap();
        assert!(asked.contains(WORDS[0]) && asked.contains(WORDS[1]), "{asked}");
        if asked.contains("\"model\":\"refusing\"") {
            to.write_all(head(400, "application/json").as_bytes())?;
            return to.write_all(br#"{"error": {"message": "echoed: quetzal zanzibar", "type": "no"}}"#);
        }
        to.write_all(head(200, "text/event-stream").as_bytes())?;
        to.write_all(b"data: {\"choices\": [{\"delta\": {\"content\": \"A wombat [1].\"}}]}\n\n")?;
        if asked.contains("\"model\":\"breaking\"") {
            return to.write_all(b"data: {\"error\": {\"message\": \"echoed: quetzal\"}}\n\n");
        }
        to.write_all(b"data: {\"choices\": [{\"delta\": {}, \"finish_reason\": \"stop\"}]}\n\n")?;
        to.write_all(b"data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 77, \"completion_tokens\": 7}}\n\n")
    }

    fn spans(&self) -> Vec<Span> {
        std::mem::take(&mut *self.spans.lock().unwrap())
    }
}

fn said(span: &Span, name: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_collector_gets_the_spans_of_asking_and_no_word_of_it() {
    let (both, scratch) = (Both::default(), Scratch::new());
    let url = both.serve();
    scratch.write("docs/zoo.md", "# Zoo\n\nThe zanzibar is fed at noon.");
    scratch.write("docs/acl.jsonl", "{\"_id\": \"./\", \"acl\": {\"allow\": [\"everyone\"]}}");
    scratch.sync(&["docs"]);
    let asked = |model: &str, endpoint: Option<&str>| {
        let generator = format!("openai:{url}/v1#{model}");
        let who = ["--index", "index", "--user", "ann", "--no-groups", "--highest-label", "internal"];
        let mut command =
            scratch.command(&[&["ask", "who feeds the quetzal?", "--generator", &generator], &who[..]].concat());
        command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").env_remove("OTEL_TRACES_EXPORTER");
        command.envs(endpoint.map(|endpoint| ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)));
        let out = command.output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    assert_eq!(asked("m", Some(&url)), (Some(0), String::new()));
    let spans = both.spans();
    let named = |name: &str| {
        let found: Vec<&Span> = spans.iter().filter(|span| span.name.split(' ').next() == Some(name)).collect();
        assert_eq!(found.len(), 1, "{name}: {spans:?}");
        found[0]
    };
    let (ask, retrieval, embeddings, chat) = (named("ask"), named("retrieval"), named("embeddings"), named("chat"));
    let parents = [&retrieval.parent_span_id, &embeddings.parent_span_id, &chat.parent_span_id];
    assert_eq!(parents, [&ask.span_id, &retrieval.span_id, &ask.span_id]);
    assert!(chat.name.ends_with("/v1#m") && spans.iter().all(|span| span.trace_id == ask.trace_id));
    for (span, name, value) in [
        (ask, "safepassage.k", "6"),
        (ask, "safepassage.passages", "1"),
        (ask, "safepassage.filled", "true"),
        (ask, "safepassage.plan", "Scan"),
        (retrieval, "gen_ai.operation.name", "retrieval"),
        (retrieval, "gen_ai.retrieval.top_k", "6"),
        (retrieval, "safepassage.filled", "true"),
        (retrieval, "safepassage.mode", "Hybrid"),
        (embeddings, "gen_ai.operation.name", "embeddings"),
        (embeddings, "gen_ai.provider.name", "safepassage"),
        (embeddings, "gen_ai.embeddings.dimension.count", "16"),
        (chat, "gen_ai.operation.name", "chat"),
        (chat, "gen_ai.provider.name", "openai"),
        (chat, "gen_ai.response.finish_reasons", "end"),
        (chat, "gen_ai.usage.input_tokens", "77"),
        (chat, "gen_ai.usage.output_tokens", "7"),
    ] {
        assert_eq!(said(span, name).as_deref(), Some(value), "{name}: {span:?}");
    }
    for (span, name) in [
        (ask, "safepassage.acl_epoch"),
        (ask, "safepassage.answer"),
        (retrieval, "safepassage.generation"),
        (embeddings, "gen_ai.usage.input_tokens"),
        (chat, "gen_ai.response.time_to_first_chunk"),
    ] {
        assert!(said(span, name).is_some(), "{name}: {span:?}");
    }
    assert_ne!(asked("refusing", Some(&url)).0, Some(0));
    assert_ne!(asked("breaking", Some(&url)).0, Some(0));
    let failed: Vec<(String, Option<String>)> =
        both.spans().iter().map(|span| (span.name.clone(), said(span, "error.type"))).collect();
    for (model, kind) in [("refusing", "Invalid"), ("breaking", "Unavailable")] {
        let ended =
            |name: &str| failed.iter().any(|(own, error)| own.ends_with(name) && error.as_deref() == Some(kind));
        assert!(ended(model) && ended("ask"), "{failed:?}");
    }
    let all = String::from_utf8_lossy(&both.exported.lock().unwrap()).to_lowercase();
    assert!(all.contains("gen_ai.operation.name"));
    for word in WORDS {
        assert!(!all.contains(word), "`{word}` was exported");
    }
    // Nobody listens unless the environment says so; a collector that is away is said and changes nothing else.
    assert_eq!((asked("m", None).0, both.spans().len()), (Some(0), 0));
    let (code, stderr) = asked("m", Some("http://127.0.0.1:9"));
    assert!(code == Some(0) && stderr.contains("the collector took not all spans"), "{stderr}");
}
