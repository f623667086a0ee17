//! The comparison that kept snapshots are verified by: planes that say anything else of anything are not the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use safepassage_access::{
    AccessEvent, AccessPlane, Acl, Attribute, Binding, DocumentNumber, Input, LabelRank, Labels, ObjectStatement,
    Origin, PolicySource, Principal, Tenant, Version,
};

fn allow(group: &str) -> Acl {
    Acl::new([Principal::group(group)], [])
}

/// What is said of a plane with two documents, one of them derived from the other, under an object.
#[derive(Clone)]
struct Said {
    labels: Labels,
    ids: [&'static str; 2],
    tenant: Tenant,
    binding: Binding,
    input: Acl,
    object: &'static str,
    statement: ObjectStatement,
    revoked: Principal,
    object_revoked: Principal,
    max_age_ms: Option<u64>,
    policies: Option<PolicySource>,
    more: Vec<AccessEvent>,
}

impl Said {
    fn new() -> Self {
        let derived_from = vec![Input { number: DocumentNumber(0), version: Version(7) }];
        let attributes = BTreeMap::from([("team".to_owned(), Attribute::Integer(3))]);
        let acl = Acl { deny: allow("contractors").allow, ..Acl::under("site") };
        let binding = Binding {
            attributes,
            sections: vec![allow("hr")],
            derived_from,
            ..Binding::by_source(Version(1), acl, LabelRank(1))
        };
        let statement =
            ObjectStatement { acl: Some(allow("all")), source_acl: Some(allow("all")), origin: Origin::Source };
        let policies = PolicySource { language: "cedar".into(), policies: "permit".into(), ..PolicySource::default() };
        Self {
            labels: Labels::default(),
            ids: ["a", "b"],
            tenant: Tenant::default(),
            binding,
            input: allow("all"),
            object: "site",
            statement,
            revoked: Principal::user("ann"),
            object_revoked: Principal::user("bob"),
            max_age_ms: Some(60_000),
            policies: Some(policies),
            more: Vec::new(),
        }
    }

