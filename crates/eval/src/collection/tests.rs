//! What is read, and what is refused by file and line.

use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

const QUERIES: &str =
    "{\"_id\": \"q1\", \"text\": \"One?\", \"metadata\": {}}\n{\"_id\": \"q2\", \"text\": \"Two?\"}\n";

#[test]
fn a_beir_folder_is_read_as_it_is() {
    let qrels = "query-id\tcorpus-id\tscore\nq2\ta\t2\r\nq2\tb\t0\nq2\tc\t-1\n";
    let personas = r#"{"_id": "ann", "identity": {"user": "ann", "groups": []}, "must_not_see": ["hr/"]}"#;
    let files = [("queries.jsonl", QUERIES), ("qrels/test.tsv", qrels), ("qrels/dev.tsv", "q1\tx\t1\n")];
    let folder = folder(&[&files[..], &[("personas.jsonl", personas)]].concat());
    let test = Collection::read(folder.path(), None).unwrap();
    assert_eq!(test.questions.len(), 1);
    assert_eq!((test.questions[0].id.as_str(), test.questions[0].text.as_str()), ("q2", "Two?"));
    assert_eq!(test.questions[0].expected, BTreeMap::from([("a".to_owned(), 2)]));
    assert_eq!((test.personas[0].id.as_str(), &*test.personas[0].must_not_see), ("ann", &["hr/".to_owned()][..]));
    // Without a heading too.
    let dev = Collection::read(folder.path(), Some("dev")).unwrap();
    assert_eq!(dev.questions[0].expected, BTreeMap::from([("x".to_owned(), 1)]));
    assert_eq!(Collection::read(folder.path(), Some("train")).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_file_of_questions() {
    let lines = concat!(
        "\u{feff}{\"question\": \"One?\", \"expected\": [\"a\", \"b\"]}\n\n",
        "{\"_id\": \"two\", \"question\": \"Two?\", \"expected\": {\"a\": 3}, \"persona\": \"ann\", \"must_not_see\": [\"x/\"]}\n",
        "{\"question\": \"Three?\", \"unanswerable\": true}",
    );
    let folder = folder(&[("questions.jsonl", lines)]);
    for path in [folder.path().to_owned(), folder.path().join("questions.jsonl")] {
        let read = Collection::read(&path, None).unwrap();
        let ids: Vec<&str> = read.questions.iter().map(|question| question.id.as_str()).collect();
        assert_eq!(ids, ["1", "two", "4"]);
        assert_eq!(read.questions[1].expected["a"], 3);
        assert!(read.questions[2].unanswerable && read.questions[2].expected.is_empty());
        let error = read.check_personas().unwrap_err().to_string();
        assert!(error.contains("`two`") && error.contains("`ann`"), "{error}");
    }
}

#[test]
fn faults_name_file_and_line() {
    let fine = "{\"question\": \"One?\", \"expected\": [\"a\"]}\n";
    for (bad, says) in [
        ("nonsense", "a line is a JSON object"),
        ("{\"question\": \"x\", \"expectd\": []}", "unknown field `expectd`"),
        ("{\"question\": \"x\", \"expected\": \"a\"}", "`expected` is a list of ids"),
        ("{\"question\": \"x\", \"expected\": {\"a\": -1}}", "`expected` is a list of ids"),
        ("{\"question\": \"x\", \"expected\": {\"a\": 0}}", "the grade of `a` is 0"),
        ("{\"question\": \"x\"}", "nothing is expected"),
        ("{\"question\": \" \", \"expected\": [\"a\"]}", "the question is empty"),
        ("{\"question\": \"x\", \"expected\": [\"a\"], \"unanswerable\": true}", "unanswerable"),
    ] {
        let folder = folder(&[("questions.jsonl", &format!("{fine}{bad}\n"))]);
        let error = Collection::read(folder.path(), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{bad}");
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("questions.jsonl") && text.contains("line `2`"), "{bad}: {text}");
    }
    for (bad, says) in [
        ("q1\ta", "three columns"),
        ("q1\ta\tgood", "the grade `good` is not a whole number"),
        ("q9\ta\t1", "the question `q9` is not in `queries.jsonl`"),
        ("q1\ta\t2", "two grades"),
    ] {
        let qrels = format!("query-id\tcorpus-id\tscore\nq1\ta\t1\n{bad}\n");
        let folder = folder(&[("queries.jsonl", QUERIES), ("qrels/test.tsv", &qrels)]);
        let text = Collection::read(folder.path(), None).unwrap_err().to_string();
        assert!(text.contains(says) && text.contains("test.tsv") && text.contains("line `3`"), "{bad}: {text}");
    }
    for (bad, says) in [
        ("{\"_id\": \"ann\", \"identity\": {}}", "the persona `ann` stands twice"),
        ("{\"_id\": \"bob\"}", "missing field `identity`"),
        ("{\"_id\": \"bob\", \"identity\": \"x\"}", "invalid type"),
    ] {
        let personas = format!("{{\"_id\": \"ann\", \"identity\": {{}}}}\n{bad}");
        let folder = folder(&[("questions.jsonl", fine), ("personas.jsonl", &personas)]);
        let text = Collection::read(folder.path(), None).unwrap_err().to_string();
        assert!(text.contains(says) && text.contains("personas.jsonl") && text.contains("line `2`"), "{bad}: {text}");
    }
}

#[test]
fn what_is_no_collection() {
    let empty = folder(&[("questions.jsonl", "\n")]);
    assert!(Collection::read(empty.path(), None).unwrap_err().to_string().contains("has no questions"));
    let neither = folder(&[("corpus.jsonl", "")]);
    assert!(Collection::read(neither.path(), None).unwrap_err().to_string().contains("neither"));
    assert_eq!(Collection::read(&neither.path().join("gone"), None).unwrap_err().kind(), Kind::NotFound);
    let split = folder(&[("questions.jsonl", "{\"question\": \"x\", \"expected\": [\"a\"]}")]);
    assert_eq!(Collection::read(split.path(), Some("test")).unwrap_err().kind(), Kind::Invalid);
    let twice = "{\"_id\": \"1\", \"question\": \"x\", \"expected\": [\"a\"]}\n".repeat(2);
    let twice = folder(&[("questions.jsonl", &twice)]);
    assert!(Collection::read(twice.path(), None).unwrap_err().to_string().contains("`1` stands twice"));
}

#[test]
fn rules_name_documents_and_folders() {
    assert!(is_meant("hr/", "hr/pay.md") && is_meant("./", "a") && is_meant("a", "a"));
    assert!(!is_meant("hr", "hr/pay.md") && !is_meant("hr/", "hrx/pay.md"));
}
