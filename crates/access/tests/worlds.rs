//! The plane against the specification, on random worlds.

use std::sync::Arc;

use proptest::prelude::*;
use roaring::RoaringBitmap;
use safepassage_access::specification::World;
use safepassage_access::*;
use safepassage_error::system::{Clock, Timestamp};

const DOCUMENTS: u32 = 6;

fn principal() -> impl Strategy<Value = Principal> {
    prop_oneof![
        Just(Principal::Public),
        Just(Principal::Everyone),
        (0..4u8).prop_map(|i| Principal::user(&format!("u{i}"))),
        (0..5u8).prop_map(|i| Principal::group(&format!("g{i}"))),
        (0..2u8).prop_map(|i| format!("idp|group:g{i}").parse().unwrap()),
    ]
}

fn acl() -> impl Strategy<Value = Acl> {
    let some = |most| proptest::collection::btree_set(principal(), 0..most);
    let all_of = proptest::collection::btree_set(proptest::collection::btree_set(principal(), 1..4), 0..3);
    let any = (some(4), all_of, some(3));
    let any = any.prop_map(|(allow, all_of, deny)| Acl { all_of, ..Acl::new(allow, deny) });
    let own = prop_oneof![
        2 => Just(Acl::new([Principal::Everyone], [])),
        1 => Just(Acl::new([Principal::user("u0")], [])),
        1 => Just(Acl::default()),
        3 => any
    ];
    let inherit = prop_oneof![
        Just(Inherit::DenyWins),
        Just(Inherit::ChildOverrides),
        Just(Inherit::ParentOverrides),
        Just(Inherit::BothPermit)
    ];
    (own, proptest::option::of((object(), inherit))).prop_map(|(own, parent)| match parent {
        None => own,
        Some((name, inherit)) => Acl { parent: Some(name), inherit, ..own },
    })
}

fn object() -> impl Strategy<Value = Box<str>> {
    (0..5u8).prop_map(|i| format!("o{i}").into())
}

fn tenant(odd: bool) -> Tenant {
    Tenant(if odd { "other".into() } else { String::new() })
}

fn event() -> impl Strategy<Value = AccessEvent> {
    let number = (0..DOCUMENTS).prop_map(DocumentNumber);
    let sections = prop_oneof![2 => Just(Vec::new()), 1 => proptest::collection::vec(acl(), 0..3)];
    let input = (0..DOCUMENTS, 0..4u128);
    let input = input.prop_map(|(number, version)| Input { number: DocumentNumber(number), version: Version(version) });
    let derived_from = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(input, 1..3)];
    let bound = (number.clone(), 0..4u128, acl(), 0..4u8, sections, (0..3u8, derived_from));
    let bound = bound.prop_map(|(number, version, acl, label, sections, (attribute, derived_from))| {
        let attributes = [("dept".to_owned(), Attribute::Integer(attribute.into()))].into();
        let binding = Binding {
            sections,
            derived_from,
            attributes: if attribute == 0 { Default::default() } else { attributes },
            ..Binding::by_source(Version(version), acl, LabelRank(label / 3))
        };
        AccessEvent::Bound { number, binding }
    });
    let revoked =
        (number.clone(), principal()).prop_map(|(number, principal)| AccessEvent::Revoked { number, principal });
    let restored = (number, principal()).prop_map(|(number, principal)| AccessEvent::Restored {
        number,
        principal,
        reason: "mistake".into(),
    });
    let stated = (any::<bool>(), object(), proptest::option::weighted(0.9, acl()));
    let stated = stated.prop_map(|(odd, name, acl)| {
        let statement = ObjectStatement { acl, source_acl: None, origin: Origin::Set };
        AccessEvent::ObjectStated { tenant: tenant(odd), name, statement }
    });
    let taken = (any::<bool>(), object(), principal(), any::<bool>()).prop_map(|(odd, name, principal, lost)| {
        let tenant = tenant(odd);
        if lost {
            AccessEvent::ObjectRevoked { tenant, name, principal }
        } else {
            AccessEvent::ObjectRestored { tenant, name, principal, reason: "mistake".into() }
        }
    });
    let age = proptest::option::of(1..9u64);
    let age = age.prop_map(|max_age_ms| AccessEvent::MaxAge { max_age_ms, reason: "custom".into() });
    prop_oneof![24 => bound, 8 => revoked, 4 => restored, 24 => stated, 4 => taken, 1 => age]
}

