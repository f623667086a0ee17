//! A bucket as a source, against a real store, with a proxy in front of it.

mod events;
mod faults;
mod proxy;
mod queue;
mod rows;
mod thousands;
mod versions;
mod weed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use futures_util::{StreamExt, stream};
use safepassage_access::{Identity, Labels};
use safepassage_aws::s3::S3Stores;
use safepassage_aws::{AccessKeys, Account};
use safepassage_error::Result;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_index::storage::MemoryStorage;
use safepassage_index::{Index, Settings};
use safepassage_ingest::{ChunkSettings, Report, Silent, SourceSpec, SyncOptions, sync};
use safepassage_models::remote::{BreakerLimits, CallLimits, wait_for};
use safepassage_models::{Embedder, Embeddings, ModelStamp, Purpose, Tokenizer, builtin_tokenizer};

use proxy::{Asked, Instead, Proxy, refused};
use weed::{KEY, SECRET, Weed};

/// A model that costs nothing and counts.
struct Counting {
    stamp: ModelStamp,
    tokenizer: Tokenizer,
    texts: AtomicU64,
}

impl Embedder for Counting {
    fn stamp(&self) -> &ModelStamp {
        &self.stamp
    }

    fn embed(&self, texts: &[&str], _: Purpose) -> Result<Embeddings> {
        self.texts.fetch_add(texts.len() as u64, Ordering::Relaxed);
        let values = texts.iter().flat_map(|text| crate::bedrock::vector(&[text], 8)).collect();
        Ok(Embeddings { dim: 8, values, tokens: 0, truncated: Vec::new() })
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

/// A bucket and an index of it.
pub struct World {
    weed: Weed,
    proxy: Proxy,
    pub client: Client,
    index: Arc<Index>,
    model: Counting,
    pub stores: Arc<S3Stores>,
}

/// What a run did, as the tests compare it: added, changed, permission only, deleted, skipped, embedded.
type Did = (u64, u64, u64, u64, usize, u64);

impl World {
    pub fn new() -> Self {
        let weed = Weed::start(false);
        let proxy = Proxy::start(&weed.address);
        let client = weed.bucket("docs");
        let keys = AccessKeys { id: KEY.into(), secret: SECRET.into(), session_token: None };
        let account = Account {
            region: Some("eu-central-1".into()),
            endpoint_url: Some(proxy.url.clone()),
            keys: Some(keys),
            ..Account::default()
        };
        let (first_wait, longest_wait) = (Duration::from_millis(1), Duration::from_millis(4));
        // A store that is told to fail is not left alone meanwhile.
        let breaker = BreakerLimits { failures: 1_000, ..BreakerLimits::default() };
        let limits = CallLimits { first_wait, longest_wait, max_attempts: 4, breaker, ..S3Stores::limits() };
        let stores = Arc::new(S3Stores::new(account, limits));
        let model = Counting {
            stamp: ModelStamp {
                provider: "test".into(),
                model: "counting".into(),
                dim: 8,
                normalised: true,
                document_prefix: String::new(),
                query_prefix: String::new(),
                digest: None,
            },
            tokenizer: builtin_tokenizer(256).unwrap(),
            texts: AtomicU64::new(0),
        };
        let chunker = serde_json::to_value(ChunkSettings::new(254, None, None).unwrap()).unwrap();
        let settings = Settings { model: serde_json::to_value(&model.stamp).unwrap(), chunker, ..Settings::vectors(8) };
        let storage = Arc::new(MemoryStorage::default());
        let index = Index::create(storage, settings, &Labels::default(), Clock::fixed(Timestamp(1_000))).unwrap();
        Self { weed, proxy, client, index: Arc::new(index), model, stores }
    }

    /// Every key of the bucket, in order.
    pub fn keys(&self) -> Vec<String> {
        weed::keys(&self.client, "docs")
    }

    /// Writes one object.
    pub fn write(&self, key: &'static str, content: &'static str) {
        let client = self.client.clone();
        let written = wait_for(async move {
            let put = client.put_object().bucket("docs").key(key).body(content.as_bytes().to_vec().into());
            Ok(put.send().await.unwrap())
        });
        written.unwrap();
    }

    /// From now on the store deletes nothing whose key has `part` in it.
    pub fn refuse_to_delete(&self, part: &'static str) {
        self.proxy.plan(move |asked, _| match asked {
            Asked::Delete(key) if key.contains(part) => Some(Instead::Reply(refused(403, "AccessDenied"))),
            _ => None,
        });
    }

    /// Writes `objects` (key, content); an empty content removes the object.
    fn put(&self, objects: Vec<(String, String)>) {
        put(&self.client, objects);
    }

    fn sync(&self) -> Result<Report> {
        let options = SyncOptions { stores: Some(Arc::clone(&self.stores) as _), ..SyncOptions::default() };
        sync(&self.index, &self.model, &[SourceSpec::new("s3://docs/all")], &options, &Silent)
    }

    /// As [`World::sync`], of these files alone.
    fn sync_only(&self, changed: &[&str]) -> Result<Report> {
        self.sync_versions(changed.iter().map(|key| ((*key).to_owned(), None)).collect())
    }

    /// As [`World::sync_only`], with the versions that messages name.
    fn sync_versions(&self, changed: BTreeMap<String, Option<String>>) -> Result<Report> {
        let only = Some(changed);
        let options = SyncOptions { stores: Some(Arc::clone(&self.stores) as _), only, ..SyncOptions::default() };
        sync(&self.index, &self.model, &[SourceSpec::new("s3://docs/all")], &options, &Silent)
    }

    /// A run that goes well: what it did, with the number of texts that were really embedded.
    fn did(&self) -> Did {
        let before = self.embedded();
        let report = self.sync().unwrap();
        let embedded = self.embedded() - before;
        assert_eq!(embedded, report.embedded);
        (report.added, report.changed, report.permission_only, report.deleted, report.skipped.len(), embedded)
    }

    /// How many texts were embedded so far.
    fn embedded(&self) -> u64 {
        self.model.texts.load(Ordering::Relaxed)
    }

    /// What a member of `group` may see, ids in order.
    fn visible(&self, group: &str) -> Vec<String> {
        let identity = Identity::asserted("somebody").groups([group]).issue(self.index.clock()).unwrap();
        let mut ids = self.index.visible_documents(&identity).unwrap();
        ids.sort();
        ids
    }
}

fn put(client: &Client, objects: Vec<(String, String)>) {
    let client = client.clone();
    let written = wait_for(async move {
        let one = |(key, content): (String, String)| {
            let client = client.clone();
            async move {
                let key = format!("all/{key}");
                if content.is_empty() {
                    client.delete_object().bucket("docs").key(key).send().await.map(drop).unwrap();
                } else {
                    let body = content.into_bytes().into();
                    client.put_object().bucket("docs").key(key).body(body).send().await.map(drop).unwrap();
                }
            }
        };
        stream::iter(objects).for_each_concurrent(32, one).await;
        Ok(())
    });
    written.unwrap();
}

/// The name of a document's sidecar, and one that opens it to `group`.
fn sidecar(id: &str, group: &str) -> (String, String) {
    let content = serde_json::json!({
        "metadataAttributes": {"department": "all"},
        "accessControlList": [{"name": group, "type": "GROUP", "access": "ALLOW"}]
    });
    (format!("{id}.metadata.json"), content.to_string())
}
