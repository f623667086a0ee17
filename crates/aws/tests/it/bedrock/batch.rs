//! Batch jobs, against a server that speaks their documented shapes and a bucket of a real store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use safepassage_aws::bedrock::BedrockSettings;
use safepassage_aws::bedrock::batch::{BatchJobs, BatchSettings, BatchTexts, Batched, RecordId};
use safepassage_error::{Error, Kind, Result};
use safepassage_models::remote::wait_for;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{account, vector};
use crate::s3::World;
use crate::server::{Reply, Request, serve};

const ROLE: &str = "arn:aws:iam::123456789012:role/batch";
const DIM: usize = 256;

/// The jobs that the server has.
struct Service {
    /// By token, so that the same is made once: where it reads and writes.
    jobs: BTreeMap<String, (String, String)>,
    /// Requests for jobs, those that found one included.
    asked: u64,
    /// How often a job was looked at.
    looks: BTreeMap<String, u64>,
    /// How jobs end, and what is left out of their output: by the number of the record.
    ends: &'static str,
    leaves: fn(usize) -> Option<Value>,
    refused: Vec<String>,
}

struct Bed {
    world: World,
    service: Arc<Mutex<Service>>,
    url: String,
    folder: TempDir,
}

impl Bed {
    fn new() -> Self {
        let world = World::new();
        let service = Service {
            jobs: BTreeMap::new(),
            asked: 0,
            looks: BTreeMap::new(),
            ends: "Completed",
            leaves: |_| None,
            refused: Vec::new(),
        };
        let service = Arc::new(Mutex::new(service));
        let (theirs, client) = (Arc::clone(&service), world.client.clone());
        let url = serve(move |request| answer(&request, &mut theirs.lock().unwrap(), &client));
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

    fn made(&self) -> usize {
        self.service.lock().unwrap().jobs.len()
    }
}

/// Texts that wait, and how many are kept before something goes wrong.
struct Texts {
    waiting: BTreeMap<RecordId, String>,
    kept: BTreeMap<String, Vec<f32>>,
    breaks_after: usize,
}

impl Texts {
    fn new(jobs: &BatchJobs, count: usize) -> Self {
        let text = |n| format!("text number {n}");
        let waiting = (0..count).map(|n| (jobs.record(&text(n)).unwrap(), text(n))).collect();
        Self { waiting, kept: BTreeMap::new(), breaks_after: usize::MAX }
    }

    fn check(&self, count: usize) {
        assert_eq!(self.kept.len(), count);
        for (text, row) in &self.kept {
            assert_eq!(*row, vector(&["amazon.titan-embed-text-v2:0", text], DIM), "{text}");
        }
    }
}

impl BatchTexts for Texts {
    fn keep(&mut self, id: RecordId, row: &[f32]) -> Result<bool> {
        if self.kept.len() >= self.breaks_after {
            return Err(Error::new(Kind::Internal, "keep", "killed"));
        }
        let Some(text) = self.waiting.remove(&id) else { return Ok(false) };
        self.kept.insert(text, row.to_vec());
        Ok(true)
    }

    fn left(&mut self, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        self.waiting.values().try_for_each(|text| each(text))
    }
}

fn error(status: u16, name: &str) -> Reply {
    Reply::json(status, &json!({"message": name})).with("x-amzn-errortype", name)
}

fn answer(request: &Request, service: &mut Service, client: &aws_sdk_s3::Client) -> Reply {
    let signed = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    if !signed.contains("/bedrock/aws4_request") {
        return error(403, "AccessDeniedException");
    }
    if request.method == "POST" && request.target == "/model-invocation-job" {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        service.asked += 1;
        let text = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let sound = text("/roleArn") == ROLE
            && text("/modelId") == "amazon.titan-embed-text-v2:0"
            && text("/inputDataConfig/s3InputDataConfig/s3InputFormat") == "JSONL"
            && text("/outputDataConfig/s3OutputDataConfig/s3Uri").ends_with('/')
            && text("/jobName").len() <= 63;
        if !sound {
            service.refused.push(body.to_string());
            return error(400, "ValidationException");
        }
        let input = text("/inputDataConfig/s3InputDataConfig/s3Uri");
        let token = text("/clientRequestToken");
        let output = text("/outputDataConfig/s3OutputDataConfig/s3Uri");
        service.jobs.entry(token.clone()).or_insert((input, output));
        let arn = format!("arn:aws:bedrock:eu-central-1:123456789012:model-invocation-job/{token}");
        return Reply::json(200, &json!({"jobArn": arn}));
    }
    let token = request.target.rsplit("%2F").next().unwrap_or_default().to_owned();
    let Some((input, output)) = service.jobs.get(&token).cloned() else {
        return error(404, "ResourceNotFoundException");
    };
    let look = service.looks.entry(token.clone()).or_default();
    *look += 1;
    let status = match *look {
        1 => "Submitted",
        2 => "InProgress",
        3 => {
            work(&input, &output, service.leaves, client);
            service.ends
        }
        _ => service.ends,
    };
    Reply::json(
        200,
        &json!({
            "jobArn": "a", "jobName": "n", "modelId": "m", "roleArn": ROLE, "status": status, "message": "as told",
            "submitTime": "2026-11-01T00:00:00Z", "lastModifiedTime": "2026-11-01T00:00:00Z",
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": input}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": output}}
        }),
    )
}

