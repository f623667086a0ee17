//! What does a filter cost, alone and before a search, by how much it leaves and how much is visible?
//!
//! `cargo run -p safepassage-index --example filter_cost -- DOCUMENTS [FOLDER]`
//!
//! One segment of documents with one passage each, random vectors of 64 numbers. Three identities see all, a tenth and
//! a hundredth of them. See `benches/record/filters.md`.

use std::sync::Arc;

use safepassage_access::{AccessEvent, Acl, Binding, DocumentNumber, Identity, Labels, Principal, Tenant, Version};
use safepassage_error::Result;
use safepassage_error::system::{Clock, Stopwatch};
use safepassage_index::storage::{LocalStorage, MemoryStorage, Storage};
use safepassage_index::{Fields, Filter, Index, NewChunk, NewDocument, Settings};
use serde_json::json;

const DIM: usize = 64;
const RUNS: u64 = 41;
const RECALL: f32 = 0.95;

/// Numbers that look random and are the same every time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIM).map(|_| (self.next() % 2001) as f32 / 1000.0 - 1.0).collect()
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let documents: u64 = arguments.first().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let storage: Arc<dyn Storage> = match arguments.get(1) {
        Some(folder) => Arc::new(LocalStorage::new(folder)),
        None => Arc::new(MemoryStorage::default()),
    };
    let clock = Clock::system();
    let settings = Settings { fields: schema(), ..Settings::vectors(DIM) };
    let index = Index::create(storage, settings, &Labels::default(), clock.clone())?;
    let watch = Stopwatch::start();
    fill(&index, documents)?;
    println!("{documents} documents, written in {:.1} s, {} graph", watch.seconds(), index.stats()?.graphs);
    first_use(&index)?;
    for (share, group) in [(100, "all"), (10, "tenth"), (1, "hundredth")] {
        let who = Identity::asserted("eve").groups([group]).issue(&clock)?;
        for permille in [1, 10, 100, 500] {
            measure(&index, &who, share, permille)?;
        }
    }
    Ok(())
}

fn schema() -> Fields {
    let fields = r#"{"year": "number", "team": "string", "tags": "list", "name": "string"}"#.parse();
    fields.unwrap_or_default()
}

fn fill(index: &Index, documents: u64) -> Result<()> {
    index.commit_access(&mut |plane| {
        let bind = |n: u64| {
            let number = DocumentNumber(n as u32);
            let groups = ["all", "tenth", "hundredth"].into_iter().zip([1, 10, 100]);
            let acl = Acl::new(
                groups.filter(|(_, every)| n.is_multiple_of(*every)).map(|(name, _)| Principal::group(name)),
                [],
            );
            let binding = Binding::by_source(Version(1), acl, plane.labels().default_rank());
            let numbered = AccessEvent::Numbered { tenant: Tenant::default(), id: n.to_string().into(), number };
            [numbered, AccessEvent::Bound { number, binding }]
        };
        Ok((0..documents).flat_map(bind).collect())
    })?;
    let mut numbers = Numbers(7);
    let mut writer = index.writer()?;
    for n in 0..documents {
        let (year, team) = (numbers.next() % 1_000_000, numbers.next() % 1000);
        let tags = [team % 10, 10 + year % 10].map(|tag| format!("tag {tag}"));
        let metadata =
            json!({"year": year, "team": format!("team {team}"), "tags": tags, "name": format!("report {n}")});
        let chunk = NewChunk {
            ordinal: 0,
            text: String::new(),
            span: (0, 0),
            heading: String::new(),
            hash: 1,
            section: 0,
            page: None,
            parent: None,
        };
        let document = NewDocument {
            number: DocumentNumber(n as u32),
            version: Version(1),
            id: n.to_string(),
            source: "made".into(),
            title: None,
            uri: None,
            metadata: Some(metadata.to_string()),
            chunks: vec![chunk],
            vectors: numbers.vector().into(),
        };
        writer.upsert(&Tenant::default(), document)?;
    }
    writer.commit().map(drop)
}

