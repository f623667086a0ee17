//! A tiny random model folder, and what a plain reading of the papers says it computes.
//!
//! The reference shares nothing with the crate: its own tokens, loops in f64, one text at a time.

use std::collections::BTreeMap;
use std::fs;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const HIDDEN: usize = 32;
const INNER: usize = 48;
const HEADS: usize = 4;
const LAYERS: usize = 2;
const POSITIONS: usize = 40;
const PAD: usize = 1;
const EPSILON: f64 = 1e-12;

/// Every word of the test texts; the special tokens come first.
const WORDS: [&str; 14] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "alpha", "beta", "gamma", "delta", "one", "two", "three", "red", "green",
    "blue",
];
const CLS: usize = 2;
const SEP: usize = 3;

/// What a folder holds, to be changed by a test before it is written.
#[derive(Clone)]
pub struct Tiny {
    /// Name → shape and numbers.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// Path → content.
    pub files: BTreeMap<&'static str, Value>,
    family: &'static str,
}

impl Tiny {
    /// A random model of `family` (`bert`, `roberta` or `distilbert`).
    pub fn new(family: &'static str) -> Self {
        let mut config = json!({
            "model_type": family, "vocab_size": WORDS.len(), "max_position_embeddings": POSITIONS, "pad_token_id": PAD,
        });
        let sizes = match family {
            "distilbert" => json!({"dim": HIDDEN, "hidden_dim": INNER, "n_heads": HEADS, "n_layers": LAYERS,
                "activation": "gelu"}),
            _ => json!({"hidden_size": HIDDEN, "intermediate_size": INNER, "num_attention_heads": HEADS,
                "num_hidden_layers": LAYERS, "hidden_act": "gelu", "layer_norm_eps": EPSILON}),
        };
        for (key, value) in sizes.as_object().expect("an object") {
            config[key] = value.clone();
        }
        let vocab: BTreeMap<&str, usize> = WORDS.iter().enumerate().map(|(id, word)| (*word, id)).collect();
        let tokenizer = json!({
            "version": "1.0",
            "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [],
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", SEP], "cls": ["[CLS]", CLS]},
            "decoder": null,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocab},
        });
        let mut tiny = Self {
            tensors: BTreeMap::new(),
            files: BTreeMap::from([("config.json", config), ("tokenizer.json", tokenizer)]),
            family,
        };
        let mut seed = 7;
        let mut add = |name: String, shape: &[usize], base: f32, spread: f32| {
            let numbers = (0..shape.iter().product()).map(|_| base + spread * random(&mut seed)).collect();
            tiny.tensors.insert(name, (shape.to_vec(), numbers));
        };
        add("embeddings.word_embeddings.weight".into(), &[WORDS.len(), HIDDEN], 0.0, 1.0);
        add("embeddings.position_embeddings.weight".into(), &[POSITIONS, HIDDEN], 0.0, 0.5);
        if family != "distilbert" {
            add("embeddings.token_type_embeddings.weight".into(), &[2, HIDDEN], 0.0, 0.5);
        }
        add("embeddings.LayerNorm.weight".into(), &[HIDDEN], 1.0, 0.2);
        add("embeddings.LayerNorm.bias".into(), &[HIDDEN], 0.0, 0.2);
        for layer in 0..LAYERS {
            for part in 0..8 {
                let name = name(family, layer, part);
                let (outputs, inputs) = [
                    (HIDDEN, HIDDEN),
                    (HIDDEN, HIDDEN),
                    (HIDDEN, HIDDEN),
                    (HIDDEN, HIDDEN),
                    (HIDDEN, 0),
                    (INNER, HIDDEN),
                    (HIDDEN, INNER),
                    (HIDDEN, 0),
                ][part];
                match inputs {
                    0 => add(format!("{name}.weight"), &[outputs], 1.0, 0.2),
                    _ => add(format!("{name}.weight"), &[outputs, inputs], 0.0, 0.4),
                }
                add(format!("{name}.bias"), &[outputs], 0.0, 0.3);
            }
        }
        tiny
    }

    /// Sets a key of `config.json`.
    pub fn config(&mut self, key: &str, value: Value) {
        self.files.get_mut("config.json").expect("a config")[key] = value;
    }

    /// Writes the folder.
    pub fn write(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, content) in &self.files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
            fs::write(path, content.to_string()).expect("a file");
        }
        fs::write(folder.path().join("model.safetensors"), self.weights()).expect("the weights");
        folder
    }

    /// The content of `model.safetensors`: I8 where a tensor `NAME.scale` stands beside, else F32.
    pub fn weights(&self) -> Vec<u8> {
        let bytes: Vec<(&String, Dtype, &Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, (shape, numbers))| {
                if self.tensors.contains_key(&format!("{name}.scale")) {
                    (name, Dtype::I8, shape, numbers.iter().map(|number| (*number as i8).cast_unsigned()).collect())
                } else {
                    (name, Dtype::F32, shape, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
                }
            })
            .collect();
        let views = bytes.iter().map(|(name, dtype, shape, bytes)| {
            (name.as_str(), TensorView::new(*dtype, (*shape).clone(), bytes).expect("a tensor"))
        });
        safetensors::serialize(views, None).expect("safetensors")
    }

    /// The same model with every matrix as int8 and one scale per row, and with those numbers in f32.
    pub fn quantised(&self) -> (Self, Self) {
        let (mut int8, mut float) = (self.clone(), self.clone());
        for (name, (shape, numbers)) in &self.tensors {
            let [rows, columns] = shape.as_slice() else { continue };
            let scales: Vec<f32> = numbers
                .chunks(*columns)
                .map(|row| row.iter().fold(0f32, |most, number| most.max(number.abs())) / 127.0)
                .collect();
            let scaled = numbers.iter().enumerate().map(|(i, number)| (number / scales[i / columns]).round());
            let whole: Vec<f32> = scaled.collect();
            let back = whole.iter().enumerate().map(|(i, number)| number * scales[i / columns]).collect();
            float.tensors.insert(name.clone(), (shape.clone(), back));
            int8.tensors.insert(name.clone(), (shape.clone(), whole));
            int8.tensors.insert(format!("{name}.scale"), (vec![*rows], scales));
        }
        (int8, float)
    }

    /// The unit vector of `text`, whose words all stand in the vocabulary.
    pub fn reference(&self, text: &str, pooling_cls: bool) -> Vec<f32> {
        let ids = [vec![CLS], ids(text), vec![SEP]].concat();
        let x = self.encoded(&ids, ids.len());
        let pooled: Vec<f64> = match pooling_cls {
            true => x[0].clone(),
            false => (0..HIDDEN).map(|i| x.iter().map(|row| row[i]).sum::<f64>() / x.len() as f64).collect(),
        };
        let length = pooled.iter().map(|number| number * number).sum::<f64>().sqrt();
        pooled.iter().map(|number| (number / length) as f32).collect()
    }

    /// The same model with a head that gives `outputs` numbers for a pair of texts.
    pub fn with_head(mut self, outputs: usize) -> Self {
        let names = self.head();
        let mut seed = 99;
        let mut random = |n: usize| (0..n).map(|_| 0.5 * random(&mut seed)).collect::<Vec<f32>>();
        for (name, outputs) in names.iter().zip([HIDDEN, outputs]) {
            self.tensors.insert(format!("{name}.weight"), (vec![outputs, HIDDEN], random(outputs * HIDDEN)));
            self.tensors.insert(format!("{name}.bias"), (vec![outputs], random(outputs)));
        }
        self
    }

    fn head(&self) -> [&'static str; 2] {
        match self.family {
            "bert" => ["pooler.dense", "classifier"],
            _ => ["classifier.dense", "classifier.out_proj"],
        }
    }

    /// What the head says of two texts whose words all stand in the vocabulary.
    pub fn reference_of_pair(&self, first: &str, second: &str) -> f32 {
        let (first, second) = (ids(first), ids(second));
        let whole = [vec![CLS], first.clone(), vec![SEP], second, vec![SEP]].concat();
        let x = self.encoded(&whole, first.len() + 2);
        let [dense, out] = self.head();
        let pooled: Vec<f64> = self.linear(dense, &x[0]).iter().map(|number| number.tanh()).collect();
        self.linear(out, &pooled)[0] as f32
    }

    /// The rows of the last layer; tokens from `second` on are of the second type.
    fn encoded(&self, ids: &[usize], second: usize) -> Vec<Vec<f64>> {
        let rows = ids.iter().enumerate().map(|(at, id)| self.looked_up(at, *id, usize::from(at >= second)));
        let mut x: Vec<Vec<f64>> = rows.collect();
        x = x.iter().map(|row| self.norm("embeddings.LayerNorm", row)).collect();
        for layer in 0..LAYERS {
            let part = |number| name(self.family, layer, number);
            let project = |number: usize, rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
                rows.iter().map(|row| self.linear(&part(number), row)).collect()
            };
            let (q, k, v) = (project(0, &x), project(1, &x), project(2, &x));
            let context = project(3, &attention(&q, &k, &v));
            x = sum(&x, &context).iter().map(|row| self.norm(&part(4), row)).collect();
            let mut inner = project(5, &x);
            inner.iter_mut().flatten().for_each(|number| *number = gelu(*number));
            x = sum(&x, &project(6, &inner)).iter().map(|row| self.norm(&part(7), row)).collect();
        }
        x
    }

    fn row<'a>(&'a self, name: &str, row: usize, columns: usize) -> impl Iterator<Item = f64> + use<'a> {
        self.tensors[name].1[row * columns..(row + 1) * columns].iter().map(|number| f64::from(*number))
    }

    fn looked_up(&self, at: usize, id: usize, kind: usize) -> Vec<f64> {
        let position = if self.family == "roberta" { at + PAD + 1 } else { at };
        let word = self.row("embeddings.word_embeddings.weight", id, HIDDEN);
        let position = self.row("embeddings.position_embeddings.weight", position, HIDDEN);
        let sum = word.zip(position).map(|(a, b)| a + b);
        match self.family {
            "distilbert" => sum.collect(),
            _ => {
                sum.zip(self.row("embeddings.token_type_embeddings.weight", kind, HIDDEN)).map(|(a, b)| a + b).collect()
            }
        }
    }

    fn linear(&self, name: &str, row: &[f64]) -> Vec<f64> {
        let (weight, bias) = (format!("{name}.weight"), &self.tensors[&format!("{name}.bias")].1);
        let dot = |output: usize| self.row(&weight, output, row.len()).zip(row).map(|(a, b)| a * b).sum::<f64>();
        bias.iter().enumerate().map(|(output, bias)| dot(output) + f64::from(*bias)).collect()
    }

    fn norm(&self, name: &str, row: &[f64]) -> Vec<f64> {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / row.len() as f64;
        let weight = self.row(&format!("{name}.weight"), 0, row.len());
        let bias = self.row(&format!("{name}.bias"), 0, row.len());
        let scaled = row.iter().map(|number| (number - mean) / (variance + EPSILON).sqrt());
        scaled.zip(weight).zip(bias).map(|((number, weight), bias)| number * weight + bias).collect()
    }
}

