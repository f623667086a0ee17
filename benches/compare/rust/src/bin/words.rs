//! Search by words beside tantivy as it comes and SQLite's FTS5, on texts that are handed in.
//!
//! `cargo run --release --bin words -- DOCS.jsonl [QUESTIONS]`
//!
//! DOCS has `title` and `text`; texts are cut into passages of 40 words. Half of the questions are titles, half are
//! eight words from the middle of a text. One thread; what an asker may see is a random part of the documents. Vectors
//! are random projections of the words, so that near ones share words.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

use safepassage::system::Clock;
use safepassage::{
    Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Mode, Principal, Session,
};
use tantivy::collector::TopDocs;
use tantivy::query::QueryParser;
use tantivy::schema::{Schema, TEXT};
use tantivy::{Index, TantivyDocument};

const DIM: usize = 384;
const WORDS: usize = 40;

struct Passage {
    title: String,
    text: String,
}

/// Numbers that look random and are the same every time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn vector(text: &str, known: &mut HashMap<String, Vec<f32>>) -> Vec<f32> {
    let mut sum = vec![0.0f32; DIM];
    for word in text.split_whitespace() {
        let word = word.to_lowercase();
        let own = known.entry(word).or_insert_with_key(|word| {
            let seed = word.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
            let mut numbers = Numbers(seed | 1);
            (0..DIM).map(|_| (numbers.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0).collect()
        });
        sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += *own);
    }
    if sum.iter().all(|x| *x == 0.0) {
        sum[0] = 1.0;
    }
    sum
}

fn show(name: &str, mut times: Vec<f64>, hits: usize) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] * 1e3;
    println!("| {name} | {:.3} | {:.3} | {:.3} | {:.1} |", at(0.5), at(0.95), at(0.99), hits as f64 / times.len() as f64);
}

/// Asks everything twice and keeps the second time.
fn time(name: &str, questions: &[String], mut ask: impl FnMut(usize, &str) -> usize) {
    let mut times = Vec::new();
    let mut hits = 0;
    for round in 0..2 {
        for (i, question) in questions.iter().enumerate() {
            let start = Instant::now();
            let found = ask(i, question);
            if round == 1 {
                times.push(start.elapsed().as_secs_f64());
                hits += found;
            }
        }
    }
    show(name, times, hits);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [docs, rest @ ..] = &arguments[..] else {
        eprintln!("usage: words DOCS.jsonl [QUESTIONS]");
        std::process::exit(2);
    };
    let most = rest.first().and_then(|n| n.parse().ok()).unwrap_or(500);
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().expect("a pool");
    let (mut passages, mut questions, mut numbers) = (Vec::new(), Vec::new(), Numbers(7));
    for line in BufReader::new(std::fs::File::open(docs).expect("the file is there")).lines() {
        let value: serde_json::Value = serde_json::from_str(&line.expect("UTF-8")).expect("JSON");
        let title = value["title"].as_str().unwrap_or_default().to_owned();
        let words: Vec<&str> = value["text"].as_str().unwrap_or_default().split_whitespace().collect();
        if words.len() > 100 {
            let from = numbers.next() as usize % (words.len() - 50);
            questions.push(words[from..from + 8].join(" "));
            questions.push(title.clone());
        }
        passages.extend(words.chunks(WORDS).map(|part| Passage { title: title.clone(), text: part.join(" ") }));
    }
    questions.retain(|question| question.split(|c: char| !c.is_alphanumeric()).any(|word| word.len() > 3));
    questions.truncate(most);
    println!("{} passages, {} questions\n", passages.len(), questions.len());
    println!("| | p50 ms | p95 ms | p99 ms | hits |\n|---|---|---|---|---|");
    ours(&passages, &questions);
    bare(&passages, &questions);
    fts5(&passages, &questions);
}

fn ours(passages: &[Passage], questions: &[String]) {
    let folder = tempfile::tempdir().expect("a folder");
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create(folder.path().join("index"), create).expect("an index");
    let (mut known, mut numbers) = (HashMap::new(), Numbers(3));
    let start = Instant::now();
    let documents = passages.iter().enumerate().map(|(n, passage)| {
        let draw = numbers.next() % 100;
        let groups = [("all", 100), ("half", 50), ("tenth", 10), ("hundredth", 1)];
        let allow = groups.iter().filter(|(_, share)| draw < *share).map(|(name, _)| Principal::group(name));
        BatchDocument {
            id: format!("{n:06}"),
            title: Some(passage.title.clone()),
            text: Some(passage.text.clone()),
            vector: Some(vector(&passage.text, &mut known).into()),
            acl: Some(Acl::new(allow, [])),
            ..BatchDocument::default()
        }
    });
    engine.add(documents.collect()).expect("documents");
    engine.commit().expect("a commit");
    engine.merge().expect("a merge");
    eprintln!("ours: {:.1} s to build", start.elapsed().as_secs_f64());
    let vectors: Vec<Vec<f32>> = questions.iter().map(|question| vector(question, &mut known)).collect();
    let as_group = |group: &str| -> Session {
        let who = Identity::asserted("ann").groups([group]).issue(&Clock::system()).expect("an identity");
        engine.session(who).expect("a session")
    };
    for group in ["all", "half", "tenth", "hundredth"] {
        let session = as_group(group);
        for mode in [Mode::Lexical, Mode::Vector, Mode::Hybrid] {
            time(&format!("ours, {mode:?}, sees {group}"), questions, |i, question| {
                let search = session.search(question).vector(&vectors[i]).mode(mode).k(10);
                search.find().expect("hits").ids().len()
            });
        }
    }
}

fn bare(passages: &[Passage], questions: &[String]) {
    let mut schema = Schema::builder();
    let (title, text) = (schema.add_text_field("title", TEXT), schema.add_text_field("text", TEXT));
    let index = Index::create_in_ram(schema.build());
    let start = Instant::now();
    let mut writer = index.writer_with_num_threads(1, 500_000_000).expect("a writer");
    for passage in passages {
        let mut document = TantivyDocument::new();
        document.add_text(title, &passage.title);
        document.add_text(text, &passage.text);
        writer.add_document(document).expect("a document");
    }
    writer.commit().expect("a commit");
    eprintln!("tantivy: {:.1} s to build", start.elapsed().as_secs_f64());
    let searcher = index.reader().expect("a reader").searcher();
    let parser = QueryParser::for_index(&index, vec![title, text]);
    time("tantivy, no permissions", questions, |_, question| {
        let words: String = question.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let query = parser.parse_query(&words.to_lowercase()).expect("a query");
        searcher.search(&query, &TopDocs::with_limit(10).order_by_score()).expect("hits").len()
    });
}

fn fts5(passages: &[Passage], questions: &[String]) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut database = rusqlite::Connection::open(Path::new(folder.path()).join("fts.db")).expect("a database");
    database.execute_batch("create virtual table p using fts5(title, text, tokenize = 'porter unicode61')").expect("FTS5");
    let start = Instant::now();
    let batch = database.transaction().expect("a transaction");
    for passage in passages {
        batch.execute("insert into p values (?1, ?2)", (&passage.title, &passage.text)).expect("a row");
    }
    batch.commit().expect("a commit");
    eprintln!("FTS5: {:.1} s to build", start.elapsed().as_secs_f64());
    let mut ask = database.prepare("select rowid, rank from p where p match ?1 order by rank limit 10").expect("SQL");
    time("SQLite FTS5, no permissions", questions, |_, question| {
        let words = question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let query = words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ");
        ask.query_map([query], |row| row.get::<_, i64>(0)).expect("hits").count()
    });
}
