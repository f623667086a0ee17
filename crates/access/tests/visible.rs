//! A `Visible` as a set: every way to look at it says the same, and it only gets smaller.

use proptest::prelude::*;
use roaring::RoaringBitmap;
use safepassage_access::*;
use safepassage_error::system::{Clock, Timestamp};

/// Document i may be read by user `i % users`; `rows[i]` rows each.
fn segment(users: u32, rows: &[u32]) -> (AccessPlane, SegmentAccess) {
    let mut events = vec![AccessEvent::Created { labels: Labels::default() }];
    for n in 0..rows.len() as u32 {
        let number = DocumentNumber(n);
        let acl = Acl::new([Principal::user(&format!("u{}", n % users))], []);
        let (version, label, origin) = (Version(1), LabelRank(0), Origin::Source);
        let binding = Binding { origin, ..Binding::by_source(version, acl, label) };
        events.push(AccessEvent::Numbered { tenant: Tenant::default(), id: format!("d{n}").into(), number });
        events.push(AccessEvent::Bound { number, binding });
    }
    let mut plane = AccessPlane::default();
    plane.apply(1, &events).unwrap();
    let first_row = std::iter::once(0).chain(rows.iter().scan(0, |end, n| {
        *end += n;
        Some(*end)
    }));
    let numbers = (0..rows.len() as u32).map(DocumentNumber).collect();
    let column = Column::new(Tenant::default(), numbers, vec![Version(1); rows.len()], first_row.collect()).unwrap();
    (plane, SegmentAccess::new(column))
}

fn seen(plane: &AccessPlane, segment: &SegmentAccess, user: u32) -> Visible {
    let identity = Identity::asserted(&format!("u{user}")).issue(&Clock::fixed(Timestamp(0))).unwrap();
    segment.visible(plane, &plane.permitted(&identity, Timestamp(0)).unwrap()).unwrap()
}

fn check(visible: &Visible, want: &RoaringBitmap) {
    let rows = visible.segment_rows();
    assert_eq!(visible.list(), want.iter().collect::<Vec<_>>());
    assert_eq!(&visible.rows(), want);
    assert_eq!((visible.len(), visible.is_empty()), (want.len(), want.is_empty()));
    assert_eq!(visible.words().len(), rows.div_ceil(64) as usize);
    for row in 0..visible.words().len() as u32 * 64 {
        assert_eq!(visible.contains(row), want.contains(row));
        assert_eq!(visible.words()[row as usize / 64] >> (row % 64) & 1 == 1, want.contains(row));
    }
    assert!(![rows, rows + 64, u32::MAX].iter().any(|row| visible.contains(*row)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: proptest::test_runner::RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_visible_is_the_set_it_shows_and_only_gets_smaller(
        rows in prop_oneof![proptest::collection::vec(Just(1u32), 0..200), proptest::collection::vec(0..40u32, 0..40)],
        users in 1..4u32,
        other in proptest::collection::btree_set(0..900u32, 0..200),
    ) {
        let (plane, segment) = segment(users, &rows);
        let other: RoaringBitmap = other.into_iter().collect();
        for user in 0..users + 1 {
            let mine = (0..rows.len()).filter(|i| *i as u32 % users == user);
            let want: RoaringBitmap = mine.flat_map(|i| segment.column().rows_of(i)).collect();
            let visible = seen(&plane, &segment, user);
            check(&visible, &want);
            check(&visible.narrowed_to(&other), &(&want & &other));
            check(&visible.without(&other), &(&want - &other));
            check(&visible.without(&RoaringBitmap::new()), &want);
        }
    }
}

#[test]
fn more_identities_than_can_be_remembered_are_all_told_the_truth() {
    let users = 1_500;
    let (plane, segment) = segment(users, &vec![1; 60_000]);
    for round in 0..2 {
        for user in (0..users).chain(users - 20..users).chain(0..20) {
            let visible = seen(&plane, &segment, user);
            let want: Vec<u32> = (user..60_000).step_by(users as usize).collect();
            assert_eq!(visible.list(), want, "user {user} in round {round}");
        }
    }
}

#[test]
fn another_tenant_sees_as_many_rows_as_there_are_and_none_of_them() {
    let (plane, segment) = segment(2, &[1; 100]);
    let stranger = Identity::asserted("u1").tenant("other").issue(&Clock::fixed(Timestamp(0))).unwrap();
    let permitted = plane.permitted(&stranger, Timestamp(0)).unwrap();
    check(&segment.visible(&plane, &permitted).unwrap(), &RoaringBitmap::new());
}

#[test]
fn a_segment_large_enough_for_several_threads_is_looked_up_as_any_other() {
    let (documents, users) = (150_001, 7);
    let (plane, _) = segment(users, &vec![1; documents as usize]);
    // Rows of a version that nobody named need every ACL ever stated: here the one there is.
    let versions = (0..documents).map(|n| Version(if n % 1_000 == 0 { 9 } else { 1 })).collect();
    let numbers = (0..documents).map(DocumentNumber).collect();
    let column = Column::new(Tenant::default(), numbers, versions, (0..=documents).collect()).unwrap();
    // As it is kept here, and as it is read where it lies, with one binding each.
    let mut stored = AccessPlane::from_columns(1, std::sync::Arc::new(plane.to_columns().unwrap())).unwrap();
    for plane in [&plane, &stored] {
        let segment = SegmentAccess::new(column.clone());
        segment.prepare(plane);
        for user in 0..users {
            let want: Vec<u32> = (user..documents).step_by(users as usize).collect();
            assert_eq!(seen(plane, &segment, user).list(), want, "user {user}");
        }
        assert!(seen(plane, &segment, users).is_empty());
    }
    // What is said of a document after it was stored counts, also for who looks everything up only now.
    let acl = Acl::new([Principal::user("u1")], []);
    let (version, label, origin) = (Version(1), LabelRank(0), Origin::Set);
    let binding = Binding { origin, ..Binding::by_source(version, acl, label) };
    let lost = AccessEvent::Revoked { number: DocumentNumber(7), principal: Principal::user("u0") };
    stored.apply(2, &[lost, AccessEvent::Bound { number: DocumentNumber(14), binding }]).unwrap();
    let segment = SegmentAccess::new(column);
    segment.prepare(&stored);
    let mine: Vec<u32> = (0..documents).step_by(7).filter(|n| *n != 7 && *n != 14).collect();
    assert_eq!(seen(&stored, &segment, 0).list(), mine);
    let theirs: Vec<u32> = (0..documents).filter(|n| n % 7 == 1 || *n == 14).collect();
    assert_eq!(seen(&stored, &segment, 1).list(), theirs);
}
