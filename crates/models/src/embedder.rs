//! What does every embedding model offer?

use safepassage_error::Result;

use crate::stamp::ModelStamp;
use crate::tokenizer::Tokenizer;

/// What a text is embedded for: some models want another prefix before a question than before a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The text is stored and will be found.
    Document,
    /// The text is what somebody asks.
    Query,
}

/// The vectors of one call, in the order of its texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Components of one vector.
    pub dim: usize,
    /// n × dim, row-major f32, every row of unit length and finite.
    pub values: Vec<f32>,
    /// Tokens that the model read, its own special tokens included.
    pub tokens: u64,
    /// Which texts were longer than the model reads and were cut, ascending.
    pub truncated: Vec<usize>,
}

impl Embeddings {
    /// The vector of each text, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dim)
    }
}

/// A model that turns texts into unit vectors whose dot product is their similarity.
///
/// Synchronous: it computes on the calling thread and on rayon's pool. A text's vector depends on that text and its
/// purpose only, never on the texts beside it.
pub trait Embedder: Send + Sync {
    /// Which model this is; an index stores it and refuses vectors of another.
    fn stamp(&self) -> &ModelStamp;

    /// The vectors of `texts`, n × dim. A text longer than the model reads is cut and reported in
    /// [`Embeddings::truncated`]; an empty text has a vector too.
    ///
    /// # Errors
    /// `Invalid` if the tokenizer refuses a text; `Corrupted` if a vector is not finite.
    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embeddings>;

    /// How this model cuts text into tokens.
    fn tokenizer(&self) -> &Tokenizer;
}
