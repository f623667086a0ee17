//! Writes the small index of `fixtures/format/`: `cargo run -p safepassage-index --example format_fixture -- FOLDER`
//!
//! Run once for each new format; what is there already stays as it is, because it must open for ever.

use std::sync::Arc;

use safepassage_access::{
    AccessEvent, Acl, Binding, DocumentNumber, Inherit, Input, LabelRank, Labels, ObjectStatement, Origin, Principal,
    Tenant, Version,
};
use safepassage_error::system::{Clock, Timestamp};
use safepassage_error::{Error, Result};
use safepassage_index::storage::LocalStorage;
use safepassage_index::{FieldType, Fields, GraphSettings, Index, Language, NewChunk, NewDocument, Settings};

const DIM: usize = 8;

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| Error::invalid("write fixture", "say which folder"))?;
    let fields = Fields::new([("year".into(), FieldType::Number), ("topics".into(), FieldType::List)])?;
    let settings = Settings { language: Language::German, fields, ..Settings::vectors(DIM) };
    let clock = Clock::fixed(Timestamp(1_795_000_000_000));
    let index = Index::create(Arc::new(LocalStorage::new(folder)), settings, &Labels::default(), clock)?
        .with_graph_settings(GraphSettings { from_rows: 8, ..GraphSettings::default() });
    let mut writer = index.writer()?;
    let site = Some(Acl::new([Principal::group("staff")], []));
    let statement = ObjectStatement { acl: site, source_acl: None, origin: Origin::Set };
    let stated = AccessEvent::ObjectStated { tenant: Tenant::default(), name: "site".into(), statement };
    index.commit_access(&mut |_| Ok(vec![stated.clone()]))?;
    let readers = [
        ("a", Principal::user("alice")),
        ("b", Principal::group("hr")),
        ("c", Principal::Public),
        ("d", Principal::group("staff")),
        ("e", Principal::Everyone),
    ];
    for (number, (id, reader)) in (0..).zip(readers) {
        let (number, tenant, version) = (DocumentNumber(number), Tenant::default(), Version(7 + u128::from(number)));
        let mut acl = Acl::new([reader.clone()], [Principal::user("mallory")]);
        if id == "d" {
            // Under an object, and for who is in both groups.
            let together = [reader, Principal::group("cleared")].into();
            acl = Acl {
                all_of: [together].into(),
                parent: Some("site".into()),
                inherit: Inherit::BothPermit,
                ..Acl::default()
            };
        }
        let label = LabelRank(u8::from(id == "b"));
        let mut binding = Binding::by_source(version, acl, label);
        if id == "e" {
            // A summary of `d`, of which one section is for HR.
            binding.derived_from = vec![Input { number: DocumentNumber(3), version: Version(10) }];
            binding.sections = vec![Acl::new([Principal::group("hr")], [])];
        }
        let numbered = AccessEvent::Numbered { tenant: tenant.clone(), id: id.into(), number };
        index.commit_access(&mut |_| {
            Ok(vec![numbered.clone(), AccessEvent::Bound { number, binding: binding.clone() }])
        })?;
        let chunk = |ordinal: u32| NewChunk {
            ordinal,
            text: format!("passage {ordinal} of {id}: {} der Häuser", ["das Dach", "die Türen"][ordinal as usize % 2]),
            span: (u64::from(ordinal) * 20, u64::from(ordinal) * 20 + 14),
            heading: "Heading".into(),
            hash: u128::from(ordinal),
            section: u16::from(id == "e" && ordinal == 5),
            page: Some(1 + ordinal / 2),
            parent: (id == "d").then_some(ordinal / 3),
        };
        let vector = |row: usize| (0..DIM).map(move |i| if i == row % DIM { 1.0 } else { 0.01 * (row + i) as f32 });
        let document = NewDocument {
            number,
            version,
            id: id.into(),
            source: "fixture".into(),
            title: Some(format!("Title {id}")),
            uri: Some(format!("https://example.org/{id}")),
            metadata: Some(format!("{{\"year\":{},\"topics\":[\"Häuser\",\"{id}\"]}}", 2020 + number.0)),
            chunks: (0..6).map(chunk).collect(),
            vectors: (0..6).flat_map(|row| vector(row + number.0 as usize)).collect::<Vec<f32>>().into(),
        };
        writer.upsert(&tenant, document)?;
    }
    writer.commit()?;
    writer.delete(&Tenant::default(), "c");
    writer.commit()?;
    let revoked = AccessEvent::Revoked { number: DocumentNumber(0), principal: Principal::user("bob") };
    index.commit_access(&mut |_| Ok(vec![revoked.clone()]))?;
    Ok(())
}
