//! How fast does each way of cutting cut texts, and what of that is the tokenizer?
//!
//! `cargo run -p safepassage-ingest --example chunk_speed -- DOCS.jsonl TOKENS`, where a line of DOCS has a `text`; a line of
//! JSON for each way, with seconds of the processor. `benches/chunk_speed.py` runs it beside others.

use safepassage_ingest::{ChunkSettings, ChunkWay, Chunker, Format, Parsed, parse};
use safepassage_models::Embedder;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [docs, tokens] = &arguments[..] else { panic!("usage: chunk_speed DOCS.jsonl TOKENS") };
    let tokens = tokens.parse().expect("a number");
    let docs = std::fs::read_to_string(docs).expect("the texts are there");
    let texts: Vec<String> = docs
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            line["text"].as_str().unwrap_or_default().to_owned()
        })
        .collect();
    // A new one each time: a tokenizer remembers words.
    let model = || safepassage_models::builtin().expect("the model is inside the program");
    let fresh = model();
    timed("our tokenizer alone", || {
        texts.iter().map(|text| fresh.tokenizer().offsets(text).expect("tokens").len()).sum()
    });
    let mut parsed: Vec<Parsed> = Vec::new();
    timed("our parser of Markdown alone", || {
        parsed = texts.iter().map(|text| parse(text.as_bytes(), Format::Markdown).expect("Markdown")).collect();
        parsed.len()
    });
    for way in ["structure", "fixed", "sentences", "hierarchical", "none"] {
        let settings = ChunkSettings::by(way.parse::<ChunkWay>().expect("a way"), 100_000, Some(tokens), Some(0));
        let fresh = model();
        let chunker = Chunker::new(fresh.tokenizer(), settings.expect("settings"));
        timed(&format!("ours, {way}"), || {
            parsed.iter().map(|parsed| chunker.chunk(parsed, None).expect("chunks").len()).sum()
        });
    }
}

fn timed(name: &str, run: impl FnOnce() -> usize) {
    let started = processor_seconds();
    let chunks = run();
    let seconds = processor_seconds() - started;
    println!("{}", serde_json::json!({"name": name, "seconds": seconds, "chunks": chunks}));
}

/// Of this process, from hundredths that Linux counts.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap_or_default().split(' ').filter_map(|n| n.parse().ok()).collect();
    fields.get(10..12).map_or(0.0, |times| times.iter().sum::<f64>() / 100.0)
}
