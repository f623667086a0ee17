//! Batch jobs, against a server that speaks their documented shapes and a bucket of a real store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use safepassage_aws::bedrock::BedrockSettings;
use safepassage_aws::bedrock::batch::{BatchJobs, BatchSettings, BatchTexts, Batched, TextKey};
use safepassage_error::{Error, Kind, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::jobs::{DIM, ROLE, Service};
use super::{account, vector};
use crate::s3::World;

struct Bed {
    world: World,
    service: Arc<Mutex<Service>>,
    url: String,
    folder: TempDir,
}

impl Bed {
    fn new() -> Self {
        let world = World::new();
        let (url, service) = Service::start(&world.client);
        Self { world, service, url, folder: tempfile::tempdir().unwrap() }
    }

    fn jobs(&self, most: usize, patience: Option<Duration>) -> BatchJobs {
        let model = BedrockSettings {
            model: "amazon.titan-embed-text-v2:0".into(),
            dim: Some(DIM),
            account: account("http://127.0.0.1:1"),
            ..BedrockSettings::default()
        };
        let settings = BatchSettings {
            place: "s3://docs/jobs".into(),
            role: ROLE.into(),
            endpoint_url: Some(self.url.clone()),
            poll: Duration::from_millis(1),
            patience,
            most,
        };
        BatchJobs::open(&model, &settings, (*self.world.stores).clone()).unwrap()
    }

    fn run(&self, jobs: &BatchJobs, texts: &mut Texts) -> Result<Batched> {
        jobs.run(texts, &self.folder.path().join("jobs.json"))
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join("jobs.json")).unwrap()).unwrap()
    }

    fn made(&self) -> usize {
        self.service.lock().unwrap().jobs.len()
    }
}

/// Texts that wait, and how many are kept before something goes wrong.
struct Texts {
    waiting: BTreeMap<TextKey, String>,
    kept: BTreeMap<String, Vec<f32>>,
    /// Of texts that nobody waits for any more.
    others: BTreeMap<TextKey, Vec<f32>>,
    tokens: u64,
    breaks_after: usize,
}

fn text(n: usize) -> String {
    format!("text number {n}")
}

/// By what it is remembered.
fn key(text: &str) -> TextKey {
    let mut key = TextKey::default();
    key[..text.len()].copy_from_slice(text.as_bytes());
    key
}

impl Texts {
    fn new(count: usize) -> Self {
        let waiting = (0..count).map(|n| (key(&text(n)), text(n))).collect();
        let (kept, others) = (BTreeMap::new(), BTreeMap::new());
        Self { waiting, kept, others, tokens: 0, breaks_after: usize::MAX }
    }

    fn check(&self, count: usize) {
        assert_eq!(self.kept.len(), count);
        for (text, row) in &self.kept {
            assert_eq!(*row, vector(&["amazon.titan-embed-text-v2:0", text], DIM), "{text}");
        }
    }
}

impl BatchTexts for Texts {
    fn keep(&mut self, key: TextKey, row: &[f32], tokens: Option<u64>) -> Result<bool> {
        if self.kept.len() >= self.breaks_after {
            return Err(Error::new(Kind::Internal, "keep", "killed"));
        }
        self.tokens += tokens.unwrap();
        match self.waiting.remove(&key) {
            Some(text) => drop(self.kept.insert(text, row.to_vec())),
            None => drop(self.others.insert(key, row.to_vec())),
        }
        Ok(true)
    }

    fn left(&mut self, each: &mut dyn FnMut(TextKey, &str) -> Result<()>) -> Result<()> {
        self.waiting.iter().try_for_each(|(key, text)| each(*key, text))
    }
}

#[test]
fn every_text_is_embedded_by_jobs_of_a_size() {
    let bed = Bed::new();
    let jobs = bed.jobs(120, None);
    let mut texts = Texts::new(350);
    let did = bed.run(&jobs, &mut texts).unwrap();
    assert_eq!(did, Batched { submitted: 3, embedded: 350, ..Batched::default() });
    assert_eq!(texts.tokens, 350 * 5);
    texts.check(350);
    assert_eq!((bed.made(), bed.service.lock().unwrap().refused.len()), (3, 0));
    // No text stays where the index's permissions do not hold.
    assert_eq!(bed.world.keys(), [""; 0]);
    // All of it is known: nothing is asked.
    assert_eq!(bed.run(&jobs, &mut texts).unwrap(), Batched::default());
    assert_eq!(bed.service.lock().unwrap().asked, 3);
}

