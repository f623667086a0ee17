//! Here is a function that makes vectors: it is a model too.

use safepassage_error::{Error, Result};

use crate::embedder::{Embedder, Embeddings, Purpose};
use crate::stamp::ModelStamp;
use crate::tokenizer::Tokenizer;

/// A function as an [`Embedder`]. What it gives is checked: one vector of the stamp's length for each text, finite and not
/// zero; it is scaled to unit length here. Where it sends the texts is its own business, and its writer's responsibility.
pub struct EmbedWith<F> {
    stamp: ModelStamp,
    tokenizer: Tokenizer,
    embed: F,
}

impl<F: Fn(&[&str], Purpose) -> Result<Vec<Vec<f32>>> + Send + Sync> EmbedWith<F> {
    /// `embed` under the name `name`, for vectors of `dim` numbers. `tokenizer` says how long texts may be.
    ///
    /// # Errors
    /// `Invalid` for no name or no numbers.
    pub fn new(name: &str, dim: usize, tokenizer: Tokenizer, embed: F) -> Result<Self> {
        if name.is_empty() || dim == 0 {
            return Err(Error::invalid("set up model", "a function that embeds needs a name and a dimension"));
        }
        let stamp = ModelStamp {
            provider: "caller".into(),
            model: name.into(),
            dim,
            normalised: true,
            document_prefix: String::new(),
            query_prefix: String::new(),
            digest: None,
        };
        Ok(Self { stamp, tokenizer, embed })
    }
}

impl<F: Fn(&[&str], Purpose) -> Result<Vec<Vec<f32>>> + Send + Sync> Embedder for EmbedWith<F> {
    fn stamp(&self) -> &ModelStamp {
        &self.stamp
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embeddings> {
        let ModelStamp { model, dim, .. } = &self.stamp;
        let mut vectors = (self.embed)(texts, purpose)?;
        let wrong = |what: String| Err(Error::invalid("embed", format!("`{model}` gave {what}")));
        if vectors.len() != texts.len() {
            return wrong(format!("{} vectors for {} texts", vectors.len(), texts.len()));
        }
        let (mut tokens, mut truncated) = (0, Vec::new());
        for (at, (text, vector)) in texts.iter().zip(&mut vectors).enumerate() {
            if vector.len() != *dim {
                return wrong(format!("{} numbers where {dim} are right", vector.len()));
            }
            let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
            if !length.is_finite() || length == 0.0 {
                return wrong("a vector that is zero or not finite".into());
            }
            vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
            let read = self.tokenizer.offsets(text)?.len();
            tokens += read as u64;
            if read > self.tokenizer.max_tokens() {
                truncated.push(at);
            }
        }
        Ok(Embeddings { dim: *dim, values: vectors.concat(), tokens, truncated })
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

#[cfg(all(test, feature = "builtin"))]
mod tests {
    use safepassage_error::Kind;

    use super::*;
    use crate::builtin_tokenizer;

    #[test]
    fn what_a_function_gives_is_scaled_and_what_it_gives_wrong_is_named() {
        let given = |vectors: Vec<Vec<f32>>| {
            EmbedWith::new("mine", 2, builtin_tokenizer(64).unwrap(), move |_: &[&str], _| Ok(vectors.clone())).unwrap()
        };
        let right = given(vec![vec![3.0, 4.0]]);
        assert_eq!(right.embed(&["a"], Purpose::Query).unwrap().values, [0.6, 0.8]);
        for (vectors, what) in [
            (vec![], "0 vectors for 1 texts"),
            (vec![vec![1.0]], "1 numbers where 2"),
            (vec![vec![0.0, 0.0]], "zero"),
            (vec![vec![f32::NAN, 1.0]], "not finite"),
        ] {
            let error = given(vectors).embed(&["a"], Purpose::Document).unwrap_err();
            assert!(error.kind() == Kind::Invalid && error.message().contains(what), "{error}");
        }
    }
}
