//! An identity ends: also for what it was already given and has not read.

use std::sync::Arc;

use safepassage::system::{Clock, Timestamp};
use safepassage::{Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Kind, Principal};
use safepassage_index::storage::MemoryStorage;

#[test]
fn nobody_reads_on_after_their_identity_ended() {
    let (clock, storage) = (Clock::fixed(Timestamp(0)), Arc::new(MemoryStorage::default()));
    let create = Create { embedder: EmbedderChoice::Vectors(2), ..Create::default() };
    let engine = Engine::create_in(storage, create, clock.clone()).unwrap();
    let document = |id: &str| BatchDocument {
        id: id.into(),
        text: Some(format!("The text of {id}.")),
        vector: Some(vec![1.0, 0.0].into()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        ..BatchDocument::default()
    };
    engine.add(vec![document("a"), document("b")]).unwrap();
    engine.commit().unwrap();
    let session = engine.session(Identity::asserted("u").ttl_seconds(60).issue(&clock).unwrap()).unwrap();
    let page = session.search_vector(&[1.0, 0.0], 1, None).unwrap();
    assert_eq!(page.results().unwrap().hits.len(), 1);
    clock.advance_seconds(59);
    assert_eq!(session.search_vector(&[1.0, 0.0], 2, None).unwrap().ids().len(), 2);
    clock.advance_seconds(1);
    let kinds = [
        session.search_vector(&[1.0, 0.0], 2, None).map(drop),
        session.search_vectors(&[1.0, 0.0], 2, None).map(drop),
        session.visible().map(drop),
        session.explain("a").map(drop),
        page.results().map(drop),
        engine.session(session.identity().clone()).map(drop),
    ];
    for (i, result) in kinds.into_iter().enumerate() {
        let error = result.unwrap_err();
        assert!(error.kind() == Kind::Denied && error.message().contains("expired"), "{i}: {error}");
    }
}
