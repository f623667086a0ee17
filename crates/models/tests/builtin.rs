//! The laws of an embedding model, on the one that ships with the program.
#![cfg(feature = "builtin")]

use std::sync::LazyLock;

use safepassage_models::{Arithmetic, Embedder, Purpose, Transformer, builtin, builtin_with};

static MODEL: LazyLock<Transformer> = LazyLock::new(|| builtin().expect("the built-in model"));

/// 40 texts of 0 to 330 tokens.
fn texts() -> Vec<String> {
    let words =
        ["cells", "the", "of", "vitamin", "heart", "failure", "risk", "protein", "binds", "naïve", "数", "x-ray"];
    let text =
        |i: usize| (0..i * i / 7).map(|j| words[(i * 5 + j * 7 + j * j) % words.len()]).collect::<Vec<_>>().join(" ");
    (0..40).map(text).collect()
}

fn embed(texts: &[&str]) -> Vec<Vec<f32>> {
    MODEL.embed(texts, Purpose::Document).unwrap().rows().map(<[f32]>::to_vec).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn a_vector_depends_on_its_own_text_only() {
    let texts = texts();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = embed(&texts);
    for (text, vector) in texts.iter().zip(&together) {
        let alone = &embed(&[text])[0];
        let far = alone.iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-4, "alone and in a batch differ by {far}: `{text}`");
    }
    texts.reverse();
    let mut reversed = embed(&texts);
    reversed.reverse();
    for (a, b) in together.iter().zip(&reversed) {
        assert!(cosine(a, b) > 0.99999);
    }
}

#[test]
fn every_vector_has_unit_length_and_384_components() {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let embeddings = MODEL.embed(&texts, Purpose::Query).unwrap();
    assert_eq!((embeddings.dim, embeddings.values.len()), (384, 384 * texts.len()));
    for row in embeddings.rows() {
        assert!((cosine(row, row) - 1.0).abs() < 1e-5);
    }
}

#[test]
fn a_text_past_254_tokens_is_cut_there_and_reported() {
    assert_eq!(MODEL.tokenizer().max_tokens(), 254);
    let long = "protein binds the receptor, naïvely. ".repeat(20_000);
    let offsets = MODEL.tokenizer().offsets(&long).unwrap();
    let first = &long[..offsets[253].1];
    let embeddings = MODEL.embed(&["short", &long, first], Purpose::Document).unwrap();
    assert_eq!(embeddings.truncated, [1]);
    assert_eq!(embeddings.tokens, 3 + 256 + 256);
    let rows: Vec<&[f32]> = embeddings.rows().collect();
    assert!(cosine(rows[1], rows[2]) > 0.99999);
}

#[test]
fn meaning_is_nearer_than_words() {
    let question = embed(&["how do I reset my password?"]).remove(0);
    let answers = embed(&[
        "To choose a new secret phrase for your account, open the settings and follow the link.",
        "How do I bake sourdough bread at home?",
        "The bunker was set into the hill side.",
    ]);
    let scores: Vec<f32> = answers.iter().map(|answer| cosine(&question, answer)).collect();
    assert!(scores[0] > scores[1] + 0.2 && scores[0] > scores[2] + 0.2, "{scores:?}");
}

#[test]
fn int8_arithmetic_stays_near_f32() {
    let exact = builtin_with(Arithmetic::Float).unwrap();
    assert_eq!(exact.stamp(), MODEL.stamp(), "one index serves machines with and without int8 kernels");
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = exact.embed(&texts, Purpose::Document).unwrap();
    for ((a, b), text) in vectors.rows().zip(embed(&texts)).zip(texts) {
        assert!(cosine(a, &b) > 0.995, "{} for `{text}`", cosine(a, &b));
    }
}

#[test]
fn the_stamp_is_the_one_that_indexes_were_made_with() {
    let stamp = MODEL.stamp();
    assert_eq!((stamp.provider.as_str(), stamp.model.as_str(), stamp.dim), ("builtin", "all-MiniLM-L6-v2", 384));
    // Other weights are another model: every index made before would refuse them.
    assert_eq!(stamp.digest.as_deref(), Some("a66327ee38d9c811d43d242083d2bc5f7f440ef95a74bbeadaee54082f054b3d"));
}
