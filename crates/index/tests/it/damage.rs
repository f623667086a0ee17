//! Every byte of a small index is damaged in turn: it is found, or it does no harm; it never panics or leaks.

use std::sync::Arc;

use bytes::Bytes;
use safepassage_access::{Acl, Labels, Principal, Tenant};
use safepassage_error::Kind;
use safepassage_index::storage::MemoryStorage;
use safepassage_index::{GraphSettings, Index, Language, Settings, Words};

use crate::world::*;

fn small() -> MemoryStorage {
    let storage = MemoryStorage::default();
    let fields = r#"{"a": "number", "b": "string"}"#.parse().unwrap();
    let settings = Settings { fields, ..settings() };
    let index = Index::create(Arc::new(storage.clone()), settings, &Labels::default(), clock())
        .unwrap()
        .with_graph_settings(GraphSettings { from_rows: 4, ..GraphSettings::default() });
    let mut numbers = Numbers(8);
    let mut writer = index.writer().unwrap();
    for round in 0..2 {
        for (id, owner) in [("a", "alice"), ("b", "bob"), ("c", "alice")] {
            let document = bound(&index, id, round, &allow(owner), 2, &mut numbers).unwrap();
            writer.upsert(&Tenant::default(), document).unwrap();
        }
        let extra =
            bound(&index, &format!("e{round}"), 1, &Acl::new([Principal::Everyone], []), 1, &mut numbers).unwrap();
        writer.upsert(&Tenant::default(), extra).unwrap();
        writer.commit().unwrap();
    }
    storage
}

/// What alice finds, or the kind of the error; asserts that nothing of bob's is in it.
fn alice_finds(storage: &MemoryStorage) -> Result<Vec<String>, Kind> {
    let index = open(storage).map_err(|e| e.kind())?;
    let mut found = ids(&index, &user("alice"), &[1.0; DIM], 20).map_err(|e| e.kind())?;
    let (snapshot, visible) = index.visible(&user("alice")).map_err(|e| e.kind())?;
    let words = Words::read("pass* title \"of a\"", Language::English).map_err(|e| e.kind())?;
    let said = snapshot.search_words(&visible, &words, 20).map_err(|e| e.kind())?;
    found.extend(said.hits.iter().map(|hit| snapshot.document_of(hit).to_owned()));
    assert!(!found.contains(&"b".to_owned()));
    let filter = r#"{"orAll": [{"equals": {"key": "a", "value": 1}}, {"equals": {"key": "b", "value": ""}}]}"#;
    let narrowed = snapshot.filtered(&visible, &filter.parse().unwrap()).map_err(|e| e.kind())?;
    assert_eq!(narrowed.len(), visible.len(), "every document has `a`");
    Ok(found)
}

#[test]
fn every_damaged_byte_is_found_or_harmless() {
    let whole = small();
    let right = alice_finds(&whole).unwrap();
    assert_eq!(right.len(), 12);
    for name in ["graph.bin", "layers.bin", "codes.bin", "vectors.bin", "fields.bin", "lexical.bin", "sums.bin"] {
        assert!(whole.contents().iter().any(|(path, _)| path.ends_with(name)), "{name}");
    }
    for (path, bytes) in whole.contents() {
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << (at % 8);
            let storage = whole.durable_copy();
            storage.damage(&path, damaged.into());
            match alice_finds(&storage) {
                Ok(found) => assert_eq!(found, right, "{path} byte {at}"),
                Err(kind) => assert_eq!(kind, Kind::Corrupted, "{path} byte {at}"),
            }
            let verified = open(&storage).and_then(|index| index.verify());
            assert_eq!(verified.map(|_| ()).map_err(|e| e.kind()), Err(Kind::Corrupted), "{path} byte {at}");
        }
    }
}

#[test]
fn truncated_and_missing_files_are_found() {
    let whole = small();
    for (path, bytes) in whole.contents() {
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let storage = whole.durable_copy();
            storage.damage(&path, Bytes::copy_from_slice(&bytes[..length]));
            let verified = open(&storage).and_then(|index| index.verify());
            assert_eq!(verified.map(|_| ()).map_err(|e| e.kind()), Err(Kind::Corrupted), "{path} cut to {length}");
        }
        let storage = whole.durable_copy();
        safepassage_index::storage::Storage::delete(&storage, &path).unwrap();
        let verified = open(&storage).and_then(|index| index.verify());
        let newest_manifest = path == "manifest/000003.json";
        assert_eq!(verified.is_err(), !newest_manifest, "{path} missing");
    }
}
