//! OpenFGA: what is asked on the wire, and what of the answers counts.

use std::time::Duration;

use safepassage_access::{Authorizer, Identity};
use safepassage_error::Kind;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_policy::{Consistency, Endpoint, OpenFga, OpenFgaSettings};
use serde_json::{Value, json};

use crate::server::{Question, Reply, Server, always, hold_to_faults, listed};

fn issue(identity: safepassage_access::AssertedIdentity) -> Identity {
    identity.issue(&Clock::fixed(Timestamp(0))).unwrap()
}

fn alice() -> Identity {
    issue(Identity::asserted("alice"))
}

fn fga(endpoint: Endpoint) -> OpenFga {
    OpenFga::new(OpenFgaSettings::new(endpoint, "store-1")).unwrap()
}

/// An engine that knows (user, object) pairs; it answers batches backwards, since their order means nothing.
fn engine(tuples: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |Question { path, body, .. }| {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
        let allowed = |key: &Value| tuples.contains(&(&text(key, "user"), &text(key, "object")));
        Reply::Json(match path.rsplit('/').next().unwrap() {
            "check" => json!({"allowed": allowed(&body["tuple_key"]), "resolution": ""}),
            "batch-check" => {
                let checks = body["checks"].as_array().unwrap().iter().rev();
                let result = checks.map(|c| (text(c, "correlation_id"), json!({"allowed": allowed(&c["tuple_key"])})));
                json!({"result": result.collect::<serde_json::Map<_, _>>()})
            }
            _ => {
                let user = text(body, "user");
                let objects: Vec<&str> = tuples.iter().filter(|(u, _)| *u == user).map(|(_, object)| *object).collect();
                json!({"objects": objects})
            }
        })
    })
}

#[test]
fn it_is_asked_as_it_documents() {
    let server = engine(&[("user:alice", "document:a"), ("user:alice", "document:c")]);
    let mut settings = OpenFgaSettings::new(server.endpoint(), "store-1");
    settings.model = Some("model-1".into());
    settings.endpoint.bearer_token = Some("secret".into());
    let batches = OpenFga::new(settings.clone()).unwrap();
    assert_eq!(batches.check(&alice(), &["a", "b", "c"]).unwrap(), [true, false, true]);
    assert_eq!(batches.check(&alice(), &[]).unwrap(), [] as [bool; 0]);
    assert_eq!(batches.list(&alice()).unwrap(), listed(&["a", "c"], true));
    settings.max_batch = 1;
    settings.consistency = Consistency::MinimizeLatency;
    assert_eq!(OpenFga::new(settings).unwrap().check(&alice(), &["b"]).unwrap(), [false]);

    let asked = server.asked();
    let key = |object| json!({"user": "user:alice", "relation": "reader", "object": object});
    let check = |i: usize, object| json!({"tuple_key": key(object), "correlation_id": i.to_string()});
    let checks = ["document:a", "document:b", "document:c"].into_iter().enumerate().map(|(i, o)| check(i, o));
    let wanted = [
        (
            "/stores/store-1/batch-check",
            json!({"checks": checks.collect::<Vec<_>>(), "authorization_model_id": "model-1", "consistency": "HIGHER_CONSISTENCY"}),
        ),
        (
            "/stores/store-1/list-objects",
            json!({"authorization_model_id": "model-1", "type": "document", "relation": "reader", "user": "user:alice",
                "consistency": "HIGHER_CONSISTENCY"}),
        ),
        (
            "/stores/store-1/check",
            json!({"tuple_key": key("document:b"), "authorization_model_id": "model-1", "consistency": "MINIMIZE_LATENCY"}),
        ),
    ];
    for (question, (path, body)) in asked.iter().zip(&wanted) {
        assert_eq!((question.path.as_str(), &question.body), (*path, body));
        assert!(question.headers.contains(&"authorization: bearer secret".to_owned()));
        assert!(question.headers.contains(&"content-type: application/json".to_owned()));
    }
    assert_eq!(asked.len(), wanted.len());
}

#[test]
fn no_id_is_a_wildcard_a_userset_or_somebody_elses() {
    let server = engine(&[
        ("user:*", "document:a"),
        ("user:group%3Ahr", "document:a"),
        ("user:https%3A//idp%7Cuser%3Aalice", "document:a"),
        ("user:public", "document:open"),
        ("user:alice", "document:t|a"),
        ("user:alice", "document:t%7Ca"),
        ("user:alice", "document:über%20uns/a%3Ab.md"),
        ("user:alice", "document:no%zz"),
    ]);
    let fga = fga(server.endpoint());
    let can = |identity, id: &str| fga.check(&issue(identity), &[id]).unwrap()[0];
    for user in ["*", "hr#member", "group:hr", "https://idp|user:alice", "public", "user:public"] {
        assert!(!can(Identity::asserted(user), "a") && !can(Identity::asserted(user), "open"), "{user}");
    }
    assert!(can(Identity::asserted("alice").issuer("https://idp"), "a"));
    assert!(can(Identity::anonymous(), "open"));
    assert!(!can(Identity::asserted("alice"), "a"));
    assert!(can(Identity::asserted("alice"), "t|a"), "an id of the tenant without a name");
    assert!(can(Identity::asserted("alice").tenant("t"), "a"), "a document of a tenant");
    assert!(!can(Identity::asserted("alice").tenant("t"), "t|a"));
    assert!(can(Identity::asserted("alice"), "über uns/a:b.md"));
    assert_eq!(fga.list(&alice()).unwrap(), listed(&["t|a", "über uns/a:b.md"], true));
    assert_eq!(fga.list(&issue(Identity::asserted("alice").tenant("t"))).unwrap(), listed(&["a"], true));
    let long = "x".repeat(250);
    assert_eq!(fga.check(&alice(), &[&long, "t|a"]).unwrap(), [false, true], "the engine takes no such name");
    assert_eq!(fga.check(&issue(Identity::asserted(&"x".repeat(600))), &["a"]).unwrap_err().kind(), Kind::Denied);
}

