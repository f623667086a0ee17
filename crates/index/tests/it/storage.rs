//! One suite over every storage.

use safepassage_error::Kind;
use safepassage_index::storage::{Fault, FaultyStorage, LocalStorage, MemoryStorage, Storage};

fn put(storage: &dyn Storage, path: &str, bytes: &[u8]) -> safepassage_error::Result<()> {
    storage.put_if_absent(path, &mut |out| out.write_all(bytes))
}

fn conforms(storage: &dyn Storage) {
    assert!(storage.list("a").unwrap().is_empty());
    assert!(!storage.exists("a/1").unwrap());
    assert_eq!(storage.read("a/1").unwrap_err().kind(), Kind::NotFound);

    put(storage, "a/1", b"one").unwrap();
    put(storage, "a/b/2", b"").unwrap();
    assert_eq!(&storage.read("a/1").unwrap()[..], b"one");
    assert!(storage.read("a/b/2").unwrap().is_empty());
    assert!(storage.exists("a/1").unwrap());
    assert_eq!(storage.list("a").unwrap(), ["1", "b"]);

    assert_eq!(put(storage, "a/1", b"two").unwrap_err().kind(), Kind::Conflict);
    assert_eq!(&storage.read("a/1").unwrap()[..], b"one");

    let failed = storage.put_if_absent("a/3", &mut |out| {
        out.write_all(b"part")?;
        Err(std::io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.unwrap_err().kind(), Kind::Unavailable);
    assert!(!storage.exists("a/3").unwrap());

    let held = storage.read("a/1").unwrap();
    storage.delete("a").unwrap();
    storage.delete("a").unwrap();
    assert_eq!(&held[..], b"one");
    assert!(!storage.exists("a/b/2").unwrap());

    let lease = storage.lease("writer", "first").unwrap();
    let refused = storage.lease("writer", "second").unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
    assert!(refused.message().contains("first"), "{refused}");
    let other = storage.lease("merger", "second").unwrap();
    drop(lease);
    drop(storage.lease("writer", "third").unwrap());
    assert!(storage.lease("merger", "third").unwrap_err().message().contains("second"));
    drop(other);

    let winners: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8).map(|n| scope.spawn(move || put(storage, "race", &[n]).is_ok())).collect();
        tries.into_iter().map(|t| usize::from(t.join().unwrap())).sum()
    });
    assert_eq!(winners, 1);
}

#[test]
fn every_storage_conforms() {
    conforms(&MemoryStorage::default());
    conforms(&FaultyStorage::new(MemoryStorage::default(), u64::MAX, Fault::CutBefore));
    let folder = tempfile::tempdir().unwrap();
    conforms(&LocalStorage::new(folder.path().join("new/index")));
}

#[test]
fn a_dead_writers_temporary_files_are_removed_and_a_live_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    std::fs::create_dir(folder.path().join("tmp")).unwrap();
    for kind in ["segment", "access"] {
        std::fs::write(folder.path().join("tmp").join(format!("{kind}-1-1-1")), b"half").unwrap();
    }
    // Somebody is in the middle of a file while another gets a lease.
    storage
        .put_if_absent("segment/1/file", &mut |out| {
            out.write_all(b"first")?;
            let lease = storage.lease("merger", "me").unwrap();
            assert_eq!(storage.list("tmp").unwrap().len(), 1);
            drop(lease);
            out.write_all(b" and last")
        })
        .unwrap();
    assert_eq!(&storage.read("segment/1/file").unwrap()[..], b"first and last");
    assert!(storage.list("tmp").unwrap().is_empty());
}

#[test]
fn what_is_set_aside_is_read_again_and_leaves_nothing_behind() {
    assert!(MemoryStorage::default().scratch().unwrap().is_none());
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path().join("index"));
    let scratch = storage.scratch().unwrap().unwrap();
    assert_eq!((scratch.append(b"one").unwrap(), scratch.append(b"two").unwrap()), (0, 3));
    let mut out = [0; 4];
    scratch.read(1, &mut out).unwrap();
    assert_eq!(&out, b"netw");
    assert_eq!(scratch.read(3, &mut out).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(scratch.append(b"!").unwrap(), 6);
    scratch.read(3, &mut out).unwrap();
    assert_eq!(&out, b"two!");
    // Somebody who removes leftovers takes nothing from whoever uses it.
    drop(storage.lease("writer", "me").unwrap());
    scratch.read(3, &mut out).unwrap();
    drop(scratch);
    drop(storage.lease("writer", "me").unwrap());
    assert!(storage.list("tmp").unwrap().is_empty());
}
