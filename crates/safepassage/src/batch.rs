//! Here are sources and a model with batch jobs: embed first what is not known, at the price of batches.
//!
//! What is to be embedded is what a dry run of the sync would embed; it waits in a file of no name. What comes back goes into
//! the cache that the sync then reads. Jobs under way stand in a file beside the index's own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use safepassage_aws::bedrock::batch::{BatchJobs, BatchSettings, BatchTexts, Batched, TextKey};
use safepassage_aws::s3::S3Stores;
use safepassage_error::{Error, Kind, Result};
use safepassage_index::storage::Scratch;
use safepassage_ingest::{Progress, Report, SourceSpec, SyncOptions};
use safepassage_models::remote::{CachedEmbedder, RemoteEmbedder};
use safepassage_models::{Catalogue, Cleared, Embedder, Embeddings, ModelStamp, Purpose, Tokenizer};

use crate::engine::Engine;

const OPERATION: &str = "embed in batch";
/// The jobs under way.
const JOBS: &str = "batch-jobs.json";

impl Engine {
    /// Embeds what a [`Engine::sync`] of `sources` would embed by batch jobs of Bedrock, so that the sync finds it in the
    /// cache. The report is that of a dry run, with the price of batches; nothing else is done if `options` say
    /// `dry_run`, or if it would cost more than they allow. What was spent is in [`Batched::cost`]: whoever has a most for
    /// both has so much less for the sync.
    ///
    /// # Errors
    /// As [`Engine::sync`]; `Invalid` if the index's model is none of Bedrock in a catalogue, or the index is in no folder;
    /// `Unavailable` if a job broke off: what it made is kept.
    pub fn embed_in_batch(
        &self,
        sources: &[SourceSpec],
        options: &SyncOptions,
        batch: &BatchSettings,
        progress: &dyn Progress,
    ) -> Result<(Report, Batched)> {
        let (catalogue, name) = self.catalogue()?;
        let catalogue = Catalogue::read(&catalogue)?;
        let model = catalogue.model(&name)?;
        if model.provider != "bedrock" {
            let message = format!("`{name}` is of the provider `{}`; batch jobs are Bedrock's", model.provider);
            return Err(Error::invalid(OPERATION, message));
        }
        let folder: Option<PathBuf> = self.index().folder().map(Into::into);
        if folder.is_none() && !options.dry_run {
            let message = "batch jobs are remembered beside the index, and this one is in no folder";
            return Err(Error::invalid(OPERATION, message));
        }
        let jobs = BatchJobs::open(&model.into(), batch, S3Stores::default())?;
        let remote = Arc::new(crate::remote::remote(model)?);
        let cache = CachedEmbedder::open(Arc::clone(&remote) as _, &cache_in(&catalogue, folder.as_deref()))?;
        let texts = Texts { scratch: self.index().scratch()?, ..Texts::default() };
        let collecting = Collecting { cache, cleared: model.cleared_in_batch()?, texts: Mutex::new(texts) };
        let dry = SyncOptions { dry_run: true, ..self.with_stores(options) };
        let report = safepassage_ingest::sync(self.shared_index(), &collecting, sources, &dry, progress)?;
        let too_much = options.max_cost.zip(report.cost).is_some_and(|(most, cost)| cost > most);
        if options.dry_run || too_much {
            let stopped = too_much.then(|| "in batches it would cost more than that".to_owned());
            return Ok((Report { stopped: stopped.or(report.stopped.clone()), ..report }, Batched::default()));
        }
        progress.begin("waiting for batch jobs", 0);
        let Collecting { cache, texts, .. } = collecting;
        let texts = texts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = Waiting::of(texts, cache, &remote)?;
        let batched = jobs.run(&mut waiting, &folder.unwrap_or_default().join(JOBS));
        progress.end();
        let cost = model.cleared_in_batch()?.price().map(|price| price.of(waiting.tokens));
        Ok((report, Batched { cost, ..batched? }))
    }
}

