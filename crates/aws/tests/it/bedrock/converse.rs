//! Answers in pieces, in the framing that is documented, through the real SDK: what does whoever asks see?

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message as Frame};
use safepassage_aws::bedrock::{BedrockGenerator, BedrockGuardrail};
use safepassage_error::{Kind, Result};
use safepassage_models::remote::{CallLimits, Caller, RemoteGenerator};
use safepassage_models::{
    Catalogue, CataloguedModel, Direction, Finished, Generator, Guardrail, Message, Permit, Piece, Request, Role,
    StopReason, Usage, Verdict,
};
use serde_json::{Value, json};

use super::{account, limits};
use crate::server::{self, Reply};

pub const SECRET: &str = "the secret prompt";

fn entry(url: &str, more: &str) -> CataloguedModel {
    let text = format!(
        "[[model]]\nname = \"m\"\nprovider = \"bedrock\"\nmodel = \"amazon.nova-lite-v1:0\"\nhighest_label = \"internal\"\n\
         task = \"generate\"\n[model.texts]\nwindow = 4096\n{more}\n[model.at]\nurl = \"{url}\"\nregion = \"eu-central-1\"\n\
         guardrail = \"gr1:2\""
    );
    Catalogue::parse(&text).unwrap().model("m").unwrap().clone()
}

fn generator(url: &str, more: &str, limits: CallLimits) -> RemoteGenerator {
    BedrockGenerator::open(&entry(url, more), account(url).keys, Caller::new(limits).unwrap(), None).unwrap()
}

fn request() -> Request {
    let message = |role, text: &str| Message { role, text: text.into() };
    Request {
        messages: vec![message(Role::System, "be brief"), message(Role::User, SECRET)],
        most_tokens: 64,
        stop: vec!["END".into()],
        temperature: Some(0.5),
        ..Request::default()
    }
}

fn frame(kind: &str, name: &str, payload: &Value) -> Vec<u8> {
    let header = |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
    let named = if kind == "exception" { ":exception-type" } else { ":event-type" };
    let message = Frame::new(payload.to_string().into_bytes())
        .add_header(header(":message-type", kind))
        .add_header(header(named, name))
        .add_header(header(":content-type", "application/json"));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn event(name: &str, payload: Value) -> Vec<u8> {
    frame("event", name, &payload)
}

pub fn text(text: &str) -> Vec<u8> {
    event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": text}}))
}

pub fn start() -> Vec<u8> {
    event("messageStart", json!({"role": "assistant"}))
}

pub fn stop(reason: &str) -> Vec<u8> {
    let usage = json!({"inputTokens": 20, "outputTokens": 6, "totalTokens": 26, "cacheReadInputTokens": 4});
    [
        event("contentBlockStop", json!({"contentBlockIndex": 0})),
        event("messageStop", json!({"stopReason": reason})),
        event("metadata", json!({"usage": usage, "metrics": {"latencyMs": 7}})),
    ]
    .concat()
}

pub fn streamed(parts: &[Vec<u8>]) -> Reply {
    let headers = vec![("content-type".to_owned(), "application/vnd.amazon.eventstream".to_owned())];
    Reply::Answer { status: 200, headers, body: parts.concat() }
}

pub fn refused(status: u16, code: &str) -> Reply {
    let body = json!({"message": format!("Malformed: {SECRET}"), "__type": code});
    Reply::json(status, &body).with("x-amzn-errortype", code)
}

/// What was given out, how it ended, and how often the service was asked.
pub fn asked(replies: Vec<Reply>, more: &str) -> (String, Result<Finished>, usize) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heard);
    let url = server::serve(move |request| {
        let mut seen = seen.lock().unwrap();
        seen.push((request.target, serde_json::from_slice::<Value>(&request.body).unwrap()));
        replies[(seen.len() - 1).min(replies.len() - 1)].clone()
    });
    let generator = generator(&url, more, CallLimits { max_attempts: 3, ..limits() });
    let (mut all, mut end) = (String::new(), None);
    match generator.generate(&request(), &(Arc::new(|| Ok(())) as Permit)) {
        Err(error) => end = Some(Err(error)),
        Ok(pieces) => {
            for piece in pieces {
                match piece {
                    Ok(Piece::Text(text)) => all.push_str(&text),
                    Ok(Piece::Finished(finished)) => end = Some(Ok(finished)),
                    Ok(Piece::Counted(_)) => {}
                    Err(error) => end = Some(Err(error)),
                }
            }
        }
    }
    let heard = heard.lock().unwrap();
    let path = if more.is_empty() { "converse-stream" } else { "converse" };
    assert_eq!(heard[0].0, format!("/model/amazon.nova-lite-v1%3A0/{path}"));
    let guardrail = &heard[0].1["guardrailConfig"];
    assert_eq!((&guardrail["guardrailIdentifier"], &guardrail["guardrailVersion"]), (&json!("gr1"), &json!("2")));
    assert_eq!(guardrail["streamProcessingMode"], if more.is_empty() { json!("sync") } else { Value::Null });
    assert_eq!(heard[0].1["system"], json!([{"text": "be brief"}]));
    assert_eq!(heard[0].1["messages"], json!([{"role": "user", "content": [{"text": SECRET}]}]));
    assert_eq!(heard[0].1["inferenceConfig"], json!({"maxTokens": 64, "temperature": 0.5, "stopSequences": ["END"]}));
    (all, end.unwrap(), heard.len())
}

