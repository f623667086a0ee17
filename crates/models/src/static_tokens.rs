//! Here is a table with a vector for each token: which vectors does it give texts?
//!
//! A folder of model2vec. A text is the mean of its tokens, each with its weight: hundreds of times faster than a
//! transformer on a processor, and less good.

use std::path::Path;

use rayon::prelude::*;
use safepassage_error::{Error, Result};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use crate::embedder::{Embedder, Embeddings, Purpose};
use crate::files::{optional, required};
use crate::stamp::ModelStamp;
use crate::tokenizer::Tokenizer;
use crate::transformer::floats;

const OPERATION: &str = "open static model";
/// Tokens read of a text: as many as model2vec reads unless it is told otherwise.
const MAX_TOKENS: usize = 512;

/// A static model on the processor.
pub struct StaticTokens {
    stamp: ModelStamp,
    tokenizer: Tokenizer,
    /// Rows of the table, row-major.
    table: Vec<f32>,
    /// Which row a token has; its own number unless set.
    mapping: Option<Vec<usize>>,
    weights: Option<Vec<f32>>,
}

impl StaticTokens {
    /// Whether `folder` holds such a model.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        let config = std::fs::read(folder.join("config.json")).unwrap_or_default();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap_or_default();
        config["model_type"] == "model2vec" || config["architectures"][0] == "StaticModel"
    }

    /// Opens a folder with `tokenizer.json` and `model.safetensors`.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `Invalid` for tensors of other shapes or kinds, `Corrupted` for what cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::load(folder).map_err(|error| error.with("folder", folder.display()))
    }

    fn load(folder: &Path) -> Result<Self> {
        let (json, bytes) = (required(folder, "tokenizer.json")?, required(folder, "model.safetensors")?);
        let tokenizer = Tokenizer::from_json(&json, MAX_TOKENS)?;
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|error| Error::corrupted(OPERATION, format!("the weights cannot be read: {error}")))?;
        let embeddings = tensors.tensor("embeddings").or_else(|_| tensors.tensor("embedding.weight"));
        let embeddings = embeddings.map_err(|_| Error::invalid(OPERATION, "there is no tensor `embeddings`"))?;
        let &[rows, dim] = embeddings.shape() else {
            return Err(Error::invalid(OPERATION, "`embeddings` is no table"));
        };
        let table = numbers("embeddings", &embeddings)?;
        let vector = |name| tensors.tensor(name).ok().map(|tensor| numbers(name, &tensor)).transpose();
        let (weights, mapping) = (vector("weights")?, vector("mapping")?);
        if [&weights, &mapping].into_iter().flatten().flatten().chain(&table).any(|number| !number.is_finite()) {
            return Err(Error::corrupted(OPERATION, "there is a number that is not finite"));
        }
        if mapping.iter().flatten().any(|row| *row < 0.0) {
            return Err(Error::invalid(OPERATION, "`mapping` has a row below zero"));
        }
        let tokens = tokenizer.vocabulary();
        let mapping: Option<Vec<usize>> = mapping.map(|rows| rows.into_iter().map(|row| row as usize).collect());
        let fits = match &mapping {
            Some(mapping) => mapping.len() >= tokens && mapping.iter().all(|row| *row < rows),
            None => rows >= tokens,
        };
        if dim == 0 || !fits || weights.as_ref().is_some_and(|weights| weights.len() < tokens) {
            let message = format!("{rows} rows of {dim} numbers do not fit a tokenizer of {tokens} tokens");
            return Err(Error::invalid(OPERATION, message));
        }
        let mut hash = Sha256::new();
        for part in [&bytes, &json, &optional(folder, "config.json")?.unwrap_or_default()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let stamp = ModelStamp {
            provider: "local".into(),
            model: folder.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned()),
            dim,
            normalised: true,
            document_prefix: String::new(),
            query_prefix: String::new(),
            digest: Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
        };
        Ok(Self { stamp, tokenizer, table, mapping, weights })
    }

    /// The mean of the tokens, of unit length. A text without any known token is as far from everything as from its
    /// opposite: all its numbers are the same.
    fn one(&self, text: &str) -> Result<(Vec<f32>, u64, bool)> {
        let (dim, encoded) = (self.stamp.dim, self.tokenizer.known(text)?);
        let mut sum = vec![0.0f64; dim];
        for &token in &encoded.ids {
            let token = token as usize;
            let row = self.mapping.as_ref().map_or(token, |mapping| mapping[token]);
            let weight = self.weights.as_ref().map_or(1.0, |weights| f64::from(weights[token]));
            for (sum, value) in sum.iter_mut().zip(&self.table[row * dim..][..dim]) {
                *sum += weight * f64::from(*value);
            }
        }
        let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
        let row = match length {
            length if length > 0.0 => sum.iter().map(|value| (value / length) as f32).collect(),
            _ => vec![(1.0 / (dim as f64).sqrt()) as f32; dim],
        };
        Ok((row, encoded.ids.len() as u64, encoded.truncated))
    }
}

/// The tensor as f32, of more types than a transformer's weights have.
fn numbers(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>> {
    let bytes = tensor.data();
    Ok(match tensor.dtype() {
        Dtype::I8 => bytes.iter().map(|byte| f32::from(i8::from_le_bytes([*byte]))).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight) as f32).collect(),
        // Row numbers; a table has fewer rows than an f32 counts exactly.
        Dtype::I32 => bytes.as_chunks().0.iter().map(|four| i32::from_le_bytes(*four) as f32).collect(),
        Dtype::I64 => bytes.as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight) as f32).collect(),
        _ => return floats(name, tensor),
    })
}

impl Embedder for StaticTokens {
    fn stamp(&self) -> &ModelStamp {
        &self.stamp
    }

    fn embed(&self, texts: &[&str], _: Purpose) -> Result<Embeddings> {
        let rows: Vec<(Vec<f32>, u64, bool)> = texts.par_iter().map(|text| self.one(text)).collect::<Result<_>>()?;
        let truncated = rows.iter().enumerate().filter(|(_, (.., cut))| *cut).map(|(at, _)| at).collect();
        let tokens = rows.iter().map(|(_, tokens, _)| tokens).sum();
        let values = rows.into_iter().flat_map(|(row, ..)| row).collect();
        Ok(Embeddings { dim: self.stamp.dim, values, tokens, truncated })
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}
