//! What does every model offer that reads question and passage together?

use std::fmt;

use safepassage_error::{Error, Result};

use crate::catalogue::Cleared;

/// A model that says how well passages answer a question.
pub trait Reranker: Send + Sync {
    /// What it is called: in reports and in the audit log.
    fn name(&self) -> &str;

    /// What it may be sent, if texts leave the process for it; `None` for a model that computes here.
    fn cleared(&self) -> Option<&Cleared> {
        None
    }

    /// How well each of `passages` answers `question`, in their order: any finite numbers, higher is better.
    ///
    /// # Errors
    /// What the model fails with; the search that asked fails too.
    fn scores(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>>;

    /// As [`Reranker::scores`], and held to it: one finite number a passage.
    ///
    /// # Errors
    /// As [`Reranker::scores`], and `Invalid` for more, fewer or other numbers.
    fn checked_scores(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        let scores = self.scores(question, passages)?;
        let wrong = |what: String| Err(Error::invalid("rerank", format!("`{}` gave {what}", self.name())));
        if scores.len() != passages.len() {
            return wrong(format!("{} scores for {} passages", scores.len(), passages.len()));
        }
        match scores.iter().position(|score| !score.is_finite()) {
            Some(at) => wrong(format!("{} for passage {at}", scores[at])),
            None => Ok(scores),
        }
    }
}

impl fmt::Debug for dyn Reranker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reranker").field(&self.name()).finish()
    }
}

/// A function as a [`Reranker`].
pub struct RerankWith<F> {
    name: String,
    scores: F,
}

impl<F: Fn(&str, &[&str]) -> Result<Vec<f32>> + Send + Sync> RerankWith<F> {
    /// `scores` under the name `name`.
    pub fn new(name: &str, scores: F) -> Self {
        Self { name: name.to_owned(), scores }
    }
}

impl<F: Fn(&str, &[&str]) -> Result<Vec<f32>> + Send + Sync> Reranker for RerankWith<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn scores(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        (self.scores)(question, passages)
    }
}
