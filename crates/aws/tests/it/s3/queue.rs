//! A queue names objects: they are looked at, and only then are its messages gone.

use std::time::Duration;

use safepassage_aws::sqs::{EventQueue, Taken, Unread};
use safepassage_aws::{AccessKeys, Account};
use safepassage_error::{Error, Kind, Result};
use safepassage_models::remote::CallLimits;
use serde_json::{Value, json};

use super::events::{did, document, world};
use super::proxy::{Asked, Instead, refused};
use super::{World, sidecar};
use crate::ministack::Ministack;
use crate::server::{Reply, serve};

/// A queue as its reader has it, who is told no twice and asks no further.
fn open(url: &str) -> EventQueue {
    let keys = AccessKeys { id: "test".into(), secret: "test".into(), session_token: None };
    let account = Account { region: Some("eu-central-1".into()), keys: Some(keys), ..Account::default() };
    let (first_wait, longest_wait) = (Duration::from_millis(1), Duration::from_millis(4));
    EventQueue::of_account(
        url,
        &account,
        CallLimits { first_wait, longest_wait, max_attempts: 2, ..CallLimits::default() },
    )
    .unwrap()
}

/// What S3 itself writes.
fn by_s3(names: &[(&str, &str)]) -> Value {
    let record = |(name, key): &(&str, &str)| json!({"eventName": name, "s3": {"bucket": {"name": "docs"}, "object": {"key": format!("all/{key}")}}});
    json!({"Records": names.iter().map(record).collect::<Vec<_>>()})
}

fn by_event_bridge(kind: &str, key: &str) -> Value {
    json!({"source": "aws.s3", "detail-type": kind, "detail": {"bucket": {"name": "docs"}, "object": {"key": format!("all/{key}")}}})
}

fn by_sns(message: &Value) -> Value {
    json!({"Type": "Notification", "TopicArn": "arn:aws:sns:::t", "Message": message.to_string()})
}

/// Receives, does what the messages ask for and deletes them: what that did, and what could not be read.
fn round(world: &World, queue: &EventQueue) -> ([u64; 4], Vec<Unread>) {
    let mut taken = Taken::default();
    let unread = queue.receive(Duration::from_secs(1), &mut taken).unwrap();
    let changed = taken.changed_below("s3://docs/all").unwrap();
    let did = did(world, &changed.keys().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(queue.delete(&mut taken).unwrap(), 0);
    (did, unread)
}

#[test]
fn what_the_messages_of_a_queue_name_is_brought_up_to_date_and_nothing_twice() {
    let (stack, world) = (Ministack::start(), world());
    let url = stack.queue("docs");
    let queue = open(&url);
    world.put(vec![
        ("d1.md".into(), "another text".into()),
        document(20),
        sidecar("d20.md", "staff"),
        ("d2.md".into(), String::new()),
        sidecar("d3.md", "auditors"),
        ("d4.md".into(), "another text that nobody names".into()),
    ]);
    let created = by_s3(&[("ObjectCreated:Put", "d1.md")]);
    // It was removed and written again since, and the messages of that come in another order.
    let messages = [
        created.clone(),
        by_s3(&[("ObjectRemoved:Delete", "d1.md")]),
        by_event_bridge("Object Created", "d20.md"),
        by_event_bridge("Object Created", "d20.md.metadata.json"),
        by_sns(&by_s3(&[("ObjectRemoved:Delete", "d2.md"), ("ObjectCreated:Put", "d3.md.metadata.json")])),
        json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "docs"}),
        by_s3(&[("ObjectCreated:Put", "never.md")]),
        created.clone(),
        json!("nobody knows what this is"),
    ];
    messages.iter().for_each(|message| stack.send(&url, message));
    let before = world.embedded();
    let (done, unread) = round(&world, &queue);
    assert_eq!((done, world.embedded() - before), ([1, 1, 1, 1], 2));
    assert_eq!(world.visible("auditors"), ["d3.md"]);
    assert!(unread.len() == 1 && unread[0].reason.contains("not a message of S3") && !unread[0].message.is_empty());
    assert_eq!(stack.waiting(&url), (0, 1), "what cannot be read is left");

    // The same once more: nothing is done, and they are gone again.
    messages[..8].iter().for_each(|message| stack.send(&url, message));
    assert_eq!(round(&world, &queue), ([0; 4], vec![]));
    assert_eq!((world.embedded() - before, stack.waiting(&url)), (2, (0, 1)));
    world.index.verify().unwrap();
}

#[test]
fn messages_are_there_until_what_they_name_is_committed() {
    let (stack, world) = (Ministack::start(), world());
    let url = stack.queue("docs");
    let queue = open(&url);
    let names: Vec<String> = (0..25).map(|n| document(n).0).collect();
    world.put((9..25).flat_map(|n| [document(n), sidecar(&names[n], "staff")]).collect());
    names.iter().for_each(|name| stack.send(&url, &by_s3(&[("ObjectCreated:Put", name)])));
    let mut taken = Taken::default();
    assert_eq!(queue.receive(Duration::from_secs(1), &mut taken).unwrap(), []);
    assert_eq!((taken.len(), stack.waiting(&url)), (25, (0, 25)));
    world.proxy.plan(|asked, _| matches!(asked, Asked::Find(_)).then(|| Instead::Reply(refused(403, "AccessDenied"))));
    let changed = taken.changed_below("s3://docs/all").unwrap();
    let changed: Vec<&str> = changed.keys().map(String::as_str).collect();
    assert_eq!(world.sync_only(&changed).unwrap_err().kind(), Kind::Denied);
    assert_eq!(stack.waiting(&url), (0, 25));
    world.proxy.plan(|_, _| None);
    assert_eq!(did(&world, &changed), [16, 0, 0, 0]);
    assert_eq!((queue.delete(&mut taken).unwrap(), taken.is_empty()), (0, true));
    assert_eq!((stack.waiting(&url), world.visible("staff").len()), ((0, 0), 25));
}

/// What a reader is told by a service that answers `reply`.
fn told(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Error {
    let url = serve(move |_| reply());
    let received: Result<_> = open(&format!("{url}/000000000000/docs")).receive(Duration::ZERO, &mut Taken::default());
    received.unwrap_err()
}

#[test]
fn a_queue_that_cannot_be_read_says_why() {
    let stack = Ministack::start();
    let missing = open(&format!("http://{}/000000000000/nothing", stack.address));
    let error = missing.receive(Duration::ZERO, &mut Taken::default()).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("/000000000000/nothing")), (Kind::NotFound, true), "{error}");
    let service = |status: u16, code: &'static str| {
        move || {
            let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "as told"}).to_string();
            let headers = vec![("content-type".into(), "application/x-amz-json-1.0".into())];
            Reply::Answer { status, headers, body: body.into_bytes() }
        }
    };
    for (status, code, kind) in [
        (403, "AccessDeniedException", Kind::Denied),
        (403, "ExpiredToken", Kind::Denied),
        (400, "KmsAccessDenied", Kind::Denied),
        (400, "RequestThrottled", Kind::Throttled),
        (503, "ServiceUnavailable", Kind::Unavailable),
    ] {
        let error = told(service(status, code));
        assert_eq!((error.kind(), error.is_retryable()), (kind, kind != Kind::Denied), "{code}: {error}");
        assert!(error.to_string().contains(code), "{error}");
    }
}