/// What the first filter costs: with stored fields, and with fields that were declared later.
fn first_use(index: &Index) -> Result<()> {
    let who = Identity::asserted("eve").groups(["hundredth"]).issue(index.clock())?;
    let one: Filter = r#"{"equals": {"key": "team", "value": "team 1"}}"#.parse()?;
    for (what, fields) in
        [("stored", schema()), ("declared late", r#"{"team": "list"}"#.parse()?), ("stored", schema())]
    {
        index.writer()?.set_fields(&fields)?;
        let (snapshot, visible) = index.visible(&who)?;
        let watch = Stopwatch::start();
        let narrowed = match fields.len() {
            1 => snapshot.filtered(&visible, &r#"{"listContains": {"key": "team", "value": "team 1"}}"#.parse()?)?,
            _ => snapshot.filtered(&visible, &one)?,
        };
        println!("first filter, {what}: {:.2} ms, {} rows", watch.seconds() * 1e3, narrowed.len());
    }
    Ok(())
}

/// The filters that leave so many of a thousand documents.
fn filters(permille: u64, run: u64) -> [(&'static str, Filter); 5] {
    let from = (run * 7919) % (1_000_000 - permille * 1000);
    let number = json!({"andAll": [{"greaterThanOrEquals": {"key": "year", "value": from}},
                                   {"lessThan": {"key": "year", "value": from + permille * 1000}}]});
    let teams: Vec<String> = (0..permille).map(|n| format!("team {}", (run + n * 2) % 1000)).collect();
    let string = json!({"in": {"key": "team", "value": teams}});
    let not = json!({"notIn": {"key": "team", "value": (permille..1000).map(|n| format!("team {}", (run + n) % 1000)).collect::<Vec<_>>()}});
    let part = json!({"andAll": [{"stringContains": {"key": "name", "value": run.to_string()}}, number]});
    let list = json!({"andAll": [{"listContains": {"key": "tags", "value": format!("tag {}", run % 10)}}, number]});
    let read = |json| Filter::try_from(json);
    let named = [
        ("range", number),
        ("in", string),
        ("notIn", not),
        ("part of a unique name and range", part),
        ("list and range", list),
    ];
    named.map(|(name, json)| (name, read(json).expect("a filter")))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

fn measure(index: &Index, who: &Identity, share: u64, permille: u64) -> Result<()> {
    let (snapshot, visible) = index.visible(who)?;
    let mut numbers = Numbers(99);
    for kind in 0..5 {
        let (mut filtering, mut searching, mut exactly) = (Vec::new(), Vec::new(), Vec::new());
        let (mut right, mut wanted, mut left, mut name) = (0, 0, 0, "");
        for run in 0..RUNS {
            let (named, filter) = filters(permille, run)[kind].clone();
            name = named;
            let question = numbers.vector();
            let watch = Stopwatch::start();
            let narrowed = snapshot.filtered(&visible, &filter)?;
            filtering.push(watch.seconds() * 1e6);
            let watch = Stopwatch::start();
            let found = snapshot.search(&narrowed, &question, 10, RECALL)?;
            searching.push(watch.seconds() * 1e6);
            let watch = Stopwatch::start();
            let exact = snapshot.search(&narrowed, &question, 10, 1.0)?;
            exactly.push(watch.seconds() * 1e6);
            assert!(found.complete && exact.complete, "k was not filled");
            let ids: Vec<&str> = exact.hits.iter().map(|hit| snapshot.document_of(hit)).collect();
            right += found.hits.iter().filter(|hit| ids.contains(&snapshot.document_of(hit))).count();
            wanted += ids.len();
            left = narrowed.len();
        }
        println!(
            "visible {share:>3} %, filter {:>4} %, {name:<32} {left:>7} rows, filter {:>8.1} µs, search {:>8.1} µs, exact {:>8.1} µs, recall {:.3}",
            permille as f64 / 10.0,
            median(filtering),
            median(searching),
            median(exactly),
            if wanted == 0 { 1.0 } else { right as f64 / wanted as f64 },
        );
    }
    Ok(())
}