    fn plane(self) -> AccessPlane {
        let Self { labels, ids, tenant, binding, input, object, statement, .. } = self;
        let numbered = |at: usize| {
            let number = DocumentNumber(at as u32);
            AccessEvent::Numbered { tenant: tenant.clone(), id: ids[at].into(), number }
        };
        let of = DocumentNumber(1);
        let input = Binding::by_source(Version(7), input, LabelRank(0));
        let (name, reason) = (object, "a reason".to_owned());
        let mut events = vec![
            AccessEvent::Created { labels },
            numbered(0),
            numbered(1),
            AccessEvent::ObjectStated { tenant: tenant.clone(), name: name.into(), statement },
            AccessEvent::Bound { number: DocumentNumber(0), binding: input },
            AccessEvent::Bound { number: of, binding },
            AccessEvent::Revoked { number: of, principal: self.revoked },
            AccessEvent::ObjectRevoked { tenant: tenant.clone(), name: name.into(), principal: self.object_revoked },
            AccessEvent::MaxAge { max_age_ms: self.max_age_ms, reason: reason.clone() },
            AccessEvent::Policies { source: self.policies, reason },
        ];
        events.extend(self.more);
        let mut plane = AccessPlane::default();
        plane.apply(1, &events).unwrap();
        plane
    }
}

/// As a kept snapshot brings it back.
fn read_again(plane: &AccessPlane) -> AccessPlane {
    AccessPlane::from_columns(plane.epoch(), Arc::new(plane.to_columns().unwrap())).unwrap()
}

#[test]
fn planes_that_differ_in_anything_are_not_the_same() {
    let one = Said::new().plane();
    assert!(one.says_the_same_as(&Said::new().plane()));
    let restored = AccessPlane::restore(1, &one.export()).unwrap();
    assert!(one.says_the_same_as(&restored) && restored.says_the_same_as(&one));

    type Change = fn(&mut Said);
    let changes: [(&str, Change); 26] = [
        ("labels", |said| said.labels = Labels::default().with_default("internal").unwrap()),
        ("ids", |said| said.ids = ["b", "a"]),
        ("an id", |said| said.ids = ["a", "c"]),
        ("a tenant", |said| said.tenant = Tenant("other".into())),
        ("an ACL", |said| said.binding.acl = allow("all")),
        ("the object", |said| said.binding.acl.parent = None),
        ("a denial", |said| said.binding.acl.deny.clear()),
        ("the source's ACL", |said| said.binding.source_acl = allow("all")),
        ("a version", |said| said.binding.version = Version(2)),
        ("a label", |said| said.binding.label = LabelRank(2)),
        ("an origin", |said| said.binding.origin = Origin::Set),
        ("an attribute", |said| drop(said.binding.attributes.insert("team".into(), Attribute::Integer(4)))),
        ("no attribute", |said| said.binding.attributes.clear()),
        ("a section", |said| said.binding.sections[0] = allow("law")),
        ("one more section", |said| said.binding.sections.push(allow("law"))),
        ("an input", |said| said.binding.derived_from[0].version = Version(8)),
        ("no input", |said| said.binding.derived_from.clear()),
        ("an input's ACL", |said| said.input = allow("hr")),
        ("an object's ACL", |said| said.statement.acl = Some(allow("hr"))),
        ("an object without", |said| said.statement.acl = None),
        ("what its source says", |said| said.statement.source_acl = None),
        ("who stated it", |said| said.statement.origin = Origin::Set),
        ("who lost it", |said| said.revoked = Principal::user("eve")),
        ("who lost the object", |said| said.object_revoked = Principal::user("eve")),
        ("an age", |said| said.max_age_ms = None),
        ("policies", |said| said.policies = None),
    ];
    for (what, change) in changes {
        let mut said = Said::new();
        change(&mut said);
        let other = said.plane();
        assert!(!one.says_the_same_as(&other) && !other.says_the_same_as(&one), "{what}");
        assert!(other.says_the_same_as(&AccessPlane::restore(1, &other.export()).unwrap()), "{what}");
        assert!(other.says_the_same_as(&read_again(&other)) && !one.says_the_same_as(&read_again(&other)), "{what}");
    }
    let third = AccessEvent::Numbered { tenant: Tenant::default(), id: "c".into(), number: DocumentNumber(2) };
    let nobody = Principal::group("nobody");
    let more = [
        ("one more document", third),
        ("one more revoked", AccessEvent::Revoked { number: DocumentNumber(0), principal: nobody }),
    ];
    for (what, event) in more {
        let other = Said { more: vec![event], ..Said::new() }.plane();
        assert!(!one.says_the_same_as(&other) && !other.says_the_same_as(&one), "{what}");
    }
    let mut later = Said::new().plane();
    later.apply(2, &[]).unwrap();
    assert!(!one.says_the_same_as(&later) && !later.says_the_same_as(&one), "a later epoch");
}

#[test]
fn documents_of_a_plane_that_was_read_are_found_by_their_names() {
    let name =
        |at: u32| ([Tenant::default(), Tenant("other".into())][at as usize % 2].clone(), format!("d{}", at * 7 % 41));
    let numbered = |at: u32| {
        let (tenant, id) = name(at);
        AccessEvent::Numbered { tenant, id: id.as_str().into(), number: DocumentNumber(at) }
    };
    let events: Vec<AccessEvent> =
        std::iter::once(AccessEvent::Created { labels: Labels::default() }).chain((0..40).map(numbered)).collect();
    let mut plane = AccessPlane::default();
    plane.apply(1, &events).unwrap();
    let restored = read_again(&plane);
    for at in 0..40 {
        let (tenant, id) = name(at);
        assert_eq!(restored.number(&tenant, &id), Some(DocumentNumber(at)));
        let elsewhere = if tenant.0.is_empty() { Tenant("other".into()) } else { Tenant::default() };
        assert_eq!(restored.number(&elsewhere, &id), plane.number(&elsewhere, &id));
    }
    for (tenant, id) in [("", ""), ("", "d"), ("", "d99"), ("another", "d7"), ("zz", "d7")] {
        assert_eq!(restored.number(&Tenant(tenant.into()), id), None);
    }
}
