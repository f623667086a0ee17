//! Embedders: a second implementation as judge, and every way a folder can be bad.

use std::fs;
use std::path::Path;

use crate::tiny::{HIDDEN, Tiny};
use safepassage_error::Kind;
use safepassage_models::{Arithmetic, Embedder, Purpose, Transformer};
use serde_json::json;

const TEXTS: [&str; 6] = [
    "alpha",
    "",
    "one two three red green blue alpha beta gamma delta one two three red green blue alpha beta gamma delta one two",
    "red green blue",
    "blue green red",
    "gamma gamma gamma gamma gamma gamma gamma",
];

fn open(tiny: &Tiny) -> Transformer {
    Transformer::open(tiny.write().path()).unwrap()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The largest difference of a component to the reference over [`TEXTS`].
fn largest_distance(model: &Transformer, tiny: &Tiny, pooling_cls: bool) -> f32 {
    let embeddings = model.embed(&TEXTS, Purpose::Document).unwrap();
    let rows = embeddings.rows().zip(TEXTS);
    rows.map(|(row, text)| distance(row, &tiny.reference(text, pooling_cls))).fold(0.0, f32::max)
}

#[test]
fn every_family_and_pooling_equals_the_plain_reference() {
    for family in ["bert", "roberta", "distilbert"] {
        for cls in [false, true] {
            let mut tiny = Tiny::new(family);
            let pooling = json!({"pooling_mode_cls_token": cls, "pooling_mode_mean_tokens": !cls});
            tiny.files.insert("1_Pooling/config.json", pooling);
            let far = largest_distance(&open(&tiny), &tiny, cls);
            assert!(far < 1e-5, "{family}, CLS {cls}: {far}");
            let other = largest_distance(&open(&tiny), &tiny, !cls);
            assert!(other > 1e-2, "{family}: the other pooling must differ, {other}");
        }
    }
}

#[test]
fn names_may_stand_under_a_prefix() {
    let tiny = Tiny::new("bert");
    let mut prefixed = tiny.clone();
    prefixed.tensors = tiny.tensors.iter().map(|(name, tensor)| (format!("bert.{name}"), tensor.clone())).collect();
    assert!(largest_distance(&open(&prefixed), &tiny, false) < 1e-5);
}

#[test]
fn int8_weights_equal_the_reference_on_the_same_numbers() {
    let (int8, float) = Tiny::new("bert").quantised();
    let folder = int8.write();
    let exact = Transformer::open_with(folder.path(), Arithmetic::Float).unwrap();
    assert!(largest_distance(&exact, &float, false) < 1e-5);

    let fast = Transformer::open(folder.path()).unwrap();
    for (row, text) in fast.embed(&TEXTS, Purpose::Document).unwrap().rows().zip(TEXTS) {
        let cosine: f32 = row.iter().zip(float.reference(text, false)).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "`{text}`: {cosine}");
    }
}

#[test]
fn prefixes_go_before_the_text() {
    let plain = Tiny::new("bert");
    let mut prompted = plain.clone();
    let prompts = json!({"prompts": {"query": "alpha ", "passage": "beta "}});
    prompted.files.insert("config_sentence_transformers.json", prompts);
    let (plain_model, model) = (open(&plain), open(&prompted));
    assert_eq!((model.stamp().query_prefix.as_str(), model.stamp().document_prefix.as_str()), ("alpha ", "beta "));
    for (purpose, full) in [(Purpose::Query, "alpha red"), (Purpose::Document, "beta red")] {
        let with = model.embed(&["red"], purpose).unwrap();
        assert_eq!(with, plain_model.embed(&[full], purpose).unwrap(), "{purpose:?}");
    }
    assert!(model.stamp().check(plain_model.stamp()).unwrap_err().message().contains("document_prefix"));
}

#[test]
fn a_longer_text_is_cut_and_reported() {
    let mut tiny = Tiny::new("bert");
    tiny.files.insert("sentence_bert_config.json", json!({"max_seq_length": 8}));
    let model = open(&tiny);
    assert_eq!(model.tokenizer().max_tokens(), 6);
    let six = "one two three red green blue";
    let seven = format!("{six} alpha");
    let embeddings = model.embed(&["alpha", &seven, six], Purpose::Document).unwrap();
    assert_eq!((embeddings.truncated.as_slice(), embeddings.tokens), ([1].as_slice(), 3 + 8 + 8));
    let rows: Vec<&[f32]> = embeddings.rows().collect();
    assert!(distance(rows[1], rows[2]) < 1e-5);
}

#[test]
fn the_network_s_positions_bound_the_text() {
    // 40 positions; RoBERTa's first is after the padding id, 1.
    for (family, most) in [("bert", 38), ("roberta", 36), ("distilbert", 38)] {
        let model = open(&Tiny::new(family));
        assert_eq!(model.tokenizer().max_tokens(), most, "{family}");
        let long = "red ".repeat(50);
        assert_eq!(model.embed(&[&long], Purpose::Document).unwrap().truncated, [0]);
    }
}

