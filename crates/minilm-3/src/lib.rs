//! Which bytes is the built-in model made of? Part 3 of 3: four of six layers, the tokenizer and the configuration.
//!
//! all-MiniLM-L6-v2 in int8, written by `crates/models/scripts/quantise.py`, read by `safepassage-models`. The parts are
//! separate crates because the registry takes less than 10 MB for one. Licence and origin: `LICENSE` and `NOTICE`.

#![forbid(unsafe_code)]

/// Layers 2 to 5: a safetensors file, int8 rows with one float32 scale each.
pub static WEIGHTS: &[u8] = include_bytes!("../weights.safetensors");

/// `tokenizer.json`: uncased WordPiece, 30,522 tokens.
pub static TOKENIZER: &[u8] = include_bytes!("../tokenizer.json");

/// `config.json`: the shape of the network.
pub static CONFIG: &[u8] = include_bytes!("../config.json");

/// `sentence_bert_config.json`: passages are cut at 256 tokens.
pub static SENTENCE_CONFIG: &[u8] = include_bytes!("../sentence_bert_config.json");
