//! How far is the built-in model from its float original, and how fast are both?
//!
//! Prints the cosine of the vectors of the first 1,000 documents and queries of a BEIR folder, passages per CPU second at 128 tokens in
//! batches of 32, and the time of one query. CPU seconds are those of `/proc/self/stat` (Linux).
//!
//! ```text
//! cargo run -p safepassage-models --features builtin --example compare_models -- BEIR_FOLDER MODEL_FOLDER
//! ```

use std::error::Error;
use std::fs;
use std::path::Path;

use safepassage_error::system::Stopwatch;
use safepassage_models::{Arithmetic, Embedder, Purpose, Transformer, builtin_with};
use serde_json::Value;

const TEXTS: usize = 1000;
const BATCH: usize = 32;
const PASSAGE_TOKENS: usize = 128;
const ROUNDS: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which BEIR folder?")?;
    let model = arguments.next().ok_or("which folder holds the float model?")?;

    let watch = Stopwatch::start();
    let builtin = builtin_with(Arithmetic::Fastest)?;
    println!("loading the built-in model: {:.0} ms", watch.seconds() * 1000.0);
    let original = Transformer::open(Path::new(&model))?;
    let dequantised = builtin_with(Arithmetic::Float)?;

    let texts = texts(&Path::new(&folder).join("corpus.jsonl"))?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let queries = self::texts(&Path::new(&folder).join("queries.jsonl"))?;
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    for (kind, texts, purpose) in [("documents", &texts, Purpose::Document), ("queries", &queries, Purpose::Query)] {
        let reference = original.embed(texts, purpose)?;
        for (name, model) in [("int8", &builtin), ("int8 weights in f32", &dequantised)] {
            let vectors = model.embed(texts, purpose)?;
            let mut cosines: Vec<f32> =
                reference.rows().zip(vectors.rows()).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum()).collect();
            cosines.sort_by(f32::total_cmp);
            let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
            let (least, percent) = (cosines[0], cosines[cosines.len() / 100]);
            println!(
                "{name}, {} {kind}: cosine to f32 min {least:.4}, 1 % {percent:.4}, mean {mean:.4}",
                cosines.len()
            );
        }
    }

    let all = texts.join(" ");
    let offsets = builtin.tokenizer().offsets(&all)?;
    let passages: Vec<&str> = offsets
        .chunks_exact(PASSAGE_TOKENS - 2)
        .take(BATCH)
        .map(|tokens| &all[tokens[0].0..tokens[tokens.len() - 1].1])
        .collect();
    let query = "does vitamin D deficiency raise the risk of heart failure?";
    for (name, model) in [("f32", &original), ("int8", &builtin), ("int8 weights in f32", &dequantised)] {
        model.embed(&passages, Purpose::Document)?;
        let (watch, cpu) = (Stopwatch::start(), cpu_seconds()?);
        for _ in 0..ROUNDS {
            model.embed(&passages, Purpose::Document)?;
        }
        let (wall, cpu) = (watch.seconds(), cpu_seconds()? - cpu);
        let count = (ROUNDS * passages.len()) as f64;
        let mut latencies = Vec::new();
        for _ in 0..100 {
            let watch = Stopwatch::start();
            model.embed(&[query], Purpose::Query)?;
            latencies.push(watch.seconds() * 1000.0);
        }
        latencies.sort_by(f64::total_cmp);
        println!(
            "{name}: {:.1} passages per CPU s, {:.1} per s; one query {:.2} ms (median), {:.2} ms (95 %)",
            count / cpu,
            count / wall,
            latencies[50],
            latencies[95]
        );
    }
    Ok(())
}

/// `title + " " + text` of the first lines of a JSONL file.
fn texts(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut texts = Vec::new();
    for line in fs::read_to_string(path)?.lines().take(TEXTS) {
        let json: Value = serde_json::from_str(line)?;
        let field = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
        texts.push(format!("{} {}", field("title"), field("text")).trim().to_owned());
    }
    Ok(texts)
}

/// CPU seconds of this process so far, user and system, to 10 ms.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("no process name")?;
    let ticks: Vec<&str> = after_name.split_whitespace().skip(11).take(2).collect();
    Ok(ticks.iter().map(|ticks| ticks.parse::<f64>()).sum::<Result<f64, _>>()? / 100.0)
}
