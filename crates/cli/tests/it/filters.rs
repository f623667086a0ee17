//! Filters, facets, counts and declared fields from the command line.

use serde_json::json;

use crate::program::{Scratch, keys};

const INDEX: &[&str] = &["--index", "index"];
const ANN: &[&str] = &["--index", "index", "--user", "ann", "--no-groups"];

/// Twelve documents; ann may read the first nine.
fn made(options: &[&str]) -> Scratch {
    let scratch = Scratch::new();
    let line = |n: usize| {
        let reader = if n < 9 { "user:ann" } else { "user:bob" };
        let tags = &["a", "b"][..n % 3];
        let year = if n == 4 { json!("old") } else { json!(2000 + n) };
        json!({"id": format!("d{n}"), "text": format!("Freezer report {n}."), "acl": {"allow": [reader]},
               "metadata": {"dept": if n.is_multiple_of(3) { "hr" } else { "it" }, "year": year, "tags": tags}})
        .to_string()
    };
    scratch.write("lines.jsonl", (0..12).map(line).collect::<Vec<_>>().join("\n"));
    scratch.write("schema.json", r#"{"dept": "string", "year": "number", "tags": "list"}"#);
    scratch.sync(&[&["lines.jsonl"], options].concat());
    scratch
}

#[test]
fn a_schema_is_given_at_the_beginning_and_searches_are_narrowed() {
    let scratch = made(&["--schema", "schema.json"]);
    scratch.write(
        "filter.json",
        r#"{"andAll": [{"equals": {"key": "dept", "value": "hr"}}, {"greaterThan": {"key": "year", "value": 2001}}]}"#,
    );
    let found = scratch.ok(&[&["search", "freezer", "-k", "50", "--filter", "@filter.json"], ANN].concat());
    let mut ids: Vec<&str> =
        found["hits"].as_array().unwrap().iter().map(|hit| hit["document"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!((ids, &found["complete"]), (vec!["d3", "d6"], &json!(true)));
    let counted = scratch.ok(&[&["count", "--filter", "@filter.json"], ANN].concat());
    assert_eq!(counted, json!({"documents": 2, "passages": 2}));
    assert_eq!(scratch.ok(&[&["count"], ANN].concat())["documents"], 9);
    let facets = scratch.ok(&[&["facets", "--field", "dept"], ANN].concat());
    assert_eq!(keys(&facets).join(" "), "distinct documents field present type values");
    assert_eq!(facets["values"], json!([{"value": "it", "count": 6}, {"value": "hr", "count": 3}]));
    let facets = scratch.ok(&[&["facets", "--field", "year", "--limit", "2"], ANN].concat());
    assert_eq!(keys(&facets).join(" "), "buckets documents field max min present type");
    assert_eq!((&facets["min"], &facets["max"], &facets["present"]), (&json!(2000), &json!(2008), &json!(8)));
    // What it has already may be said again; anything else is `fields set`.
    scratch.sync(&["lines.jsonl", "--schema", "schema.json"]);
    scratch.write("other.json", r#"{"dept": "string"}"#);
    let (kind, message) = scratch.try_sync(&["lines.jsonl", "--schema", "other.json"]).error();
    assert!(kind == "Invalid" && message.contains("fields set"), "{message}");
}

#[test]
fn fields_are_suggested_declared_and_shown() {
    let scratch = made(&[]);
    assert_eq!(scratch.ok(&[&["fields", "get"], INDEX].concat())["fields"], json!({}));
    let suggestion = scratch.ok(&[&["fields", "suggest"], INDEX].concat());
    let mixed = json!({"year": {"number": 11, "string": 1}});
    assert_eq!(suggestion, json!({"fields": {"dept": "string", "tags": "list"}, "mixed": mixed}));
    let year = &["facets", "--field", "year"][..];
    assert_eq!(scratch.run(&[year, ANN].concat()).error().0, "Invalid");
    let set = scratch.ok(&[&["fields", "set", "--schema", "schema.json"], INDEX].concat());
    assert_eq!(keys(&set).join(" "), "fields generation stats");
    assert_eq!(set["stats"][2], json!({"field": "year", "type": "number", "documents": 11, "mistyped": 1}));
    assert_eq!(scratch.ok(&[&["fields", "get"], INDEX].concat()), set);
    assert_eq!(scratch.ok(&[year, ANN].concat())["present"], 8);
}

#[test]
fn what_is_no_filter_or_schema_has_its_exit_code() {
    let scratch = made(&["--schema", "schema.json"]);
    for (filter, text) in [
        ("{", "no JSON"),
        ("{}", "one operator is needed"),
        ("@none.json", "`none.json` cannot be read"),
        (
            r#"{"equals": {"key": "year", "value": "x"}}"#,
            "the field `year` is a number and is compared with the string `x`",
        ),
        (r#"{"andAll": [{"equals": {"key": "year", "value": 1}}]}"#, "`$.andAll`: a list of two members or more"),
    ] {
        for command in [&["search", "freezer"][..], &["count"], &["facets", "--field", "dept"]] {
            let (kind, message) = scratch.run(&[command, &["--filter", filter], ANN].concat()).error();
            assert!(kind == "Invalid" && message.contains(text), "{filter}: {message}");
        }
    }
    scratch.write("bad.json", r#"{"dept": "text"}"#);
    for schema in ["bad.json", "none.json"] {
        assert_eq!(scratch.run(&[&["fields", "set", "--schema", schema], INDEX].concat()).error().0, "Invalid");
    }
    let (kind, message) = scratch.run(&[&["facets", "--field", "team"], ANN].concat()).error();
    assert!(kind == "Invalid" && message.contains("`team` is not declared"), "{message}");
}
