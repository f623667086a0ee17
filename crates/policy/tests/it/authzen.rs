//! AuthZEN 1.0: what is asked on the wire, and what of the answers counts.

use std::time::Duration;

use safepassage_access::{Authorizer, Identity};
use safepassage_error::Kind;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_policy::{AuthZen, AuthZenSettings, Endpoint};
use serde_json::{Value, json};

use crate::server::{Question, Reply, Server, always, hold_to_faults, listed};

fn issue(identity: safepassage_access::AssertedIdentity) -> Identity {
    identity.issue(&Clock::fixed(Timestamp(0))).unwrap()
}

fn alice() -> Identity {
    issue(Identity::asserted("alice"))
}

fn point(endpoint: Endpoint) -> AuthZen {
    AuthZen::new(AuthZenSettings::new(endpoint)).unwrap()
}

/// A point that lets (subject, resource) pairs pass and gives lists in pages of one.
fn pdp(pairs: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |Question { path, body, .. }| {
        let subject = body["subject"]["id"].as_str().unwrap().to_owned();
        let decision = |resource: &Value| pairs.contains(&(&subject, resource["id"].as_str().unwrap()));
        Reply::Json(match path.as_str() {
            "/access/v1/evaluation" => json!({"decision": decision(&body["resource"])}),
            "/access/v1/evaluations" => {
                let all = body["evaluations"].as_array().unwrap().iter();
                let all = all.map(|e| json!({"decision": decision(&e["resource"]), "context": {"reason": "so"}}));
                json!({"evaluations": all.collect::<Vec<_>>()})
            }
            _ => {
                let found: Vec<&str> = pairs.iter().filter(|(s, _)| *s == subject).map(|(_, r)| *r).collect();
                let page: usize = body["page"]["token"].as_str().map_or(0, |token| token.parse().unwrap());
                let results: Vec<Value> =
                    found.iter().skip(page).take(1).map(|id| json!({"type": "document", "id": id})).collect();
                let next = if page + 1 < found.len() { (page + 1).to_string() } else { String::new() };
                json!({"page": {"next_token": next}, "results": results})
            }
        })
    })
}

#[test]
fn it_is_asked_as_it_documents() {
    let server = pdp(&[("alice", "a"), ("alice", "c")]);
    let identity = issue(Identity::asserted("alice").groups(["hr"]).clearance("internal"));
    let mut settings = AuthZenSettings::new(server.endpoint());
    assert_eq!(AuthZen::new(settings.clone()).unwrap().list(&identity).unwrap(), None, "it must be switched on");
    settings.search = true;
    let batches = AuthZen::new(settings.clone()).unwrap();
    assert_eq!(batches.check(&identity, &["a", "b"]).unwrap(), [true, false]);
    assert_eq!(batches.check(&identity, &[]).unwrap(), [] as [bool; 0]);
    assert_eq!(batches.list(&identity).unwrap(), listed(&["a", "c"], true));
    settings.max_batch = 1;
    assert_eq!(AuthZen::new(settings).unwrap().check(&identity, &["c"]).unwrap(), [true]);

    let properties = json!({"groups": ["hr"], "groups_complete": true, "clearance": "internal"});
    let subject = json!({"type": "user", "id": "alice", "properties": properties});
    let action = json!({"name": "read"});
    let document = |id| json!({"type": "document", "id": id});
    let any = json!({"type": "document"});
    let wanted = [
        (
            "/access/v1/evaluations",
            json!({"subject": subject, "action": action, "options": {"evaluations_semantic": "execute_all"},
                "evaluations": [{"resource": document("a")}, {"resource": document("b")}]}),
        ),
        ("/access/v1/search/resource", json!({"subject": subject, "action": action, "resource": any})),
        (
            "/access/v1/search/resource",
            json!({"subject": subject, "action": action, "resource": any, "page": {"token": "1"}}),
        ),
        ("/access/v1/evaluation", json!({"subject": subject, "action": action, "resource": document("c")})),
    ];
    let is_json = |question: &Question| question.headers.contains(&"content-type: application/json".to_owned());
    assert!(server.asked().iter().all(is_json));
    let asked: Vec<_> = server.asked().into_iter().map(|question| (question.path, question.body)).collect();
    assert_eq!(asked, wanted.map(|(path, body)| (path.to_owned(), body)));
}

