//! Small indexes to test with: documents, their ACLs and the exact answer by plain loops.

use std::sync::Arc;

use bytes::Bytes;
use safepassage_access::{AccessEvent, Acl, Binding, DocumentNumber, Identity, Labels, Principal, Tenant, Version};
use safepassage_error::Result;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_index::storage::{Lease, MemoryStorage, Storage, WriteBytes};
use safepassage_index::{Index, NewChunk, NewDocument, Settings};

pub const DIM: usize = 16;

pub fn clock() -> Clock {
    Clock::fixed(Timestamp(1_000_000))
}

pub fn settings() -> Settings {
    Settings::vectors(DIM)
}

pub fn create(storage: impl Storage + 'static) -> Result<Index> {
    Index::create(Arc::new(storage), settings(), &Labels::default(), clock())
}

pub fn open(storage: &MemoryStorage) -> Result<Index> {
    Index::open(Arc::new(storage.durable_copy()), clock())
}

pub fn user(name: &str) -> Identity {
    Identity::asserted(name).issue(&clock()).unwrap()
}

/// Numbers that look random and are the same every time (xorshift).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn vector(&mut self, dim: usize) -> Vec<f32> {
        let mut unit = || (self.next() >> 40) as f32 / (1u64 << 24) as f32 * 2.0 - 1.0;
        (0..dim).map(|_| unit()).collect()
    }
}

/// Binds `id` to `acl` and gives the document to put.
pub fn bound(
    index: &Index,
    id: &str,
    version: u128,
    acl: &Acl,
    chunks: usize,
    numbers: &mut Numbers,
) -> Result<NewDocument> {
    let mut given = DocumentNumber(0);
    index.commit_access(&mut |plane| {
        let tenant = Tenant::default();
        let mut events = Vec::new();
        given = plane.number(&tenant, id).unwrap_or_else(|| {
            let number = DocumentNumber(plane.next_number());
            events.push(AccessEvent::Numbered { tenant, id: id.into(), number });
            number
        });
        let binding = Binding::by_source(Version(version), acl.clone(), plane.labels().default_rank());
        events.push(AccessEvent::Bound { number: given, binding });
        Ok(events)
    })?;
    let chunk = |ordinal: u32| NewChunk {
        ordinal,
        text: format!("passage {ordinal} of {id}"),
        span: (0, 10),
        heading: String::new(),
        hash: u128::from(ordinal) + version,
        section: 0,
        page: None,
        parent: None,
    };
    Ok(NewDocument {
        number: given,
        version: Version(version),
        id: id.into(),
        source: "test".into(),
        title: Some(format!("title of {id}")),
        uri: None,
        metadata: Some("{\"a\":1}".into()),
        chunks: (0..chunks as u32).map(chunk).collect(),
        vectors: (0..chunks).flat_map(|_| numbers.vector(DIM)).collect::<Vec<f32>>().into(),
    })
}

pub fn allow(name: &str) -> Acl {
    Acl::new([Principal::user(name)], [])
}

/// Ids of what `who` finds with `k`.
pub fn ids(index: &Index, who: &Identity, query: &[f32], k: usize) -> Result<Vec<String>> {
    let (snapshot, visible) = index.visible(who)?;
    let answer = snapshot.search(&visible, query, k, 1.0)?;
    Ok(snapshot.passages(&answer.hits)?.into_iter().map(|p| p.document).collect())
}

/// A storage that asks before it writes a file: to do something meanwhile, or to fail.
pub struct Watched<F> {
    pub storage: Arc<dyn Storage>,
    pub before_put: F,
}

impl<F> std::fmt::Debug for Watched<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("storage", &self.storage).finish_non_exhaustive()
    }
}

impl<F: Fn(&str) -> Result<()> + Send + Sync> Storage for Watched<F> {
    fn put_if_absent(&self, path: &str, write: WriteBytes<'_>) -> Result<()> {
        (self.before_put)(path)?;
        self.storage.put_if_absent(path, write)
    }

    fn read(&self, path: &str) -> Result<Bytes> {
        self.storage.read(path)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.storage.exists(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.storage.list(folder)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.storage.delete(path)
    }

    fn lease(&self, role: &str, holder: &str) -> Result<Box<dyn Lease>> {
        self.storage.lease(role, holder)
    }
}