#[test]
fn every_way_in_which_an_answer_ends_has_its_reason() {
    let table = [
        ("end_turn", StopReason::End),
        ("max_tokens", StopReason::Length),
        ("model_context_window_exceeded", StopReason::Length),
        ("stop_sequence", StopReason::StopWord),
        ("guardrail_intervened", StopReason::Guardrail),
        ("content_filtered", StopReason::Filtered),
        ("tool_use", StopReason::Tool),
        ("malformed_tool_use", StopReason::Tool),
        ("malformed_model_output", StopReason::Other),
        ("something_new", StopReason::Other),
    ];
    let usage = Some(Usage { tokens_in: 24, tokens_out: 6, tokens_cached: 4 });
    for (said, reason) in table {
        let (all, end, times) = asked(vec![streamed(&[start(), text("Pay "), text("rises."), stop(said)])], "");
        assert_eq!((all.as_str(), end.unwrap(), times), ("Pay rises.", Finished { reason, usage }, 1), "{said}");
        let body = json!({"output": {"message": {"role": "assistant", "content": [{"text": "Pay rises."}]}},
            "stopReason": said, "usage": {"inputTokens": 20, "outputTokens": 6, "totalTokens": 26,
            "cacheReadInputTokens": 4}, "metrics": {"latencyMs": 7}});
        let (all, end, _) = asked(vec![Reply::json(200, &body)], "whole = true");
        assert_eq!((all.as_str(), end.unwrap()), ("Pay rises.", Finished { reason, usage }), "{said}");
    }
}