fn identity() -> impl Strategy<Value = Identity> {
    let groups = proptest::collection::btree_set(0..5u8, 0..4);
    (proptest::option::of(0..4u8), groups, any::<bool>(), any::<bool>(), proptest::option::of(0..3usize), 0..5u8)
        .prop_map(|(user, groups, complete, foreign, clearance, tenant)| {
            let user = user.map(|u| format!("u{u}"));
            let groups: Vec<String> = groups.iter().map(|g| format!("g{g}")).collect();
            let mut identity = user.as_deref().map_or_else(Identity::anonymous, Identity::asserted);
            identity = identity.groups(groups.iter().map(String::as_str)).groups_complete(complete);
            if foreign {
                identity = identity.issuer("idp");
            }
            if let Some(clearance) = clearance {
                identity = identity.clearance(["public", "internal", "confidential"][clearance]);
            }
            if tenant == 0 {
                identity = identity.tenant("other");
            }
            identity.issue(&Clock::fixed(Timestamp(0))).unwrap()
        })
}

/// Numbers even documents in the default tenant and odd ones in another; every document has a row of each version.
fn start() -> (AccessPlane, World, Vec<SegmentAccess>) {
    let mut events = vec![AccessEvent::Created { labels: Labels::default() }];
    for n in 0..DOCUMENTS {
        let tenant = tenant(n % 2 == 1);
        events.push(AccessEvent::Numbered { tenant, id: format!("d{n}").into(), number: DocumentNumber(n) });
    }
    let (mut plane, mut world) = (AccessPlane::default(), World::default());
    plane.apply(1, &events).unwrap();
    events.into_iter().for_each(|e| world.push(e));
    let mut segments = Vec::new();
    for version in 0..4 {
        for odd in 0..2 {
            let numbers: Vec<_> = (0..DOCUMENTS).filter(|n| n % 2 == odd).map(DocumentNumber).collect();
            let first_row = (0..=numbers.len() as u32).map(|i| i * 4).collect();
            let versions = vec![Version(version); numbers.len()];
            let column = Column::new(tenant(odd == 1), numbers, versions, first_row).unwrap();
            // The last versions have narrower sections, of which the first document begins with one.
            let sections = [1, 1, 0, 2, 0, 1, 2, 1, 0, 0, 0, 3].map(|section| if version < 2 { 0 } else { section });
            let column = column.with_sections(&sections).unwrap();
            segments.push(SegmentAccess::new(column));
        }
    }
    (plane, world, segments)
}

fn expected(world: &World, segment: &SegmentAccess, identity: &Identity) -> RoaringBitmap {
    let column = segment.column();
    (0..column.rows())
        .filter(|row| {
            let (number, version) = column.document(column.document_of(*row).unwrap());
            let section = column.section_of(*row);
            let id = format!("d{}", number.0);
            world.may_read_section(identity, column.tenant(), &id, version, section, Timestamp(0))
        })
        .collect()
}

fn expected_documents(world: &World, segment: &SegmentAccess, identity: &Identity) -> RoaringBitmap {
    let column = segment.column();
    (0..column.documents())
        .filter(|&i| {
            let (number, version) = column.document(i);
            world.may_read(identity, column.tenant(), &format!("d{}", number.0), version, Timestamp(0))
        })
        .map(|i| i as u32)
        .collect()
}