#[test]
fn nobody_is_taken_for_somebody_else_and_no_document_for_another() {
    let server = pdp(&[("idp|user:alice", "a"), ("public", "open"), ("alice", "t|a"), ("alice", "t%7Ca")]);
    let point = point(server.endpoint());
    let can = |identity, id: &str| point.check(&issue(identity), &[id]).unwrap()[0];
    assert!(can(Identity::asserted("alice").issuer("idp"), "a"));
    assert!(!can(Identity::asserted("idp|user:alice"), "a"));
    assert!(can(Identity::anonymous(), "open"));
    assert!(!can(Identity::asserted("public"), "open"));
    assert!(can(Identity::asserted("alice").tenant("t"), "a"));
    assert!(!can(Identity::asserted("alice").tenant("t"), "t|a"));
    assert!(can(Identity::asserted("alice"), "t|a"));
}

#[test]
fn no_fault_is_an_answer() {
    let good = [
        json!({"evaluations": [{"decision": true}, {"decision": true}]}),
        json!({"decision": true}),
        json!({"results": [{"type": "document", "id": "a"}]}),
    ];
    let make = |endpoint, max_batch| {
        let settings = AuthZenSettings { max_batch, search: true, ..AuthZenSettings::new(endpoint) };
        Box::new(AuthZen::new(settings).unwrap()) as Box<dyn Authorizer>
    };
    hold_to_faults(make, good.clone(), &alice());

    let yes = json!({"decision": true});
    for (what, evaluations) in [
        ("a missing answer", json!([yes])),
        ("one too many", json!([yes, yes, yes])),
        ("none", json!([])),
        ("a text", json!([yes, {"decision": "true"}])),
        ("a number", json!([yes, {"decision": 1}])),
        ("no decision", json!([yes, {}])),
        ("an object", json!({"0": yes, "1": yes})),
    ] {
        let server = always(Reply::Json(json!({"evaluations": evaluations})));
        assert_eq!(point(server.endpoint()).check(&alice(), &["a", "b"]).expect_err(what).kind(), Kind::Unavailable);
    }
    let twice = r#"{"evaluations": [{"decision": false, "decision": true}, {"decision": true}]}"#;
    let server = always(Reply::Other(200, "", twice.into()));
    assert!(point(server.endpoint()).check(&alice(), &["a", "b"]).is_err());
    let server = always(Reply::Json(good[0].clone()));
    assert_eq!(point(server.endpoint()).check(&alice(), &["a", "b"]).unwrap(), [true, true]);
}

#[test]
fn a_list_ends_or_is_not_complete_or_is_a_fault() {
    let settings = |server: &Server| AuthZenSettings { search: true, ..AuthZenSettings::new(server.endpoint()) };
    let list = |settings| AuthZen::new(settings).unwrap().list(&alice());
    let server = pdp(&[("alice", "a"), ("alice", "b"), ("alice", "c")]);
    assert_eq!(list(settings(&server)).unwrap(), listed(&["a", "b", "c"], true));
    assert_eq!(list(AuthZenSettings { max_listed: 2, ..settings(&server) }).unwrap(), listed(&["a", "b"], false));
    let hurried = AuthZenSettings { list_deadline: Duration::ZERO, ..settings(&server) };
    assert_eq!(list(hurried).unwrap_err().kind(), Kind::Unavailable);
    for answer in [
        json!({"results": [], "page": {"next_token": "again"}}),
        json!({"results": [{"type": "folder", "id": "a"}]}),
        json!({"results": [{"type": "document"}]}),
        json!({"results": ["a"]}),
    ] {
        assert_eq!(list(settings(&always(Reply::Json(answer)))).unwrap_err().kind(), Kind::Unavailable);
    }
}
