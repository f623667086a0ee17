//! Documents come, change, go, merge and roll back; what is found stays right.

use safepassage_access::{
    AccessEvent, Acl, Binding, DocumentNumber, LabelRank, Labels, Origin, Principal, PrincipalKind, Tenant, Version,
};
use safepassage_error::Kind;
use safepassage_index::storage::MemoryStorage;
use safepassage_index::{GraphSettings, Plan};

use crate::world::*;

#[test]
fn what_is_committed_is_found_by_those_who_may() {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    let mut numbers = Numbers(1);
    let mut writer = index.writer().unwrap();
    for (id, owner) in [("a", "alice"), ("b", "bob"), ("c", "alice")] {
        let document = bound(&index, id, 1, &allow(owner), 3, &mut numbers).unwrap();
        writer.upsert(&Tenant::default(), document).unwrap();
    }
    assert!(ids(&index, &user("alice"), &[1.0; DIM], 9).unwrap().is_empty());
    assert_eq!(writer.commit().unwrap(), 2);
    assert_eq!(writer.commit().unwrap(), 2, "nothing pending, no generation");

    let mut found = ids(&index, &user("alice"), &[1.0; DIM], 9).unwrap();
    found.sort();
    assert_eq!(found, ["a", "a", "a", "c", "c", "c"]);
    assert!(ids(&index, &user("carol"), &[1.0; DIM], 9).unwrap().is_empty());

    // A second process, and a reader that was open before, see the same.
    let other = open(&storage).unwrap();
    assert_eq!(ids(&other, &user("bob"), &[1.0; DIM], 2).unwrap(), ["b", "b"]);
    assert_eq!(other.verify().unwrap().documents, 3);
}

