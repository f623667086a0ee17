//! Merges beside readers and writers: who waits for whom, what is seen meanwhile, and what is left on the disk.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use safepassage_access::{Labels, Tenant};
use safepassage_error::{Error, Kind};
use safepassage_index::storage::{LocalStorage, MemoryStorage, Storage};
use safepassage_index::{Index, MergeState};

use crate::world::*;

fn create_in(storage: &Arc<dyn Storage>) -> Arc<Index> {
    Arc::new(Index::create(Arc::clone(storage), settings(), &Labels::default(), clock()).unwrap())
}

/// Commits `names` one by one, each readable by alice.
fn commit_each(index: &Index, names: impl IntoIterator<Item = String>) {
    let mut writer = index.writer().unwrap();
    for name in names {
        let document = bound(index, &name, 1, &allow("alice"), 1, &mut Numbers(3)).unwrap();
        writer.upsert(&Tenant::default(), document).unwrap();
        writer.commit().unwrap();
    }
}

fn eight() -> impl Iterator<Item = String> {
    (0..8).map(|n| format!("d{n}"))
}

fn operations(index: &Index) -> Vec<String> {
    index.generations().unwrap().into_iter().map(|m| m.operation).collect()
}

#[test]
fn one_merges_at_a_time_and_writers_do_not_mind() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (index, other) = (create_in(&storage), Index::open(Arc::clone(&storage), clock()).unwrap());
    commit_each(&index, eight());
    let merge = index.prepare_merge(false).unwrap().unwrap();
    for refused in [other.prepare_merge(true).map(drop), other.merge().map(drop)] {
        let error = refused.unwrap_err();
        assert!(error.kind() == Kind::Conflict && error.message().contains("process"), "{error}");
    }
    commit_each(&other, ["more".to_owned()]);
    assert_eq!(merge.publish().unwrap(), 11);
    assert_eq!((other.stats().unwrap().segments, other.stats().unwrap().documents), (2, 9));
    other.merge().unwrap();
    assert_eq!(index.stats().unwrap().segments, 1);

    // A merge that is not published changes nothing, and the next one clears up after it.
    commit_each(&other, ["again".to_owned()]);
    drop(index.prepare_merge(true).unwrap().unwrap());
    assert_eq!(index.stats().unwrap().segments, 2);
    let there = storage.list("segment").unwrap();
    assert_eq!(there.iter().filter(|id| id.starts_with("m-")).count(), 3, "{there:?}");
    index.merge().unwrap();
    let there = storage.list("segment").unwrap();
    assert_eq!(there.iter().filter(|id| id.starts_with("m-")).count(), 3, "{there:?}");
    index.verify().unwrap();
}

#[test]
fn a_commit_and_a_rollback_build_on_a_merge_that_came_first() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let other = create_in(&storage);
    commit_each(&other, eight());
    // When the writer is about to publish, the other process publishes a merge.
    let meanwhile = Arc::new(AtomicBool::new(false));
    let (armed, merger) = (Arc::clone(&meanwhile), Arc::clone(&other));
    let before_put = move |path: &str| {
        if path.starts_with("manifest/") && armed.swap(false, Ordering::SeqCst) {
            merger.merge()?;
        }
        Ok(())
    };
    let index = Index::open(Arc::new(Watched { storage: Arc::clone(&storage), before_put }), clock()).unwrap();
    let mut writer = index.writer().unwrap();
    let document = bound(&index, "d0", 2, &allow("bob"), 1, &mut Numbers(4)).unwrap();
    writer.upsert(&Tenant::default(), document).unwrap();
    writer.delete(&Tenant::default(), "d7");
    meanwhile.store(true, Ordering::SeqCst);
    assert_eq!(writer.commit().unwrap(), 11);
    assert_eq!(operations(&index)[9..], ["merge", "commit"]);
    let mut found = ids(&index, &user("alice"), &[1.0; DIM], 20).unwrap();
    found.sort();
    assert_eq!(found, ["d1", "d2", "d3", "d4", "d5", "d6"]);
    assert_eq!(ids(&other, &user("bob"), &[1.0; DIM], 20).unwrap(), ["d0"]);

    meanwhile.store(true, Ordering::SeqCst);
    assert_eq!(writer.rollback(9).unwrap(), 13);
    assert_eq!(operations(&index)[11..], ["merge", "rollback"]);
    assert_eq!(other.stats().unwrap().documents, 8);
    other.verify().unwrap();
}

