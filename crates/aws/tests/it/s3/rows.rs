//! CSV files of a bucket whose rows are documents.

use super::World;

fn structured(group: &str, fields: &str) -> String {
    format!(
        r#"{{"metadataAttributes": {{"team": "care"}},
            "accessControlList": [{{"name": "{group}", "type": "GROUP", "access": "ALLOW"}}],
            "documentStructureConfiguration": {{"type": "RECORD_BASED_STRUCTURE_METADATA",
                "recordBasedStructureMetadata": {{"contentFields": [{{"fieldName": "{fields}"}}]}}}}}}"#
    )
}

#[test]
fn the_rows_of_a_csv_file_are_documents_with_what_its_sidecar_says() {
    let world = World::new();
    let put = |file: &str, sidecar: String| {
        world.put(vec![("a.csv".into(), file.into()), ("a.csv.metadata.json".into(), sidecar)]);
    };
    put("question,year\nWho?,2024\nWhen?,2023\nWhere?,\n", structured("staff", "question"));
    assert_eq!(world.did(), (3, 0, 0, 0, 0, 3));
    assert_eq!(world.visible("staff"), ["a.csv#1", "a.csv#2", "a.csv#3"]);
    assert_eq!(world.did(), (0, 0, 0, 0, 0, 0));
    // One row changes, one goes.
    put("question,year\nWho?,2024\nWhy?,2023\n", structured("staff", "question"));
    assert_eq!(world.did(), (0, 1, 0, 1, 0, 1));
    // Other readers embed nothing.
    put("question,year\nWho?,2024\nWhy?,2023\n", structured("auditors", "question"));
    assert_eq!(world.did(), (0, 0, 2, 0, 0, 0));
    assert_eq!((world.visible("staff").len(), world.visible("auditors").len()), (0, 2));
    // A message about the file is one about its rows.
    put("question,year\nWho?,2024\n", structured("auditors", "question"));
    let report = world.sync_only(&["a.csv"]).unwrap();
    assert_eq!((report.deleted, report.unchanged), (1, 1));
    // A column that is not there: the file is named, and what was of it is hidden.
    put("question,year\nWho?,2024\n", structured("auditors", "answer"));
    let report = world.sync().unwrap();
    assert_eq!(report.skipped[0].document, "a.csv");
    assert!(report.skipped[0].reason.contains("no column `answer`"), "{:?}", report.skipped);
    assert!(world.visible("auditors").is_empty());
    put("question,year\nWho?,2024\n", structured("auditors", "question"));
    assert_eq!(world.sync().unwrap().skipped, []);
    assert_eq!(world.visible("auditors"), ["a.csv#1"]);
}