#[test]
fn every_fault_is_a_kind_is_tried_again_only_before_the_first_text_and_says_no_word_of_the_prompt() {
    let exception = |name: &str| frame("exception", name, &json!({"message": format!("cannot: {SECRET}")}));
    let before = |name: &str| streamed(&[start(), exception(name)]);
    let after = |name: &str| streamed(&[start(), text("Pay "), exception(name)]);
    let torn = |parts: &[Vec<u8>]| {
        let Reply::Answer { headers, body, .. } = streamed(parts) else { unreachable!() };
        Reply::CutOff { sent: body.len() - 3, headers, body }
    };
    let flipped = {
        let mut broken = text("rises.");
        let last = broken.len() - 6;
        broken[last] ^= 1;
        streamed(&[start(), text("Pay "), broken, stop("end_turn")])
    };
    // What happens, what was given out, the kind, how often it was asked.
    let table: Vec<(&str, Reply, &str, Kind, usize)> = vec![
        ("throttled", refused(429, "ThrottlingException"), "", Kind::Throttled, 3),
        ("not ready", refused(429, "ModelNotReadyException"), "", Kind::Unavailable, 3),
        ("down", refused(503, "ServiceUnavailableException"), "", Kind::Unavailable, 3),
        ("refused", refused(400, "ValidationException"), "", Kind::Invalid, 1),
        ("denied", refused(403, "AccessDeniedException"), "", Kind::Denied, 1),
        ("no model", refused(404, "ResourceNotFoundException"), "", Kind::NotFound, 1),
        ("closed", Reply::Closed, "", Kind::Unavailable, 3),
        ("nothing said", streamed(&[start()]), "", Kind::Unavailable, 3),
        ("throttled in the stream", before("throttlingException"), "", Kind::Throttled, 3),
        ("refused in the stream", before("validationException"), "", Kind::Invalid, 1),
        ("model error after text", after("modelStreamErrorException"), "Pay ", Kind::Unavailable, 1),
        ("throttled after text", after("throttlingException"), "Pay ", Kind::Throttled, 1),
        ("fault after text", after("internalServerException"), "Pay ", Kind::Unavailable, 1),
        ("no end", streamed(&[start(), text("Pay ")]), "Pay ", Kind::Unavailable, 1),
        ("torn", torn(&[start(), text("Pay "), text("rises.")]), "Pay ", Kind::Unavailable, 1),
        ("flipped", flipped, "Pay ", Kind::Unavailable, 1),
    ];
    for (what, reply, given, kind, times) in table {
        let (all, end, asked) = asked(vec![reply], "");
        let error = end.unwrap_err();
        assert_eq!((all.as_str(), error.kind(), asked), (given, kind, times), "{what}: {error:?}");
        assert!(!format!("{error:?}").contains(SECRET), "{what}: {error:?}");
    }
}

#[test]
fn who_drops_the_pieces_ends_the_call() {
    let (sender, gone) = channel();
    let Reply::Answer { headers, body, .. } = streamed(&[start(), text("Pay ")]) else { unreachable!() };
    let url =
        server::serve(move |_| Reply::Waits { headers: headers.clone(), body: body.clone(), gone: sender.clone() });
    // Nothing else ends it while it is waited for here.
    let generator = generator(&url, "", CallLimits { idle: Duration::from_secs(3600), ..limits() });
    let mut pieces = generator.generate(&request(), &(Arc::new(|| Ok(())) as Permit)).unwrap();
    assert_eq!(pieces.next().unwrap().unwrap(), Piece::Text("Pay ".into()));
    drop(pieces);
    gone.recv_timeout(Duration::from_secs(60)).unwrap();
}

#[test]
fn a_throttle_passes_and_a_guardrails_words_are_the_answer() {
    let sound = streamed(&[start(), text("I cannot help with that."), stop("guardrail_intervened")]);
    let (all, end, times) = asked(vec![refused(429, "ThrottlingException"), before_text(), sound], "");
    assert_eq!((all.as_str(), end.unwrap().reason, times), ("I cannot help with that.", StopReason::Guardrail, 3));
}

fn before_text() -> Reply {
    streamed(&[start(), frame("exception", "serviceUnavailableException", &json!({"message": "later"}))])
}

#[test]
fn entries_that_cannot_be_used_are_refused() {
    let open = |entry: &CataloguedModel| {
        let caller = Caller::new(limits()).unwrap();
        BedrockGenerator::open(entry, account("http://127.0.0.1:1").keys, caller, None).map(drop).unwrap_err().kind()
    };
    let good = entry("http://127.0.0.1:1", "");
    let mut bad = good.clone();
    bad.at.guardrail = Some("gr1".into());
    assert_eq!(open(&bad), Kind::Invalid);
    let mut bad = good.clone();
    bad.texts.window = None;
    assert_eq!(open(&bad), Kind::Invalid);
    let mut bad = good;
    bad.task = Some(safepassage_models::Task::Embed);
    assert_eq!(open(&bad), Kind::Denied);
}

