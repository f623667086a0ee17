//! What changes is what holds from then on, and what could not be applied is refused before it is written.

use std::sync::Arc;

use safepassage_access::{
    AccessEvent, AccessPlane, Acl, Binding, DocumentNumber, Identity, Input, LabelRank, Labels, ObjectStatement,
    Origin, Principal, Tenant, Version,
};
use safepassage_error::Kind;
use safepassage_error::system::{Clock, Timestamp};

const DOCUMENT: DocumentNumber = DocumentNumber(0);

fn stated(name: &str, acl: Acl) -> AccessEvent {
    let statement = ObjectStatement { acl: Some(acl), source_acl: None, origin: Origin::Set };
    AccessEvent::ObjectStated { tenant: Tenant::default(), name: name.into(), statement }
}

fn bound(number: DocumentNumber, acl: Acl) -> AccessEvent {
    AccessEvent::Bound { number, binding: Binding::by_source(Version(1), acl, LabelRank(2)) }
}

fn numbered(id: &str, number: u32) -> AccessEvent {
    AccessEvent::Numbered { tenant: Tenant::default(), id: id.into(), number: DocumentNumber(number) }
}

/// A plane with one document, which has this ACL.
fn plane(acl: Acl) -> AccessPlane {
    let mut plane = AccessPlane::default();
    let created = AccessEvent::Created { labels: Labels::default() };
    plane.apply(1, &[created, numbered("d", 0), bound(DOCUMENT, acl)]).unwrap();
    plane
}

fn change(plane: &mut AccessPlane, event: AccessEvent) {
    plane.check(std::slice::from_ref(&event)).unwrap();
    plane.apply(plane.epoch() + 1, &[event]).unwrap();
}

/// Whether somebody of this group sees the document; a plane that was opened anew must say the same.
fn sees(plane: &AccessPlane, group: &str) -> bool {
    let clock = Clock::fixed(Timestamp(0));
    let who = Identity::asserted("ann").groups([group]).clearance("restricted").issue(&clock).unwrap();
    let opened = AccessPlane::restore(plane.epoch(), &plane.export()).unwrap();
    let [now, anew] = [plane, &opened].map(|plane| plane.explain(&who, "d", None, Timestamp(0)).unwrap().visible);
    assert_eq!(now, anew, "{group}");
    now
}

#[test]
fn an_object_that_moves_is_asked_after_its_new_parent() {
    let allow = |group: &str| Acl::new([Principal::group(group)], []);
    let mut plane = plane(Acl::under("leaf"));
    for (name, acl) in [
        ("old", allow("old")),
        ("top", allow("top")),
        ("leaf", Acl::under("old")),
        ("mid", Acl::under("top")),
        ("new", Acl { allow: allow("new").allow, ..Acl::under("mid") }),
    ] {
        change(&mut plane, stated(name, acl));
    }
    assert!(sees(&plane, "old") && !sees(&plane, "new") && !sees(&plane, "top"));
    // It was asked before what it is under now.
    change(&mut plane, stated("leaf", Acl::under("new")));
    assert!(!sees(&plane, "old") && sees(&plane, "new") && sees(&plane, "top"));
    // What stays where it is says something else.
    change(&mut plane, stated("mid", Acl { deny: allow("new").allow, ..Acl::under("top") }));
    assert!(!sees(&plane, "new") && sees(&plane, "top"));
    let (tenant, name, principal) = (Tenant::default(), "top".into(), Principal::group("top"));
    change(&mut plane, AccessEvent::ObjectRevoked { tenant: tenant.clone(), name, principal: principal.clone() });
    assert!(!sees(&plane, "top"));
    let (name, reason) = ("top".into(), "by mistake".to_owned());
    change(&mut plane, AccessEvent::ObjectRestored { tenant, name, principal, reason });
    assert!(sees(&plane, "top"));
    // Nothing is stated of it any more: it denies, and all that is under it.
    let statement = ObjectStatement { acl: None, source_acl: None, origin: Origin::Set };
    change(&mut plane, AccessEvent::ObjectStated { tenant: Tenant::default(), name: "new".into(), statement });
    assert!(!sees(&plane, "top"));
}

