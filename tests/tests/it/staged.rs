//! Documents wait for a commit while somebody changes who may read them.

use std::sync::Arc;

use safepassage::system::Clock;
use safepassage::{
    Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Kind, Principal, SharedVectors, Tenant,
};
use safepassage_index::storage::{LocalStorage, MemoryStorage, Storage};

fn document(acl: Acl, vector: [f32; 2]) -> BatchDocument {
    BatchDocument { id: "d".into(), vector: Some(vector.to_vec().into()), acl: Some(acl), ..BatchDocument::default() }
}

#[test]
fn what_is_closed_while_documents_are_staged_stays_closed() {
    let storage = Arc::new(MemoryStorage::default());
    let create = Create { embedder: EmbedderChoice::Vectors(2), ..Create::default() };
    let engine = Engine::create_in(storage, create, Clock::system()).unwrap();
    let sees = |who: &str| {
        let identity = Identity::asserted(who).issue(engine.clock()).unwrap();
        engine.session(identity).unwrap().visible().unwrap().count
    };
    let everyone = Acl::new([Principal::Everyone], []);
    engine.add(vec![document(everyone.clone(), [1.0, 0.0])]).unwrap();
    engine.commit().unwrap();
    assert_eq!(sees("eve"), 1);

    let wider = Acl::new([Principal::Everyone, Principal::user("ann")], []);
    engine.add(vec![document(wider, [0.0, 1.0])]).unwrap();
    engine.set_acl(&Tenant::default(), "d", Acl::default()).unwrap();
    engine.commit().unwrap();
    assert_eq!((sees("eve"), sees("ann")), (0, 0), "the commit undid what a person had closed");

    engine.add(vec![document(everyone, [1.0, 1.0])]).unwrap();
    engine.commit().unwrap();
    assert_eq!(sees("eve"), 0, "what a person set holds until the caller says something new");
    engine.add(vec![document(Acl::new([Principal::user("eve")], []), [1.0, 1.0])]).unwrap();
    engine.commit().unwrap();
    assert_eq!((sees("eve"), sees("ann")), (1, 0));
}

const DIM: usize = 256;

/// `n` documents of one block of vectors of any length, from number `first` on.
fn block(first: usize, n: usize) -> Vec<BatchDocument> {
    let number = |i: usize| ((first * DIM + i) * 2_654_435_761 % 1_000_003) as f32 / 1_000_003.0 + 0.1;
    let block = Arc::new((0..n * DIM).map(number).collect::<Vec<f32>>());
    let part = |i: usize| SharedVectors::part_of(&block, i * DIM..(i + 1) * DIM).unwrap();
    let document = |i: usize| BatchDocument {
        id: format!("d{:05}", first + i),
        vector: Some(part(i)),
        acl: Some(Acl::new([Principal::group(&format!("g{}", i % 7))], [Principal::user(&format!("u{}", i % 3))])),
        ..BatchDocument::default()
    };
    (0..n).map(document).collect()
}

/// The files of the segments, after more was staged than waits in memory.
fn committed(storage: Arc<dyn Storage>) -> Vec<(String, Vec<u8>)> {
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create_in(Arc::clone(&storage), create, Clock::system()).unwrap();
    for first in [0, 3_000, 6_000, 4_000] {
        engine.add(block(first, 3_000)).unwrap();
    }
    engine.delete(&Tenant::default(), "d08999").unwrap();
    // What was set aside is still there after a commit that failed.
    let lease = storage.lease("writer", "somebody").unwrap();
    assert_eq!(engine.commit().unwrap_err().kind(), Kind::Conflict);
    drop(lease);
    engine.commit().unwrap();
    assert_eq!(engine.verify().unwrap().documents, 8_999);
    assert!(storage.list("tmp").unwrap().is_empty());
    let mut files = Vec::new();
    for id in storage.list("segment").unwrap() {
        for name in storage.list(&format!("segment/{id}")).unwrap() {
            let path = format!("segment/{id}/{name}");
            let bytes = storage.read(&path).unwrap().to_vec();
            files.push((path, bytes));
        }
    }
    files
}

#[test]
fn what_waits_in_a_file_is_committed_as_what_waits_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let in_memory = committed(Arc::new(MemoryStorage::default()));
    let in_a_file = committed(Arc::new(LocalStorage::new(folder.path())));
    assert!(in_memory.iter().any(|(path, _)| path.ends_with("vectors.bin")));
    for (a, b) in in_memory.iter().zip(&in_a_file) {
        assert!(a == b, "{} differs", a.0);
    }
    assert_eq!(in_memory.len(), in_a_file.len());
}

#[test]
fn a_document_for_somebody_without_a_name_is_not_staged() {
    let create = Create { embedder: EmbedderChoice::Vectors(2), ..Create::default() };
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::system()).unwrap();
    let nameless = Acl::new([Principal::user("")], []);
    assert_eq!(engine.add(vec![document(nameless, [1.0, 0.0])]).unwrap_err().kind(), Kind::Invalid);
    engine.add(vec![document(Acl::default(), [1.0, 0.0])]).unwrap();
    engine.commit().unwrap();
}