#[test]
fn too_few_texts_are_left_to_ordinary_calls() {
    let bed = Bed::new();
    let jobs = bed.jobs(50_000, None);
    assert_eq!(bed.run(&jobs, &mut Texts::new(99)).unwrap(), Batched::default());
    assert_eq!(bed.made(), 0);
}

#[test]
fn records_that_fail_or_are_missing_are_left_and_the_others_kept() {
    let bed = Bed::new();
    bed.service.lock().unwrap().ends = "PartiallyCompleted";
    bed.service.lock().unwrap().leaves = |n| match n % 10 {
        0 => Some(json!({"errorCode": 400, "errorMessage": "expected maxLength: 50000"})),
        1 => Some(Value::Null),
        _ => None,
    };
    let jobs = bed.jobs(50_000, None);
    let mut texts = Texts::new(200);
    let did = bed.run(&jobs, &mut texts).unwrap();
    assert_eq!((did.submitted, did.embedded, did.failed), (1, 160, 40));
    texts.check(160);
    assert_eq!(texts.waiting.len(), 40);
    assert_eq!(bed.world.keys(), [""; 0]);
}

#[test]
fn texts_that_may_not_be_deleted_are_named_and_whoever_was_killed_deletes_the_rest() {
    let bed = Bed::new();
    bed.world.refuse_to_delete("input.jsonl");
    let jobs = bed.jobs(50_000, None);
    let mut texts = Texts::new(100);
    let did = bed.run(&jobs, &mut texts).unwrap();
    assert_eq!((did.embedded, did.undeleted.len()), (100, 1));
    let said = &did.undeleted[0];
    assert!(said.contains(" stay in s3://docs/jobs/") && said.contains("AccessDenied"), "{said}");
    let left = bed.world.keys();
    assert!(left.iter().any(|key| key.ends_with("/input.jsonl")), "{left:?}");
    // The job is done with, and is not looked at again.
    assert_eq!(bed.run(&jobs, &mut texts).unwrap(), Batched::default());

    // Killed after some of it was deleted: the job is remembered still.
    let bed = Bed::new();
    let jobs = bed.jobs(50_000, None);
    let mut texts = Texts::new(100);
    assert_eq!(bed.run(&bed.jobs(50_000, Some(Duration::ZERO)), &mut texts).unwrap().open, 1);
    let state = bed.folder.path().join("jobs.json");
    let begun = std::fs::read(&state).unwrap();
    bed.world.refuse_to_delete("manifest");
    bed.run(&jobs, &mut texts).unwrap();
    assert!(bed.world.keys().iter().all(|key| !key.ends_with("input.jsonl")), "{:?}", bed.world.keys());
    assert!(!bed.world.keys().is_empty());
    std::fs::write(&state, begun).unwrap();
    bed.world.refuse_to_delete("nothing");
    let did = bed.run(&jobs, &mut texts).unwrap();
    assert_eq!((did.submitted, did.resumed, did.undeleted.len()), (0, 1, 0));
    assert_eq!(bed.world.keys(), [""; 0]);
    texts.check(100);
}

#[test]
fn a_job_that_breaks_off_is_an_error_and_what_it_made_is_kept() {
    for ends in ["Failed", "Stopped", "Expired"] {
        let bed = Bed::new();
        bed.service.lock().unwrap().ends = ends;
        bed.service.lock().unwrap().leaves = |n| (n >= 50).then_some(Value::Null);
        let jobs = bed.jobs(50_000, None);
        let mut texts = Texts::new(100);
        let error = bed.run(&jobs, &mut texts).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.message().contains(&format!("it is `{ends}`: as told")), "{error}");
        texts.check(50);
        assert_eq!(bed.world.keys(), [""; 0]);
        // The next run has nothing to go on with, and too few for a job.
        assert_eq!(bed.run(&jobs, &mut texts).unwrap(), Batched::default());
    }
}

