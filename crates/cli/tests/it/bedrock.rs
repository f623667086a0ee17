//! The binary with models of Bedrock, of a catalogue and through the real SDK, against a server of the documented framing:
//! what does whoever asks see of each way in which an answer ends?

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};

use crate::program::{Said, Scratch};

/// What the next call of the model gets: status, its name as an error, and the frames.
#[derive(Clone, Default)]
struct Reply(Arc<Mutex<(u16, String, Vec<u8>)>>);

/// What was asked: path and body.
type Heard = Arc<Mutex<Vec<(String, Value)>>>;

fn serve(reply: Reply) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, heard) = (format!("http://{}", listener.local_addr().unwrap()), Heard::default());
    let own = Arc::clone(&heard);
    // A connection that breaks is of no interest.
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(answer(stream, &reply, &own))));
    (url, heard)
}

fn answer(mut to: TcpStream, reply: &Reply, heard: &Heard) -> std::io::Result<()> {
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
    let body: Value = serde_json::from_slice(&body).unwrap();
    heard.lock().unwrap().push((path.clone(), body.clone()));
    let head = |status, kind: &str, error: &str, length| {
        format!(
            "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\n{error}content-length: {length}\r\nconnection: close\r\n\r\n"
        )
    };
    if path.starts_with("/guardrail/") {
        let stops = body["source"] == "INPUT" && body.to_string().contains("forbidden");
        let action = if stops { "GUARDRAIL_INTERVENED" } else { "NONE" };
        let said = json!({"action": action, "outputs": [{"text": "not that"}], "assessments": [], "usage": {
            "topicPolicyUnits": 1, "contentPolicyUnits": 0, "wordPolicyUnits": 0, "sensitiveInformationPolicyUnits": 0,
            "sensitiveInformationPolicyFreeUnits": 0, "contextualGroundingPolicyUnits": 0}})
        .to_string();
        return to.write_all((head(200, "application/json", "", said.len()) + &said).as_bytes());
    }
    let (status, error, frames) = reply.0.lock().unwrap().clone();
    let kind = if status == 200 { "application/vnd.amazon.eventstream" } else { "application/json" };
    let error = if error.is_empty() { error } else { format!("x-amzn-errortype: {error}\r\n") };
    to.write_all(head(status, kind, &error, frames.len()).as_bytes())?;
    to.write_all(&frames)
}

fn frame(kind: &str, name: &str, payload: &Value) -> Vec<u8> {
    let header = |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
    let named = if kind == "exception" { ":exception-type" } else { ":event-type" };
    let message = Message::new(payload.to_string().into_bytes())
        .add_header(header(":message-type", kind))
        .add_header(header(named, name))
        .add_header(header(":content-type", "application/json"));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn text(text: &str) -> Vec<u8> {
    frame("event", "contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": text}}))
}

fn stop(reason: &str) -> Vec<u8> {
    let usage = json!({"inputTokens": 90, "outputTokens": 6, "totalTokens": 96});
    let metadata = json!({"usage": usage, "metrics": {"latencyMs": 7}});
    [frame("event", "messageStop", &json!({"stopReason": reason})), frame("event", "metadata", &metadata)].concat()
}

/// An index of one document, and a catalogue of a model and a guardrail at `url`.
fn scratch(url: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("docs/pay.md", "# Pay\n\nPay is reviewed once a year, in July.");
    scratch.write("docs/acl.jsonl", "{\"_id\": \"./\", \"acl\": {\"allow\": [\"everyone\"]}}");
    scratch.sync(&["docs"]);
    let entry = |name: &str, task: &str, model: &str, more: &str| {
        format!(
            "[[model]]\nname = \"{name}\"\nprovider = \"bedrock\"\nmodel = \"{model}\"\ntask = \"{task}\"\nhighest_label = \"internal\"\n\
             price_per_million_tokens = 2\nprice_per_million_tokens_out = 10\nlimits = {{ max_attempts = 1 }}\n\
             at = {{ url = \"{url}\", region = \"eu-central-1\"{more} }}\ntexts = {{ window = 4096 }}\n"
        )
    };
    let model = entry("nova", "generate", "amazon.nova-lite-v1:0", ", guardrail = \"gr1:2\"");
    scratch.write("models.toml", model + &entry("rail", "guard", "gr1:2", ""));
    scratch
}

