//! A model without weights: every text has a vector of its own, by chance and always the same.

use std::sync::Arc;

use safepassage::{Embedder, Embeddings, ModelStamp, Purpose, Result, Tokenizer};

use crate::Numbers;

/// Components of its vectors.
pub const DIM: usize = 8;

/// Stands for a model where only permissions matter.
pub struct Words(ModelStamp, Tokenizer);

impl Words {
    /// The model.
    ///
    /// # Panics
    /// Never: its tokenizer is written here.
    #[must_use]
    pub fn model() -> Arc<dyn Embedder> {
        let tokenizer = br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}}"#;
        let stamp = ModelStamp {
            provider: "tests".into(),
            model: "words".into(),
            dim: DIM,
            normalised: true,
            document_prefix: String::new(),
            query_prefix: String::new(),
            digest: None,
        };
        Arc::new(Self(stamp, Tokenizer::from_json(tokenizer, 64).expect("a tokenizer")))
    }

    /// The vector of `text`, of unit length.
    #[must_use]
    pub fn vector(text: &str) -> Vec<f32> {
        let seed = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let vector = Numbers(seed).vector(DIM);
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / length).collect()
    }
}

impl Embedder for Words {
    fn stamp(&self) -> &ModelStamp {
        &self.0
    }

    fn embed(&self, texts: &[&str], _: Purpose) -> Result<Embeddings> {
        let values = texts.iter().flat_map(|text| Self::vector(text)).collect();
        Ok(Embeddings { dim: DIM, values, tokens: 0, truncated: Vec::new() })
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.1
    }
}
