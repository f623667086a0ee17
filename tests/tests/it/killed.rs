//! A sync with a model elsewhere, killed at random moments: it ends as if nothing had happened, and pays for nothing twice.
//!
//! `SAFEPASSAGE_KILLS` and `SAFEPASSAGE_CHUNKS` make it longer: 50 and 20000 is the run of the record.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use safepassage::{Create, EmbedderChoice, Engine, Identity, Silent, SourceSpec, SyncOptions};
use safepassage_tests::Numbers;
use serde_json::json;

use crate::catalogue::{Server, serve};

const FOLDER: &str = "SAFEPASSAGE_TEST_KILLED";
/// Calls under way at once, and texts in each: what a kill may cost.
const CALLS: usize = 4;
const TEXTS: usize = 4;

#[expect(clippy::disallowed_methods, reason = "a kill comes at any moment")]
fn pause(microseconds: u64) {
    std::thread::sleep(Duration::from_micros(microseconds));
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

fn sync(folder: &Path) -> safepassage::Result<safepassage::Report> {
    let index = folder.join("index");
    let engine = match Engine::open(&index) {
        Ok(engine) => engine,
        Err(_) => {
            let embedder = EmbedderChoice::Catalogued(folder.join("models.toml"), "m".into());
            Engine::create(&index, Create { embedder, ..Create::default() })?
        }
    };
    let report = engine.sync(&[SourceSpec::new(folder.join("documents.jsonl"))], &SyncOptions::default(), &Silent)?;
    engine.wait_for_merges();
    Ok(report)
}

/// What the other process runs.
#[test]
fn part() {
    if let Ok(folder) = std::env::var(FOLDER) {
        sync(&PathBuf::from(folder)).unwrap();
    }
}

fn house(chunks: usize) -> (tempfile::TempDir, Server) {
    let (folder, (url, server)) = (tempfile::tempdir().unwrap(), serve());
    let catalogue = format!(
        "[[model]]\nname = \"m\"\nprovider = \"openai\"\nmodel = \"m\"\nhighest_label = \"internal\"\n\
         at = {{ url = \"{url}\" }}\ntexts = {{ dim = 4, per_call = {TEXTS} }}\nlimits = {{ max_concurrent = {CALLS} }}\n"
    );
    std::fs::write(folder.path().join("models.toml"), catalogue).unwrap();
    let line = |n: usize| {
        json!({"id": format!("d{n}"), "text": format!("letter number {n} of many"), "acl": {"allow": ["everyone"]}})
            .to_string()
    };
    let lines: Vec<String> = (0..chunks).map(line).collect();
    std::fs::write(folder.path().join("documents.jsonl"), lines.join("\n")).unwrap();
    (folder, server)
}

/// Everything there is, in the order of one question, with the bits of the scores.
fn content(folder: &Path, count: usize) -> Vec<(String, u32, String)> {
    let engine = Engine::open(folder.join("index")).unwrap();
    assert!(engine.verify().is_ok());
    let ann = engine.session(Identity::asserted("ann").issue(engine.clock()).unwrap()).unwrap();
    let hits = ann.search("letter").k(count + 1).recall(1.0).run().unwrap().hits;
    hits.into_iter().map(|hit| (hit.document, hit.score.to_bits(), hit.text)).collect()
}

#[test]
fn the_index_is_the_undisturbed_one_and_no_vector_that_arrived_is_paid_again() {
    let (kills, chunks) = (number("SAFEPASSAGE_KILLS", 8), number("SAFEPASSAGE_CHUNKS", 1200));
    let (whole, _) = house(chunks);
    sync(whole.path()).unwrap();
    let (killed, server) = house(chunks);
    let mut numbers = Numbers(number("SAFEPASSAGE_SEED", 1) as u64);
    let (mut caught, calls) = (0, chunks / TEXTS);
    for _ in 0..kills {
        let answered = || server.lock().unwrap().requests;
        // Anywhere from its first steps to some calls further on.
        let until = answered() + numbers.below(calls * 3 / (2 * kills) + 1) as u64;
        let wait = numbers.below(3000) as u64;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "killed::part"]).env(FOLDER, killed.path());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while answered() < until && child.try_wait().unwrap().is_none() {
            pause(200);
        }
        pause(wait);
        caught += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(caught * 2 > kills, "only {caught} of {kills} kills came in time");
    sync(killed.path()).unwrap();
    assert_eq!(content(killed.path(), chunks), content(whole.path(), chunks));
    let server = server.lock().unwrap();
    let (texts, paid) = (server.paid.len(), server.paid.values().sum::<u64>() as usize);
    println!("{kills} kills, {caught} of a sync at work; {chunks} texts, {paid} paid");
    // A question was asked once.
    assert_eq!(texts, chunks + 1);
    assert!(paid - texts <= caught * CALLS * TEXTS, "{paid} paid for {texts} texts after {caught} kills");
}
