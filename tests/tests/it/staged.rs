//! Documents wait for a commit while somebody changes who may read them.

use std::sync::Arc;

use safepassage::{Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Principal, Tenant};

fn document(acl: Acl, vector: [f32; 2]) -> BatchDocument {
    BatchDocument { id: "d".into(), vector: Some(vector.to_vec().into()), acl: Some(acl), ..BatchDocument::default() }
}

#[test]
fn what_is_closed_while_documents_are_staged_stays_closed() {
    let storage = Arc::new(safepassage_index::storage::MemoryStorage::default());
    let create = Create { embedder: EmbedderChoice::Vectors(2), ..Create::default() };
    let engine = Engine::create_in(storage, create, safepassage::system::Clock::system()).unwrap();
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