#[test]
fn a_guardrail_lets_pass_or_says_what_is_said_instead_and_nothing_unknown_passes() {
    let entry = |url: &str| {
        let mut entry = entry(url, "");
        (entry.model, entry.task) = ("gr1:2".into(), Some(safepassage_models::Task::Guard));
        entry
    };
    let says = |action: &str, text: &str| {
        Reply::json(
            200,
            &json!({"action": action, "outputs": [{"text": text}], "usage": {
        "topicPolicyUnits": 0, "contentPolicyUnits": 0, "wordPolicyUnits": 0, "sensitiveInformationPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 0, "contextualGroundingPolicyUnits": 0}, "assessments": []}),
        )
    };
    let assessed = |assessment: Value| {
        let assessments = json!([assessment]);
        Reply::json(
            200,
            &json!({"action": "GUARDRAIL_INTERVENED", "outputs": [{"text": "{EMAIL}"}], "assessments": assessments}),
        )
    };
    let found =
        |action: &str| json!({"piiEntities": [{"match": "a@b.c", "type": "EMAIL", "action": action}], "regexes": []});
    let (masked, said) = (|| Ok(Verdict::Masked("{EMAIL}".into())), || Ok(Verdict::Intervened("{EMAIL}".into())));
    let topics = json!({"topics": [{"name": "n", "type": "DENY", "action": "BLOCKED"}]});
    let both = json!({"sensitiveInformationPolicy": found("ANONYMIZED"), "topicPolicy": topics});
    let table: [(Reply, std::result::Result<Verdict, Kind>, usize); 11] = [
        (assessed(json!({"sensitiveInformationPolicy": found("ANONYMIZED")})), masked(), 1),
        (assessed(json!({"sensitiveInformationPolicy": found("BLOCKED")})), said(), 1),
        (assessed(both), said(), 1),
        (assessed(json!({})), said(), 1),
        (says("NONE", ""), Ok(Verdict::Pass), 1),
        (says("GUARDRAIL_INTERVENED", "not that"), Ok(Verdict::Intervened("not that".into())), 1),
        (says("SOMETHING_NEW", "hm"), Ok(Verdict::Intervened("hm".into())), 1),
        (refused(429, "ThrottlingException"), Err(Kind::Throttled), 2),
        // Longer than anybody waits.
        (refused(429, "ThrottlingException").with("retry-after", "3600"), Err(Kind::Throttled), 1),
        (refused(400, "ValidationException"), Err(Kind::Invalid), 1),
        (Reply::Closed, Err(Kind::Unavailable), 2),
    ];
    for (reply, wanted, times) in table {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heard);
        let url = server::serve(move |request| {
            seen.lock().unwrap().push((request.target, serde_json::from_slice::<Value>(&request.body).unwrap()));
            reply.clone()
        });
        let caller = Caller::new(CallLimits { max_attempts: 2, ..limits() }).unwrap();
        let guardrail = BedrockGuardrail::open(&entry(&url), account(&url).keys, caller).unwrap();
        let verdict = guardrail.check(SECRET, Direction::Out, &(Arc::new(|| Ok(())) as Permit));
        if let Err(error) = &verdict {
            assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        }
        assert_eq!(verdict.map_err(|error| error.kind()), wanted);
        let heard = heard.lock().unwrap();
        assert_eq!((heard.len(), heard[0].0.as_str()), (times, "/guardrail/gr1/version/2/apply"));
        assert_eq!(heard[0].1, json!({"source": "OUTPUT", "content": [{"text": {"text": SECRET}}]}));
    }
}