#[test]
fn what_is_merged_away_is_read_until_let_go_and_then_off_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(folder.path()));
    let index = create_in(&storage);
    commit_each(&index, eight());
    let (first, visible) = index.visible(&user("alice")).unwrap();
    let answer = first.search(&visible, &[1.0; DIM], 5, 1.0).unwrap();
    let passages = first.passages(&answer.hits).unwrap();
    let old: BTreeSet<String> = storage.list("segment").unwrap().into_iter().collect();
    assert_eq!((old.len(), answer.hits.len()), (8, 5));
    index.merge().unwrap();
    assert!(old.is_subset(&storage.list("segment").unwrap().into_iter().collect()), "kept for rollback");
    commit_each(&index, (0..16).map(|n| format!("e{n}")));
    drop(index.writer().unwrap());
    assert!(old.is_disjoint(&storage.list("segment").unwrap().into_iter().collect()), "none is needed any more");
    assert_eq!(index.writer().unwrap().rollback(9).unwrap_err().kind(), Kind::NotFound);

    assert_eq!(first.search(&visible, &[1.0; DIM], 5, 1.0).unwrap(), answer);
    assert_eq!(first.passages(&answer.hits).unwrap(), passages);
    assert_eq!(first.search(&visible, &[-1.0; DIM], 20, 0.9).unwrap().hits.len(), 8);
    index.verify().unwrap();
}

/// In every round all of a set of documents are replaced and one is added: whoever reads must see one round, whole.
fn rounds(storage: &Arc<dyn Storage>, rounds: u128) {
    let index = create_in(storage);
    let ended = AtomicBool::new(false);
    let write = || {
        let mut numbers = Numbers(5);
        let mut writer = index.writer().unwrap();
        for round in 1..=rounds {
            for n in 0..3 {
                for (name, owner) in [("open", "alice"), ("secret", "bob")] {
                    let id = format!("{name}-{n}");
                    let document = bound(&index, &id, round, &allow(owner), 1, &mut numbers).unwrap();
                    writer.upsert(&Tenant::default(), document).unwrap();
                }
            }
            let id = format!("round-{round:04}");
            let document = bound(&index, &id, round, &allow("alice"), 1, &mut numbers).unwrap();
            writer.upsert(&Tenant::default(), document).unwrap();
            writer.commit().unwrap();
            index.merge_in_background();
        }
        assert_eq!(index.wait_for_merges(), MergeState::default());
        ended.store(true, Ordering::SeqCst);
    };
    let read = |index: &Index| {
        let (mut seen, mut reads) = (0, 0u64);
        while !ended.load(Ordering::SeqCst) || reads == 0 {
            let (snapshot, visible) = index.visible(&user("alice")).unwrap();
            let answer = snapshot.search(&visible, &[1.0; DIM], 1000, 1.0).unwrap();
            let passages = snapshot.passages(&answer.hits).unwrap();
            let open: Vec<u128> = passages.iter().filter(|p| p.document.starts_with("open")).map(|p| p.hash).collect();
            let mut others: Vec<&str> =
                passages.iter().map(|p| p.document.as_str()).filter(|d| !d.starts_with("open")).collect();
            others.sort_unstable();
            // A document's version is bound before it is committed, so a round is seen when it is committed.
            let round = others.len() as u128;
            let right: Vec<String> = (1..=round).map(|round| format!("round-{round:04}")).collect();
            assert_eq!(others, right);
            assert_eq!(open, vec![round; if round == 0 { 0 } else { 3 }]);
            assert!(round >= seen, "a generation went back");
            (seen, reads) = (round, reads + 1);
        }
    };
    let other = Index::open(Arc::clone(storage), clock()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| read(&index));
        scope.spawn(|| read(&other));
        scope.spawn(write);
    });
    assert!(operations(&index).contains(&"merge".to_owned()));
    assert!(index.stats().unwrap().segments < 8);
    index.verify().unwrap();
}

#[test]
fn readers_see_whole_generations_while_segments_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    rounds(&(Arc::new(MemoryStorage::default()) as Arc<dyn Storage>), 150);
    rounds(&(Arc::new(LocalStorage::new(folder.path())) as Arc<dyn Storage>), 40);
}

