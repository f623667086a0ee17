//! Drift between generations of an index, and between indexes.

use safepassage::{Acl, BatchDocument, Kind, Principal, SharedVectors, Silent, Tenant};
use safepassage_eval::drift::{Changed, DriftSettings, drift};

use crate::world::{DOCUMENTS, vector, world, world_without};

#[test]
fn an_index_has_not_drifted_from_itself() {
    let world = world();
    let side = (&world.engine, None);
    let found = drift(side, side, &[], &DriftSettings::default(), &Silent).unwrap();
    assert_eq!(found.documents, Changed { unchanged: DOCUMENTS, ..Changed::default() });
    let shift = found.shift.unwrap();
    assert!(shift.energy < 1e-6 && shift.energy_p > 0.9 && shift.standardised == 0.0, "{shift:?}");
    assert_eq!((found.from.norms.outliers, found.from.duplicates), (0, 0.0));
    assert!((found.from.norms.mean - 1.0).abs() < 1e-5);
}

#[test]
fn generations_are_told_apart() {
    let world = world();
    let before = world.engine.generations().unwrap().last().unwrap().generation;
    world.engine.delete(&Tenant::default(), "d0").unwrap();
    let document = |n: usize| BatchDocument {
        id: format!("d{n}"),
        text: Some("Other words.".into()),
        // All look one way.
        vector: Some(SharedVectors::from(vector(n as u64).iter().map(|v| v + 3.0).collect::<Vec<_>>())),
        acl: Some(Acl::new([Principal::Public], [])),
        ..BatchDocument::default()
    };
    world.engine.add((1..10).chain(100..140).map(document).collect()).unwrap();
    world.engine.commit().unwrap();
    let settings = DriftSettings::default();
    let found = drift((&world.engine, Some(before)), (&world.engine, None), &[], &settings, &Silent).unwrap();
    assert_eq!(found.documents, Changed { added: 40, deleted: 1, changed: 9, unchanged: 50 });
    let shift = found.shift.unwrap();
    assert!(shift.energy_p < 0.01 && shift.mean_distance > 0.2, "{shift:?}");
    let gone = drift((&world.engine, Some(999)), (&world.engine, None), &[], &settings, &Silent);
    assert_eq!(gone.unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn two_indexes_are_compared_document_by_document() {
    let (whole, part) = (world(), world_without(10));
    let found = drift((&part.engine, None), (&whole.engine, None), &[], &DriftSettings::default(), &Silent).unwrap();
    assert_eq!(found.documents, Changed { added: 10, unchanged: 50, ..Changed::default() });
    let few = DriftSettings { drawn: 20, ..DriftSettings::default() };
    let few = drift((&part.engine, None), (&whole.engine, None), &[], &few, &Silent).unwrap();
    assert_eq!((few.from.drawn, few.to.drawn, few.to.documents), (20, 20, 60));
}
