//! Parses the files that are given and all in the folders that are given: what is read, what is refused and why, how fast?
//!
//! `cargo run -p safepassage-ingest --example parse_files -- [--text] PATH…`; a line for each file, then sums by kind.

use std::collections::BTreeMap;
use std::path::Path;

use safepassage_error::system::Stopwatch;
use safepassage_ingest::{Format, parse};
use walkdir::WalkDir;

#[derive(Default)]
struct Sum {
    files: u64,
    bytes: u64,
    refused: u64,
    text_bytes: u64,
    pages: u64,
    seconds: f64,
    slowest: f64,
}

fn main() {
    let (options, paths): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|a| a == "--text");
    let mut sums = BTreeMap::<String, Sum>::new();
    for entry in paths.iter().flat_map(|path| WalkDir::new(path).sort_by_file_name()).flatten() {
        let Some(format) = Format::of(entry.path()).filter(|_| entry.file_type().is_file()) else { continue };
        let Ok(content) = std::fs::read(entry.path()) else { continue };
        one(entry.path(), format, &content, sums.entry(format!("{format:?}")).or_default(), !options.is_empty());
    }
    println!(
        "\n| format | files | MB | refused | MB of text | pages | files/s | slowest |\n|---|---|---|---|---|---|---|---|"
    );
    for (format, Sum { files, bytes, refused, text_bytes, pages, seconds, slowest }) in sums {
        let mega = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "| {format} | {files} | {:.2} | {refused} | {:.2} | {pages} | {:.0} | {slowest:.2} s |",
            mega(bytes),
            mega(text_bytes),
            files as f64 / seconds
        );
    }
}

fn one(path: &Path, format: Format, content: &[u8], sum: &mut Sum, show: bool) {
    let watch = Stopwatch::start();
    let parsed = parse(content, format);
    let seconds = watch.seconds();
    sum.files += 1;
    sum.bytes += content.len() as u64;
    sum.seconds += seconds;
    sum.slowest = sum.slowest.max(seconds);
    match parsed {
        Ok(parsed) => {
            let pages = parsed.page(parsed.text.len()).unwrap_or(0);
            sum.text_bytes += parsed.text.len() as u64;
            sum.pages += u64::from(pages);
            let (title, blocks) = (parsed.title.as_deref().unwrap_or("-"), parsed.blocks.len());
            println!("{}: {} bytes, {blocks} blocks, {pages} pages, {title}", path.display(), parsed.text.len());
            if show {
                println!("{}\n", parsed.text);
            }
        }
        Err(error) => {
            sum.refused += 1;
            println!("{}: refused: {}", path.display(), error.message());
        }
    }
}