#[test]
fn a_merge_that_fails_or_panics_is_told_to_operators_and_tried_again() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    create_in(&storage);
    let left = Arc::new(Mutex::new(vec!["panic", "fail"]));
    let faults = Arc::clone(&left);
    let before_put = move |path: &str| match path.starts_with("segment/m-").then(|| faults.lock().unwrap().pop()) {
        Some(Some("fail")) => Err(Error::new(Kind::Unavailable, "write file", "the disk is full")),
        Some(Some(_)) => panic!("a fault on purpose"),
        _ => Ok(()),
    };
    let index =
        Arc::new(Index::open(Arc::new(Watched { storage: Arc::clone(&storage), before_put }), clock()).unwrap());
    commit_each(&index, eight());
    for error in [Some("write file: the disk is full"), Some("the merge panicked"), None] {
        index.merge_in_background();
        assert_eq!(index.wait_for_merges(), MergeState { running: false, error: error.map(str::to_owned) });
        let stats = index.stats().unwrap();
        assert_eq!((stats.merging, stats.merge_error.as_deref()), (false, error));
        assert_eq!(stats.documents, 8);
    }
    assert_eq!(index.stats().unwrap().segments, 1);
    assert_eq!(storage.list("segment").unwrap().iter().filter(|id| id.starts_with("m-")).count(), 1);
    index.verify().unwrap();
}

/// How many merges were begun while 100 were asked for, `seconds` apart.
fn begun(index: &Arc<Index>, count: &AtomicUsize, seconds: u64) -> usize {
    let before = count.load(Ordering::SeqCst);
    for _ in 0..100 {
        index.clock().advance_seconds(seconds);
        index.merge_in_background();
        index.wait_for_merges();
    }
    count.load(Ordering::SeqCst) - before
}

#[test]
fn a_merge_that_keeps_failing_is_tried_less_and_less_often() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    create_in(&storage);
    let (count, full) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (counted, is_full) = (Arc::clone(&count), Arc::clone(&full));
    let before_put = move |path: &str| {
        if path.starts_with("segment/m-") && path.ends_with("documents.bin") {
            counted.fetch_add(1, Ordering::SeqCst);
            if is_full.load(Ordering::SeqCst) {
                return Err(Error::new(Kind::Unavailable, "write file", "the disk is full"));
            }
        }
        Ok(())
    };
    let index =
        Arc::new(Index::open(Arc::new(Watched { storage: Arc::clone(&storage), before_put }), clock()).unwrap());
    commit_each(&index, eight());
    assert_eq!(begun(&index, &count, 0), 3, "two more tries are at once, the next is not");
    let soon = begun(&index, &count, 1);
    assert!((3..=6).contains(&soon), "{soon} tries in 100 seconds");
    begun(&index, &count, 3_600);
    assert_eq!(begun(&index, &count, 60), 1, "at most one an hour");
    assert_eq!(index.stats().unwrap().merge_error.as_deref(), Some("write file: the disk is full"));
    // Once it works the next failure counts as the first.
    full.store(false, Ordering::SeqCst);
    assert_eq!(begun(&index, &count, 3_600), 1);
    assert_eq!((index.stats().unwrap().merge_error, index.stats().unwrap().segments), (None, 1));
    full.store(true, Ordering::SeqCst);
    commit_each(&index, (0..8).map(|n| format!("e{n}")));
    assert_eq!(begun(&index, &count, 0), 3);
    full.store(false, Ordering::SeqCst);
    index.merge().unwrap();
    assert_eq!(index.merge_state(), MergeState::default());
    commit_each(&index, (0..8).map(|n| format!("f{n}")));
    assert_eq!(begun(&index, &count, 0), 1);
}

#[test]
fn a_commit_does_not_wait_for_a_merge_and_the_index_may_go_before_it() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    create_in(&storage);
    let ((begun, begins), (go_on, goes_on)) = (channel(), channel());
    let goes_on = Mutex::new(goes_on);
    let before_put = move |path: &str| {
        if path.starts_with("segment/m-") && path.ends_with("documents.bin") {
            begun.send(()).unwrap();
            goes_on.lock().unwrap().recv().unwrap();
        }
        Ok(())
    };
    let index =
        Arc::new(Index::open(Arc::new(Watched { storage: Arc::clone(&storage), before_put }), clock()).unwrap());
    commit_each(&index, eight());
    index.merge_in_background();
    begins.recv().unwrap();
    assert!(index.merge_state().running && index.stats().unwrap().merging);
    commit_each(&index, ["d0".to_owned(), "more".to_owned()]);
    index.merge_in_background();
    assert_eq!(ids(&index, &user("alice"), &[1.0; DIM], 20).unwrap().len(), 9);
    drop(index);
    go_on.send(()).unwrap();
    // When the thread ends, what it was given goes: the storage with the sending end.
    begins.recv().unwrap_err();
    let other = Index::open(storage, clock()).unwrap();
    assert_eq!(operations(&other).last().unwrap(), "merge");
    // The segment of the old `d0` was gone when the merge came to take its place.
    assert_eq!((other.stats().unwrap().documents, other.stats().unwrap().tombstones), (9, 1));
    other.verify().unwrap();
}
