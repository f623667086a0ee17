//! Do postings, single documents and the plain interpreter say the same of every filter and every document?

use std::collections::BTreeSet;

use safepassage_error::Kind;
use serde_json::{Map, Value, json};

use super::check::Checked;
use super::postings::Postings;
use super::write::PostingsWriter;
use super::{FieldType, Fields, Filter, Matching};
use crate::blocks::CheckedBytes;

/// Numbers that look random and are the same every time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

const TEXTS: [&str; 14] =
    ["", "a", "A", "ab", "abc", "b", "é", "e\u{301}", "\u{10ffff}", "\u{0}", "2024-01-01", "true", "1", "a\"b\\"];
const DATES: [&str; 9] = [
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "2024-01-01T01:00:00+01:00",
    "2023-12-31T23:59:59.999999999Z",
    "2024-02-29",
    "1969-12-31",
    "0000-01-01",
    "9999-12-31T23:59:59Z",
    "2024-01-01T00:00:00.000000001Z",
];

fn number(numbers: &mut Numbers) -> Value {
    let edges = [
        json!(0),
        json!(-0.0),
        json!(0.0),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(-1),
        json!(5e-324),
        json!(1e308),
        json!(-1e308),
        json!(9_007_199_254_740_991i64),
        json!(9_007_199_254_740_992i64),
        json!(9_007_199_254_740_993i64),
        json!(9_007_199_254_740_992.0),
        json!(i64::MAX),
        json!(i64::MAX - 1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(u64::MAX - 1),
        json!(18_446_744_073_709_551_616.0),
        json!(9_223_372_036_854_775_808.0),
    ];
    match numbers.below(3) {
        0 => json!(numbers.below(5)),
        1 => json!(numbers.below(8) as f64 / 2.0 - 1.0),
        _ => numbers.pick(&edges),
    }
}

/// A value as documents have it, mostly of `kind`.
fn stored(numbers: &mut Numbers, kind: FieldType) -> Value {
    let kinds = [FieldType::String, FieldType::Number, FieldType::Bool, FieldType::List, FieldType::Date];
    let kind = if numbers.below(8) == 0 { numbers.pick(&kinds) } else { kind };
    match kind {
        FieldType::List => {
            let count = numbers.below(4);
            let mut members: Vec<Value> = (0..count).map(|_| json!(numbers.pick(&TEXTS))).collect();
            if numbers.below(12) == 0 {
                members.push(numbers.pick(&[json!(1), json!(null), json!(["a"])]));
            }
            json!(members)
        }
        _ if numbers.below(16) == 0 => numbers.pick(&[json!(null), json!({}), json!({"a": "a"}), json!("2024-02-30")]),
        kind => scalar(numbers, kind),
    }
}

fn scalar(numbers: &mut Numbers, kind: FieldType) -> Value {
    match kind {
        FieldType::String | FieldType::List => json!(numbers.pick(&TEXTS)),
        FieldType::Number => number(numbers),
        FieldType::Bool => json!(numbers.below(2) == 0),
        FieldType::Date => json!(numbers.pick(&DATES)),
    }
}

const NAMES: [(&str, FieldType); 7] = [
    ("text", FieldType::String),
    ("number", FieldType::Number),
    ("flag", FieldType::Bool),
    ("list", FieldType::List),
    ("date", FieldType::Date),
    ("a.b", FieldType::Number),
    ("é", FieldType::String),
];

fn row(numbers: &mut Numbers) -> Map<String, Value> {
    let mut metadata = Map::new();
    for (name, kind) in NAMES {
        if numbers.below(4) == 0 {
            continue;
        }
        let value = stored(numbers, kind);
        if name == "a.b" && numbers.below(2) == 0 {
            metadata.insert("a".into(), json!({"b": value, "c": 1}));
        } else {
            metadata.insert(name.into(), value);
        }
    }
    metadata
}

fn filter(numbers: &mut Numbers, depth: usize) -> Value {
    if depth > 0 && numbers.below(3) == 0 {
        let count = 2 + numbers.below(3);
        let members: Vec<Value> = (0..count).map(|_| filter(numbers, depth - 1)).collect();
        return json!({numbers.pick(&["andAll", "orAll"]): members});
    }
    let (name, kind) = numbers.pick(&NAMES);
    let name = if numbers.below(20) == 0 { "undeclared" } else { name };
    let equal: &[&str] = &["equals", "notEquals", "in", "notIn"];
    let order: &[&str] = &["greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals"];
    let operators = match kind {
        FieldType::String => [equal, &["startsWith", "stringContains"]].concat(),
        FieldType::Number | FieldType::Date => [equal, order].concat(),
        FieldType::Bool => equal.to_vec(),
        FieldType::List => vec!["listContains", "stringContains"],
    };
    let operator = numbers.pick(&operators);
    let value = if operator == "in" || operator == "notIn" {
        let count = numbers.below(4);
        json!((0..count).map(|_| scalar(numbers, kind)).collect::<Vec<_>>())
    } else {
        scalar(numbers, kind)
    };
    json!({operator: {"key": name, "value": value}})
}

fn open(fields: &Fields, rows: &[Map<String, Value>]) -> Postings {
    let mut writer = PostingsWriter::new(fields, rows.len() as u32);
    rows.iter().zip(0..).for_each(|(row, i)| writer.add(i, Some(&Value::Object(row.clone()).to_string())));
    Postings::open(CheckedBytes::made_here(writer.finish().unwrap().into()), rows.len() as u32).unwrap()
}

fn matching(postings: &Postings, checked: &Checked, fields: &Fields) -> Matching {
    let mut field = |name: &str| match fields.get(name) {
        Some(kind) => postings.field(name, kind),
        None => Ok(None),
    };
    Matching::of(checked, &mut field).unwrap()
}

/// Compares so many filters with so many documents, world by world; returns how many pairs matched.
fn agree(worlds: u64, rows: usize, filters: usize) -> usize {
    let fields = Fields::new(NAMES.map(|(name, kind)| (name.to_owned(), kind))).unwrap();
    let mut matched = 0;
    for world in 1..=worlds {
        let mut numbers = Numbers(world.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let rows: Vec<Map<String, Value>> = (0..rows).map(|_| row(&mut numbers)).collect();
        let postings = open(&fields, &rows);
        postings.verify().unwrap();
        for _ in 0..filters {
            let stated = filter(&mut numbers, 3);
            let filter: Filter = stated.to_string().parse().unwrap();
            assert_eq!(serde_json::to_value(&filter).unwrap(), stated);
            let matching = matching(&postings, &filter.check(&fields).unwrap(), &fields);
            let wanted: BTreeSet<u32> =
                rows.iter().zip(0..).filter(|(row, _)| filter.matches(&fields, row).unwrap()).map(|(_, i)| i).collect();
            let count = rows.len() as u32;
            let found: BTreeSet<u32> = matching.documents(count).iter().collect();
            assert_eq!(found, wanted, "world {world}: {filter}");
            let asked: BTreeSet<u32> = (0..count).filter(|i| matching.has(*i)).collect();
            assert_eq!(asked, wanted, "world {world}, one by one: {filter}");
            matching.check_both_ways();
            matched += wanted.len();
        }
    }
    matched
}

#[test]
fn postings_and_interpreter_agree() {
    let matched = agree(40, 130, 40);
    // As many would match a filter that means nothing.
    assert!((30_000..180_000).contains(&matched), "{matched} of 208,000");
}

#[test]
#[ignore = "a minute; see benches/record/filters.md"]
fn postings_and_interpreter_agree_on_a_million_pairs() {
    println!("{} of {} pairs match", agree(800, 130, 40), 800 * 130 * 40);
}

fn schema() -> Fields {
    r#"{"dept": "string", "year": "number", "open": "bool", "tags": "list", "day": "date"}"#.parse().unwrap()
}

#[test]
fn every_operator_is_what_bedrock_says() {
    let rows = [
        json!({"dept": "hr", "year": 2020, "open": true, "tags": ["a", "bc"], "day": "2024-05-01"}),
        json!({"dept": "hr-emea", "year": 2021.5, "open": false, "tags": [], "day": "2024-05-01T12:00:00+02:00"}),
        json!({"dept": "HR", "year": -3, "tags": ["bc", "bc"]}),
        json!({"dept": 7, "year": "2020", "open": "true", "tags": "a", "day": "soon"}),
        json!({}),
    ];
    let rows = rows.map(|row| row.as_object().unwrap().clone());
    let (fields, postings) = (schema(), open(&schema(), &rows));
    for (operator, key, value, wanted) in [
        ("equals", "dept", json!("hr"), &[0][..]),
        // What lacks the field, or has something else there, does not equal.
        ("notEquals", "dept", json!("hr"), &[1, 2, 3, 4]),
        ("in", "dept", json!(["hr", "HR", "it"]), &[0, 2]),
        ("in", "dept", json!([]), &[]),
        ("notIn", "dept", json!(["hr", "HR"]), &[1, 3, 4]),
        ("notIn", "dept", json!([]), &[0, 1, 2, 3, 4]),
        ("startsWith", "dept", json!("hr"), &[0, 1]),
        ("startsWith", "dept", json!(""), &[0, 1, 2]),
        ("stringContains", "dept", json!("r-e"), &[1]),
        ("equals", "year", json!(2020.0), &[0]),
        ("notEquals", "year", json!(2020), &[1, 2, 3, 4]),
        ("in", "year", json!([2020, -3]), &[0, 2]),
        ("greaterThan", "year", json!(2020), &[1]),
        ("greaterThanOrEquals", "year", json!(2020), &[0, 1]),
        ("lessThan", "year", json!(2020), &[2]),
        ("lessThanOrEquals", "year", json!(2021.5), &[0, 1, 2]),
        ("equals", "open", json!(true), &[0]),
        ("notEquals", "open", json!(true), &[1, 2, 3, 4]),
        ("notIn", "open", json!([true, false]), &[2, 3, 4]),
        ("listContains", "tags", json!("bc"), &[0, 2]),
        ("listContains", "tags", json!("b"), &[]),
        ("stringContains", "tags", json!("b"), &[0, 2]),
        ("equals", "day", json!("2024-05-01T00:00:00Z"), &[0]),
        ("greaterThan", "day", json!("2024-05-01T09:59:59Z"), &[1]),
        ("lessThanOrEquals", "day", json!("2024-05-01T05:00:00-05:00"), &[0, 1]),
        ("notIn", "day", json!(["2024-05-01"]), &[1, 2, 3, 4]),
        // A field that is not declared matches nothing, whatever is asked of it.
        ("equals", "team", json!("a"), &[]),
        ("notEquals", "team", json!("a"), &[]),
        ("notIn", "team", json!(["a"]), &[]),
    ] {
        let filter = Filter::try_from(json!({operator: {"key": key, "value": value}})).unwrap();
        let found = matching(&postings, &filter.check(&fields).unwrap(), &fields).documents(5);
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{filter}");
        let plain: Vec<usize> = (0..5).filter(|i| filter.matches(&fields, &rows[*i]).unwrap()).collect();
        assert_eq!(plain.iter().map(|i| *i as u32).collect::<Vec<_>>(), wanted, "{filter}");
    }
}

#[test]
fn a_number_that_was_written_is_the_number_that_is_asked_for() {
    // A quick reader is a bit off here, the first or the second time.
    for number in ["90071992599254740993", "9.007199259925476e+19", "0.1000000000000000055", "2.2250738585072011e-308"]
    {
        let metadata: Map<String, Value> = serde_json::from_str(&format!(r#"{{"year": {number}}}"#)).unwrap();
        // As a sync writes it.
        let postings = open(&schema(), &[metadata]);
        let filter: Filter = format!(r#"{{"equals": {{"key": "year", "value": {number}}}}}"#).parse().unwrap();
        assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter);
        let found = matching(&postings, &filter.check(&schema()).unwrap(), &schema()).documents(1);
        assert_eq!(found.iter().collect::<Vec<_>>(), [0], "{number}");
    }
}

#[test]
fn what_does_not_fit_the_schema_is_named() {
    for (filter, message) in [
        (
            r#"{"equals": {"key": "year", "value": "x"}}"#,
            "`$.equals`: the field `year` is a number and is compared with the string `x`",
        ),
        (
            r#"{"in": {"key": "dept", "value": ["a", 1]}}"#,
            "`$.in`: the field `dept` is a string and is compared with the number `1`",
        ),
        (
            r#"{"equals": {"key": "open", "value": "true"}}"#,
            "`$.equals`: the field `open` is a bool and is compared with the string `true`",
        ),
        (
            r#"{"lessThan": {"key": "day", "value": "soon"}}"#,
            "`$.lessThan`: the field `day` is a date and is compared with the string `soon`",
        ),
        (
            r#"{"lessThan": {"key": "dept", "value": "b"}}"#,
            "`$.lessThan`: `lessThan` cannot be asked of the field `dept`, which is a string",
        ),
        (
            r#"{"equals": {"key": "tags", "value": "b"}}"#,
            "`$.equals`: `equals` cannot be asked of the field `tags`, which is a list of strings",
        ),
        (
            r#"{"startsWith": {"key": "tags", "value": "b"}}"#,
            "`$.startsWith`: `startsWith` cannot be asked of the field `tags`, which is a list of strings",
        ),
        (
            r#"{"listContains": {"key": "dept", "value": "b"}}"#,
            "`$.listContains`: `listContains` cannot be asked of the field `dept`, which is a string",
        ),
        (
            r#"{"orAll": [{"equals": {"key": "dept", "value": "b"}}, {"greaterThan": {"key": "open", "value": 1}}]}"#,
            "`$.orAll[1].greaterThan`: `greaterThan` cannot be asked of the field `open`, which is a bool",
        ),
    ] {
        let error = filter.parse::<Filter>().unwrap().check(&schema()).unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Invalid, message), "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_named_by_its_place() {
    let deep = (0..40).fold(String::from(r#"{"equals": {"key": "a", "value": 1}}"#), |inner, _| {
        format!(r#"{{"andAll": [{inner}, {{"equals": {{"key": "a", "value": 1}}}}]}}"#)
    });
    let one = r#"{"equals": {"key": "a", "value": 1}}"#;
    let many = format!(r#"{{"orAll": [{}]}}"#, [one; 1000].join(","));
    let values = format!(r#"{{"in": {{"key": "a", "value": [{}]}}}}"#, ["1"; 10_001].join(","));
    for (filter, message) in [
        ("", "it is no JSON"),
        ("{", "it is no JSON"),
        ("[]", "`$`: an object with one operator is needed, not a list"),
        ("null", "`$`: an object with one operator is needed, not `null`"),
        ("{}", "`$`: one operator is needed; it is empty"),
        (r#"{"equals": {"key": "a", "value": 1}, "in": {}}"#, "`$`: one operator is needed; it has `equals`, `in`"),
        (r#"{"equals": {"key": "a", "value": 1}, "equals": {"key": "b", "value": 1}}"#, "`equals` is given twice"),
        (r#"{"equals": {"key": "a", "value": 1, "value": 2}}"#, "`value` is given twice"),
        (r#"{"Equals": {"key": "a", "value": 1}}"#, "`$.Equals`: no such operator; there are `equals`"),
        (r#"{"andAll": {}}"#, "`$.andAll`: a list of two members or more is needed"),
        (r#"{"orAll": [{"equals": {"key": "a", "value": 1}}]}"#, "`$.orAll`: a list of two members or more is needed"),
        (
            r#"{"andAll": [{"equals": {"key": "a", "value": 1}}, 3]}"#,
            "`$.andAll[1]`: an object with one operator is needed, not the number `3`",
        ),
        (r#"{"equals": 3}"#, "`$.equals`: an object with `key` and `value` is needed"),
        (r#"{"equals": {"key": "a"}}"#, "`$.equals`: an object with `key` and `value` is needed"),
        (r#"{"equals": {"key": "a", "value": 1, "x": 1}}"#, "`$.equals`: an object with `key` and `value` is needed"),
        (r#"{"equals": {"key": 1, "value": 1}}"#, "`$.equals`: `key` is the name of a field"),
        (r#"{"equals": {"key": "", "value": 1}}"#, "`$.equals`: `key` is the name of a field"),
        (
            r#"{"equals": {"key": "a", "value": null}}"#,
            "`$.equals.value`: a string, a number or a bool is needed, not `null`",
        ),
        (
            r#"{"equals": {"key": "a", "value": ["b"]}}"#,
            "`$.equals.value`: a string, a number or a bool is needed, not a list",
        ),
        (r#"{"in": {"key": "a", "value": "b"}}"#, "`$.in`: `value` is a list"),
        (
            r#"{"notIn": {"key": "a", "value": ["b", {}]}}"#,
            "`$.notIn.value[1]`: a string, a number or a bool is needed, not an object",
        ),
        (
            r#"{"lessThan": {"key": "a", "value": true}}"#,
            "`$.lessThan.value`: a number or a date is needed, not `true`",
        ),
        (r#"{"startsWith": {"key": "a", "value": 1}}"#, "`$.startsWith.value`: a string is needed, not the number `1`"),
        (r#"{"equals": {"key": "a", "value": 1e999}}"#, "it is no JSON"),
        (deep.as_str(), "it is nested deeper than 32"),
        (many.as_str(), "there are more than 1000 operators"),
        (values.as_str(), "there are more than 10000 values"),
    ] {
        let error = filter.parse::<Filter>().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{filter}");
        assert!(
            error.message().contains(message),
            "{}: {}",
            filter.chars().take(80).collect::<String>(),
            error.message()
        );
    }
    let error = " ".repeat(2 << 20).parse::<Filter>().unwrap_err();
    assert!(error.message().contains("1048576 are the most"), "{}", error.message());
}

#[test]
fn what_is_no_schema_is_named() {
    let many: Map<String, Value> = (0..257).map(|n| (n.to_string(), json!("string"))).collect();
    for (schema, message) in [
        (json!([]).to_string(), "a schema is an object"),
        (
            json!({"a": "text"}).to_string(),
            "the type of `a` is string, number, bool, list or date, not the string `text`",
        ),
        (json!({"a": 1}).to_string(), "not the number `1`"),
        (json!({"": "string"}).to_string(), "`` is no name of a field"),
        (json!({"a\nb": "string"}).to_string(), "is no name of a field"),
        (json!({"a".repeat(257): "string"}).to_string(), "is no name of a field"),
        (r#"{"a": "string", "a": "number"}"#.to_owned(), "`a` is given twice"),
        (Value::Object(many).to_string(), "there are 257 fields; 256 can be declared"),
    ] {
        let error = schema.parse::<Fields>().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().contains(message), "{}", error.message());
    }
}

#[test]
fn every_damaged_byte_of_the_fields_is_found_or_harmless() {
    let mut numbers = Numbers(77);
    let rows: Vec<Map<String, Value>> = (0..9).map(|_| row(&mut numbers)).collect();
    let fields = Fields::new(NAMES.map(|(name, kind)| (name.to_owned(), kind))).unwrap();
    let mut writer = PostingsWriter::new(&fields, 9);
    rows.iter().zip(0..).for_each(|(row, i)| writer.add(i, Some(&Value::Object(row.clone()).to_string())));
    let whole = writer.finish().unwrap();
    let ask = |bytes: Vec<u8>| -> Result<(), Kind> {
        let opened = Postings::open(CheckedBytes::made_here(bytes.into()), 9).map_err(|e| e.kind())?;
        for (name, kind) in NAMES {
            let Some(field) = opened.field(name, kind).map_err(|e| e.kind())? else { continue };
            let all = 0..field.values().len();
            assert!(field.documents_of(&all).all(|document| document < 9));
            (0..9).for_each(|document| field.ranks(document).for_each(|rank| assert!(all.contains(&rank))));
        }
        opened.verify().map_err(|e| e.kind())
    };
    ask(whole.clone()).unwrap();
    // The sums of a segment find any of this; here what they did not find must not do harm.
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            if let Err(kind) = ask(damaged) {
                assert_eq!(kind, Kind::Corrupted, "byte {at} bit {bit}");
            }
        }
        assert_eq!(ask(whole[..at].to_vec()), Err(Kind::Corrupted), "cut to {at}");
    }
}

/// Prints what `evaluate.rs` says that its ways cost; `benches/record/filters.md` has what it said.
#[test]
#[ignore = "measures"]
fn what_the_ways_cost() {
    use safepassage_error::system::Stopwatch;
    let count = 1_000_000;
    let fields: Fields = r#"{"n": "number", "s": "string", "l": "list"}"#.parse().unwrap();
    let mut writer = PostingsWriter::new(&fields, count);
    let mut numbers = Numbers(5);
    for i in 0..count {
        let (n, s) = (numbers.below(1_000_000), numbers.below(1000));
        writer.add(i, Some(&json!({"n": n, "s": s.to_string(), "l": [s.to_string(), "all"]}).to_string()));
    }
    let postings = Postings::open(CheckedBytes::made_here(writer.finish().unwrap().into()), count).unwrap();
    for share in [1_000, 10_000, 100_000, 500_000, 1_000_000] {
        let texts: Vec<String> = (0..share / 1000).map(|n| (n * 2 % 1000).to_string()).collect();
        for stated in [
            json!({"lessThan": {"key": "n", "value": share}}),
            json!({"in": {"key": "s", "value": texts}}),
            json!({"listContains": {"key": "l", "value": "all"}}),
        ] {
            let filter = Filter::try_from(stated).unwrap();
            let matching = matching(&postings, &filter.check(&fields).unwrap(), &fields);
            let Matching::Leaf(leaf) = &matching else { continue };
            let timed = |run: &dyn Fn() -> usize| {
                run();
                let watch = Stopwatch::start();
                let found: usize = (0..5).map(|_| run()).sum();
                (watch.seconds() / 5.0 * 1e9, found / 5)
            };
            let listed = timed(&|| leaf.listed().words().len());
            let passed = timed(&|| leaf.passed().words().len());
            let asked = timed(&|| (0..count).step_by(97).filter(|i| matching.has(*i)).count());
            println!(
                "{:>32} lists {:>9.0} ns (said {:>9.0}), passes {:>9.0} ns (said {:>9.0}), asks {:.1} ns a document",
                filter.to_string().chars().take(30).collect::<String>(),
                listed.0,
                leaf.listing_costs(),
                passed.0,
                leaf.passing_costs(),
                asked.0 / (f64::from(count) / 97.0),
            );
        }
    }
}