#[test]
fn no_fault_is_an_answer() {
    let good = [
        json!({"result": {"0": {"allowed": true}, "1": {"allowed": true}}}),
        json!({"allowed": true}),
        json!({"objects": ["document:a"]}),
    ];
    let make = |endpoint, max_batch| {
        let settings = OpenFgaSettings { max_batch, ..OpenFgaSettings::new(endpoint, "s") };
        Box::new(OpenFga::new(settings).unwrap()) as Box<dyn Authorizer>
    };
    hold_to_faults(make, good.clone(), &alice());

    let yes = r#"{"allowed": true}"#;
    let batches = [
        ("a missing answer", json!({"result": {"0": {"allowed": true}}}).to_string()),
        ("one for another question", format!(r#"{{"result": {{"0": {yes}, "2": {yes}}}}}"#)),
        ("one too many", format!(r#"{{"result": {{"0": {yes}, "1": {yes}, "x": {yes}}}}}"#)),
        ("an id that only looks the same", format!(r#"{{"result": {{"0": {yes}, "01": {yes}}}}}"#)),
        ("the same twice", format!(r#"{{"result": {{"0": {{"allowed": false}}, "0": {yes}, "1": {yes}}}}}"#)),
        ("a fault of one", format!(r#"{{"result": {{"0": {yes}, "1": {{"error": {{"message": "deadline"}}}}}}}}"#)),
        ("both", format!(r#"{{"result": {{"0": {yes}, "1": {{"allowed": true, "error": {{}}}}}}}}"#)),
        ("neither", format!(r#"{{"result": {{"0": {yes}, "1": {{}}}}}}"#)),
        ("a text", format!(r#"{{"result": {{"0": {yes}, "1": {{"allowed": "true"}}}}}}"#)),
        ("a number", format!(r#"{{"result": {{"0": {yes}, "1": {{"allowed": 1}}}}}}"#)),
        ("a list", format!(r#"{{"result": [{yes}, {yes}]}}"#)),
    ];
    for (what, body) in batches {
        let error = fga(always(Reply::Other(200, "", body)).endpoint()).check(&alice(), &["a", "b"]).expect_err(what);
        assert_eq!(error.kind(), Kind::Unavailable, "{what}");
    }
    for objects in [json!(["folder:a"]), json!(["document"]), json!(["documents:a"]), json!([1]), json!("document:a")] {
        let error = fga(always(Reply::Json(json!({"objects": objects}))).endpoint()).list(&alice()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{objects}");
    }
    let fine = fga(always(Reply::Json(good[0].clone())).endpoint());
    assert_eq!(fine.check(&alice(), &["a", "b"]).unwrap(), [true, true]);
}

#[test]
fn a_list_that_may_have_been_cut_is_not_complete() {
    let server = always(Reply::Json(json!({"objects": ["document:a", "document:b"]})));
    let list = |list_limit, list_deadline| {
        let settings = OpenFgaSettings { list_limit, list_deadline, ..OpenFgaSettings::new(server.endpoint(), "s") };
        OpenFga::new(settings).unwrap().list(&alice())
    };
    assert_eq!(list(3, Duration::from_secs(3600)).unwrap(), listed(&["a", "b"], true));
    assert_eq!(list(2, Duration::from_secs(3600)).unwrap(), listed(&["a", "b"], false));
    assert_eq!(list(3, Duration::ZERO).unwrap(), listed(&["a", "b"], false));
    let never = OpenFgaSettings { list: false, ..OpenFgaSettings::new(server.endpoint(), "s") };
    assert_eq!(OpenFga::new(never).unwrap().list(&alice()).unwrap(), None);
}

#[test]
fn settings_that_would_change_the_question_are_refused() {
    let endpoint = || Endpoint::at("https://fga.example.com");
    let base = || OpenFgaSettings::new(endpoint(), "s");
    for settings in [
        OpenFgaSettings::new(endpoint(), ""),
        OpenFgaSettings::new(endpoint(), "s/../other"),
        OpenFgaSettings::new(Endpoint::at("http://fga.example.com"), "s"),
        OpenFgaSettings { model: Some("m?".into()), ..base() },
        OpenFgaSettings { relation: "reader@x".into(), ..base() },
        OpenFgaSettings { document_type: "a:b".into(), ..base() },
        OpenFgaSettings { user_type: String::new(), ..base() },
        OpenFgaSettings { max_batch: 0, ..base() },
        OpenFgaSettings { list_limit: 0, ..base() },
    ] {
        assert_eq!(OpenFga::new(settings.clone()).unwrap_err().kind(), Kind::Invalid, "{settings:?}");
    }
    let small = OpenFga::new(OpenFgaSettings { max_batch: 2, ..base() }).unwrap();
    assert_eq!(small.check(&alice(), &["a", "b", "c"]).unwrap_err().kind(), Kind::Invalid);
}
