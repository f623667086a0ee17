//! What does every embedding model offer?

use std::sync::Arc;

use safepassage_error::{Error, Kind, Result};

use crate::catalogue::Cleared;
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

/// What is left to say after vectors were given one by one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kept {
    /// Tokens that the model read; those that were paid, where somebody charges them, answers of no use included.
    pub tokens: u64,
    /// What they cost by the prices of those who read them, if the catalogue has them.
    pub cost: Option<f64>,
    /// Which texts were longer than the model reads and were cut, ascending.
    pub truncated: Vec<usize>,
    /// Which texts the model would not read, ascending.
    pub refused: Vec<Refused>,
}

/// A text that the model would not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place among the texts.
    pub text: usize,
    /// Why, in the model's words.
    pub reason: String,
}

/// Texts given at once to a model that computes here.
const AT_ONCE: usize = 256;

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

    /// What it may be sent, if texts leave the process for it; `None` for a model that computes here.
    fn cleared(&self) -> Option<&Cleared> {
        None
    }

    /// The same model where it may be sent texts with higher labels, if there is one.
    fn above(&self) -> Option<Arc<dyn Embedder>> {
        None
    }

    /// As [`Embedder::embed`], and `keep` gets each vector with its text's place as soon as it is there, in any order: what
    /// was paid for is not lost with what fails later. A text that the model refuses fails no other.
    ///
    /// # Errors
    /// As [`Embedder::embed`]; what `keep` fails with.
    fn embed_each(
        &self,
        texts: &[&str],
        purpose: Purpose,
        keep: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<Kept> {
        let mut kept = Kept::default();
        for (part, start) in texts.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
            let embeddings = self.embed(part, purpose)?;
            if embeddings.rows().len() != part.len() {
                let message = "the model gave another number of vectors than texts";
                return Err(Error::new(Kind::Unavailable, "embed", message));
            }
            kept.tokens += embeddings.tokens;
            kept.truncated.extend(embeddings.truncated.iter().map(|at| start + at));
            embeddings.rows().zip(start..).try_for_each(|(row, at)| keep(at, row))?;
        }
        Ok(kept)
    }

    /// Which of `texts` would have to be embedded now, ascending: all but those whose outcome is remembered.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupted` if the memory cannot be read.
    fn unpaid(&self, texts: &[&str]) -> Result<Vec<usize>> {
        Ok((0..texts.len()).collect())
    }

    /// Lets texts that the model refused be tried again. Returns how many are remembered as refused.
    ///
    /// # Errors
    /// As [`Embedder::unpaid`].
    fn retry_refused(&self) -> Result<usize> {
        Ok(0)
    }

    /// The part of `text` that is put to the model: what comes after it changes nothing.
    ///
    /// # Errors
    /// `Invalid` if the tokenizer refuses the text.
    fn as_read<'t>(&self, text: &'t str) -> Result<&'t str> {
        Ok(text)
    }

    /// The server, where nobody but it vouches for the model's name: another may call another model so.
    fn origin(&self) -> Option<&str> {
        None
    }

    /// How this model cuts text into tokens.
    fn tokenizer(&self) -> &Tokenizer;
}

/// The vectors that [`Embedder::embed_each`] gives one by one, all together; a refused text fails them.
#[cfg(feature = "remote")]
pub(crate) fn gathered(embedder: &dyn Embedder, texts: &[&str], purpose: Purpose) -> Result<Embeddings> {
    let dim = embedder.stamp().dim;
    let mut values = vec![0.0; texts.len() * dim];
    let kept = embedder.embed_each(texts, purpose, &mut |at, row| {
        values[at * dim..][..dim].copy_from_slice(row);
        Ok(())
    })?;
    match kept.refused.into_iter().next() {
        Some(Refused { text, reason }) => Err(Error::invalid("embed", reason).with("text", text)),
        None => Ok(Embeddings { dim, values, tokens: kept.tokens, truncated: kept.truncated }),
    }
}
