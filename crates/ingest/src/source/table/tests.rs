//! Do rows say what lines of JSON say, in every kind of table, and what becomes of tables that nobody means well with?

use std::fs::File;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder,
    StringViewBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{Field, Fields};
use tempfile::TempDir;

use super::*;
use crate::source::{InStore, SourceSpec, Timestamp, open};

type Read = std::result::Result<SourceDocument, String>;

fn opened(spec: &SourceSpec) -> Result<Box<dyn Source>> {
    let how = InStore { acl: None, stores: None, memory: &|_| Ok(None), only: None, since: Timestamp(0) };
    open(spec, &how)
}

/// Every document of a source by id, or why it is none and whether it is hidden.
fn read(path: &Path) -> Vec<(String, Read)> {
    let source = opened(&SourceSpec::new(path)).unwrap();
    let listing = source.list().unwrap();
    assert_eq!(listing.skipped, []);
    let entries: Vec<&Entry> = listing.entries.iter().collect();
    let of = |fault: Fault| {
        let hidden = if fault.permission.is_none() { " (hidden)" } else { "" };
        format!("{}{hidden}", fault.reason)
    };
    let read = source.read_all(&entries).unwrap();
    let outlines = source.outlines(&entries, &vec![None; entries.len()]).unwrap();
    for (read, outline) in read.iter().zip(&outlines) {
        assert_eq!(read.as_ref().ok().map(|read| read.clone().outline()), outline.as_ref().ok().cloned());
    }
    entries.iter().zip(read).map(|(entry, read)| (entry.id.clone(), read.map_err(of))).collect()
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn lists(rows: &[Option<Vec<Option<&str>>>]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row {
            Some(row) => lists.append_value(row.iter().copied()),
            None => lists.append_null(),
        }
    }
    Arc::new(lists.finish())
}

/// Three documents with everything that a document can have.
fn whole() -> RecordBatch {
    let allow = lists(&[Some(vec![Some("group:hr"), Some("user:ann")]), Some(vec![]), None]);
    let deny = lists(&[Some(vec![Some("user:bob")]), None, None]);
    let fields = |array: &ArrayRef, name: &str| Arc::new(Field::new(name, array.data_type().clone(), true));
    let valid = Some(vec![true, true, false].into());
    let acl =
        StructArray::new(Fields::from(vec![fields(&allow, "allow"), fields(&deny, "deny")]), vec![allow, deny], valid);
    let (mut year, mut rate, mut closed) = (Int64Builder::new(), Float64Builder::new(), BooleanBuilder::new());
    year.append_option(Some(2024));
    rate.append_option(Some(0.1));
    closed.append_option(Some(true));
    for _ in 0..2 {
        year.append_null();
        rate.append_null();
        closed.append_null();
    }
    let at = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_500_000), None, None]).with_timezone("+02:00");
    let parts: Vec<(&str, ArrayRef)> = vec![
        ("year", Arc::new(year.finish())),
        ("rate", Arc::new(rate.finish())),
        ("closed", Arc::new(closed.finish())),
        ("at", Arc::new(at)),
        ("tags", lists(&[Some(vec![Some("a"), Some("b")]), None, None])),
    ];
    let metadata =
        StructArray::from(parts.into_iter().map(|(name, array)| (fields(&array, name), array)).collect::<Vec<_>>());
    let mut title = StringDictionaryBuilder::<Int32Type>::new();
    title.append_option(Some("First"));
    title.append_option(Some(""));
    title.append_null();
    let mut text = StringViewBuilder::new();
    text.append_value("# Salaries\n\nThey rise by four percent, which is a long line of text.");
    text.append_value("");
    text.append_value("Third.");
    batch(vec![
        ("id", Arc::new(LargeStringArray::from(vec!["a", "b", "c"]))),
        ("text", Arc::new(text.finish())),
        ("title", Arc::new(title.finish())),
        ("uri", strings(&[Some("https://x/a"), None, None])),
        ("acl", Arc::new(acl)),
        ("acl_object", strings(&[Some("space/hr"), None, None])),
        ("label", strings(&[None, Some("restricted"), None])),
        ("tenant", strings(&[None, None, Some("acme")])),
        ("derived_from", lists(&[None, Some(vec![Some("a")]), None])),
        ("metadata", Arc::new(metadata)),
    ])
}

