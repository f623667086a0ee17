//! STS, S3 and SQS of somebody else's making, as a process of its own, on the loopback.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

pub struct Ministack {
    pub address: String,
    process: Child,
}

impl Ministack {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        let named = std::env::var_os("SAFEPASSAGE_MINISTACK").map(PathBuf::from);
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
        let program = named.unwrap_or_else(|| target.join("ministack/bin/ministack"));
        assert!(program.exists(), "there is no {}; `.ci/ministack` installs it", program.display());
        let [port] = crate::ports::free(1)[..] else { unreachable!("one was asked for") };
        let process = Command::new(program)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("IOT_MTLS_ENABLED", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut started = Self { address: format!("127.0.0.1:{port}"), process };
        while TcpStream::connect(&started.address).is_err() {
            assert!(started.process.try_wait().unwrap().is_none(), "it did not start");
            std::thread::yield_now();
        }
        started
    }

    /// Makes the queue `name`; returns its URL.
    pub fn queue(&self, name: &str) -> String {
        self.sqs("CreateQueue", &json!({"QueueName": name}));
        format!("http://{}/000000000000/{name}", self.address)
    }

    /// Puts a message into the queue at `url`.
    pub fn send(&self, url: &str, body: &Value) {
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        self.sqs("SendMessage", &json!({"QueueUrl": url, "MessageBody": body}));
    }

    /// How many messages wait in the queue at `url`, and how many somebody has taken and not deleted.
    pub fn waiting(&self, url: &str) -> (u64, u64) {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let answer = self.sqs("GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": ["All"]}));
        let [waiting, taken] = names.map(|name| answer["Attributes"][name].as_str().unwrap().parse().unwrap());
        (waiting, taken)
    }

    fn sqs(&self, action: &str, body: &Value) -> Value {
        let body = body.to_string();
        let signed =
            "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=x";
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\nauthorization: {signed}\r\nx-amz-target: AmazonSQS.{action}\r\n\
             content-type: application/x-amz-json-1.0\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (from, to) = (answer.find("\r\n\r\n").unwrap(), answer.rfind('}').unwrap_or_default());
        serde_json::from_str(answer[from..].split_at(to.saturating_sub(from) + 1).0.trim()).unwrap_or_default()
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
