//! What does each family call its tensors?

use super::config::Family;

/// The tensor that every model has; what stands before it in the file stands before every name.
pub(super) const WORDS: &str = "embeddings.word_embeddings.weight";
pub(super) const POSITIONS: &str = "embeddings.position_embeddings.weight";
pub(super) const TYPES: &str = "embeddings.token_type_embeddings.weight";
pub(super) const EMBEDDING_NORM: &str = "embeddings.LayerNorm";

/// The names of one layer, without `.weight` and `.bias`.
pub(super) struct LayerNames {
    pub query: String,
    pub key: String,
    pub value: String,
    pub attention_output: String,
    pub attention_norm: String,
    pub up: String,
    pub down: String,
    pub output_norm: String,
}

impl LayerNames {
    pub fn of(family: Family, layer: usize) -> Self {
        let (stem, names) = match family {
            Family::Bert | Family::Roberta => (
                "encoder.layer",
                [
                    "attention.self.query",
                    "attention.self.key",
                    "attention.self.value",
                    "attention.output.dense",
                    "attention.output.LayerNorm",
                    "intermediate.dense",
                    "output.dense",
                    "output.LayerNorm",
                ],
            ),
            Family::Distilbert => (
                "transformer.layer",
                [
                    "attention.q_lin",
                    "attention.k_lin",
                    "attention.v_lin",
                    "attention.out_lin",
                    "sa_layer_norm",
                    "ffn.lin1",
                    "ffn.lin2",
                    "output_layer_norm",
                ],
            ),
        };
        let [query, key, value, attention_output, attention_norm, up, down, output_norm] =
            names.map(|name| format!("{stem}.{layer}.{name}"));
        Self { query, key, value, attention_output, attention_norm, up, down, output_norm }
    }
}
