//! Here is the folder of a BERT-family model: which vectors does it give?
//!
//! `config` reads what the folder describes, `weights` its tensors, `encoder` runs the network with `linear`, `attention`
//! and `rows`; this file turns texts into batches and tokens into one vector per text.

mod attention;
mod buffer;
mod config;
mod cross;
mod encoder;
mod linear;
mod names;
mod rows;
mod weights;

use std::fmt;
use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use safepassage_error::{Error, Result};
use sha2::{Digest, Sha256};

use crate::embedder::{Embedder, Embeddings, Purpose};
use crate::files::{optional, required};
use crate::stamp::ModelStamp;
use crate::tokenizer::{Encoded, Tokenizer};
use config::{Config, ConfigFiles, Pooling};
pub use cross::CrossEncoder;
use encoder::{Encoder, Text, Workspace};
pub use linear::Arithmetic;
pub(crate) use weights::floats;

/// Tokens that one core computes at once: enough rows to keep the kernels busy, few enough to stay in its cache.
const BATCH_TOKENS: usize = 256;

/// The files of a model, as bytes.
#[derive(Default)]
pub(crate) struct ModelFiles<'a> {
    pub config: &'a [u8],
    pub tokenizer: &'a [u8],
    pub weights: &'a [&'a [u8]],
    pub modules: Option<&'a [u8]>,
    pub pooling: Option<&'a [u8]>,
    pub sentence: Option<&'a [u8]>,
    pub prompts: Option<&'a [u8]>,
}

/// A BERT-family model on the processor: BERT, RoBERTa and XLM-RoBERTa, DistilBERT; mean or CLS pooling.
///
/// Loading reads and packs all weights; embedding is batched without padding and runs on all cores.
pub struct Transformer {
    stamp: ModelStamp,
    tokenizer: Tokenizer,
    encoder: Encoder,
    pooling: Pooling,
}

impl Transformer {
    /// Opens a folder with `config.json`, `tokenizer.json` and `model.safetensors`, and where present the files of
    /// sentence-transformers: `modules.json`, `1_Pooling/config.json` (mean if absent), `sentence_bert_config.json`
    /// (longest text) and `config_sentence_transformers.json` (`prompts` named `query`, and `document` or `passage`).
    ///
    /// # Errors
    /// `NotFound` for a missing file, `Invalid` for another architecture or shapes that do not fit, `Corrupted` for
    /// truncated weights or a weight that is not finite.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, Arithmetic::default())
    }

    /// As [`Transformer::open`], with a say in how int8 weights are multiplied.
    ///
    /// # Errors
    /// As [`Transformer::open`].
    pub fn open_with(folder: &Path, arithmetic: Arithmetic) -> Result<Self> {
        let weights = required(folder, "model.safetensors")?;
        let modules = optional(folder, "modules.json")?;
        let pooling = optional(folder, "1_Pooling/config.json")?;
        let sentence = optional(folder, "sentence_bert_config.json")?;
        let prompts = optional(folder, "config_sentence_transformers.json")?;
        let files = ModelFiles {
            config: &required(folder, "config.json")?,
            tokenizer: &required(folder, "tokenizer.json")?,
            weights: &[&weights],
            modules: modules.as_deref(),
            pooling: pooling.as_deref(),
            sentence: sentence.as_deref(),
            prompts: prompts.as_deref(),
        };
        let name = folder.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy());
        Self::load("local", &name, &files, arithmetic).map_err(|error| error.with("folder", folder.display()))
    }

    pub(crate) fn load(provider: &str, name: &str, files: &ModelFiles<'_>, arithmetic: Arithmetic) -> Result<Self> {
        let config = Config::parse(&ConfigFiles {
            config: files.config,
            modules: files.modules,
            pooling: files.pooling,
            sentence: files.sentence,
            prompts: files.prompts,
        })?;
        let ((encoder, tokenizer), digest) = rayon::join(
            || {
                rayon::join(
                    || Encoder::load(&config, files.weights, arithmetic),
                    || Tokenizer::from_json(files.tokenizer, config.max_length),
                )
            },
            || digest(files, &config),
        );
        let stamp = ModelStamp {
            provider: provider.to_owned(),
            model: name.to_owned(),
            dim: config.hidden,
            normalised: true,
            document_prefix: config.document_prefix,
            query_prefix: config.query_prefix,
            digest: Some(digest),
        };
        Ok(Self { stamp, tokenizer: tokenizer?, encoder: encoder?, pooling: config.pooling })
    }

    /// Unit vectors of the encoded texts, one after the other.
    fn embed_batch(&self, batch: &[(usize, &Encoded)], workspace: &mut Workspace) -> Result<Vec<f32>> {
        let texts: Vec<Text<'_>> = batch.iter().map(|(_, encoded)| Text::one(&encoded.ids)).collect();
        let rows = self.encoder.forward(&texts, workspace)?;
        let dim = self.stamp.dim;
        let mut vectors = Vec::with_capacity(texts.len() * dim);
        let mut rest = rows;
        for ((index, _), text) in batch.iter().zip(texts) {
            let (own, after) = rest.split_at(text.ids.len() * dim);
            rest = after;
            let mut vector = vec![0.0; dim];
            let taken = if self.pooling == Pooling::Cls { &own[..dim.min(own.len())] } else { own };
            for row in taken.chunks_exact(dim) {
                for (sum, value) in vector.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            // The mean's divisor goes with the length.
            let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            if !length.is_finite() || length == 0.0 {
                return Err(Error::corrupted("embed", "the model gave a vector without a finite length")
                    .with("text", index)
                    .with("model", &self.stamp.model));
            }
            vectors.extend(vector.iter().map(|value| (f64::from(*value) / length) as f32));
        }
        Ok(vectors)
    }
}

