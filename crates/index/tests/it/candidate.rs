//! An index that is made beside another: its files, its leases, and the switch.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use safepassage_access::Tenant;
use safepassage_error::{Kind, Result};
use safepassage_index::storage::{Lease, MemoryStorage, Storage, WriteBytes};
use safepassage_index::{Index, Settings};
use serde_json::json;

use crate::world::*;

fn other() -> Settings {
    Settings { model: json!({"model": "other"}), ..settings() }
}

/// An index of two documents, with a candidate that has both.
fn staged() -> (MemoryStorage, Index, Arc<Index>) {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    let mut numbers = Numbers(7);
    let mut writer = index.writer().unwrap();
    for id in ["a", "b"] {
        writer.upsert(&Tenant::default(), bound(&index, id, 1, &allow("alice"), 2, &mut numbers).unwrap()).unwrap();
    }
    writer.commit().unwrap();
    drop(writer);
    let candidate = Arc::new(index.stage(other()).unwrap());
    copy(&index, &candidate, &mut numbers);
    (storage, index, candidate)
}

/// Puts what the candidate lacks into it, with other vectors.
fn copy(index: &Index, candidate: &Index, numbers: &mut Numbers) {
    let (newest, staged) = (index.snapshot().unwrap(), candidate.snapshot().unwrap());
    let behind = newest.behind(&staged);
    let mut writer = candidate.writer().unwrap();
    for mut document in newest.without_vectors(&behind.missing).unwrap() {
        document.vectors = document.chunks.iter().flat_map(|_| numbers.vector(DIM)).collect::<Vec<f32>>().into();
        writer.upsert(&Tenant::default(), document).unwrap();
    }
    for (tenant, id) in &behind.gone {
        writer.delete(tenant, id);
    }
    writer.commit().unwrap();
}

fn segments(storage: &MemoryStorage) -> Vec<String> {
    storage.list("segment").unwrap()
}

#[test]
fn writers_and_mergers_of_the_index_leave_a_candidate_alone() {
    let (storage, index, candidate) = staged();
    let of_candidate = || segments(&storage).into_iter().filter(|id| id.starts_with("c-")).count();
    assert_eq!(of_candidate(), 1);
    // Neither is in the way of the other, and there is one of each.
    let made = candidate.writer().unwrap();
    assert_eq!(index.stage(other()).unwrap().writer().unwrap_err().kind(), Kind::Conflict);
    drop(index.writer().unwrap());
    let mut writer = index.writer().unwrap();
    writer.upsert(&Tenant::default(), bound(&index, "c", 1, &allow("alice"), 1, &mut Numbers(9)).unwrap()).unwrap();
    writer.commit().unwrap();
    drop(writer);
    index.merge().unwrap();
    drop(made);
    assert_eq!(of_candidate(), 1);
    candidate.verify().unwrap();
    // Whoever only looks may not write.
    let looking = index.candidate().unwrap().unwrap();
    assert_eq!(looking.writer().unwrap_err().kind(), Kind::Conflict);
    assert_eq!(looking.merge().unwrap_err().kind(), Kind::Conflict);
    assert!(index.unstage().unwrap());
    assert_eq!(of_candidate(), 0);
    assert!(index.candidate().unwrap().is_none());
    index.verify().unwrap();
}

#[test]
fn what_a_switch_published_is_pruned_like_anything_else_once_it_is_merged_away() {
    let (storage, index, candidate) = staged();
    index.writer().unwrap().switch(&candidate, &BTreeSet::new()).unwrap();
    drop(candidate);
    index.unstage().unwrap();
    assert_eq!(segments(&storage), ["000002", "c-000002"]);
    let mut numbers = Numbers(11);
    // Generations go by, until none of those kept names it.
    for n in 0..20 {
        let mut writer = index.writer().unwrap();
        let document = bound(&index, "n", n, &allow("alice"), 1, &mut numbers).unwrap();
        writer.upsert(&Tenant::default(), document).unwrap();
        writer.commit().unwrap();
        drop(writer);
        index.merge().unwrap();
    }
    assert!(!segments(&storage).iter().any(|id| id.starts_with('c')), "{:?}", segments(&storage));
    assert_eq!(index.visible_documents(&user("alice")).unwrap(), ["a", "b", "n"]);
    index.verify().unwrap();
}

