//! How fast does text-splitter cut texts?
//!
//! `cargo run -- DOCS.jsonl TOKENS TOKENIZER.json`; a line of JSON for each splitter, with seconds of the processor.

use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter, TextSplitter};
use tokenizers::Tokenizer;

struct Tokens(Tokenizer);

impl ChunkSizer for Tokens {
    fn size(&self, chunk: &str) -> usize {
        self.0.encode_fast(chunk, false).expect("any text has tokens").len()
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [docs, tokens, tokenizer] = &arguments[..] else { panic!("usage: DOCS.jsonl TOKENS TOKENIZER.json") };
    let docs = std::fs::read_to_string(docs).expect("the texts are there");
    let texts: Vec<String> = docs
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            line["text"].as_str().unwrap_or_default().to_owned()
        })
        .collect();
    let config = || {
        let mut tokenizer = Tokenizer::from_file(tokenizer).expect("a tokenizer");
        tokenizer.with_truncation(None).expect("nothing is cut off");
        tokenizer.with_padding(None);
        ChunkConfig::new(tokens.parse::<usize>().expect("a number")).with_sizer(Tokens(tokenizer))
    };
    let (plain, markdown) = (TextSplitter::new(config()), MarkdownSplitter::new(config()));
    timed("text-splitter TextSplitter (Rust)", || texts.iter().map(|text| plain.chunks(text).count()).sum());
    timed("text-splitter MarkdownSplitter (Rust)", || texts.iter().map(|text| markdown.chunks(text).count()).sum());
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
    let fields: Vec<f64> = stat.rsplit(')').next().unwrap_or_default().split(' ').filter_map(|n| n.parse().ok()).collect();
    fields.get(10..12).map_or(0.0, |times| times.iter().sum::<f64>() / 100.0)
}
