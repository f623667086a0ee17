//! Which model puts what was found in its order?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use safepassage::{CrossEncoder, Reranker, Result};

#[derive(Debug, Args)]
pub struct Rerank {
    /// Model that puts the best candidates in its order: the folder of a BERT or RoBERTa cross-encoder, or with --models a
    /// name there
    #[arg(long, value_name = "MODEL")]
    pub rerank: Option<String>,
    /// Catalogue of the models elsewhere that passages may be sent to, up to the label of each
    #[arg(long, value_name = "FILE", requires = "rerank")]
    pub models: Option<PathBuf>,
}

impl Rerank {
    /// The model of `--rerank`, if it was given.
    pub fn open(&self) -> Result<Option<Arc<dyn Reranker>>> {
        self.rerank.as_deref().map(|model| open(model, self.models.as_deref())).transpose()
    }
}

/// `model` of the catalogue in `models`, or the model in the folder `model`.
pub fn open(model: &str, models: Option<&Path>) -> Result<Arc<dyn Reranker>> {
    match models {
        None => Ok(Arc::new(CrossEncoder::open(Path::new(model))?)),
        #[cfg(feature = "remote")]
        Some(models) => safepassage::models::open_reranker(models, model),
        #[cfg(not(feature = "remote"))]
        Some(_) => {
            let message = "models elsewhere need a program that is built with the feature `remote`";
            Err(safepassage::Error::invalid("open model", message))
        }
    }
}
