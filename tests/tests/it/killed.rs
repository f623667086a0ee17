//! A sync with a model elsewhere, and a change of the model, killed at random moments: they end as if nothing had happened,
//! and pay for nothing twice.
//!
//! `SAFEPASSAGE_KILLS` and `SAFEPASSAGE_CHUNKS` make it longer: 50 and 20000 is the run of the record.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use safepassage::{Create, EmbedderChoice, Engine, Identity, Kind, ReEmbedOptions, Silent, SourceSpec, SyncOptions};
use safepassage_tests::Numbers;
use serde_json::json;

use crate::catalogue::{Server, serve};

const FOLDER: &str = "SAFEPASSAGE_TEST_KILLED";
/// Which of [`WORKS`] the other process does.
const WORK: &str = "SAFEPASSAGE_TEST_KILLED_AT";
const WORKS: [fn(&Path); 2] = [|folder| drop(sync(folder).unwrap()), change];
const SYNC: usize = 0;
const CHANGE: usize = 1;
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

fn model(folder: &Path, name: &str) -> EmbedderChoice {
    EmbedderChoice::Catalogued(folder.join("models.toml"), name.into())
}

fn sync(folder: &Path) -> safepassage::Result<safepassage::Report> {
    let index = folder.join("index");
    let engine = match Engine::open(&index) {
        Ok(engine) => engine,
        Err(_) => Engine::create(&index, Create { embedder: model(folder, "m"), ..Create::default() })?,
    };
    let report = engine.sync(&[SourceSpec::new(folder.join("documents.jsonl"))], &SyncOptions::default(), &Silent)?;
    engine.wait_for_merges();
    Ok(report)
}

/// Another model for the index, whatever of that was done before.
fn change(folder: &Path) {
    let engine = Engine::open(folder.join("index")).unwrap();
    match engine.re_embed(&model(folder, "other"), &ReEmbedOptions::default(), &Silent) {
        Ok(report) => {
            assert!(report.ready, "{report:?}");
            engine.switch(&ReEmbedOptions::default(), &Silent).unwrap();
        }
        // It is the index's by now. What is left of the candidate goes.
        Err(error) => {
            assert_eq!(error.kind(), Kind::Invalid, "{error}");
            engine.drop_candidate().unwrap();
        }
    }
    engine.wait_for_merges();
}

/// What the other process runs.
#[test]
fn part() {
    if let Ok(folder) = std::env::var(FOLDER) {
        WORKS[number(WORK, SYNC)](&PathBuf::from(folder));
    }
}

/// A catalogue of a model and another one, which embeds the same texts with a word before them, at one server.
fn house(chunks: usize) -> (tempfile::TempDir, Server) {
    let (folder, (url, server)) = (tempfile::tempdir().unwrap(), serve());
    let model = |name: &str, more: &str| {
        format!(
            "[[model]]\nname = \"{name}\"\nprovider = \"openai\"\nmodel = \"{name}\"\nhighest_label = \"internal\"\n\
             at = {{ url = \"{url}\" }}\ntexts = {{ dim = 4, per_call = {TEXTS}{more} }}\n\
             limits = {{ max_concurrent = {CALLS} }}\n"
        )
    };
    let catalogue = model("m", "") + &model("other", ", document_prefix = \"other: \"");
    std::fs::write(folder.path().join("models.toml"), catalogue).unwrap();
    let line = |n: usize| {
        json!({"id": format!("d{n}"), "text": format!("letter number {n} of many"), "acl": {"allow": ["everyone"]}})
            .to_string()
    };
    let lines: Vec<String> = (0..chunks).map(line).collect();
    std::fs::write(folder.path().join("documents.jsonl"), lines.join("\n")).unwrap();
    (folder, server)
}

/// The digest of everything there is, and what one question finds of it, with the bits of the scores.
fn content(folder: &Path, count: usize) -> (String, Vec<(String, u32, String)>) {
    let engine = Engine::open(folder.join("index")).unwrap();
    assert!(engine.verify().is_ok());
    let ann = engine.session(Identity::asserted("ann").issue(engine.clock()).unwrap()).unwrap();
    let hits = ann.search("letter").k(count + 1).recall(1.0).run().unwrap().hits;
    let hits = hits.into_iter().map(|hit| (hit.document, hit.score.to_bits(), hit.text)).collect();
    (engine.digest().unwrap(), hits)
}

/// Does `work` in another process that is killed, again and again; of so many kills, how many came in time.
fn kill_often(folder: &Path, server: &Server, work: usize, kills: usize, calls: usize) -> usize {
    let mut numbers = Numbers(number("SAFEPASSAGE_SEED", 1) as u64);
    let mut caught = 0;
    for _ in 0..kills {
        let answered = || server.lock().unwrap().requests;
        // Anywhere from its first steps to some calls further on.
        let until = answered() + numbers.below(calls * 3 / (2 * kills) + 1) as u64;
        let wait = numbers.below(3000) as u64;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "killed::part"]).env(FOLDER, folder).env(WORK, work.to_string());
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
    caught
}

/// Of what the server was sent, `wanted` texts are paid, and again only those that were under way when a kill came.
fn check_paid(server: &Server, wanted: usize, kills: usize, caught: usize) {
    let server = server.lock().unwrap();
    let (texts, paid) = (server.paid.len(), server.paid.values().sum::<u64>() as usize);
    println!("{kills} kills, {caught} of one at work; {texts} texts, {paid} paid");
    assert_eq!(texts, wanted);
    assert!(paid - texts <= caught * CALLS * TEXTS, "{paid} paid for {texts} texts after {caught} kills");
}

#[test]
fn the_index_is_the_undisturbed_one_and_no_vector_that_arrived_is_paid_again() {
    let (kills, chunks) = (number("SAFEPASSAGE_KILLS", 8), number("SAFEPASSAGE_CHUNKS", 1200));
    let (whole, _) = house(chunks);
    sync(whole.path()).unwrap();
    let (killed, server) = house(chunks);
    let caught = kill_often(killed.path(), &server, SYNC, kills, chunks / TEXTS);
    sync(killed.path()).unwrap();
    assert_eq!(content(killed.path(), chunks), content(whole.path(), chunks));
    // A question was asked once.
    check_paid(&server, chunks + 1, kills, caught);
}

#[test]
fn a_change_of_the_model_that_is_killed_ends_as_one_that_is_not() {
    let (kills, chunks) = (number("SAFEPASSAGE_KILLS", 8), number("SAFEPASSAGE_CHUNKS", 1200));
    let (whole, _) = house(chunks);
    sync(whole.path()).unwrap();
    let before = content(whole.path(), chunks);
    change(whole.path());
    let wanted = content(whole.path(), chunks);
    assert!(before.1.len() == wanted.1.len() && before.0 != wanted.0 && before.1 != wanted.1);

    let (killed, server) = house(chunks);
    sync(killed.path()).unwrap();
    server.lock().unwrap().paid.clear();
    let caught = kill_often(killed.path(), &server, CHANGE, kills, chunks / TEXTS);
    // Until all of it is done: what is still lacking, the switch, what is left of the candidate.
    for _ in 0..2 {
        change(killed.path());
    }
    assert_eq!(content(killed.path(), chunks), wanted);
    let engine = Engine::open(killed.path().join("index")).unwrap();
    assert_eq!(engine.candidate().unwrap(), None);
    assert_eq!(engine.generations().unwrap().last().unwrap().settings.model_name(), "other");
    // The question was asked once, and the old model's vectors were not needed again.
    check_paid(&server, chunks + 1, kills, caught);
}
