//! Bedrock's batch jobs as their documentation has them: what they read and write is in a bucket of a real store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use aws_sdk_s3::Client;
use safepassage_models::remote::wait_for;
use serde_json::{Value, json};

use super::fake::vector;
use crate::server::{Reply, Request, serve};

pub const ROLE: &str = "arn:aws:iam::123456789012:role/batch";
pub const DIM: usize = 256;

/// The jobs that the server has.
pub struct Service {
    /// By token, so that the same is made once: where it reads and writes.
    pub jobs: BTreeMap<String, (String, String)>,
    /// Requests for jobs, those that found one included.
    pub asked: u64,
    /// How often a job was looked at.
    looks: BTreeMap<String, u64>,
    /// How jobs end, and what is left out of their output: by the number of the record.
    pub ends: &'static str,
    pub leaves: fn(usize) -> Option<Value>,
    pub refused: Vec<String>,
}

impl Service {
    /// Serves jobs that read and write the bucket of `client`; gives its URL.
    pub fn start(client: &Client) -> (String, Arc<Mutex<Self>>) {
        let service = Self {
            jobs: BTreeMap::new(),
            asked: 0,
            looks: BTreeMap::new(),
            ends: "Completed",
            leaves: |_| None,
            refused: Vec::new(),
        };
        let service = Arc::new(Mutex::new(service));
        let (theirs, client) = (Arc::clone(&service), client.clone());
        (serve(move |request| answer(&request, &mut theirs.lock().unwrap(), &client)), service)
    }
}

fn error(status: u16, name: &str) -> Reply {
    Reply::json(status, &json!({"message": name})).with("x-amzn-errortype", name)
}

fn answer(request: &Request, service: &mut Service, client: &Client) -> Reply {
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
fn work(input: &str, output: &str, leaves: fn(usize) -> Option<Value>, client: &Client) {
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
