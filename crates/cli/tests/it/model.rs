//! A small random BERT folder, so that a sync takes milliseconds. Its vectors mean nothing; they only repeat.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::json;

use crate::program::fixtures;

const HIDDEN: usize = 16;
const INNER: usize = 16;
const POSITIONS: usize = 66;

/// The folder. Tests run in processes of their own at the same time, so it appears whole, under a name of its content.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        write(scratch.path());
        let mut content = DefaultHasher::new();
        let mut files: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().for_each(|file| content.write(&fs::read(file).unwrap()));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("small-model-{:016x}", content.finish()));
        // Whoever comes second finds it there.
        if fs::rename(scratch.path(), &folder).is_ok() {
            let _moved = scratch.keep();
        }
        assert!(folder.is_dir());
        folder
    })
}

/// Every word of the company's handbook, so that texts are told apart.
fn words() -> Vec<String> {
    let mut words = BTreeSet::new();
    for entry in fs::read_dir(fixtures().join("company/handbook")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap().to_lowercase();
        words.extend(
            text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned),
        );
    }
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(str::to_owned).into_iter().chain(words).collect()
}

fn write(folder: &Path) {
    let words = words();
    let vocabulary: BTreeMap<&str, usize> = words.iter().enumerate().map(|(id, word)| (word.as_str(), id)).collect();
    let config = json!({"model_type": "bert", "vocab_size": words.len(), "max_position_embeddings": POSITIONS,
        "pad_token_id": 0, "hidden_size": HIDDEN, "intermediate_size": INNER, "num_attention_heads": 2,
        "num_hidden_layers": 1, "hidden_act": "gelu", "layer_norm_eps": 1e-12});
    let tokenizer = json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary}});
    let layer = "encoder.layer.0";
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![words.len(), HIDDEN]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![POSITIONS, HIDDEN]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, HIDDEN]),
    ];
    let linear = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"];
    for part in linear.iter().chain(&["intermediate.dense", "output.dense"]) {
        shapes.push((format!("{layer}.{part}.weight"), vec![INNER, HIDDEN]));
        shapes.push((format!("{layer}.{part}.bias"), vec![INNER]));
    }
    let inside = ["attention.output.LayerNorm", "output.LayerNorm"].map(|part| format!("{layer}.{part}"));
    for norm in inside.iter().map(String::as_str).chain(["embeddings.LayerNorm"]) {
        shapes.push((format!("{norm}.weight"), vec![HIDDEN]));
        shapes.push((format!("{norm}.bias"), vec![HIDDEN]));
    }
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    fs::write(folder.join("model.safetensors"), safetensors(&shapes)).unwrap();
}

/// The tensors of `shapes` with numbers in −1..1, norms around 1, in the safetensors format.
fn safetensors(shapes: &[(String, Vec<usize>)]) -> Vec<u8> {
    let (mut header, mut bytes, mut seed) = (serde_json::Map::new(), Vec::<u8>::new(), 7u64);
    for (name, shape) in shapes {
        let (from, base) = (bytes.len(), if name.ends_with("Norm.weight") { 1.0 } else { 0.0 });
        for _ in 0..shape.iter().product() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = base + (seed >> 40) as f32 / (1u32 << 23) as f32 - 1.0;
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        header.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [from, bytes.len()]}));
    }
    let header = serde_json::Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes].concat()
}
