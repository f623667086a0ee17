//! A store that speaks S3, as a process of its own: SeaweedFS, on the loopback, telling nobody.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_smithy_http_client::{Builder, tls};
use safepassage_models::remote::wait_for;
use tempfile::TempDir;

pub const KEY: &str = "AKIDEXAMPLE";
pub const SECRET: &str = "a-secret-of-tests";

pub struct Weed {
    pub address: String,
    process: Child,
    _folder: TempDir,
}

impl Weed {
    /// Starts one and waits until it answers; with `is_open` also whoever has no keys may do everything.
    pub fn start(is_open: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let all = ["Admin", "Read", "Write", "List"];
        let mut identities = vec![
            serde_json::json!({"name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": all}),
        ];
        identities.extend(is_open.then(|| serde_json::json!({"name": "anonymous", "actions": all})));
        let identities = serde_json::json!({"identities": identities});
        let config = folder.path().join("s3.json");
        std::fs::write(&config, identities.to_string()).unwrap();
        let ports = crate::ports::free(8);
        let names = ["master", "volume", "filer", "s3"];
        let plain = names.iter().zip(&ports[..4]).map(|(name, port)| format!("-{name}.port={port}"));
        let grpc = names.iter().zip(&ports[4..]).map(|(name, port)| format!("-{name}.port.grpc={port}"));
        let mut process = Command::new(binary())
            .arg("server")
            .args([
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                "-volume.max=400",
                "-filer",
                "-s3",
            ])
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
            .args(plain.chain(grpc))
            .arg(format!("-dir={}", folder.path().display()))
            .arg(format!("-s3.config={}", config.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said = log.by_ref().find(|line| line.contains("Start Seaweed S3 API Server"));
        assert!(said.is_some(), "the store did not start");
        // A full pipe would stop it.
        std::thread::spawn(move || log.for_each(drop));
        let address = format!("127.0.0.1:{}", ports[3]);
        while TcpStream::connect(&address).is_err() {
            std::thread::yield_now();
        }
        Self { address, process, _folder: folder }
    }

    /// A new bucket, and a client of its own for it.
    pub fn bucket(&self, name: &'static str) -> Client {
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let config = aws_sdk_s3::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(format!("http://{}", self.address))
            .force_path_style(true)
            .credentials_provider(Credentials::new(KEY, SECRET, None, None, "tests"))
            .retry_config(RetryConfig::standard().with_max_attempts(10))
            .http_client(Builder::new().tls_provider(ring).build_https());
        let client = Client::from_conf(config.build());
        let creating = client.clone();
        let created = wait_for(async move {
            creating.create_bucket().bucket(name).send().await.unwrap();
            // It answers before it has anywhere to write to: what is asked first of it waits for that.
            creating.put_object().bucket(name).key("begun").send().await.unwrap();
            Ok(creating.delete_object().bucket(name).key("begun").send().await.unwrap())
        });
        created.unwrap();
        client
    }
}

/// Every key of a bucket, in order.
pub fn keys(client: &Client, bucket: &'static str) -> Vec<String> {
    let client = client.clone();
    let listed = wait_for(async move { Ok(client.list_objects_v2().bucket(bucket).send().await.unwrap()) });
    listed.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
}

impl Drop for Weed {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The program that `.ci/seaweedfs` installs, or the one that is named.
fn binary() -> PathBuf {
    let named = std::env::var_os("SAFEPASSAGE_WEED").map(PathBuf::from);
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let found = named.unwrap_or_else(|| target.join("seaweedfs/bin/weed"));
    assert!(found.exists(), "there is no {}; `.ci/seaweedfs` installs it", found.display());
    found
}