impl Embedder for Transformer {
    fn stamp(&self) -> &ModelStamp {
        &self.stamp
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embeddings> {
        let prefix = match purpose {
            Purpose::Document => &self.stamp.document_prefix,
            Purpose::Query => &self.stamp.query_prefix,
        };
        let encoded: Vec<Encoded> = texts
            .par_iter()
            .map(|text| match prefix.as_str() {
                "" => self.tokenizer.encode(text),
                prefix => self.tokenizer.encode(&format!("{prefix}{text}")),
            })
            .collect::<Result<_>>()?;

        // Longest first, so that what is left at the end is small.
        let mut order: Vec<(usize, &Encoded)> = encoded.iter().enumerate().collect();
        order.sort_by_key(|(index, encoded)| (std::cmp::Reverse(encoded.ids.len()), *index));
        let batches = batches(&order);
        let computed: Vec<Vec<f32>> = batches
            .par_iter()
            .map_init(Workspace::default, |workspace, batch| self.embed_batch(batch, workspace))
            .collect::<Result<_>>()?;

        let dim = self.stamp.dim;
        let mut values = vec![0.0; texts.len() * dim];
        for (batch, vectors) in batches.iter().zip(computed) {
            for ((index, _), vector) in batch.iter().zip(vectors.chunks_exact(dim)) {
                values[index * dim..(index + 1) * dim].copy_from_slice(vector);
            }
        }
        let truncated = encoded.iter().enumerate().filter(|(_, encoded)| encoded.truncated).map(|(i, _)| i).collect();
        let tokens = encoded.iter().map(|encoded| encoded.ids.len() as u64).sum();
        Ok(Embeddings { dim, values, tokens, truncated })
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

/// Runs of `order` of about [`BATCH_TOKENS`] tokens, smaller if there would be fewer runs than cores.
fn batches<'o, 'e>(order: &'o [(usize, &'e Encoded)]) -> Vec<&'o [(usize, &'e Encoded)]> {
    let total: usize = order.iter().map(|(_, encoded)| encoded.ids.len()).sum();
    let most = BATCH_TOKENS.min(total.div_ceil(rayon::current_num_threads())).max(1);
    let (mut batches, mut start, mut tokens) = (Vec::new(), 0, 0);
    for (at, (_, encoded)) in order.iter().enumerate() {
        if at > start && tokens + encoded.ids.len() > most {
            batches.push(&order[start..at]);
            (start, tokens) = (at, 0);
        }
        tokens += encoded.ids.len();
    }
    if start < order.len() {
        batches.push(&order[start..]);
    }
    batches
}

/// SHA-256 over everything that decides a vector but the prefixes, which stand in the stamp themselves.
fn digest(files: &ModelFiles<'_>, config: &Config) -> String {
    let mut hash = Sha256::new();
    for part in files.weights.iter().chain([&files.tokenizer, &files.config]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(format!("{:?} {}", config.pooling, config.max_length));
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl fmt::Debug for Transformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transformer").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}