/// The cache of an index in `folder`; in none nothing was embedded yet.
fn cache_in(catalogue: &Catalogue, folder: Option<&Path>) -> PathBuf {
    let beside = || folder.map_or_else(|| ":memory:".into(), crate::remote::cache_of);
    catalogue.cache().map_or_else(beside, Path::to_path_buf)
}

/// Texts that are to be embedded, where they do not fill the memory.
#[derive(Default)]
struct Texts {
    scratch: Option<Arc<dyn Scratch>>,
    held: Vec<u8>,
    places: Vec<(u64, usize)>,
}

impl Texts {
    fn add(&mut self, text: &str) -> Result<()> {
        let at = match &self.scratch {
            Some(scratch) => scratch.append(text.as_bytes())?,
            None => {
                self.held.extend_from_slice(text.as_bytes());
                (self.held.len() - text.len()) as u64
            }
        };
        self.places.push((at, text.len()));
        Ok(())
    }

    fn read(&self, number: usize) -> Result<String> {
        let (at, length) = self.places[number];
        let mut bytes = vec![0; length];
        match &self.scratch {
            Some(scratch) => scratch.read(at, &mut bytes)?,
            None => bytes.copy_from_slice(&self.held[at as usize..at as usize + length]),
        }
        String::from_utf8(bytes).map_err(|e| Error::new(Kind::Internal, OPERATION, "a text is not itself").because(e))
    }
}

/// The model in a dry run, which keeps what it would have to embed.
struct Collecting {
    cache: CachedEmbedder,
    cleared: Cleared,
    texts: Mutex<Texts>,
}

impl Embedder for Collecting {
    fn stamp(&self) -> &ModelStamp {
        self.cache.stamp()
    }

    fn embed(&self, _: &[&str], _: Purpose) -> Result<Embeddings> {
        Err(Error::new(Kind::Internal, OPERATION, "a dry run embeds nothing"))
    }

    fn unpaid(&self, texts: &[&str]) -> Result<Vec<usize>> {
        let unpaid = self.cache.unpaid(texts)?;
        let mut kept = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        unpaid.iter().try_for_each(|&at| kept.add(texts[at]))?;
        Ok(unpaid)
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.cleared)
    }

    fn tokenizer(&self) -> &Tokenizer {
        self.cache.tokenizer()
    }
}

/// Texts that wait for their vectors.
struct Waiting<'a> {
    texts: Texts,
    cache: CachedEmbedder,
    remote: &'a RemoteEmbedder,
    /// By what they are remembered by, with their number; those that were kept are gone.
    left: HashMap<TextKey, usize>,
    /// That the model read.
    tokens: u64,
}

impl<'a> Waiting<'a> {
    fn of(texts: Texts, cache: CachedEmbedder, remote: &'a RemoteEmbedder) -> Result<Self> {
        let mut left = HashMap::with_capacity(texts.places.len());
        for number in 0..texts.places.len() {
            left.entry(cache.key(&texts.read(number)?)?).or_insert(number);
        }
        Ok(Self { texts, cache, remote, left, tokens: 0 })
    }
}

impl BatchTexts for Waiting<'_> {
    fn keep(&mut self, key: TextKey, vector: &[f32], tokens: Option<u64>) -> Result<bool> {
        if !self.cache.take(key, vector)? {
            return Ok(false);
        }
        let number = self.left.remove(&key);
        self.tokens += match (tokens, number) {
            (Some(tokens), _) => tokens,
            (None, Some(number)) => {
                self.remote.tokenizer().offsets(self.remote.as_read(&self.texts.read(number)?)?)?.len() as u64
            }
            (None, None) => 0,
        };
        Ok(true)
    }

    fn left(&mut self, each: &mut dyn FnMut(TextKey, &str) -> Result<()>) -> Result<()> {
        let mut left: Vec<(usize, TextKey)> = self.left.iter().map(|(key, number)| (*number, *key)).collect();
        left.sort_unstable();
        left.into_iter().try_for_each(|(number, key)| each(key, &self.remote.as_sent(&self.texts.read(number)?)?))
    }
}