fn ask(scratch: &Scratch, question: &str, more: &[&str]) -> Said {
    let of = ["--index", "index", "--user", "ann", "--no-groups", "--models", "models.toml", "--generator", "nova"];
    let mut command = scratch.command(&[&["ask", question][..], &of, more].concat());
    for (name, value) in [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")] {
        command.env(name, value);
    }
    Said::of(&command.output().unwrap())
}

#[test]
fn whoever_asks_sees_how_each_answer_of_bedrock_ended() {
    let reply = Reply::default();
    let (url, heard) = serve(reply.clone());
    let scratch = scratch(&url);
    let asked = |status: u16, error: &str, frames: Vec<Vec<u8>>| {
        *reply.0.lock().unwrap() = (status, error.to_owned(), frames.concat());
        ask(&scratch, "when is pay reviewed?", &[])
    };
    for (said, stop_said) in [
        ("end_turn", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_word"),
        ("guardrail_intervened", "guardrail"),
        ("content_filtered", "filtered"),
        ("tool_use", "tool"),
        ("malformed_tool_use", "tool"),
        ("malformed_model_output", "other"),
        ("something_new", "other"),
    ] {
        let answer = asked(200, "", vec![text("In July "), text("[1]."), stop(said)]).json();
        assert_eq!(
            (&answer["text"], &answer["stop"], &answer["sent"]),
            (&json!("In July [1]."), &json!(stop_said), &json!(true))
        );
        assert_eq!((&answer["citations"][0]["document"], &answer["model"]), (&json!("pay.md"), &json!("nova")));
        assert!((answer["cost"].as_f64().unwrap() - (90.0 * 2.0 + 6.0 * 10.0) / 1e6).abs() < 1e-12, "{answer}");
    }
    let (path, body) = heard.lock().unwrap()[0].clone();
    assert_eq!(path, "/model/amazon.nova-lite-v1%3A0/converse-stream");
    assert_eq!(
        (&body["guardrailConfig"]["guardrailIdentifier"], &body["inferenceConfig"]["maxTokens"]),
        (&json!("gr1"), &json!(512))
    );
    let exception = |name: &str| frame("exception", name, &json!({"message": "cannot: when is pay reviewed?"}));
    let refusal = || vec![json!({"message": "cannot: when is pay reviewed?"}).to_string().into_bytes()];
    for (status, error, frames, kind) in [
        (429, "ThrottlingException", refusal(), "Throttled"),
        (503, "ServiceUnavailableException", refusal(), "Unavailable"),
        (400, "ValidationException", refusal(), "Invalid"),
        (403, "AccessDeniedException", refusal(), "Denied"),
        (404, "ResourceNotFoundException", refusal(), "NotFound"),
        (200, "", vec![text("In "), exception("throttlingException")], "Throttled"),
        (200, "", vec![text("In "), exception("modelStreamErrorException")], "Unavailable"),
        (200, "", vec![text("In "), exception("internalServerException")], "Unavailable"),
        (200, "", vec![exception("validationException")], "Invalid"),
        (200, "", vec![text("In ")], "Unavailable"),
    ] {
        let said = asked(status, error, frames);
        assert_eq!(said.error().0, kind, "{status} {error}");
        assert!(!said.stdout.contains("reviewed") && !said.stderr.contains("reviewed"), "{said:?}");
    }
    // A guardrail of its own that looks first: nothing goes to the model.
    let before = heard.lock().unwrap().len();
    *reply.0.lock().unwrap() = (200, String::new(), [text("In July [1]."), stop("end_turn")].concat());
    let answer = ask(&scratch, "is forbidden pay reviewed?", &["--guardrail", "rail"]).json();
    assert_eq!(
        (&answer["text"], &answer["stop"], &answer["sent"]),
        (&json!("not that"), &json!("guardrail"), &json!(false))
    );
    let since: Vec<String> = heard.lock().unwrap()[before..].iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(since, ["/guardrail/gr1/version/2/apply"]);
    assert_eq!(ask(&scratch, "when is pay reviewed?", &["--guardrail", "rail"]).json()["text"], "In July [1].");
    assert_eq!(heard.lock().unwrap().len(), before + 4, "question, prompt and answer");
}