/// The tokens of `text`, whose words all stand in the vocabulary.
fn ids(text: &str) -> Vec<usize> {
    text.split_whitespace().map(|word| WORDS.iter().position(|known| *known == word).expect("known")).collect()
}

/// The eight parts of a layer: query, key, value, their output, its norm, up, down, norm.
fn name(family: &str, layer: usize, part: usize) -> String {
    let parts = match family {
        "distilbert" => [
            "attention.q_lin",
            "attention.k_lin",
            "attention.v_lin",
            "attention.out_lin",
            "sa_layer_norm",
            "ffn.lin1",
            "ffn.lin2",
            "output_layer_norm",
        ],
        _ => [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "attention.output.LayerNorm",
            "intermediate.dense",
            "output.dense",
            "output.LayerNorm",
        ],
    };
    let stem = if family == "distilbert" { "transformer" } else { "encoder" };
    format!("{stem}.layer.{layer}.{}", parts[part])
}

fn attention(q: &[Vec<f64>], k: &[Vec<f64>], v: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let width = HIDDEN / HEADS;
    let mut out = vec![vec![0.0; HIDDEN]; q.len()];
    for head in 0..HEADS {
        let columns = head * width..(head + 1) * width;
        for (query, out) in q.iter().zip(&mut out) {
            let score =
                |key: &Vec<f64>| columns.clone().map(|i| query[i] * key[i]).sum::<f64>() / (width as f64).sqrt();
            let weights: Vec<f64> = k.iter().map(|key| score(key).exp()).collect();
            let total: f64 = weights.iter().sum();
            for i in columns.clone() {
                out[i] = weights.iter().zip(v).map(|(weight, value)| weight * value[i]).sum::<f64>() / total;
            }
        }
    }
    out
}

fn sum(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

/// `x · Φ(x)`, Φ by the midpoint rule: slow and sure.
fn gelu(x: f64) -> f64 {
    let steps = 2000;
    let width = x / f64::from(steps);
    let density = |t: f64| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let area: f64 = (0..steps).map(|step| density((f64::from(step) + 0.5) * width) * width).sum();
    x * (0.5 + area)
}

/// The next number in −1..1 of a linear congruential sequence.
fn random(seed: &mut u64) -> f32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 40) as f32 / (1u32 << 23) as f32 - 1.0
}
