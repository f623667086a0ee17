//! Commits, rollbacks and merges in every order, from two processes: nothing is lost, nothing comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use safepassage_access::Tenant;
use safepassage_error::Kind;
use safepassage_index::storage::{MemoryStorage, Storage};
use safepassage_index::{Index, Merge};

use crate::world::*;

const RUNS: u64 = 80;
const STEPS: usize = 60;

/// Live documents with the version of their content.
type Model = BTreeMap<String, u128>;

fn owner(id: &str) -> &'static str {
    if id.ends_with(['0', '2', '4', '6', '8']) { "alice" } else { "bob" }
}

fn check(index: &Index, model: &Model, place: &str) {
    let snapshot = index.snapshot().unwrap();
    let live: Vec<(String, u128)> = snapshot.documents().map(|d| (d.id.to_owned(), d.version.0)).collect();
    let count = live.len();
    assert_eq!(&live.into_iter().collect::<Model>(), model, "{place}");
    assert_eq!(count, model.len(), "{place}: a document is live twice");
    for who in ["alice", "bob", "carol"] {
        let mut found = ids(index, &user(who), &[1.0; DIM], 100).unwrap();
        found.sort();
        let right: Vec<_> = model.keys().filter(|id| owner(id) == who).cloned().collect();
        assert_eq!(found, right, "{place}: {who}");
    }
}

/// How often something happened, so that the test cannot pass by doing nothing.
#[derive(Debug, Default)]
struct Counts {
    beside_commits: usize,
    beside_rollbacks: usize,
    given_up: usize,
}

fn run(seed: u64, counts: &mut Counts) {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    let shared: Arc<dyn Storage> = Arc::new(storage.clone());
    let other = Index::open(Arc::clone(&shared), clock()).unwrap();
    let mut numbers = Numbers(seed * 7919 + 1);
    let tenant = Tenant::default();
    let (mut live, mut pending) = (Model::new(), BTreeMap::<String, Option<u128>>::new());
    let mut history = BTreeMap::from([(1, live.clone())]);
    let mut writer = index.writer().unwrap();
    let mut merge: Option<Merge<'_>> = None;
    let (mut committed, mut rolled_back) = (false, false);
    for step in 0..STEPS {
        let place = format!("seed {seed} step {step}");
        let id = format!("d{}", numbers.next() % 12);
        match numbers.next() % 12 {
            0..=3 => {
                let version = u128::from(seed) * 1000 + step as u128;
                let document = bound(&index, &id, version, &allow(owner(&id)), 1, &mut numbers).unwrap();
                writer.upsert(&tenant, document).unwrap();
                pending.insert(id, Some(version));
            }
            4 => {
                writer.delete(&tenant, &id);
                pending.insert(id, None);
            }
            5..=7 => {
                let generation = writer.commit().unwrap();
                committed |= !pending.is_empty();
                for (id, version) in std::mem::take(&mut pending) {
                    match version {
                        Some(version) => drop(live.insert(id, version)),
                        None => drop(live.remove(&id)),
                    }
                }
                history.insert(generation, live.clone());
            }
            8 => {
                let known: Vec<u64> = history.keys().rev().take(5).copied().collect();
                let to = known[(numbers.next() % known.len() as u64) as usize];
                match writer.rollback(to) {
                    Ok(generation) => {
                        live = history[&to].clone();
                        pending.clear();
                        history.insert(generation, live.clone());
                        rolled_back = true;
                    }
                    Err(error) => assert_eq!(error.kind(), Kind::NotFound, "{place}: {error}"),
                }
            }
            9 => {
                // The writer gives up and another begins, which must leave a merge that is under way alone.
                drop(writer);
                pending.clear();
                writer = index.writer().unwrap();
            }
            _ => match merge.take() {
                None => {
                    let by = if numbers.next().is_multiple_of(2) { &index } else { &other };
                    merge = by.prepare_merge(numbers.next().is_multiple_of(2)).unwrap();
                    (committed, rolled_back) = (false, false);
                }
                Some(done) => {
                    let before = index.snapshot().unwrap().generation();
                    let generation = done.publish().unwrap();
                    counts.given_up += usize::from(generation == before);
                    counts.beside_commits += usize::from(generation > before && committed);
                    counts.beside_rollbacks += usize::from(generation > before && rolled_back);
                    history.insert(generation, live.clone());
                }
            },
        }
        check(&index, &live, &place);
        check(&other, &live, &place);
    }
    drop((merge, writer));
    index.merge().unwrap();
    check(&index, &live, &format!("seed {seed}, merged"));
    other.verify().unwrap();
    // A writer and a merger that begin leave nothing that no generation can come back to.
    drop((index.writer().unwrap(), index.prepare_merge(true).unwrap()));
    let all = index.generations().unwrap();
    let kept: Vec<&str> = all.iter().rev().take(16).flat_map(|m| &m.segments).map(|s| s.id.as_str()).collect();
    let there = storage.list("segment").unwrap();
    assert!(there.iter().all(|id| kept.contains(&id.as_str())), "seed {seed}: {there:?}");
}

#[test]
fn whatever_comes_between_a_merge_and_its_publication_nothing_is_lost() {
    let mut counts = Counts::default();
    (0..RUNS).for_each(|seed| run(seed, &mut counts));
    let Counts { beside_commits, beside_rollbacks, given_up } = counts;
    assert!(beside_commits > 30 && beside_rollbacks > 10 && given_up > 5, "{counts:?}");
}
