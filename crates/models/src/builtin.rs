//! Which model is there when nobody names one?

use safepassage_error::Result;

use crate::tokenizer::Tokenizer;
use crate::transformer::{Arithmetic, ModelFiles, Transformer};

/// all-MiniLM-L6-v2 in int8: 384 dimensions, English, 254 tokens of text; no download, no account.
///
/// Loading takes about 0.1 s and 40 MB; load it once. Apache-2.0, see the `NOTICE` of the `safepassage-minilm` crates.
///
/// # Errors
/// None that a caller can cause: `Corrupted` if the program's own bytes are not what was built.
pub fn builtin() -> Result<Transformer> {
    builtin_with(Arithmetic::default())
}

/// As [`builtin`], with a say in how its int8 weights are multiplied.
///
/// # Errors
/// As [`builtin`].
pub fn builtin_with(arithmetic: Arithmetic) -> Result<Transformer> {
    let files = ModelFiles {
        config: safepassage_minilm_3::CONFIG,
        tokenizer: safepassage_minilm_3::TOKENIZER,
        weights: &[safepassage_minilm_1::WEIGHTS, safepassage_minilm_2::WEIGHTS, safepassage_minilm_3::WEIGHTS],
        sentence: Some(safepassage_minilm_3::SENTENCE_CONFIG),
        ..ModelFiles::default()
    };
    Transformer::load("builtin", "all-MiniLM-L6-v2", &files, arithmetic)
}

/// The built-in model's way of cutting text, for a model elsewhere that reads `max_length` tokens and tells nobody how it
/// cuts. Other models make up to a third more tokens of the same English text, and more of other languages: leave a margin.
///
/// # Errors
/// `Invalid` if `max_length` leaves no room for text.
pub fn builtin_tokenizer(max_length: usize) -> Result<Tokenizer> {
    Tokenizer::from_json(safepassage_minilm_3::TOKENIZER, max_length)
}
