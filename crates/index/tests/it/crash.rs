//! Power is cut at every single write of a scenario; what is left is the last committed generation, whole.

use std::sync::{Arc, OnceLock};

use safepassage_access::{AccessEvent, Principal, Tenant};
use safepassage_error::Result;
use safepassage_index::Index;
use safepassage_index::storage::{Fault, FaultyStorage, MemoryStorage, Storage};

use crate::world::*;

/// What the scenario was told is durable.
#[derive(Default)]
struct Acknowledged {
    generation: u64,
    epoch: u64,
    revoked: bool,
}

fn scenario(storage: FaultyStorage, told: &mut Acknowledged) -> Result<()> {
    let storage: Arc<dyn Storage> = Arc::new(storage);
    // Merges from another process, published just before the manifest of a commit that is then made again.
    let merger: Arc<OnceLock<Index>> = Arc::default();
    let other = Arc::clone(&merger);
    let before_put = move |path: &str| match other.get() {
        Some(other) if path == "manifest/000009.json" => other.merge().map(drop),
        _ => Ok(()),
    };
    let index = create(Watched { storage: Arc::clone(&storage), before_put })?;
    let _ = merger.set(Index::open(storage, clock())?);
    (told.generation, told.epoch) = (1, 1);
    let mut numbers = Numbers(3);
    let tenant = Tenant::default();
    let mut writer = index.writer()?;
    for round in 1..=9u128 {
        for i in 0..2 {
            let document = bound(&index, &format!("d{}", (round + i) % 4), round, &allow("alice"), 2, &mut numbers)?;
            writer.upsert(&tenant, document)?;
        }
        // A commit in the middle of a merge, which takes what died meanwhile with it.
        let merge = if round == 4 { index.prepare_merge(true)? } else { None };
        told.generation = writer.commit()?;
        if let Some(merge) = merge {
            told.generation = merge.publish()?;
        }
    }
    let number = index.snapshot()?.find(&tenant, "d1").map(|d| d.number);
    if let Some(number) = number {
        let event = AccessEvent::Revoked { number, principal: Principal::user("alice") };
        told.epoch = index.commit_access(&mut |_| Ok(vec![event.clone()]))?;
        told.revoked = true;
    }
    writer.delete(&tenant, "d2");
    told.generation = writer.commit()?;
    told.generation = index.merge()?;
    told.generation = writer.rollback(3)?;
    Ok(())
}

fn after_the_crash(memory: &MemoryStorage, told: &Acknowledged, what: &str) {
    if told.generation == 0 {
        // Nothing was promised; creating must be possible, or have happened.
        let again = create(memory.durable_copy());
        assert!(again.is_ok() || open(memory).is_ok(), "{what}");
        return;
    }
    let index: Index = open(memory).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    index.verify().unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let snapshot = index.snapshot().unwrap();
    assert!(snapshot.generation() >= told.generation, "{what}: a committed generation is lost");
    let epoch = index.with_plane(|plane| Ok(plane.epoch())).unwrap();
    assert!(epoch >= told.epoch, "{what}: a committed epoch is lost");
    let found = ids(&index, &user("alice"), &[1.0; DIM], 50).unwrap();
    assert!(!told.revoked || !found.contains(&"d1".to_owned()), "{what}: a revocation is lost");
    assert!(ids(&index, &user("bob"), &[1.0; DIM], 50).unwrap().is_empty(), "{what}");

    // The next merger and the next writer go on where the last ones died, and clear up after them.
    index.merge().unwrap_or_else(|e| panic!("{what}: {e:?}"));
    index.verify().unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let after = ids(&index, &user("alice"), &[1.0; DIM], 50).unwrap();
    assert_eq!(after, found, "{what}: a merge changes nothing");
    let mut writer = index.writer().unwrap();
    let document = bound(&index, "new", 1, &allow("bob"), 1, &mut Numbers(9)).unwrap();
    writer.upsert(&Tenant::default(), document).unwrap();
    assert!(writer.commit().unwrap() > told.generation, "{what}");
    assert_eq!(ids(&index, &user("bob"), &[1.0; DIM], 50).unwrap(), ["new"], "{what}");
    index.verify().unwrap_or_else(|e| panic!("{what}: {e:?}"));
}

#[test]
fn a_power_cut_at_any_write_leaves_the_last_generation() {
    let whole = FaultyStorage::new(MemoryStorage::default(), u64::MAX, Fault::CutBefore);
    let mut writes = 0;
    for at in 0.. {
        let mut finished = true;
        for fault in [Fault::CutBefore, Fault::CutAfter] {
            let memory = MemoryStorage::default();
            let mut told = Acknowledged::default();
            let outcome = scenario(FaultyStorage::new(memory.clone(), at, fault), &mut told);
            finished &= outcome.is_ok();
            after_the_crash(&memory, &told, &format!("{fault:?} at write {at}"));
        }
        if finished {
            writes = at;
            break;
        }
    }
    assert!(writes > 50, "the scenario writes {writes} files");
    assert_eq!(whole.writes(), 0);
}

#[test]
fn a_full_disk_is_an_error_and_the_same_call_works_later() {
    for at in 3..30 {
        let memory = MemoryStorage::default();
        let Ok(index) = create(FaultyStorage::new(memory.clone(), at, Fault::FullOnce)) else { panic!("{at}") };
        let mut writer = index.writer().unwrap();
        for n in 0..4u128 {
            let document = loop {
                if let Ok(document) = bound(&index, "d", n, &allow("alice"), 1, &mut Numbers(3)) {
                    break document;
                }
            };
            writer.upsert(&Tenant::default(), document).unwrap();
            if writer.commit().is_err() {
                assert_eq!(writer.pending(), 1);
                writer.commit().unwrap();
            }
            assert_eq!(ids(&index, &user("alice"), &[1.0; DIM], 5).unwrap(), ["d"], "full at write {at}");
        }
        open(&memory).unwrap().verify().unwrap();
    }
}
