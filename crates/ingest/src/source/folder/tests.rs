//! Rows of CSV files are documents where their sidecars say so, and nobody sees more of them than the sidecars say.

use safepassage_access::Principal;
use serde_json::Value;

use super::*;

const STRUCTURE: &str = r#""documentStructureConfiguration": {"type": "RECORD_BASED_STRUCTURE_METADATA",
    "recordBasedStructureMetadata": {"contentFields": [{"fieldName": "text"}]}}"#;
const ACL: &str = r#""accessControlList": [{"name": "care", "type": "GROUP", "access": "ALLOW"}]"#;

fn folder(file: &str, content: &str, sidecar: &str, acls: &str) -> (tempfile::TempDir, Folder) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::write(folder.path().join(format!("{file}{}", sidecar::SUFFIX)), sidecar).unwrap();
    let acls = AclFile::parse(acls.as_bytes(), Path::new("acl.jsonl")).unwrap();
    let source = Folder::new(folder.path().to_owned(), acls);
    (folder, source)
}

#[test]
fn every_row_has_the_permissions_and_the_metadata_of_its_file() {
    let sidecar = format!(r#"{{"metadataAttributes": {{"team": "care"}}, {ACL}, {STRUCTURE}}}"#);
    let acls = r#"{"_id": "hr/a.csv", "acl": {"deny": ["user:bob"]}}
                  {"_id": "hr/a.csv#2", "acl": {"deny": ["user:eve"]}}
                  {"_id": "hr/", "acl": {"deny": ["user:mal"]}}"#;
    let (_kept, source) = folder("hr/a.csv", "text,year,team\none,2024,sales\ntwo,,\n", &sidecar, acls);
    let listing = source.list().unwrap();
    let ids: Vec<&str> = listing.entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["hr/a.csv#1", "hr/a.csv#2"]);
    assert_eq!((listing.unidentified, source.unmatched_acls(&listing)), (false, vec![]));
    let read: Vec<SourceDocument> = listing.entries.iter().map(|entry| source.read(entry).unwrap()).collect();
    assert_eq!((&read[0].content[..], &read[1].content[..]), (&b"one"[..], &b"two"[..]));
    // What the file says of its rows is not theirs to say.
    let metadata = |n: usize| Value::Object(read[n].metadata.clone().unwrap());
    assert_eq!(metadata(0), serde_json::json!({"year": 2024, "team": "care"}));
    assert_eq!(metadata(1), serde_json::json!({"team": "care"}));
    let denied = |n: usize| read[n].acl.as_ref().unwrap().deny.len();
    assert_eq!((denied(0), denied(1)), (2, 3));
    assert!(read[0].acl.as_ref().unwrap().deny.contains(&Principal::user("bob")));
}

#[test]
fn a_file_whose_rows_cannot_be_told_is_named_and_nothing_of_it_is_seen() {
    let good = format!("{{{ACL}, {STRUCTURE}}}");
    for (file, content, sidecar, said) in [
        ("a.csv", "body\none\n", good.as_str(), "no column `text`"),
        ("a.csv", "text\none\n", "{", "its sidecar cannot be read"),
        (
            "a.csv",
            "text\none\n",
            r#"{"documentStructureConfiguration": {"type": "OTHER"}}"#,
            "its sidecar cannot be read",
        ),
        ("a.md", "text\none\n", good.as_str(), "is no CSV file"),
    ] {
        let (_kept, source) = folder(file, content, sidecar, "");
        let listing = source.list().unwrap();
        assert_eq!((listing.entries.len(), listing.unidentified), (1, file == "a.csv"), "{said}");
        let fault = source.read(&listing.entries[0]).unwrap_err();
        assert!(fault.reason.contains(said), "{}", fault.reason);
    }
}

#[test]
fn a_row_that_is_cut_short_is_named_and_the_others_stand() {
    let (kept, source) = folder("a.csv", "text,year\none\ntwo,2\n", &format!("{{{ACL}, {STRUCTURE}}}"), "");
    let listing = source.list().unwrap();
    let fault = source.read(&listing.entries[0]).unwrap_err();
    assert!(fault.reason.contains("1 cells and the header 2") && fault.permission.is_some());
    assert!(source.read(&listing.entries[1]).is_ok());
    // A sidecar that says something else since the listing, and a file that is another one by now.
    fs::write(kept.path().join("a.csv.metadata.json"), format!("{{{ACL}}}")).unwrap();
    assert!(source.read(&listing.entries[1]).unwrap_err().permission.is_none());
    fs::write(kept.path().join("a.csv.metadata.json"), format!("{{{ACL}, {STRUCTURE}}}")).unwrap();
    fs::write(kept.path().join("a.csv"), "text,year\nthree,3\nfour,4 and more\n").unwrap();
    assert!(source.read(&listing.entries[1]).unwrap_err().permission.is_none());
}