#[test]
fn the_tokenizer_s_own_truncation_and_padding_are_off() {
    let model = open(&Tiny::new("bert"));
    let offsets = model.tokenizer().offsets("red  green blue one two three").unwrap();
    assert_eq!(offsets, [(0, 3), (5, 10), (11, 15), (16, 19), (20, 23), (24, 29)]);
    assert_eq!(model.embed(&["red"], Purpose::Document).unwrap().tokens, 3);
}

#[test]
fn the_stamp_changes_with_the_weights_and_not_with_the_folder() {
    let tiny = Tiny::new("bert");
    let model = open(&tiny);
    assert_eq!((model.stamp().dim, model.stamp().provider.as_str()), (HIDDEN, "local"));
    model.stamp().check(open(&tiny).stamp()).unwrap();
    let mut changed = tiny;
    changed.tensors.get_mut("encoder.layer.1.output.dense.bias").unwrap().1[0] += 0.001;
    assert!(model.stamp().check(open(&changed).stamp()).unwrap_err().message().contains("digest"));
}

#[test]
fn no_texts_give_no_vectors() {
    let embeddings = open(&Tiny::new("bert")).embed(&[], Purpose::Query).unwrap();
    assert_eq!((embeddings.dim, embeddings.values.len(), embeddings.tokens), (HIDDEN, 0, 0));
}

#[test]
fn weights_that_overflow_are_refused_and_not_returned() {
    let mut tiny = Tiny::new("bert");
    for number in &mut tiny.tensors.get_mut("encoder.layer.0.intermediate.dense.weight").unwrap().1 {
        *number *= 1e38;
    }
    for model in [open(&tiny), open(&tiny.quantised().0)] {
        assert_eq!(model.embed(&["red"], Purpose::Document).unwrap_err().kind(), Kind::Corrupted);
    }
}

/// Changes a model before it is written.
type Change = fn(&mut Tiny);

#[test]
fn bad_folders_are_refused_by_name() {
    let cases: [(&str, Change, Kind, &str); 17] = [
        ("no config", |t| drop(t.files.remove("config.json")), Kind::NotFound, "config.json"),
        ("no tokenizer", |t| drop(t.files.remove("tokenizer.json")), Kind::NotFound, "tokenizer.json"),
        ("other type", |t| t.config("model_type", json!("mistral")), Kind::Invalid, "`model_type` `mistral`"),
        (
            "no sizes",
            |t| drop(t.files.insert("config.json", json!({"model_type": "bert"}))),
            Kind::Invalid,
            "hidden_size",
        ),
        ("other activation", |t| t.config("hidden_act", json!("swish")), Kind::Invalid, "`hidden_act` `swish`"),
        ("heads", |t| t.config("num_attention_heads", json!(5)), Kind::Invalid, "sizes"),
        ("no heads", |t| t.config("num_attention_heads", json!(0)), Kind::Invalid, "sizes"),
        ("no room", |t| t.config("max_position_embeddings", json!(2)), Kind::Invalid, "room"),
        ("positions", |t| t.config("position_embedding_type", json!("relative_key")), Kind::Invalid, "relative_key"),
        ("tokenizer", |t| drop(t.files.insert("tokenizer.json", json!({}))), Kind::Invalid, "tokenizer.json"),
        ("layers", |t| t.config("num_hidden_layers", json!(3)), Kind::Invalid, "encoder.layer.2"),
        ("vocabulary", |t| t.config("vocab_size", json!(15)), Kind::Invalid, "word_embeddings"),
        ("width", |t| t.config("intermediate_size", json!(49)), Kind::Invalid, "[48, 32]"),
        (
            "pooling",
            |t| {
                t.files.insert("1_Pooling/config.json", json!({"pooling_mode_max_tokens": true}));
            },
            Kind::Invalid,
            "pooling_mode_max_tokens",
        ),
        (
            "module",
            |t| {
                t.files.insert("modules.json", json!([{"type": "sentence_transformers.models.Dense"}]));
            },
            Kind::Invalid,
            "Dense",
        ),
        (
            "no bias",
            |t| drop(t.tensors.remove("encoder.layer.1.output.dense.bias")),
            Kind::Invalid,
            "output.dense.bias",
        ),
        ("NaN", |t| t.tensors.get_mut("embeddings.LayerNorm.bias").unwrap().1[3] = f32::NAN, Kind::Corrupted, "finite"),
    ];
    for (name, change, kind, message) in cases {
        let mut tiny = Tiny::new("bert");
        change(&mut tiny);
        let error = Transformer::open(tiny.write().path()).unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert!(error.message().contains(message), "{name}: {error}");
    }
}

#[test]
fn truncated_weights_are_corrupted_at_every_length() {
    let tiny = Tiny::new("bert");
    let folder = tiny.write();
    let weights = tiny.weights();
    for length in [0, 4, 8, 100, weights.len() / 2, weights.len() - 1] {
        fs::write(folder.path().join("model.safetensors"), &weights[..length]).unwrap();
        assert_eq!(Transformer::open(folder.path()).unwrap_err().kind(), Kind::Corrupted, "{length} bytes");
    }
}

#[test]
fn a_folder_that_is_not_there_is_not_found() {
    assert_eq!(Transformer::open(Path::new("no/such/folder")).unwrap_err().kind(), Kind::NotFound);
}
