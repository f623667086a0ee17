//! Opening while another process writes: what comes in between is taken in, not taken for damage.

use std::sync::Arc;

use bytes::Bytes;
use safepassage_access::{AccessEvent, Principal};
use safepassage_error::Result;
use safepassage_index::Index;
use safepassage_index::storage::{Lease, MemoryStorage, Storage, WriteBytes};

use crate::world::*;

/// Permissions change whenever somebody lists their log.
#[derive(Debug)]
struct Busy {
    storage: MemoryStorage,
    writer: Index,
    event: AccessEvent,
}

impl Storage for Busy {
    fn read(&self, path: &str) -> Result<Bytes> {
        self.storage.read(path)
    }

    fn put_if_absent(&self, path: &str, write: WriteBytes<'_>) -> Result<()> {
        self.storage.put_if_absent(path, write)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        if folder == "access/log" {
            self.writer.commit_access(&mut |_| Ok(vec![self.event.clone()]))?;
        }
        self.storage.list(folder)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.storage.exists(path)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.storage.delete(path)
    }

    fn lease(&self, role: &str, holder: &str) -> Result<Box<dyn Lease>> {
        self.storage.lease(role, holder)
    }
}

#[test]
fn an_index_opens_while_another_process_changes_permissions() {
    let storage = MemoryStorage::default();
    let writer = create(storage.clone()).unwrap();
    let number = bound(&writer, "a", 1, &allow("alice"), 1, &mut Numbers(7)).unwrap().number;
    let event = AccessEvent::Revoked { number, principal: Principal::user("bob") };
    let before = writer.with_plane(|plane| Ok(plane.epoch())).unwrap();
    let index = Index::open(Arc::new(Busy { storage, writer, event }), clock()).unwrap();
    assert!(index.with_plane(|plane| Ok(plane.epoch())).unwrap() > before);
}
