//! How fast does a local model embed? Answers `benches/compare/transformer.py`, line by line.
//!
//! ```text
//! cargo run -p safepassage-models --features builtin --example embed_speed -- PASSAGES.json [builtin | MODEL_FOLDER]
//! ```
//!
//! PASSAGES.json is an array of texts. For every line `passages N` on stdin all are embedded N at a time, for `query TEXT`
//! that text; each gives a line of JSON with the seconds and processor seconds that went by. `vectors` gives the vectors.

use std::error::Error;
use std::io::BufRead;
use std::path::Path;

use safepassage_error::system::Stopwatch;
use safepassage_models::{Embedder, Purpose, Transformer, builtin};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let passages = std::fs::read(arguments.next().ok_or("which file holds the passages?")?)?;
    let passages: Vec<String> = serde_json::from_slice(&passages)?;
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    let model = match arguments.next().as_deref() {
        None | Some("builtin") => builtin()?,
        Some(folder) => Transformer::open(Path::new(folder))?,
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (order, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let (watch, cpu) = (Stopwatch::start(), cpu_seconds()?);
        let mut vectors = Vec::new();
        match order {
            "passages" => {
                for batch in passages.chunks(rest.parse()?) {
                    model.embed(batch, Purpose::Document)?;
                }
            }
            "query" => drop(model.embed(&[rest], Purpose::Query)?),
            "vectors" => vectors.extend(model.embed(&passages, Purpose::Document)?.rows().map(<[f32]>::to_vec)),
            _ => return Err(format!("`{order}` is none of passages, query, vectors").into()),
        }
        let answer = json!({"seconds": watch.seconds(), "cpu": cpu_seconds()? - cpu, "vectors": vectors});
        println!("{answer}");
    }
    Ok(())
}

/// CPU seconds of this process so far, user and system, to 10 ms.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("no process name")?;
    let ticks: Vec<&str> = after_name.split_whitespace().skip(11).take(2).collect();
    Ok(ticks.iter().map(|ticks| ticks.parse::<f64>()).sum::<Result<f64, _>>()? / 100.0)
}
