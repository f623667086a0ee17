//! Here are the token ids of some texts: what is the vector of each token?
//!
//! BERT's forward pass (Devlin et al. 2019; post-norm layers). The tokens of a batch lie one after the other without
//! padding: the linear layers run over all of them, attention over each text.

use rayon::prelude::*;
use rten_simd::SimdUnaryOp;
use rten_vecmath::{ApproxGelu, Gelu};
use safepassage_error::{Error, Result};

use super::attention::{self, attend};
use super::buffer::Buffer;
use super::config::{Activation, Config, Family};
use super::linear::{Arithmetic, Kernels, Linear, Scratch, Write};
use super::names::{EMBEDDING_NORM, LayerNames, POSITIONS, TYPES, WORDS};
use super::rows::LayerNorm;
use super::weights::{Matrix, Weights};

/// The room that one batch needs.
#[derive(Default)]
pub(super) struct Workspace {
    rows: Buffer<f32>,
    qkv: Buffer<f32>,
    context: Buffer<f32>,
    inner: Buffer<f32>,
    linear: Scratch,
    attention: attention::Scratch,
}

/// The tokens of a text, or of two: those from `second` on are of the second.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub ids: &'a [u32],
    pub second: usize,
}

impl<'a> Text<'a> {
    /// One text.
    pub fn one(ids: &'a [u32]) -> Self {
        Self { ids, second: ids.len() }
    }
}

pub(super) struct Encoder {
    arithmetic: Arithmetic,
    words: Matrix,
    /// Position vectors from the first position on, the vector of token type 0 added.
    positions: Vec<f32>,
    /// What token type 1 differs by from type 0, if the model knows it.
    second: Option<Vec<f32>>,
    norm: LayerNorm,
    layers: Vec<Layer>,
    heads: usize,
    hidden: usize,
    activation: Activation,
}

struct Layer {
    qkv: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    output_norm: LayerNorm,
}

impl Encoder {
    /// Packs the weights for this processor, layers on all cores.
    pub fn load(config: &Config, files: &[&[u8]], arithmetic: Arithmetic) -> Result<Self> {
        let weights = Weights::read(files, WORDS)?;
        let kernels = Kernels::new(arithmetic);
        let hidden = config.hidden;
        let words = weights.matrix(WORDS, config.vocab, hidden)?;
        let mut positions = weights.matrix(POSITIONS, config.positions, hidden)?.to_floats(hidden);
        positions.drain(..config.first_position.min(config.positions) * hidden);
        let mut second = None;
        if config.family != Family::Distilbert {
            let kinds = weights.rows(TYPES, hidden)?;
            let (first, others) = kinds.split_at(hidden.min(kinds.len()));
            for (position, kind) in positions.iter_mut().zip(first.iter().cycle()) {
                *position += kind;
            }
            second = others.get(..hidden).map(|other| other.iter().zip(first).map(|(b, a)| b - a).collect());
        }
        let layers = (0..config.layers)
            .into_par_iter()
            .map(|layer| Layer::load(config, &weights, &kernels, layer))
            .collect::<Result<Vec<_>>>()?;
        let norm = layer_norm(&weights, EMBEDDING_NORM, config)?;
        let (heads, activation) = (config.heads, config.activation);
        Ok(Self { arithmetic, words, positions, second, norm, layers, heads, hidden, activation })
    }

    /// The vectors of the last layer, one row of `hidden` numbers per token, the texts one after the other.
    pub fn forward<'w>(&self, texts: &[Text<'_>], workspace: &'w mut Workspace) -> Result<&'w [f32]> {
        let kernels = Kernels::new(self.arithmetic);
        let tokens: usize = texts.iter().map(|text| text.ids.len()).sum();
        let Workspace { rows, qkv, context, inner, linear: scratch, attention } = workspace;
        let rows = rows.slice(tokens * self.hidden);
        let qkv = qkv.slice(tokens * 3 * self.hidden);
        let context = context.slice(tokens * self.hidden);
        self.look_up(texts, rows)?;
        self.norm.apply(rows);

        for layer in &self.layers {
            layer.qkv.apply(&kernels, rows, qkv, Write::Replace, scratch)?;
            let mut start = 0;
            for text in texts {
                let end = start + text.ids.len();
                let qkv = &qkv[start * 3 * self.hidden..end * 3 * self.hidden];
                let context = &mut context[start * self.hidden..end * self.hidden];
                attend(&kernels, self.heads, self.hidden, qkv, context, attention)?;
                start = end;
            }
            layer.attention_output.apply(&kernels, context, rows, Write::Add, scratch)?;
            layer.attention_norm.apply(rows);
            let inner = inner.slice(tokens * layer.up.outputs());
            layer.up.apply(&kernels, rows, inner, Write::Replace, scratch)?;
            match self.activation {
                Activation::Gelu => Gelu {}.map_mut(inner),
                Activation::GeluTanh => ApproxGelu {}.map_mut(inner),
            }
            layer.down.apply(&kernels, inner, rows, Write::Add, scratch)?;
            layer.output_norm.apply(rows);
        }
        Ok(rows)
    }

    /// Word plus position plus type, per token.
    fn look_up(&self, texts: &[Text<'_>], rows: &mut [f32]) -> Result<()> {
        let mut out = rows.chunks_exact_mut(self.hidden);
        for text in texts {
            let positions = self.positions.chunks_exact(self.hidden);
            for (at, ((id, position), row)) in text.ids.iter().zip(positions).zip(out.by_ref()).enumerate() {
                if !self.words.copy_row(*id as usize, row) {
                    return Err(Error::invalid("embed", "the tokenizer gives a token that the model does not have")
                        .with("token", id));
                }
                for (value, position) in row.iter_mut().zip(position) {
                    *value += position;
                }
                if let Some(second) = self.second.as_ref().filter(|_| at >= text.second) {
                    row.iter_mut().zip(second).for_each(|(value, second)| *value += second);
                }
            }
        }
        Ok(())
    }
}

impl Layer {
    fn load(config: &Config, weights: &Weights<'_>, kernels: &Kernels, layer: usize) -> Result<Self> {
        let names = LayerNames::of(config.family, layer);
        let (hidden, inner) = (config.hidden, config.inner);
        let part = |name: &str, outputs: usize, inputs: usize| -> Result<(Matrix, Vec<f32>)> {
            let matrix = weights.matrix(&format!("{name}.weight"), outputs, inputs)?;
            Ok((matrix, weights.vector(&format!("{name}.bias"), outputs)?))
        };
        let linear = |name: &str, outputs: usize, inputs: usize| -> Result<Linear> {
            Ok(Linear::pack(kernels, vec![part(name, outputs, inputs)?], inputs))
        };
        let qkv = [&names.query, &names.key, &names.value]
            .into_iter()
            .map(|name| part(name, hidden, hidden))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            qkv: Linear::pack(kernels, qkv, hidden),
            attention_output: linear(&names.attention_output, hidden, hidden)?,
            attention_norm: layer_norm(weights, &names.attention_norm, config)?,
            up: linear(&names.up, inner, hidden)?,
            down: linear(&names.down, hidden, inner)?,
            output_norm: layer_norm(weights, &names.output_norm, config)?,
        })
    }
}

fn layer_norm(weights: &Weights<'_>, name: &str, config: &Config) -> Result<LayerNorm> {
    Ok(LayerNorm {
        weight: weights.vector(&format!("{name}.weight"), config.hidden)?,
        bias: weights.vector(&format!("{name}.bias"), config.hidden)?,
        epsilon: config.epsilon,
    })
}
