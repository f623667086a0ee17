//! What do filters and schemas say when somebody else wrote them?
//!
//! A filter, a schema and the metadata of a document, `\n====\n` between them. What is read is written as it was and read
//! again; what does not fit the schema is refused whatever the document has. One input in sixteen is indexed too, and then
//! the postings say what the plain interpreter says.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use safepassage_access::{AccessEvent, Acl, Binding, DocumentNumber, Identity, Labels, Principal, Tenant, Version};
use safepassage_error::Kind;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_index::storage::MemoryStorage;
use safepassage_index::{Fields, Filter, Index, NewChunk, NewDocument, Settings};
use serde_json::{Map, Value};

fn indexed(fields: &Fields, metadata: &Map<String, Value>, filter: &Filter) -> bool {
    let clock = Clock::fixed(Timestamp(1));
    let settings = Settings { fields: fields.clone(), ..Settings::vectors(1) };
    let index = Index::create(Arc::new(MemoryStorage::default()), settings, &Labels::default(), clock.clone()).unwrap();
    let number = DocumentNumber(0);
    index
        .commit_access(&mut |plane| {
            let acl = Acl::new([Principal::Public], []);
            let binding = Binding::by_source(Version(1), acl, plane.labels().default_rank());
            let numbered = AccessEvent::Numbered { tenant: Tenant::default(), id: "a".into(), number };
            Ok(vec![numbered, AccessEvent::Bound { number, binding }])
        })
        .unwrap();
    let chunk =
        NewChunk { ordinal: 0, text: String::new(), span: (0, 0), heading: String::new(), hash: 0, section: 0, page: None, parent: None };
    let document = NewDocument {
        number,
        version: Version(1),
        id: "a".into(),
        source: "f".into(),
        title: None,
        uri: None,
        metadata: Some(Value::Object(metadata.clone()).to_string()),
        chunks: vec![chunk],
        vectors: vec![1.0].into(),
    };
    let mut writer = index.writer().unwrap();
    writer.upsert(&Tenant::default(), document).unwrap();
    writer.commit().unwrap();
    index.verify().unwrap();
    let (snapshot, visible) = index.visible(&Identity::asserted("eve").issue(&clock).unwrap()).unwrap();
    fields.iter().for_each(|(field, _)| drop(snapshot.facets(&visible, field, 3).unwrap()));
    snapshot.filtered(&visible, filter).unwrap().len() == 1
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.splitn(3, "\n====\n");
    let [filter, schema, metadata] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let fields = schema.parse::<Fields>();
    let filter = match filter.parse::<Filter>() {
        Ok(filter) => filter,
        Err(error) => return assert_eq!(error.kind(), Kind::Invalid),
    };
    assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter);
    let Ok(fields) = fields.inspect_err(|error| assert_eq!(error.kind(), Kind::Invalid)) else { return };
    assert_eq!(serde_json::to_string(&fields).unwrap().parse::<Fields>().unwrap(), fields);
    let nothing = filter.matches(&fields, &Map::new());
    let Ok(metadata) = serde_json::from_str::<Map<String, Value>>(metadata) else { return };
    let matches = filter.matches(&fields, &metadata);
    // Whether it fits the schema does not depend on the document.
    assert_eq!(nothing.is_ok(), matches.is_ok());
    let Ok(matches) = matches.inspect_err(|error| assert_eq!(error.kind(), Kind::Invalid)) else { return };
    if bytes.len() % 16 == 0 {
        assert_eq!(indexed(&fields, &metadata, &filter), matches, "{filter}");
    }
});