#[test]
fn revoking_writes_no_chunk_and_holds_for_the_next_search() {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    let everyone = Acl::new([Principal::Everyone], []);
    let document = bound(&index, "a", 1, &everyone, 2, &mut Numbers(1)).unwrap();
    let number = document.number;
    let mut writer = index.writer().unwrap();
    writer.upsert(&Tenant::default(), document).unwrap();
    writer.commit().unwrap();
    let reader = safepassage_index::Index::open(std::sync::Arc::new(storage.clone()), clock()).unwrap();
    assert_eq!(ids(&reader, &user("alice"), &[1.0; DIM], 5).unwrap().len(), 2);

    let before: Vec<_> = storage.contents().into_iter().filter(|(path, _)| !path.starts_with("access/")).collect();
    let revoked = AccessEvent::Revoked { number, principal: Principal::user("alice") };
    index.commit_access(&mut |_| Ok(vec![revoked.clone()])).unwrap();
    let after: Vec<_> = storage.contents().into_iter().filter(|(path, _)| !path.starts_with("access/")).collect();
    assert_eq!(before, after);
    assert!(ids(&reader, &user("alice"), &[1.0; DIM], 5).unwrap().is_empty());
    assert_eq!(ids(&reader, &user("bob"), &[1.0; DIM], 5).unwrap().len(), 2);

    // Rolling content back does not roll permissions back.
    assert_eq!(writer.rollback(1).unwrap(), 3);
    assert_eq!(writer.rollback(2).unwrap(), 4);
    assert!(ids(&reader, &user("alice"), &[1.0; DIM], 5).unwrap().is_empty());
    assert_eq!(ids(&reader, &user("bob"), &[1.0; DIM], 5).unwrap().len(), 2);
    assert_eq!(writer.rollback(77).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn merging_changes_nothing_but_the_number_of_segments() {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    let mut numbers = Numbers(5);
    let mut writer = index.writer().unwrap();
    for round in 0..20u128 {
        for i in 0..4 {
            let id = format!("d{}", (round * 3 + i) % 30);
            let owner = if i % 2 == 0 { "alice" } else { "bob" };
            let document = bound(&index, &id, round, &allow(owner), (round % 3) as usize, &mut numbers).unwrap();
            writer.upsert(&Tenant::default(), document).unwrap();
        }
        writer.delete(&Tenant::default(), &format!("d{}", round * 7 % 30));
        writer.commit().unwrap();
    }
    let query = numbers.vector(DIM);
    let before: Vec<_> = ["alice", "bob"].map(|w| ids(&index, &user(w), &query, 50).unwrap()).into();
    assert!(before.iter().all(|found| !found.is_empty()));
    let segments = index.stats().unwrap().segments;
    index.prepare_merge(false).unwrap().unwrap().publish().unwrap();
    assert!(index.stats().unwrap().segments < segments);
    assert_eq!(["alice", "bob"].map(|w| ids(&index, &user(w), &query, 50).unwrap()).to_vec(), before);
    index.merge().unwrap();
    let stats = index.stats().unwrap();
    assert_eq!((stats.segments, stats.tombstones), (1, 0));
    assert_eq!(["alice", "bob"].map(|w| ids(&index, &user(w), &query, 50).unwrap()).to_vec(), before);
    index.verify().unwrap();
    let generation = index.snapshot().unwrap().generation();
    assert_eq!(index.merge().unwrap(), generation, "nothing to merge, no generation");
}

#[test]
fn a_log_that_cannot_be_reached_any_more_refuses_searches() {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    assert!(ids(&index, &user("alice"), &[1.0; DIM], 5).is_ok());
    safepassage_index::storage::Storage::delete(&storage, "access").unwrap();
    assert_eq!(ids(&index, &user("alice"), &[1.0; DIM], 5).unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn a_second_writer_is_told_who_holds_the_lease() {
    let index = create(MemoryStorage::default()).unwrap();
    let _writer = index.writer().unwrap();
    let error = index.writer().unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.message().contains("process"), "{error}");
}

#[test]
fn bad_vectors_and_missing_acls_are_refused() {
    let index = create(MemoryStorage::default()).unwrap();
    let mut writer = index.writer().unwrap();
    let good = bound(&index, "a", 1, &allow("alice"), 1, &mut Numbers(1)).unwrap();
    for bad in [vec![0.0; DIM], vec![f32::NAN; DIM], vec![f32::INFINITY; DIM], vec![1.0; DIM - 1], vec![]] {
        let mut document = good.clone();
        document.vectors = bad.into();
        assert_eq!(writer.upsert(&Tenant::default(), document).unwrap_err().kind(), Kind::Invalid);
    }
    assert_eq!(writer.pending(), 0);
    let mut stranger = good.clone();
    stranger.id = "no acl".into();
    writer.upsert(&Tenant::default(), stranger).unwrap();
    assert_eq!(writer.commit().unwrap_err().kind(), Kind::Invalid);

    let (snapshot, visible) = index.visible(&user("alice")).unwrap();
    for (query, recall) in
        [(vec![1.0; 3], 0.9), (vec![0.0; DIM], 0.9), (vec![f32::NAN; DIM], 0.9), (vec![1.0; DIM], 1.5)]
    {
        assert_eq!(snapshot.search(&visible, &query, 1, recall).unwrap_err().kind(), Kind::Invalid);
    }
}

/// Walks of the graph against the exact scan, at every share of visible rows; k is filled and nothing leaks.
#[test]
fn the_graph_keeps_its_recall_and_fills_k() {
    let storage = MemoryStorage::default();
    let settings = GraphSettings { from_rows: 5_000, ..GraphSettings::default() };
    let index = create(storage).unwrap().with_graph_settings(settings);
    let mut numbers = Numbers(11);
    let acls = [allow("few"), Acl::new([Principal::user("most"), Principal::user("all")], []), allow("all")];
    let mut writer = index.writer().unwrap();
    for n in 0..60u32 {
        let acl = &acls[match n {
            0 => 0,
            1..=45 => 1,
            _ => 2,
        }];
        let document = bound(&index, &format!("d{n:03}"), 1, acl, 200, &mut numbers).unwrap();
        writer.upsert(&Tenant::default(), document).unwrap();
    }
    writer.commit().unwrap();
    assert_eq!(index.stats().unwrap().graphs, 1);
    index.verify().unwrap();
    let mut plans = std::collections::BTreeSet::new();
    for who in ["few", "most", "all", "nobody"] {
        let (snapshot, visible) = index.visible(&user(who)).unwrap();
        let (mut same, mut total) = (0, 0);
        for _ in 0..60 {
            let query = numbers.vector(DIM);
            let exact = snapshot.search(&visible, &query, 10, 1.0).unwrap();
            let quick = snapshot.search(&visible, &query, 10, 0.95).unwrap();
            assert!(exact.exact && exact.complete && quick.complete);
            assert!(quick.hits.windows(2).all(|w| w[0].score >= w[1].score));
            plans.insert(quick.plan);
            total += exact.hits.len();
            same += quick.hits.iter().filter(|hit| exact.hits.contains(hit)).count();
        }
        assert!(same as f64 >= 0.95 * total as f64, "{who}: {same} of {total}");
    }
    assert_eq!(plans.into_iter().collect::<Vec<_>>(), [Plan::Empty, Plan::Scan, Plan::FilteredGraph]);
}

#[test]
fn a_principal_that_could_not_be_read_back_is_not_written() {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    let mut numbers = Numbers(5);
    let number = bound(&index, "a", 1, &allow("alice"), 1, &mut numbers).unwrap().number;
    let before = storage.contents();
    let issued = |issuer: &str, id: &str| Principal::Named {
        issuer: Some(issuer.into()),
        kind: PrincipalKind::Group,
        id: id.into(),
    };
    let bad = [Principal::user(""), Principal::group(""), issued("", "a"), issued("user:", "a"), issued("idp", "")];
    for principal in bad {
        for acl in [Acl::new([principal.clone()], []), Acl::new([], [principal.clone()])] {
            let error = bound(&index, "a", 2, &acl, 1, &mut numbers).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{principal:?}");
        }
        let revoked = AccessEvent::Revoked { number, principal: principal.clone() };
        let restored = AccessEvent::Restored { number, principal: principal.clone(), reason: "a mistake".into() };
        for event in [revoked, restored] {
            let error = index.commit_access(&mut |_| Ok(vec![event.clone()])).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{principal:?}");
        }
    }
    assert_eq!(storage.contents(), before);
    assert!(open(&storage).is_ok());
}

#[test]
fn events_that_could_not_be_applied_are_not_written() {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    let mut numbers = Numbers(6);
    let known = bound(&index, "a", 1, &allow("alice"), 1, &mut numbers).unwrap().number;
    let (next, later) = (DocumentNumber(known.0 + 1), DocumentNumber(known.0 + 2));
    let numbered = |id: &str, number| AccessEvent::Numbered { tenant: Tenant::default(), id: id.into(), number };
    let revoked = |number| AccessEvent::Revoked { number, principal: Principal::Everyone };
    let labelled = |label| {
        let (acl, origin) = (Acl::default(), Origin::Source);
        let binding = Binding { origin, ..Binding::by_source(Version(1), acl, LabelRank(label)) };
        AccessEvent::Bound { number: known, binding }
    };
    let before = storage.contents();
    let bad = [
        vec![numbered("b", known)],
        vec![numbered("b", later)],
        vec![numbered("a", next)],
        vec![numbered("b", next), numbered("b", later)],
        vec![revoked(next)],
        vec![numbered("b", next), revoked(later)],
        vec![labelled(200)],
        vec![AccessEvent::Created { labels: Labels::default() }],
    ];
    for events in bad {
        let error = index.commit_access(&mut |_| Ok(events.clone())).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{events:?}");
    }
    assert_eq!(storage.contents(), before);
    let good = vec![numbered("b", next), revoked(next), labelled(0)];
    index.commit_access(&mut |_| Ok(good.clone())).unwrap();
    assert!(open(&storage).is_ok());
}
