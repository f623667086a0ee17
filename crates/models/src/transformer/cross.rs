//! Here is a folder with a classification head: how well does a passage answer a question?

use std::path::Path;

use rayon::prelude::*;
use safepassage_error::{Error, Result};
use tokenizers::{TruncationParams, TruncationStrategy};

use super::config::{Config, ConfigFiles, Family};
use super::encoder::{Encoder, Text, Workspace};
use super::linear::Arithmetic;
use super::names::WORDS;
use super::weights::Weights;
use super::{BATCH_TOKENS, required};
use crate::reranker::Reranker;
use crate::tokenizer::Cause;

/// A BERT or RoBERTa cross-encoder on the processor, with one output: ms-marco-MiniLM and bge-reranker are such.
///
/// It reads question and passage together, cut where they are longer than the model reads, the longer of them first. The
/// score is the model's logit.
pub struct CrossEncoder {
    name: String,
    tokenizer: tokenizers::Tokenizer,
    encoder: Encoder,
    head: Head,
    hidden: usize,
}

/// A layer with tanh over the first token's vector, and one number of it.
struct Head {
    dense: Vec<f32>,
    dense_bias: Vec<f32>,
    out: Vec<f32>,
    out_bias: f32,
}

/// A question and a passage as tokens.
struct Pair {
    ids: Vec<u32>,
    second: usize,
}

impl CrossEncoder {
    /// Opens a folder with `config.json`, `tokenizer.json` and `model.safetensors`.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `Invalid` for another architecture, more than one output or shapes that do not fit,
    /// `Corrupted` for truncated weights or a weight that is not finite.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::load(folder).map_err(|error| error.with("folder", folder.display()))
    }

    fn load(folder: &Path) -> Result<Self> {
        let file = required(folder, "model.safetensors")?;
        let config =
            Config::parse(&ConfigFiles { config: &required(folder, "config.json")?, ..ConfigFiles::default() })?;
        let encoder = Encoder::load(&config, &[&file], Arithmetic::default())?;
        let head = Head::load(&config, &Weights::read(&[&file], WORDS)?)?;
        let unreadable = |error: tokenizers::Error| {
            Error::invalid("read tokenizer", "`tokenizer.json` cannot be read").because(Cause(error.to_string()))
        };
        let mut tokenizer =
            tokenizers::Tokenizer::from_bytes(required(folder, "tokenizer.json")?).map_err(unreadable)?;
        tokenizer.with_padding(None);
        let strategy = TruncationStrategy::LongestFirst;
        let truncation = TruncationParams { max_length: config.max_length, strategy, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(unreadable)?;
        let name = folder.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
        Ok(Self { name, tokenizer, encoder, head, hidden: config.hidden })
    }

    fn pair(&self, question: &str, passage: &str) -> Result<Pair> {
        let encoded = self.tokenizer.encode_fast((question, passage), true).map_err(|error| {
            Error::invalid("rerank", "the tokenizer refused a text").because(Cause(error.to_string()))
        })?;
        let ids = encoded.get_ids().to_vec();
        let second = encoded.get_type_ids().iter().position(|kind| *kind == 1).unwrap_or(ids.len());
        Ok(Pair { ids, second })
    }

    fn scores_of(&self, pairs: &[Pair], workspace: &mut Workspace) -> Result<Vec<f32>> {
        let texts: Vec<Text<'_>> = pairs.iter().map(|pair| Text { ids: &pair.ids, second: pair.second }).collect();
        let mut rows = self.encoder.forward(&texts, workspace)?;
        let mut scores = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let (own, after) = rows.split_at(pair.ids.len() * self.hidden);
            scores.push(self.head.apply(&own[..self.hidden.min(own.len())]));
            rows = after;
        }
        Ok(scores)
    }
}

impl Head {
    fn load(config: &Config, weights: &Weights<'_>) -> Result<Self> {
        let hidden = config.hidden;
        let bare = weights.unprefixed();
        // BERT pools below its prefix and classifies beside it; RoBERTa does both beside it.
        let (pooler, dense, out) = match config.family {
            Family::Bert => (weights, "pooler.dense", "classifier"),
            Family::Roberta => (&bare, "classifier.dense", "classifier.out_proj"),
            Family::Distilbert => {
                return Err(Error::invalid("load model", "a DistilBERT cross-encoder is not supported"));
            }
        };
        Ok(Self {
            dense: pooler.matrix(&format!("{dense}.weight"), hidden, hidden)?.to_floats(hidden),
            dense_bias: pooler.vector(&format!("{dense}.bias"), hidden)?,
            out: bare.matrix(&format!("{out}.weight"), 1, hidden)?.to_floats(hidden),
            out_bias: bare.vector(&format!("{out}.bias"), 1)?.iter().sum(),
        })
    }

    fn apply(&self, first: &[f32]) -> f32 {
        let dot = |weights: &[f32], values: &[f32]| weights.iter().zip(values).map(|(a, b)| a * b).sum::<f32>();
        let rows = self.dense.chunks_exact(first.len().max(1)).zip(&self.dense_bias);
        let pooled: Vec<f32> = rows.map(|(weights, bias)| (dot(weights, first) + bias).tanh()).collect();
        dot(&self.out, &pooled) + self.out_bias
    }
}

impl Reranker for CrossEncoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn scores(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        let pairs: Vec<Pair> =
            passages.par_iter().map(|passage| self.pair(question, passage)).collect::<Result<_>>()?;
        let longest = pairs.iter().map(|pair| pair.ids.len()).max().unwrap_or(1);
        let at_once = (BATCH_TOKENS / longest.max(1)).max(1);
        let scores: Vec<Vec<f32>> = pairs
            .par_chunks(at_once)
            .map_init(Workspace::default, |workspace, pairs| self.scores_of(pairs, workspace))
            .collect::<Result<_>>()?;
        Ok(scores.concat())
    }
}

impl std::fmt::Debug for CrossEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrossEncoder").field("name", &self.name).finish_non_exhaustive()
    }
}