/// What a job does: reads its input and writes its output, the last record first.
fn work(input: &str, output: &str, leaves: fn(usize) -> Option<Value>, client: &aws_sdk_s3::Client) {
    let (client, input) = (client.clone(), input.strip_prefix("s3://docs/").unwrap().to_owned());
    let output = output.strip_prefix("s3://docs/").unwrap().to_owned();
    let done = wait_for(async move {
        let got = client.get_object().bucket("docs").key(&input).send().await.unwrap();
        let text = String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap();
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!((100..=50_000).contains(&records.len()), "{} records", records.len());
        let ids: BTreeSet<&str> = records.iter().map(|record| record["recordId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), records.len());
        let mut lines = String::new();
        for (n, record) in records.iter().enumerate().rev() {
            let mut record = record.clone();
            let text = record["modelInput"]["inputText"].as_str().unwrap().to_owned();
            match leaves(n) {
                Some(Value::Null) => continue,
                Some(error) => record["error"] = error,
                None => {
                    let row = vector(&["amazon.titan-embed-text-v2:0", &text], DIM);
                    record["modelOutput"] = json!({"embedding": row, "inputTextTokenCount": 5});
                }
            }
            lines.push_str(&format!("{record}\n"));
        }
        for (key, body) in [("job/input.jsonl.out", lines), ("job/manifest.json.out", "{}".to_owned())] {
            let put = client.put_object().bucket("docs").key(format!("{output}{key}"));
            put.body(body.into_bytes().into()).send().await.unwrap();
        }
        Ok(())
    });
    done.unwrap();
}

#[test]
fn every_text_is_embedded_by_jobs_of_a_size() {
    let bed = Bed::new();
    let jobs = bed.jobs(120, None);
    let mut texts = Texts::new(&jobs, 350);
    let did = bed.run(&jobs, &mut texts).unwrap();
    assert_eq!(did, Batched { submitted: 3, embedded: 350, tokens: 350 * 5, ..Batched::default() });
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
    assert_eq!(bed.run(&jobs, &mut Texts::new(&jobs, 99)).unwrap(), Batched::default());
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
    let mut texts = Texts::new(&jobs, 200);
    let did = bed.run(&jobs, &mut texts).unwrap();
    assert_eq!((did.embedded, did.failed), (160, 20));
    texts.check(160);
    assert_eq!(texts.waiting.len(), 40);
    assert_eq!(bed.world.keys(), [""; 0]);
}

#[test]
fn texts_that_may_not_be_deleted_are_named_and_whoever_was_killed_deletes_the_rest() {
    let bed = Bed::new();
    bed.world.refuse_to_delete("input.jsonl");
    let jobs = bed.jobs(50_000, None);
    let mut texts = Texts::new(&jobs, 100);
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
    let mut texts = Texts::new(&jobs, 100);
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
        let mut texts = Texts::new(&jobs, 100);
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
fn whoever_is_killed_goes_on_with_the_same_job() {
    let bed = Bed::new();
    let jobs = bed.jobs(50_000, None);
    let state = bed.folder.path().join("jobs.json");
    let mut texts = Texts::new(&jobs, 150);
    // While it waits.
    let did = bed.run(&bed.jobs(50_000, Some(Duration::ZERO)), &mut texts).unwrap();
    assert_eq!((did.submitted, did.open), (1, 1));
    // Before it heard what the job is called.
    let known = std::fs::read_to_string(&state).unwrap();
    let mut unheard: Value = serde_json::from_str(&known).unwrap();
    unheard[0]["arn"] = Value::Null;
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