#[test]
fn a_candidate_that_lacks_something_is_not_switched_to() {
    let (_, index, candidate) = staged();
    let mut writer = index.writer().unwrap();
    writer.upsert(&Tenant::default(), bound(&index, "a", 2, &allow("alice"), 1, &mut Numbers(9)).unwrap()).unwrap();
    writer.delete(&Tenant::default(), "b");
    writer.commit().unwrap();
    let error = writer.switch(&candidate, &BTreeSet::new()).unwrap_err();
    assert!(error.kind() == Kind::Conflict && error.message().contains("lacks 1 documents and has 1"), "{error}");
    // To leave out is to have nothing of it, not to have what it was.
    let left_out = [(Tenant::default(), "a".to_owned())].into();
    assert_eq!(writer.switch(&candidate, &left_out).unwrap_err().kind(), Kind::Conflict);
    copy(&index, &candidate, &mut Numbers(3));
    writer.switch(&candidate, &BTreeSet::new()).unwrap();
    assert_eq!(index.visible_documents(&user("alice")).unwrap(), ["a"]);
    assert_eq!(index.snapshot().unwrap().manifest().settings.model, other().model);
    index.verify().unwrap();
}

#[test]
fn a_writer_of_the_old_model_cannot_commit_after_a_switch() {
    let (storage, index, candidate) = staged();
    let mut writer = index.writer().unwrap();
    writer.upsert(&Tenant::default(), bound(&index, "c", 1, &allow("alice"), 1, &mut Numbers(9)).unwrap()).unwrap();
    // A lease that is not kept, as by a file system without locks.
    let elsewhere = Index::open(Arc::new(Lawless(storage)), clock()).unwrap();
    elsewhere.writer().unwrap().switch(&candidate, &BTreeSet::new()).unwrap();
    let error = writer.commit().unwrap_err();
    assert!(error.kind() == Kind::Conflict && error.message().contains("changed from `none` to `other`"), "{error}");
    assert_eq!(index.visible_documents(&user("alice")).unwrap(), ["a", "b"]);
}

#[test]
fn a_merge_that_a_switch_overtook_is_given_up() {
    let (_, index, candidate) = staged();
    let mut writer = index.writer().unwrap();
    writer.upsert(&Tenant::default(), bound(&index, "c", 1, &allow("alice"), 1, &mut Numbers(9)).unwrap()).unwrap();
    writer.commit().unwrap();
    let merge = index.prepare_merge(true).unwrap().unwrap();
    copy(&index, &candidate, &mut Numbers(3));
    let switched = writer.switch(&candidate, &BTreeSet::new()).unwrap();
    assert_eq!(merge.publish().unwrap(), switched);
    assert_eq!(index.visible_documents(&user("alice")).unwrap(), ["a", "b", "c"]);
    index.verify().unwrap();
}

/// Memory in which everybody gets every lease.
#[derive(Debug)]
struct Lawless(MemoryStorage);

#[derive(Debug)]
struct Granted;

impl Lease for Granted {}

impl Storage for Lawless {
    fn put_if_absent(&self, path: &str, write: WriteBytes<'_>) -> Result<()> {
        self.0.put_if_absent(path, write)
    }

    fn read(&self, path: &str) -> Result<Bytes> {
        self.0.read(path)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.0.exists(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.0.list(folder)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.0.delete(path)
    }

    fn lease(&self, _: &str, _: &str) -> Result<Box<dyn Lease>> {
        Ok(Box::new(Granted))
    }
}
