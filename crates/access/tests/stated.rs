//! What is stated is held to its limits, and said again as it was.

use std::collections::BTreeSet;

use safepassage_access::{
    AccessEvent, AccessPlane, Acl, Binding, DocumentNumber, Explanation, GroupLimits, Identity, IdentityRecord,
    Inherit, LabelRank, Labels, Principal, Tenant, Version,
};
use safepassage_error::system::{Clock, Timestamp};

fn clock() -> Clock {
    Clock::fixed(Timestamp(0))
}

fn groups(n: usize) -> BTreeSet<Principal> {
    (0..n).map(|n| Principal::group(&format!("g{n}"))).collect()
}

#[test]
fn acls_are_taken_up_to_their_limits() {
    let all_of = |n| Acl { all_of: BTreeSet::from([groups(n)]), ..Acl::default() };
    assert!(all_of(1).check().is_ok() && all_of(64).check().is_ok());
    assert!(all_of(0).check().is_err() && all_of(65).check().is_err());
    let named = |name: &str| Acl::under(name).check();
    assert!(named("x").is_ok() && named(&"x".repeat(1024)).is_ok());
    assert!(named("").is_err() && named(&"x".repeat(1025)).is_err() && named("a\nb").is_err());
    let nameless = Principal::user("");
    for acl in [
        Acl::new([nameless.clone()], []),
        Acl::new([], [nameless.clone()]),
        Acl { all_of: BTreeSet::from([BTreeSet::from([nameless])]), ..Acl::default() },
    ] {
        assert!(acl.check().is_err(), "{acl:?}");
    }
    assert!(Acl::default().is_empty() && !Acl::under("x").is_empty() && !all_of(1).is_empty());
    let written = |acl: &Acl| serde_json::to_string(acl).unwrap();
    assert!(!written(&Acl::under("x")).contains("inherit"));
    assert!(written(&Acl { inherit: Inherit::BothPermit, ..Acl::under("x") }).contains("both-permit"));
}

#[test]
fn labels_know_their_ends() {
    let labels = Labels::default();
    assert_eq!((labels.highest(), labels.name(labels.highest())), (LabelRank(3), "restricted"));
    assert!(labels.contains(LabelRank(3)) && !labels.contains(LabelRank(4)));
    let internal = labels.with_default("internal").unwrap();
    assert_eq!(internal.default_rank(), LabelRank(1));
    assert!(internal.with_default("secret").is_err());
}

#[test]
fn an_identity_says_what_it_was_made_of() {
    let record: IdentityRecord = serde_json::from_str(
        r#"{"issuer": "https://x", "user": "ann", "groups": ["g"], "groups_complete": true, "attributes": {"desk": "fx"}}"#,
    )
    .unwrap();
    let ann = record.assert().issue(&clock()).unwrap();
    assert_eq!((ann.issuer(), ann.user(), ann.attributes().len()), (Some("https://x"), Some("ann"), 1));
    let bob = Identity::asserted("bob").issue(&clock()).unwrap();
    assert_eq!((bob.issuer(), bob.attributes().len()), (None, 0));
    assert_ne!(ann.digest().to_string(), bob.digest().to_string());
    assert!(ann.digest().to_string().len() >= 32);
    assert!(Identity::asserted("").issue(&clock()).is_err());
    assert!(Identity::asserted("ann").groups([""]).issue(&clock()).is_err());
    // A function that knows groups does not know that it knows all of them.
    let none = |_: &Principal| Ok(Vec::new());
    let unsure =
        Identity::asserted("ann").groups_complete(false).resolve_groups(&none, GroupLimits::default()).unwrap();
    assert!(!unsure.issue(&clock()).unwrap().groups_complete());
}

fn explained(acl: Acl, who: &Identity) -> Explanation {
    let number = DocumentNumber(0);
    let events = [
        AccessEvent::Created { labels: Labels::default() },
        AccessEvent::Numbered { tenant: Tenant::default(), id: "d".into(), number },
        AccessEvent::Bound { number, binding: Binding::by_source(Version(1), acl, LabelRank(0)) },
    ];
    let mut plane = AccessPlane::default();
    plane.apply(1, &events).unwrap();
    plane.explain(who, "d", Some(Version(1)), Timestamp(0)).unwrap()
}

