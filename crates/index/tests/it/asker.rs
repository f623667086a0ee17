//! Somebody who asks again and again sees at every moment what somebody who asks for the first time sees.

use std::sync::Arc;

use safepassage_access::{AccessEvent, Acl, Identity, Principal, Tenant};
use safepassage_error::system::{Clock, Timestamp};
use safepassage_error::{Kind, Result};
use safepassage_index::storage::{MemoryStorage, Storage};
use safepassage_index::{Asker, Index};

use crate::world::*;

fn found(index: &Index, asker: &Asker) -> Result<(Vec<String>, u64, u64)> {
    let (snapshot, visible) = index.visible_to(asker)?;
    let answer = snapshot.search(&visible, &[1.0; DIM], 50, 1.0)?;
    let ids = answer.hits.iter().map(|hit| snapshot.document_of(hit).to_owned()).collect();
    Ok((ids, answer.acl_epoch, answer.generation))
}

#[test]
fn whoever_asks_again_sees_what_a_newcomer_sees() {
    let storage = MemoryStorage::default();
    let writer_index = create(storage.clone()).unwrap();
    let reader = Index::open(Arc::new(storage.clone()), clock()).unwrap();
    let askers = ["alice", "bob"].map(|name| Asker::new(user(name)));
    let same = |what: &str| {
        for asker in &askers {
            for _ in 0..2 {
                let newcomer = found(&reader, &Asker::new(asker.identity().clone())).unwrap();
                assert_eq!(found(&reader, asker).unwrap(), newcomer, "{what}");
            }
        }
    };
    same("nothing is there");
    let mut numbers = Numbers(4);
    let mut writer = writer_index.writer().unwrap();
    let everyone = Acl::new([Principal::Everyone], []);
    let mut last = None;
    for (id, acl) in [("a", &everyone), ("b", &allow("bob")), ("c", &everyone)] {
        let document = bound(&writer_index, id, 1, acl, 2, &mut numbers).unwrap();
        last = Some(document.number);
        writer.upsert(&Tenant::default(), document).unwrap();
        same("staged and not committed");
        writer.commit().unwrap();
        same("committed elsewhere");
    }
    let (number, principal) = (last.unwrap(), Principal::user("alice"));
    let seen_before = found(&reader, &askers[0]).unwrap();
    let say = |event: AccessEvent| writer_index.commit_access(&mut |_| Ok(vec![event.clone()])).unwrap();
    say(AccessEvent::Revoked { number, principal: principal.clone() });
    let seen_after = found(&reader, &askers[0]).unwrap();
    assert_eq!((seen_before.0.len(), seen_after.0.len()), (4, 2));
    assert_eq!(seen_after.1, seen_before.1 + 1, "the epoch is the one it was made under");
    same("revoked elsewhere");
    say(AccessEvent::Restored { number, principal, reason: "mistake".into() });
    assert_eq!(found(&reader, &askers[0]).unwrap().0, seen_before.0);
    writer.delete(&Tenant::default(), "a");
    writer.commit().unwrap();
    same("deleted elsewhere");
    writer_index.merge().unwrap();
    same("merged elsewhere");
    writer.rollback(1).unwrap();
    same("rolled back elsewhere");

    Storage::delete(&storage, "access").unwrap();
    assert_eq!(found(&reader, &askers[0]).unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn an_expired_identity_is_refused_though_nothing_changed() {
    let storage = MemoryStorage::default();
    create(storage.clone()).unwrap();
    let clock = Clock::fixed(Timestamp(1_000_000));
    let index = Index::open(Arc::new(storage), clock.clone()).unwrap();
    let asker = Asker::new(Identity::asserted("alice").ttl_seconds(10).issue(&clock).unwrap());
    assert!(found(&index, &asker).is_ok());
    clock.advance_seconds(9);
    assert!(found(&index, &asker).is_ok());
    clock.advance_seconds(1);
    assert_eq!(found(&index, &asker).unwrap_err().kind(), Kind::Denied);
}

#[test]
fn what_was_seen_in_one_index_opens_nothing_in_another() {
    let (mine, theirs) = (create(MemoryStorage::default()).unwrap(), create(MemoryStorage::default()).unwrap());
    for (index, owner, seed) in [(&mine, "alice", 1), (&theirs, "bob", 2)] {
        let document = bound(index, "a", 1, &allow(owner), 3, &mut Numbers(seed)).unwrap();
        let mut writer = index.writer().unwrap();
        writer.upsert(&Tenant::default(), document).unwrap();
        writer.commit().unwrap();
    }
    let alice = Asker::new(user("alice"));
    assert_eq!(found(&mine, &alice).unwrap().0.len(), 3);
    assert_eq!(found(&theirs, &alice).unwrap().0.len(), 0);
    assert_eq!(found(&mine, &alice).unwrap().0.len(), 3);

    // Nor does a hit: the other index has a segment, a document and a row of the same numbers.
    let (snapshot, visible) = mine.visible_to(&alice).unwrap();
    let hits = snapshot.search(&visible, &[1.0; DIM], 3, 1.0).unwrap().hits;
    assert_eq!(snapshot.passages(&hits).unwrap().len(), 3);
    let other = theirs.snapshot().unwrap();
    assert_eq!(other.passages(&hits).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(other.document_of(&hits[0]), "");
}
