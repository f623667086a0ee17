//! The main job in one file: a company's folder and some package documentation go in with their permissions, two people
//! ask the same question, and each gets the passages they may read.
//!
//! `cargo quickstart` runs it. The second run finds everything unchanged and embeds nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use safepassage::system::Stopwatch;
use safepassage::{Create, Engine, Kind, Progress, Result, SourceSpec, SyncOptions, identity_from_json};

const QUESTION: &str = "What will the salary increase be in 2026?";

fn main() -> Result<()> {
    let watch = Stopwatch::start();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let fixtures = root.join("fixtures");
    let folder = root.join("target/quickstart");

    let engine = match Engine::open(&folder) {
        Err(error) if error.kind() == Kind::NotFound => Engine::create(&folder, Create::default())?,
        other => other?,
    };
    let sources = [named("company", fixtures.join("company")), named("docs", fixtures.join("docs"))];
    println!(
        "1. Sync: fixtures/company and fixtures/docs, permissions from the acl.jsonl and the sidecars beside them\n"
    );
    let report = engine.sync(&sources, &SyncOptions::default(), &Percent::default())?;
    println!(
        "   {} documents added, {} unchanged; {} chunks embedded here, by the model inside the program",
        report.added, report.unchanged, report.embedded
    );
    println!("   {} without ACL, visible to nobody: {}\n", report.without_acl, report.without_acl_documents.join(", "));

    println!("2. Ask: {QUESTION}\n");
    for (who, file) in [("Alice, human resources", "alice"), ("Bruno, engineering", "bruno")] {
        let json = std::fs::read(fixtures.join(format!("identities/{file}.json"))).expect("the fixture is there");
        let session = engine.session(identity_from_json(&json, engine.clock())?)?;
        let results = session.search(QUESTION).k(3).run()?;
        println!("   {who} (may see {} documents)", session.visible()?.count);
        for hit in &results.hits {
            println!("     {:.3}  {:<44} {}", hit.score, hit.document, first_words(&hit.text));
        }
        let memo = engine.explain(session.identity(), "company/hr/pay-memo-2026.md")?;
        let verdict = if memo.visible { "may read" } else { "may not read" };
        let reasons: Vec<String> =
            memo.reasons.iter().map(|r| format!("{} ({})", r.effect, r.path.join(" > "))).collect();
        println!("     {verdict} company/hr/pay-memo-2026.md: {}\n", reasons.join("; "));
    }
    println!(
        "   Done in {:.1} s. The index is in target/quickstart; run it again, or try the binary:",
        watch.seconds()
    );
    println!("   cargo run -p safepassage-cli -- search \"{QUESTION}\" \\");
    println!("       --index target/quickstart --identity fixtures/identities/sunniva-cfo.json");
    Ok(())
}

fn named(name: &str, path: PathBuf) -> SourceSpec {
    SourceSpec { name: Some(name.to_owned()), path }
}

/// The first words that are no heading.
fn first_words(text: &str) -> String {
    let body = text.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty()).unwrap_or_default();
    body.chars().take(64).collect()
}

/// A line for every tenth of the embedding.
#[derive(Default)]
struct Percent {
    total: AtomicU64,
    done: AtomicU64,
}

impl Progress for Percent {
    fn begin(&self, stage: &str, total: u64) {
        self.total.store(if stage == "embedding" { total } else { 0 }, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
    }

    fn advance(&self, units: u64) {
        let total = self.total.load(Ordering::Relaxed);
        let before = self.done.fetch_add(units, Ordering::Relaxed);
        if total > 0 && (before * 10 / total) < ((before + units) * 10 / total) {
            eprintln!("   embedding {:>3} %", (before + units) * 100 / total);
        }
    }
}