fn effects(explanation: &Explanation) -> Vec<(&str, Option<&str>)> {
    explanation.reasons.iter().map(|reason| (reason.effect, reason.principal.as_deref())).collect()
}

#[test]
fn reasons_are_those_that_counted() {
    let ann = Identity::asserted("ann").groups(["a", "b"]).issue(&clock()).unwrap();
    let both = |names: [&str; 2]| BTreeSet::from([names.map(Principal::group).into_iter().collect::<BTreeSet<_>>()]);
    let allowed = explained(Acl { all_of: both(["a", "b"]), ..Acl::default() }, &ann);
    assert_eq!((allowed.visible, effects(&allowed)), (true, vec![("allow", Some("group:a and group:b"))]));
    let missing = explained(Acl { all_of: both(["a", "c"]), ..Acl::default() }, &ann);
    assert_eq!((missing.visible, effects(&missing)), (false, vec![("no_allow", None)]));
    let denied = explained(Acl::new([Principal::group("a")], [Principal::group("b")]), &ann);
    assert_eq!(effects(&denied), [("allow", Some("group:a")), ("deny", Some("group:b"))]);
    assert_eq!(denied.reasons[1].object, "document ACL");
    // Complete groups are no reason, and a deny of a user is none for somebody whose groups are not known.
    let unsure = Identity::asserted("ann").groups(["a"]).groups_complete(false).issue(&clock()).unwrap();
    let by_group = Acl::new([Principal::group("a")], [Principal::group("x")]);
    assert_eq!(effects(&explained(by_group.clone(), &unsure))[1], ("groups_incomplete", None));
    assert_eq!(effects(&explained(by_group, &ann)), [("allow", Some("group:a"))]);
    let by_user = Acl::new([Principal::group("a")], [Principal::user("eve")]);
    assert_eq!(effects(&explained(by_user, &unsure)), [("allow", Some("group:a"))]);
}

#[test]
fn a_path_goes_through_the_groups_that_led_there() {
    let parents = |member: &Principal| {
        Ok(match member.to_string().as_str() {
            "user:ann" => vec!["team".to_owned()],
            "group:team" => vec!["unit".to_owned(), "team".to_owned()],
            "group:unit" => vec!["company".to_owned(), "team".to_owned()],
            _ => Vec::new(),
        })
    };
    let ann = Identity::asserted("ann").resolve_groups(&parents, GroupLimits::default()).unwrap();
    let ann = ann.issue(&clock()).unwrap();
    let path = |group: &str| explained(Acl::new([Principal::group(group)], []), &ann).reasons[0].path.join(" > ");
    assert_eq!(path("company"), "user:ann > group:team > group:unit > group:company > document ACL");
    assert_eq!(path("team"), "user:ann > group:team > document ACL");
}

#[test]
fn a_label_that_came_with_newer_content_is_not_that_of_older() {
    let mut plane = AccessPlane::default();
    let number = DocumentNumber(0);
    let bound = |version: u128, label: u8| {
        let binding = Binding::by_source(Version(version), Acl::new([Principal::Everyone], []), LabelRank(label));
        AccessEvent::Bound { number, binding }
    };
    let numbered = AccessEvent::Numbered { tenant: Tenant::default(), id: "a".into(), number };
    plane.apply(1, &[AccessEvent::Created { labels: Labels::default() }, numbered, bound(1, 3), bound(2, 1)]).unwrap();
    let stored = AccessPlane::from_columns(1, std::sync::Arc::new(plane.to_columns().unwrap())).unwrap();
    for plane in [&plane, &stored] {
        let label = |version: u128| plane.label_of(number, Version(version)).map(|label| label.0);
        // Of content that nobody spoke of, the highest.
        assert_eq!([label(1), label(2), label(7)], [Some(3), Some(1), Some(3)]);
        assert_eq!(plane.label_of(DocumentNumber(1), Version(1)), None);
    }
    plane.apply(2, &[bound(1, 0)]).unwrap();
    assert_eq!(plane.label_of(number, Version(1)), Some(LabelRank(0)));
}