#[test]
fn a_document_has_the_label_it_was_bound_with() {
    let plane = plane(Acl::new([Principal::Everyone], []));
    assert_eq!(
        (plane.label_of(DOCUMENT, Version(1)), plane.label_of(DocumentNumber(1), Version(1))),
        (Some(LabelRank(2)), None)
    );
    assert!(Version(7).to_string().ends_with('7'));
    // Opened from a snapshot it has it too, and another one once it is bound anew.
    let mut opened = AccessPlane::from_columns(plane.epoch(), Arc::new(plane.to_columns().unwrap())).unwrap();
    assert_eq!(opened.label_of(DOCUMENT, Version(1)), Some(LabelRank(2)));
    let binding = Binding::by_source(Version(2), Acl::default(), LabelRank(1));
    change(&mut opened, AccessEvent::Bound { number: DOCUMENT, binding });
    assert_eq!(opened.label_of(DOCUMENT, Version(2)), Some(LabelRank(1)));
    // What came with newer content is not meant for older.
    assert_eq!(opened.label_of(DOCUMENT, Version(1)), Some(LabelRank(2)));
    let binding = Binding::by_source(Version(2), Acl::default(), LabelRank(3));
    change(&mut opened, AccessEvent::Bound { number: DOCUMENT, binding });
    assert_eq!(opened.label_of(DOCUMENT, Version(2)), Some(LabelRank(3)));
    assert_eq!(opened.label_of(DOCUMENT, Version(1)), Some(LabelRank(3)));
}

#[test]
fn what_could_not_be_applied_is_refused() {
    let mut plane = plane(Acl::default());
    change(&mut plane, stated("folder", Acl::default()));
    let derived = |number: u32, from: u32| {
        let input = Input { number: DocumentNumber(from), version: Version(1) };
        let binding = Binding::by_source(Version(1), Acl::default(), LabelRank(0));
        AccessEvent::Bound { number: DocumentNumber(number), binding: Binding { derived_from: vec![input], ..binding } }
    };
    let nobody = Principal::user("");
    let sections = vec![Acl::default(); 65_535];
    let narrowed = |sections: Vec<Acl>| {
        let binding = Binding::by_source(Version(1), Acl::default(), LabelRank(0));
        AccessEvent::Bound { number: DOCUMENT, binding: Binding { sections, ..binding } }
    };
    let refused: &[&[AccessEvent]] = &[
        &[derived(0, 0)],
        &[derived(0, 1)],
        &[numbered("e", 1), derived(1, 2)],
        &[numbered("e", 2)],
        &[numbered("d", 1)],
        &[numbered("e", 1), numbered("e", 2)],
        &[bound(DocumentNumber(1), Acl::default())],
        &[AccessEvent::Revoked { number: DocumentNumber(1), principal: Principal::user("ann") }],
        &[AccessEvent::Revoked { number: DOCUMENT, principal: nobody.clone() }],
        &[AccessEvent::Bound {
            number: DOCUMENT,
            binding: Binding::by_source(Version(1), Acl::default(), LabelRank(4)),
        }],
        &[bound(DOCUMENT, Acl::new([nobody], []))],
        &[AccessEvent::MaxAge { max_age_ms: None, reason: " ".into() }],
        &[AccessEvent::Created { labels: Labels::default() }],
        &[stated("leaf", Acl::under("nowhere"))],
        &[stated("folder", Acl::under("folder"))],
        &[stated("leaf", Acl::under("folder")), stated("folder", Acl::under("leaf"))],
        &[narrowed(sections.clone())],
    ];
    for events in refused {
        let error = plane.check(events).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{events:?}");
    }
    let taken: &[&[AccessEvent]] = &[
        &[numbered("e", 1), derived(1, 0)],
        &[numbered("e", 1), numbered("f", 2), derived(0, 2)],
        &[stated("leaf", Acl::under("folder"))],
        &[stated("leaf", Acl::under("other")), stated("other", Acl::default())],
        &[narrowed(sections[1..].to_vec())],
    ];
    for events in taken {
        plane.check(events).unwrap();
    }
}
