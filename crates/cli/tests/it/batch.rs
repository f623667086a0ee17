//! `sync --batch`: against a service that speaks the documented shapes of Bedrock's jobs, and a bucket of a real store.

#[path = "../../../aws/tests/it/bedrock/fake.rs"]
#[expect(dead_code, reason = "other tests let it fail")]
mod fake;
#[path = "../../../aws/tests/it/bedrock/jobs.rs"]
mod jobs;

use std::sync::{Arc, Mutex};

use aws_sdk_s3::Client;
use serde_json::{Value, json};

use self::fake::Fake;
use self::jobs::{ROLE, Service};
use crate::program::{Said, Scratch};
use crate::weed::{self, KEY, SECRET, Weed};

/// An account of Amazon: models that are called, jobs, a bucket.
struct Account {
    scratch: Scratch,
    weed: Weed,
    client: Client,
    models: Fake,
    jobs: (String, Arc<Mutex<Service>>),
}

impl Account {
    /// With 150 letters to embed; a job costs half of what calls cost.
    fn new() -> Self {
        let (scratch, weed, models) = (Scratch::new(), Weed::start(false), Fake::sound());
        let client = weed.bucket("docs");
        let jobs = Service::start(&client);
        scratch.write(
            "models.toml",
            format!(
                "[[model]]\nname = \"titan\"\nprovider = \"bedrock\"\nmodel = \"amazon.titan-embed-text-v2:0\"\n\
                 highest_label = \"internal\"\nprice_per_million_tokens = 2.0\nbatch_price_per_million_tokens = 1.0\n\
                 at = {{ url = \"{}\", region = \"eu-central-1\" }}\ntexts = {{ dim = 256 }}\n",
                models.url
            ),
        );
        let letter =
            |n| json!({"id": format!("d{n}"), "text": format!("letter number {n}"), "acl": {"allow": ["everyone"]}});
        let letters: Vec<String> = (0..150).map(|n| letter(n).to_string()).collect();
        scratch.write("letters.jsonl", letters.join("\n"));
        Self { scratch, weed, client, models, jobs }
    }

    fn sync(&self, more: &[&str]) -> Said {
        let place = format!("s3://docs/jobs?endpoint=http://{}&region=eu-central-1", self.weed.address);
        let batch = ["--batch", &place, "--batch-role", ROLE, "--batch-endpoint", &self.jobs.0, "--batch-poll", "1"];
        let model = ["sync", "letters.jsonl", "--index", "index", "--models", "models.toml", "--embedder", "titan"];
        let mut command = self.scratch.command(&[&model[..], &batch, more].concat());
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
        Said::of(&command.output().unwrap())
    }

    fn report(&self, more: &[&str]) -> Value {
        let said = self.sync(more);
        assert_eq!(said.code, Some(0), "{said:?}");
        said.json()
    }

    fn submitted(&self) -> u64 {
        self.jobs.1.lock().unwrap().asked
    }
}

#[test]
fn what_jobs_embed_is_not_paid_again_and_what_they_leave_out_is_called_for() {
    let account = Account::new();
    let dry = account.report(&["--dry-run"]);
    let price = dry["cost"].as_f64().unwrap();
    assert_eq!((&dry["embedded"], account.submitted()), (&json!(150), 0));
    // Less than that: nothing is begun.
    let most = (price / 2.0).to_string();
    let report = account.report(&["--max-cost", &most]);
    assert!(report["stopped"].is_string() && account.submitted() == 0, "{report}");
    // The service does not count as we do: of a text it says five tokens.
    account.jobs.1.lock().unwrap().leaves = |n| (n >= 140).then(|| json!({"errorCode": 500}));
    let report = account.report(&["--max-cost", &(price * 10.0).to_string()]);
    assert_eq!((&report["added"], &report["left"]), (&json!(150), &json!(0)), "{report}");
    // Ten were left out, too few for another job: called for one by one, once.
    let seen = account.models.seen();
    assert_eq!((report["embedded"].as_u64(), seen.paid.len(), account.submitted()), (Some(10), 10, 1));
    assert!(seen.paid.values().all(|paid| *paid == 1) && seen.refused.is_empty(), "{seen:?}");
    assert_eq!(weed::keys(&account.client, "docs"), [""; 0]);
    // All of it is there: nothing is asked.
    let report = account.report(&[]);
    assert_eq!((&report["unchanged"], &report["embedded"], account.submitted()), (&json!(150), &json!(0), 1));
}

#[test]
fn a_most_cost_is_of_jobs_and_calls_together() {
    let account = Account::new();
    let price = account.report(&["--dry-run"])["cost"].as_f64().unwrap();
    account.jobs.1.lock().unwrap().leaves = |n| (n >= 100).then(|| json!({"errorCode": 500}));
    // 100 of 150 texts are paid at five tokens each; what is left of the most is less than what calls for 50 would cost.
    let spent = 500.0 / 1e6;
    let most = price.max(spent * 1.01);
    let report = account.report(&["--max-cost", &most.to_string()]);
    assert!(report["stopped"].is_string(), "{report}");
    assert_eq!((account.models.seen().paid.len(), &report["added"]), (0, &json!(150)));
    let rest = account.report(&[]);
    assert_eq!((&rest["embedded"], account.models.seen().paid.len()), (&json!(50), 50));
}

#[test]
fn a_job_that_breaks_off_is_an_error_and_the_next_run_submits_it_anew() {
    let account = Account::new();
    {
        let mut service = account.jobs.1.lock().unwrap();
        (service.ends, service.leaves) = ("Failed", |_| Some(Value::Null));
    }
    let (kind, message) = account.sync(&[]).error();
    assert!(kind == "Unavailable" && message.contains("broke off"), "{message}");
    assert_eq!(account.models.seen().paid.len(), 0);
    {
        let mut service = account.jobs.1.lock().unwrap();
        (service.ends, service.leaves) = ("Completed", |_| None);
    }
    let report = account.report(&[]);
    assert_eq!((&report["added"], account.submitted(), account.models.seen().paid.len()), (&json!(150), 2, 0));
}