/// The plane as a snapshot of the log brings it back.
fn from_columns(plane: &AccessPlane) -> AccessPlane {
    let restored = AccessPlane::from_columns(plane.epoch(), Arc::new(plane.to_columns().unwrap())).unwrap();
    assert!(plane.says_the_same_as(&restored) && restored.says_the_same_as(plane));
    assert_eq!(restored.export(), plane.export());
    restored
}

/// The plane as a snapshot of format 1 brings it back.
struct Restored(AccessPlane);

impl Restored {
    fn visible_with(&self, segment: &SegmentAccess, identity: &Identity) -> Visible {
        segment.visible(&self.0, &self.0.permitted(identity, Timestamp(0)).unwrap()).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, rng_seed: proptest::test_runner::RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn visible_equals_the_specification_at_every_epoch(
        batches in proptest::collection::vec((proptest::collection::vec(event(), 1..6), 0..3u8), 1..8),
        identities in proptest::collection::vec(identity(), 1..6),
    ) {
        let (mut plane, mut world, segments) = start();
        for (i, (batch, reopened)) in batches.into_iter().enumerate() {
            let mut accepted: Vec<AccessEvent> = Vec::new();
            for event in batch {
                accepted.push(event);
                if let Err(error) = plane.check(&accepted) {
                    let expected = ["would be above themselves", "unknown parent", "derived from itself"];
                    prop_assert!(expected.iter().any(|what| error.message().contains(what)), "{}", error);
                    accepted.pop();
                }
            }
            let batch = accepted;
            plane.apply(i as u64 + 2, &batch).unwrap();
            if reopened == 0 {
                plane = from_columns(&plane);
            }
            batch.into_iter().for_each(|e| world.push(e));
            let restored = Restored(AccessPlane::restore(plane.epoch(), &plane.export()).unwrap());
            let reopened = Restored(from_columns(&plane));
            for identity in &identities {
                let permitted = plane.permitted(identity, Timestamp(0)).unwrap();
                for segment in &segments {
                    let want = expected(&world, segment, identity);
                    let cold = segment.visible(&plane, &permitted).unwrap();
                    let warm = segment.visible(&plane, &permitted).unwrap();
                    prop_assert_eq!(&cold.rows(), &want);
                    prop_assert_eq!(&warm.rows(), &want);
                    let fresh = SegmentAccess::new(segment.column().clone());
                    let again = restored.visible_with(&fresh, identity);
                    prop_assert_eq!(&again.rows(), &want);
                    let fresh = SegmentAccess::new(segment.column().clone());
                    let again = reopened.visible_with(&fresh, identity);
                    prop_assert_eq!(&again.rows(), &want);
                    let documents = expected_documents(&world, segment, identity);
                    prop_assert_eq!(&segment.visible_documents(&plane, &permitted).unwrap(), &documents);
                    for i in 0..segment.column().documents() {
                        let (number, version) = segment.column().document(i);
                        let explained = plane.explain(identity, &format!("d{}", number.0), Some(version), Timestamp(0));
                        let Ok(explained) = explained else {
                            prop_assert!(!documents.contains(i as u32));
                            continue;
                        };
                        prop_assert_eq!(explained.visible, documents.contains(i as u32));
                        let speaks_against = |effect| !["allow", "deny", "not_stated", "groups_incomplete"].contains(&effect);
                        let against = explained.reasons.iter().any(|reason| speaks_against(reason.effect));
                        let allowed = explained.reasons.iter().any(|reason| reason.effect == "allow");
                        prop_assert!(!explained.visible || (allowed && !against), "{:?}", explained);
                        prop_assert!(explained.reasons.iter().all(|reason| reason.effect != "policy"), "{:?}", explained);
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, rng_seed: proptest::test_runner::RngSeed::Fixed(9), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn documents_are_found_by_name_before_and_after_a_snapshot(
        names in proptest::collection::vec(("[a-c]{0,2}|é", "[a-e]{1,3}|ü|日本"), 1..40),
        snapshots in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let mut plane = AccessPlane::default();
        plane.apply(1, &[AccessEvent::Created { labels: Labels::new(vec!["a".into(), "b".into()], Some("b")).unwrap() }]).unwrap();
        let mut numbers = std::collections::BTreeMap::new();
        for (name, snapshot) in names.into_iter().zip(snapshots) {
            let (tenant, id) = (Tenant(name.0.clone()), name.1.as_str());
            let number = DocumentNumber(plane.next_number());
            prop_assert_eq!(plane.number(&tenant, id), numbers.get(&name).copied());
            let event = AccessEvent::Numbered { tenant, id: id.into(), number };
            if numbers.contains_key(&name) {
                let mut copy = from_columns(&plane);
                prop_assert!(copy.apply(copy.epoch() + 1, &[event]).is_err());
                continue;
            }
            plane.apply(plane.epoch() + 1, &[event]).unwrap();
            numbers.insert(name, number);
            if snapshot {
                plane = from_columns(&plane);
            }
            for ((tenant, id), number) in &numbers {
                prop_assert_eq!(plane.number(&Tenant(tenant.clone()), id), Some(*number));
                prop_assert_eq!(plane.id(*number), Some(id.as_str()));
            }
            prop_assert_eq!(plane.labels().name(plane.labels().default_rank()), "b");
        }
    }

    #[test]
    fn damaged_columns_never_panic(
        batch in proptest::collection::vec(event(), 1..20),
        who in identity(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let (mut plane, _, segments) = start();
        plane.apply(2, &batch).unwrap();
        let mut bytes = plane.to_columns().unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let Ok(mut plane) = AccessPlane::from_columns(2, Arc::new(bytes)) else { return Ok(()) };
        for _ in 0..2 {
            for segment in &segments {
                if let Ok(permitted) = plane.permitted(&who, Timestamp(0)) {
                    let _ = segment.visible(&plane, &permitted).unwrap().list();
                }
            }
            for number in (0..plane.next_number().min(50)).map(DocumentNumber) {
                let _ = (plane.document(number), plane.id(number), plane.label_of(number, Version(1)));
                let _ = plane.number(&Tenant::default(), &format!("d{}", number.0));
            }
            let _ = (plane.explain(&who, "d0", None, Timestamp(0)), plane.says_the_same_as(&plane), plane.to_columns());
            let _ = plane.apply(plane.epoch() + 1, &batch);
        }
    }
}

fn one_document(acl: Acl) -> AccessPlane {
    let mut plane = AccessPlane::default();
    let binding = Binding::by_source(Version(1), acl, LabelRank(0));
    let number = DocumentNumber(0);
    plane
        .apply(
            1,
            &[
                AccessEvent::Created { labels: Labels::default() },
                AccessEvent::Numbered { tenant: Tenant::default(), id: "d".into(), number },
                AccessEvent::Bound { number, binding },
            ],
        )
        .unwrap();
    plane
}

fn sees(plane: &AccessPlane, identity: &Identity) -> bool {
    let column = Column::new(Tenant::default(), vec![DocumentNumber(0)], vec![Version(1)], vec![0, 1]).unwrap();
    let permitted = plane.permitted(identity, Timestamp(0)).unwrap();
    !SegmentAccess::new(column).visible(plane, &permitted).unwrap().is_empty()
}

fn clock() -> Clock {
    Clock::fixed(Timestamp(0))
}

#[test]
fn deny_overrides_allow_on_any_principal() {
    let plane = one_document(Acl::new([Principal::user("a"), Principal::Everyone], [Principal::group("g")]));
    assert!(sees(&plane, &Identity::asserted("a").issue(&clock()).unwrap()));
    assert!(!sees(&plane, &Identity::asserted("a").groups(["g"]).issue(&clock()).unwrap()));
    assert!(!sees(&plane, &Identity::asserted("a").groups_complete(false).issue(&clock()).unwrap()));
}

#[test]
fn nothing_stated_permits_nobody_and_everyone_is_not_public() {
    let anonymous = Identity::anonymous().groups(["g"]).issue(&clock()).unwrap();
    let alice = Identity::asserted("alice").issue(&clock()).unwrap();
    assert!(!sees(&one_document(Acl::default()), &alice));
    assert!(!sees(&one_document(Acl::new([Principal::Everyone], [])), &anonymous));
    assert!(!sees(&one_document(Acl::new([Principal::group("g")], [])), &anonymous));
    assert!(sees(&one_document(Acl::new([Principal::Public], [])), &anonymous));
    assert!(sees(&one_document(Acl::new([Principal::Everyone], [])), &alice));
}

#[test]
fn a_widening_with_new_content_does_not_open_the_old_content() {
    let mut plane = one_document(Acl::new([Principal::user("a")], []));
    let everyone = Acl::new([Principal::Everyone], []);
    let binding = Binding::by_source(Version(2), everyone, LabelRank(0));
    plane.apply(2, &[AccessEvent::Bound { number: DocumentNumber(0), binding }]).unwrap();
    assert!(sees(&plane, &Identity::asserted("a").issue(&clock()).unwrap()));
    assert!(!sees(&plane, &Identity::asserted("b").issue(&clock()).unwrap()));
}

#[test]
fn what_is_derived_through_many_steps_is_judged_alike_in_any_order() {
    const CHAIN: u32 = 40;
    let tenant = Tenant::default();
    let orders: [Vec<u32>; 3] =
        [(0..CHAIN).collect(), (0..CHAIN).rev().collect(), (0..CHAIN).map(|n| n * 7 % CHAIN).collect()];
    for order in orders {
        let (mut plane, mut world) = (AccessPlane::default(), World::default());
        let mut events = vec![AccessEvent::Created { labels: Labels::default() }];
        let numbered = |n: u32| {
            let id = format!("d{n}").into();
            AccessEvent::Numbered { tenant: Tenant::default(), id, number: DocumentNumber(n) }
        };
        events.extend((0..CHAIN).map(numbered));
        events.extend(order.iter().map(|&n| {
            let input = n.checked_sub(1).map(|n| Input { number: DocumentNumber(n), version: Version(1) });
            let binding = Binding::by_source(Version(1), Acl::new([Principal::Everyone], []), LabelRank(0));
            let binding = Binding { derived_from: input.into_iter().collect(), ..binding };
            AccessEvent::Bound { number: DocumentNumber(n), binding }
        }));
        plane.apply(1, &events).unwrap();
        events.into_iter().for_each(|event| world.push(event));
        let who = Identity::asserted("a").issue(&clock()).unwrap();
        let permitted = plane.permitted(&who, Timestamp(0)).unwrap();
        let numbers = (0..CHAIN).map(DocumentNumber).collect();
        let versions = vec![Version(1); CHAIN as usize];
        let column = Column::new(tenant.clone(), numbers, versions, (0..=CHAIN).collect()).unwrap();
        let seen = SegmentAccess::new(column).visible(&plane, &permitted).unwrap().rows();
        let may = |n: &u32| world.may_read(&who, &tenant, &format!("d{n}"), Version(1), Timestamp(0));
        let right: RoaringBitmap = (0..CHAIN).filter(may).collect();
        assert!(right.contains(32) && !right.contains(33));
        assert_eq!(seen, right, "stated in the order {order:?}");
    }
}

#[test]
fn expired_and_unknown_clearance_are_typed_errors() {
    let plane = one_document(Acl::new([Principal::Public], []));
    let identity = Identity::asserted("a").ttl_seconds(5).issue(&clock()).unwrap();
    let error = plane.permitted(&identity, Timestamp(5000)).unwrap_err();
    assert_eq!(error.kind(), safepassage_error::Kind::Denied);
    let identity = Identity::asserted("a").clearance("cosmic").issue(&clock()).unwrap();
    let error = plane.permitted(&identity, Timestamp(0)).unwrap_err();
    assert_eq!(error.kind(), safepassage_error::Kind::Invalid);
}
