//! A corpus with real permissions, ingested whole and held against a plain loop over its own ACLs.
//!
//! `cargo run --release -p safepassage-benches --bin acl_corpus -- DOCS.jsonl IDENTITIES.jsonl FOLDER [SEARCHES]`
//!
//! DOCS has `path, title, text, allow_users, allow_groups`, IDENTITIES `user, groups`. It checks that for every
//! identity `visible` is what the plain loop says, and that searches as random people leak nothing and fill k.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use safepassage::system::Stopwatch;
use safepassage::{Create, Engine, Identity, Progress, Result, SourceSpec, SyncOptions};
use serde::Deserialize;

#[derive(Deserialize)]
struct Document {
    path: String,
    title: String,
    text: String,
    allow_users: Vec<String>,
    allow_groups: Vec<String>,
}

#[derive(Deserialize)]
struct Person {
    user: String,
    groups: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [docs, identities, folder, rest @ ..] = &arguments[..] else {
        eprintln!("usage: acl_corpus DOCS.jsonl IDENTITIES.jsonl FOLDER [SEARCHES]");
        std::process::exit(2);
    };
    let searches = rest.first().and_then(|n| n.parse().ok()).unwrap_or(5_000);
    run(Path::new(docs), Path::new(identities), Path::new(folder), searches).expect("the run failed");
}

fn lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Vec<T> {
    let file = BufReader::new(std::fs::File::open(path).expect("the file is there"));
    file.lines().map(|line| serde_json::from_str(&line.expect("UTF-8")).expect("the documented shape")).collect()
}

/// Numbers that look random and are the same every time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

struct Passages;

impl Progress for Passages {
    fn begin(&self, stage: &str, total: u64) {
        eprintln!("{stage} ({total})");
    }
}

fn run(docs: &Path, identities: &Path, folder: &Path, searches: usize) -> Result<()> {
    let documents: Vec<Document> = lines(docs);
    let people: Vec<Person> = lines(identities);
    let source = folder.join("documents.jsonl");
    write_source(&documents, &source);

    let (engine, watch) = (Engine::create(folder.join("index"), Create::default())?, Stopwatch::start());
    let report = engine.sync(&[SourceSpec::new(&source)], &SyncOptions::default(), &Passages)?;
    let seconds = watch.seconds();
    println!("documents {} added, {} skipped, {} without ACL", report.added, report.skipped.len(), report.without_acl);
    println!(
        "passages {} in {seconds:.1} s, {:.0}/s; peak memory {} MiB",
        report.chunks,
        report.chunks as f64 / seconds,
        peak_mib()
    );
    let watch = Stopwatch::start();
    let again = engine.sync(&[SourceSpec::new(&source)], &SyncOptions::default(), &Passages)?;
    println!(
        "second sync {} embedded, generation {} as before {}, {:.1} s",
        again.embedded,
        again.generation,
        report.generation,
        watch.seconds()
    );

    let identity = |person: &Person| {
        Identity::asserted(&person.user)
            .groups(person.groups.iter().map(String::as_str))
            .ttl_seconds(86_400)
            .issue(engine.clock())
    };
    let watch = Stopwatch::start();
    let mut allowed = Vec::new();
    for person in &people {
        let mut plain = BTreeSet::new();
        for document in &documents {
            let by_name = document.allow_users.contains(&person.user);
            if by_name || document.allow_groups.iter().any(|group| person.groups.contains(group)) {
                plain.insert(document.path.clone());
            }
        }
        allowed.push(plain);
    }
    let plain_seconds = watch.seconds();
    let watch = Stopwatch::start();
    let mut different = 0;
    for (person, plain) in people.iter().zip(&allowed) {
        let visible: BTreeSet<String> = engine.session(identity(person)?)?.visible()?.documents.into_iter().collect();
        different += usize::from(visible != *plain);
    }
    println!(
        "visible {} identities, {different} differ from the plain loop; {:.2} s, plain loop {plain_seconds:.2} s",
        people.len(),
        watch.seconds()
    );

    let everyone: BTreeSet<&str> = documents.iter().flat_map(|d| &d.allow_groups).map(String::as_str).collect();
    let users: BTreeMap<&str, usize> = documents.iter().flat_map(|d| &d.allow_users).map(|u| (u.as_str(), 1)).collect();
    let chunks = chunks_of_each(&engine, &everyone, users.keys().copied())?;
    let seen: Vec<usize> = (0..people.len()).filter(|&p| !allowed[p].is_empty()).collect();
    let mut numbers = Numbers(42);
    let (mut leaks, mut unfilled, mut inexact) = (0, 0, 0);
    let watch = Stopwatch::start();
    for n in 0..searches {
        // Every tenth search is by somebody who may see nothing.
        let person = if n % 10 == 0 { numbers.below(people.len()) } else { seen[numbers.below(seen.len())] };
        let text = &documents[numbers.below(documents.len())].text;
        let words: Vec<&str> = text.split_whitespace().collect();
        let from = numbers.below(words.len().max(1));
        let question = words[from.min(words.len())..words.len().min(from + 12)].join(" ");
        let question = if question.trim().is_empty() { "how is a release made" } else { &question };
        let results = engine.session(identity(&people[person])?)?.search(question).run()?;
        leaks += results.hits.iter().filter(|hit| !allowed[person].contains(&hit.document)).count();
        let visible: usize = allowed[person].iter().map(|id| chunks.get(id).copied().unwrap_or(0)).sum();
        unfilled += usize::from(results.hits.len() != visible.min(10) || !results.complete);
        inexact += usize::from(!results.exact);
    }
    println!(
        "searches {searches}: {leaks} leaks, {unfilled} not filled, {inexact} by graph; {:.2} ms each",
        watch.seconds() * 1e3 / searches as f64
    );
    println!("verify {:?}", engine.verify()?);
    Ok(())
}

fn write_source(documents: &[Document], path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
    let mut out = BufWriter::new(std::fs::File::create(path).expect("the file can be made"));
    for d in documents {
        let users = d.allow_users.iter().map(|user| format!("user:{user}"));
        let allow: Vec<String> = users.chain(d.allow_groups.iter().map(|group| format!("group:{group}"))).collect();
        let line = serde_json::json!({"id": d.path, "title": d.title, "text": d.text, "acl": {"allow": allow}});
        writeln!(out, "{line}").expect("the disk has room");
    }
}

/// How many chunks each document has, as seen by all groups and, one by one, all users together.
fn chunks_of_each<'a>(
    engine: &Engine,
    groups: &BTreeSet<&str>,
    users: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, usize>> {
    let mut counted: HashMap<String, usize> = HashMap::new();
    for user in users {
        let before: HashSet<String> = counted.keys().cloned().collect();
        let identity =
            Identity::asserted(user).groups(groups.iter().copied()).ttl_seconds(86_400).issue(engine.clock())?;
        let session = engine.session(identity)?;
        if session.visible()?.documents.iter().all(|id| before.contains(id)) {
            continue;
        }
        let mut any = vec![0.0; 384];
        any[0] = 1.0;
        let all = session.search_vector(&any, 1 << 20, Some(1.0))?;
        for id in all.ids().filter(|id| !before.contains(*id)) {
            *counted.entry(id.to_owned()).or_default() += 1;
        }
    }
    Ok(counted)
}

/// The most memory this process has held, from the system; 0 where that cannot be told.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