#[test]
fn a_job_that_made_nothing_is_another_one_the_next_time() {
    let bed = Bed::new();
    bed.service.lock().unwrap().ends = "Failed";
    bed.service.lock().unwrap().leaves = |_| Some(Value::Null);
    let jobs = bed.jobs(50_000, None);
    let mut texts = Texts::new(150);
    for made in 1..=2 {
        assert_eq!(bed.run(&jobs, &mut texts).unwrap_err().kind(), Kind::Unavailable);
        assert_eq!((bed.made(), texts.kept.len()), (made, 0));
    }
    bed.service.lock().unwrap().ends = "Completed";
    bed.service.lock().unwrap().leaves = |_| None;
    let did = bed.run(&jobs, &mut texts).unwrap();
    assert_eq!((did.submitted, did.embedded, bed.made()), (1, 150, 3));
    texts.check(150);
}

#[test]
fn what_a_first_job_leaves_out_a_second_one_embeds() {
    let bed = Bed::new();
    bed.service.lock().unwrap().leaves = |n| (n >= 120).then(|| json!({"errorCode": 429}));
    let mut texts = Texts::new(240);
    let did = bed.run(&bed.jobs(50_000, None), &mut texts).unwrap();
    assert_eq!((did.submitted, did.embedded, did.failed), (2, 240, 0));
    texts.check(240);
    assert_eq!((texts.tokens, bed.world.keys()), (240 * 5, vec![]));
}

#[test]
fn what_was_paid_for_is_kept_also_if_nobody_wants_it_any_more() {
    let bed = Bed::new();
    let jobs = bed.jobs(50_000, None);
    assert_eq!(bed.run(&bed.jobs(50_000, Some(Duration::ZERO)), &mut Texts::new(150)).unwrap().open, 1);
    // Meanwhile most documents are gone.
    let mut fewer = Texts::new(20);
    let did = bed.run(&jobs, &mut fewer).unwrap();
    assert_eq!((did.resumed, did.submitted, did.embedded, did.failed), (1, 0, 150, 0));
    fewer.check(20);
    assert_eq!(fewer.others.len(), 130);
    let row = &fewer.others[&key(&text(149))];
    assert_eq!(*row, vector(&["amazon.titan-embed-text-v2:0", &text(149)], DIM));
}

#[test]
fn whoever_was_killed_before_the_texts_were_in_the_bucket_submits_them_once() {
    let bed = Bed::new();
    let state = json!({"broken": [], "jobs": [
        {"model": format!("amazon.titan-embed-text-v2:0 {DIM}"), "digest": "abc", "place": "s3://docs/jobs", "arn": null},
    ]});
    std::fs::write(bed.folder.path().join("jobs.json"), state.to_string()).unwrap();
    bed.world.write("jobs/abc/keys", "half");
    let mut texts = Texts::new(150);
    let did = bed.run(&bed.jobs(50_000, None), &mut texts).unwrap();
    assert_eq!((did.submitted, did.embedded, bed.made()), (1, 150, 1));
    assert_eq!((bed.world.keys(), bed.state()["jobs"].clone()), (vec![], json!([])));
}

#[test]
fn whoever_is_killed_goes_on_with_the_same_job() {
    let bed = Bed::new();
    let jobs = bed.jobs(50_000, None);
    let state = bed.folder.path().join("jobs.json");
    let mut texts = Texts::new(150);
    // While it waits.
    let did = bed.run(&bed.jobs(50_000, Some(Duration::ZERO)), &mut texts).unwrap();
    assert_eq!((did.submitted, did.open), (1, 1));
    // Before it heard what the job is called.
    let known = std::fs::read_to_string(&state).unwrap();
    let mut unheard: Value = serde_json::from_str(&known).unwrap();
    unheard["jobs"][0]["arn"] = Value::Null;
    std::fs::write(&state, unheard.to_string()).unwrap();
    // Again and again while it keeps what came back.
    for breaks_after in [0, 1, 70, 149] {
        texts.breaks_after = breaks_after;
        assert_eq!(bed.run(&jobs, &mut texts).unwrap_err().message(), "killed");
        assert_eq!(texts.kept.len(), breaks_after);
    }
    texts.breaks_after = usize::MAX;
    let did = bed.run(&jobs, &mut texts).unwrap();
    assert_eq!((did.submitted, did.resumed), (0, 1));
    texts.check(150);
    assert_eq!(bed.made(), 1);
    // A model or a bucket other than that of a job under way.
    std::fs::write(&state, known.replace("256", "512")).unwrap();
    assert_eq!(bed.run(&jobs, &mut texts).unwrap_err().kind(), Kind::Conflict);
    std::fs::write(&state, "[{").unwrap();
    assert_eq!(bed.run(&jobs, &mut texts).unwrap_err().kind(), Kind::Corrupted);
}