const LINES: &str = r##"{"id": "a", "text": "# Salaries\n\nThey rise by four percent, which is a long line of text.", "title": "First", "uri": "https://x/a", "acl": {"allow": ["group:hr", "user:ann"], "deny": ["user:bob"]}, "acl_object": "space/hr", "metadata": {"year": 2024, "rate": 0.1, "closed": true, "at": "2023-11-14T22:13:20.500Z", "tags": ["a", "b"]}}
{"id": "b", "text": "", "title": "", "acl": {"allow": []}, "label": "restricted", "derived_from": ["a"]}
{"id": "c", "text": "Third.", "tenant": "acme"}
"##;

fn parquet(path: &Path, batches: &[RecordBatch], compression: Compression, rows: usize) {
    let properties =
        WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(rows)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batches[0].schema(), Some(properties)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
}

fn file(path: &Path, batches: &[RecordBatch], compression: Option<CompressionType>) {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let out = File::create(path).unwrap();
    let mut writer = FileWriter::try_new_with_options(out, &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
}

fn stream(path: &Path, batches: &[RecordBatch]) {
    let mut writer = StreamWriter::try_new(File::create(path).unwrap(), &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
}

/// `batch` in every kind of file.
fn every_kind(batch: &RecordBatch) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| {
        let inside = folder.path().join(name.replace('.', "-"));
        fs::create_dir(&inside).unwrap();
        inside.join(name)
    };
    let mut paths = Vec::new();
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let gzip = Compression::GZIP(Default::default());
    for (name, compression) in [
        ("plain.parquet", Compression::UNCOMPRESSED),
        ("snappy.parquet", Compression::SNAPPY),
        ("zstd.pq", zstd),
        ("gzip.parquet", gzip),
        ("lz4.parquet", Compression::LZ4_RAW),
    ] {
        paths.push(path(name));
        parquet(&paths[paths.len() - 1], std::slice::from_ref(batch), compression, 2);
    }
    // Batches of two rows and of one.
    let parts = [
        batch.slice(0, batch.num_rows().min(2)),
        batch.slice(batch.num_rows().min(2), batch.num_rows() - batch.num_rows().min(2)),
    ];
    for (name, compression) in [
        ("plain.arrow", None),
        ("lz4.feather", Some(CompressionType::LZ4_FRAME)),
        ("zstd.feather", Some(CompressionType::ZSTD)),
    ] {
        paths.push(path(name));
        file(&paths[paths.len() - 1], &parts, compression);
    }
    paths.push(path("stream.arrows"));
    stream(&paths[paths.len() - 1], &parts);
    (folder, paths)
}

#[test]
fn a_row_says_what_a_line_says_in_every_kind_of_table() {
    let (folder, paths) = every_kind(&whole());
    let lines = folder.path().join("docs.jsonl");
    fs::write(&lines, LINES).unwrap();
    let wanted = read(&lines);
    assert!(wanted.iter().all(|(_, read)| read.is_ok()), "{wanted:?}");
    for path in &paths {
        assert_eq!(read(path), wanted, "{}", path.display());
    }
    // Beside an ACL file both are narrowed alike.
    let acl = r#"{"_id": "./", "acl": {"allow": ["everyone"], "deny": ["user:eve"]}}"#;
    fs::write(folder.path().join("acl.jsonl"), acl).unwrap();
    fs::write(paths[0].with_file_name("acl.jsonl"), acl).unwrap();
    assert_eq!(read(&paths[0]), read(&lines));
    assert_ne!(read(&lines), wanted);
}

fn acls(acl: ArrayRef) -> Vec<Read> {
    let rows = acl.len();
    let ids: Vec<String> = (0..rows).map(|n| format!("d{n}")).collect();
    let ids: ArrayRef = Arc::new(StringArray::from(ids));
    let batch = batch(vec![("id", Arc::clone(&ids)), ("text", ids), ("acl", acl)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    file(&path, &[batch], None);
    read(&path).into_iter().map(|(_, read)| read).collect()
}

fn acl_of(read: &Read) -> serde_json::Value {
    serde_json::to_value(read.as_ref().unwrap().acl.as_ref().unwrap()).unwrap()
}

#[test]
fn an_acl_can_be_written_in_four_ways() {
    use serde_json::json;
    let together = {
        let mut outer = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
        outer.values().append_value([Some("group:a"), Some("group:b")]);
        outer.append(true);
        Arc::new(outer.finish())
    };
    let all_of = json!({"allow": [], "all_of": [["group:a", "group:b"]], "deny": []});
    assert_eq!(acl_of(&acls(together)[0]), all_of);
    let listed = lists(&[Some(vec![Some("group:a")]), Some(vec![])]);
    let allowed = acls(listed);
    assert_eq!(acl_of(&allowed[0]), json!({"allow": ["group:a"], "deny": []}));
    assert_eq!(acl_of(&allowed[1]), json!({"allow": [], "deny": []}));
    let texts = strings(&[
        Some(r#"{"allow": ["group:a"], "deny": ["user:b"]}"#),
        Some(r#" ["group:a"]"#),
        Some(r#"[["group:a", "group:b"]]"#),
        None,
    ]);
    let read = acls(texts);
    assert_eq!(acl_of(&read[0]), json!({"allow": ["group:a"], "deny": ["user:b"]}));
    assert_eq!(acl_of(&read[1]), json!({"allow": ["group:a"], "deny": []}));
    assert_eq!(acl_of(&read[2]), all_of);
    assert_eq!(read[3].as_ref().unwrap().acl, None);
    let mut map = MapBuilder::new(None, StringBuilder::new(), ListBuilder::new(StringBuilder::new()));
    map.keys().append_value("allow");
    map.values().append_value([Some("public")]);
    map.append(true).unwrap();
    assert_eq!(acl_of(&acls(Arc::new(map.finish()))[0]), json!({"allow": ["public"], "deny": []}));
}

#[test]
fn an_acl_that_cannot_be_understood_hides_the_document() {
    let texts = strings(&[
        Some("group:a"),
        Some(""),
        Some("{"),
        Some("7"),
        Some(r#"{"allow": ["group:a"]} {"deny": ["group:a"]}"#),
        Some(r#"{"allow": ["group:a"], "deny": ["group:b"], "deny": []}"#),
        Some(r#"{"allow": ["group:a"], "dny": []}"#),
        Some(r#"{"allow": ["grup:a"]}"#),
        Some(r#"{"all_of": [[]]}"#),
        Some(r#"["group:a", ["group:b"]]"#),
        Some(r#"["group:a", null]"#),
        Some("null"),
    ]);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let twice = {
        let list = lists(&[Some(vec![Some("group:a")])]);
        let field = Field::new("allow", list.data_type().clone(), true);
        StructArray::new(Fields::from(vec![field.clone(), field]), vec![Arc::clone(&list), list], None)
    };
    for column in [texts, numbers, Arc::new(twice), lists(&[Some(vec![Some("group:a"), None])])] {
        for (row, read) in acls(column).into_iter().enumerate() {
            let said = read.unwrap_err();
            assert!(said.ends_with(" (hidden)"), "{row}: {said}");
        }
    }
}

#[test]
fn other_columns_that_cannot_be_read_leave_the_permissions_as_they_are_stated() {
    let texts = |values: &[&str]| strings(&values.iter().copied().map(Some).collect::<Vec<_>>());
    let batch = batch(vec![
        ("id", texts(&["a", "b", "c"])),
        ("text", strings(&[Some("x"), None, Some("z")])),
        ("acl", texts(&[r#"["group:a"]"#; 3])),
        ("metadata", texts(&["[]", "{}", r#"{"year": 2}"#])),
        ("sections", texts(&["[]", "[]", r#"[{"span": [0, 1]}]"#])),
    ]);
    let (_folder, paths) = every_kind(&batch);
    for path in paths {
        let said: Vec<String> = read(&path).into_iter().map(|(_, read)| read.unwrap_err()).collect();
        assert_eq!(said[0], "column `metadata`: invalid type: sequence, expected an object", "{}", path.display());
        assert_eq!(said[1], "column `text`: it is missing");
        assert_eq!(said[2], "column `sections`: missing field `acl`");
    }
}

#[test]
fn columns_that_make_no_documents_are_refused_by_name() {
    let text = || strings(&[Some("x")]);
    let number = || Arc::new(Int64Array::from(vec![7])) as ArrayRef;
    let id = || ("id", text());
    for (columns, said) in [
        (vec![id()], "there is no column `text`"),
        (vec![("text", text())], "there is no column `id`"),
        (vec![id(), ("text", text()), ("ACL", text())], "the column `ACL` is none of a document"),
        (vec![id(), ("text", text()), ("vector", text())], "the column `vector` is none of a document"),
        (vec![id(), ("text", text()), ("acl", text()), ("acl", text())], "there are two columns `acl`"),
        (vec![("id", number()), ("text", text())], "the column `id` is of the type Int64"),
        (vec![id(), ("text", text()), ("label", number())], "the column `label` is of the type Int64"),
        (vec![id(), ("text", text()), ("tenant", number())], "the column `tenant` is of the type Int64"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.arrow");
        file(&path, &[batch(columns)], None);
        let error = opened(&SourceSpec::new(&path)).unwrap().list().unwrap_err();
        assert!(error.message().contains(said), "{error}");
        assert!(error.context().contains(&("file", "bad.arrow".into())), "{error}");
    }
    // A column without any value has no type.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.arrow");
    file(&path, &[batch(vec![id(), ("text", text()), ("label", Arc::new(NullArray::new(1)))])], None);
    assert!(read(&path)[0].1.is_ok());
}

#[test]
fn ids_that_are_missing_or_stand_twice_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let of = |ids: &[Option<&str>]| batch(vec![("id", strings(ids)), ("text", strings(&vec![Some("x"); ids.len()]))]);
    parquet(&path, &[of(&[Some("a"), None, Some(""), Some("b")])], Compression::SNAPPY, 2);
    let listing = opened(&SourceSpec::new(&path)).unwrap().list().unwrap();
    assert!(listing.unidentified);
    let skipped = ["a.parquet, row group 0, row 1", "a.parquet, row group 1, row 0"];
    assert_eq!(listing.skipped.iter().map(|(place, _)| place.as_str()).collect::<Vec<_>>(), skipped);
    assert_eq!(listing.entries[1].place, "a.parquet, row group 1, row 1");
    for rows in [1, 4] {
        parquet(&path, &[of(&[Some("a"), Some("b"), Some("a")])], Compression::SNAPPY, rows);
        let error = opened(&SourceSpec::new(&path)).unwrap().list().unwrap_err();
        assert!(error.message().contains("the id `a` stands in a.parquet, row group 0, row 0 and in"), "{error}");
    }
}

#[test]
fn a_folder_of_tables_is_one_source_and_a_damaged_one_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let of = |id: &str| batch(vec![("id", strings(&[Some(id)])), ("text", strings(&[Some("x")]))]);
    parquet(&path("part-0.parquet"), &[of("a")], Compression::SNAPPY, 9);
    file(&path("part-1.arrow"), &[of("b")], None);
    fs::write(path("_SUCCESS"), "").unwrap();
    fs::write(path(".part-0.crc"), "x").unwrap();
    assert_eq!(read(folder.path()).iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    fs::write(path("part-2.parquet"), "PAR1 and nothing else").unwrap();
    let listing = opened(&SourceSpec::new(folder.path())).unwrap().list().unwrap();
    assert!(listing.unidentified && listing.entries.len() == 2);
    assert_eq!(listing.skipped[0].0, "part-2.parquet");
    // The same id in two files is nobody's to choose.
    parquet(&path("part-2.parquet"), &[of("a")], Compression::SNAPPY, 9);
    assert!(opened(&SourceSpec::new(folder.path())).unwrap().list().is_err());
    // Among other files a table is no document, and says so.
    fs::remove_file(path("part-2.parquet")).unwrap();
    fs::remove_file(path("_SUCCESS")).unwrap();
    fs::write(path("readme.md"), "x").unwrap();
    let listing = opened(&SourceSpec::new(folder.path())).unwrap().list().unwrap();
    assert_eq!(listing.entries.len(), 1);
    assert!(listing.skipped[0].1.contains("give it as a source of its own"), "{:?}", listing.skipped);
}

/// A file that was cut off or turned over somewhere: an error, or rows that say what they said, or hidden ones.
#[test]
fn damage_is_an_error_and_never_another_permission() {
    let (_folder, paths) = every_kind(&whole());
    for path in &paths {
        let good = fs::read(path).unwrap();
        let wanted = read(path);
        let mut refused = 0;
        let mut damaged = |bytes: &[u8], what: &str| {
            fs::write(path, bytes).unwrap();
            let source = opened(&SourceSpec::new(path)).unwrap();
            let Ok(listing) = source.list() else {
                refused += 1;
                return;
            };
            let entries: Vec<&Entry> = listing.entries.iter().collect();
            for (entry, read) in entries.iter().zip(source.read_all(&entries).unwrap()) {
                // What a turned bit says is what the file says; that it is not taken for something else is all.
                let known = wanted.iter().find(|(id, _)| *id == entry.id);
                let Some((_, Ok(known))) = known.filter(|_| what == "cut") else { continue };
                if let Ok(read) = read {
                    assert_eq!(read, *known, "{} {what}", path.display());
                }
            }
        };
        for length in (0..good.len()).step_by(29) {
            damaged(&good[..length], "cut");
        }
        let lengths = (0..good.len()).step_by(29).count();
        for at in (0..good.len()).step_by(23) {
            let mut bytes = good.clone();
            bytes[at] ^= 0xff;
            damaged(&bytes, "turned");
        }
        assert!(refused >= lengths, "{}: {refused} of {lengths}", path.display());
    }
}

#[test]
fn what_a_message_claims_is_not_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.feather");
    let long = "a text that is long enough to be compressed ".repeat(20);
    let batch = batch(vec![("id", strings(&[Some("a")])), ("text", strings(&[Some(&long)]))]);
    file(&path, &[batch], Some(CompressionType::ZSTD));
    let good = fs::read(&path).unwrap();
    // The length of the text stands before its compressed bytes, and before that among the offsets.
    let claim = (long.len() as i64).to_le_bytes();
    let at = good.windows(8).rposition(|eight| eight == claim).unwrap();
    for claimed in [1i64 << 31, 1 << 45, i64::MAX] {
        let mut bytes = good.clone();
        bytes[at..at + 8].copy_from_slice(&claimed.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let error = opened(&SourceSpec::new(&path)).unwrap().list().unwrap_err();
        assert!(error.message().contains("more than 1 GiB"), "{error}");
    }
}

#[test]
fn rows_are_read_in_any_order_and_from_large_groups() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (0..5_000).map(|n| format!("d{n}")).collect();
    let ids: ArrayRef = Arc::new(StringArray::from(ids));
    let batch = batch(vec![("id", Arc::clone(&ids)), ("text", ids)]);
    parquet(&folder.path().join("a.parquet"), std::slice::from_ref(&batch), Compression::SNAPPY, 2_000);
    let other = folder.path().join("b");
    fs::create_dir(&other).unwrap();
    stream(&other.join("b.arrows"), &[batch.slice(0, 3_000), batch.slice(3_000, 2_000)]);
    for path in [folder.path().join("a.parquet"), other.join("b.arrows")] {
        let source = opened(&SourceSpec::new(&path)).unwrap();
        let listing = source.list().unwrap();
        assert_eq!(listing.entries.len(), 5_000);
        let some: Vec<&Entry> = [4_999, 0, 1, 2, 1_999, 2_000, 7, 7, 3_500].map(|n| &listing.entries[n]).to_vec();
        for (entry, read) in some.iter().zip(source.read_all(&some).unwrap()) {
            assert_eq!(read.unwrap().content, entry.id.as_bytes());
        }
    }
}
