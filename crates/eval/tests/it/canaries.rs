//! Canaries: planted, asked for, and taken away.

use safepassage::{Acl, Kind, Principal, Tenant};
use safepassage_eval::{EngineRetriever, Passage, canary};

use crate::world::{Spoilt, world};

#[test]
fn an_acl_that_nobody_passes_and_an_index_without_a_model_take_none() {
    let world = world();
    let tenant = Tenant::default();
    assert_eq!(canary::plant(&world.engine, &tenant, &Acl::default(), 1).unwrap_err().kind(), Kind::Invalid);
    let acl = Acl::new([Principal::group("chiefs")], []);
    assert_eq!(canary::plant(&world.engine, &tenant, &acl, 1).unwrap_err().kind(), Kind::Invalid);
    assert!(canary::remove(&world.engine, &tenant).unwrap().is_empty());
}

#[test]
fn none_is_no_proof_and_no_leak() {
    let world = world();
    let mut retriever =
        EngineRetriever::new(world.engine.clone()).by(safepassage::Mode::Vector, safepassage::Fusion::default());
    let report = canary::check(&world.engine, &mut retriever, &world.collection.personas, 0.95).unwrap();
    assert_eq!((report.canaries, report.personas.len(), report.leaked()), (0, 4, false));
    let adds = Some(Passage { document: "canary/0123456789abcdef".into(), section: 0, score: 1.0 });
    let mut spoilt = Spoilt { adds, ..Spoilt::new(retriever) };
    assert!(!canary::check(&world.engine, &mut spoilt, &world.collection.personas, 0.95).unwrap().leaked());
}
