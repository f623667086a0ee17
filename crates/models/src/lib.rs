//! Here are texts: which vectors stand for them?
//!
//! In go texts and their [`Purpose`], out come unit vectors ([`Embeddings`]) under a [`ModelStamp`] that says which model
//! made them. [`Embedder`] is the trait; [`Transformer`] runs any BERT-family folder on the processor; `builtin` (feature
//! of the same name) is all-MiniLM-L6-v2 in int8 inside the program. Where a text is cut is the chunker's business: it
//! gets a [`Tokenizer`] for that. [`StaticTokens`] is a table of tokens (model2vec), for corpora where a transformer is too
//! slow; [`open_folder`] takes either. A [`Reranker`] reads question and passage together and says how well they fit;
//! [`CrossEncoder`] is one on the processor. A [`Generator`] answers a prompt, a [`Guardrail`] looks at
//! what goes to it and comes back.

#![forbid(unsafe_code)]

#[cfg(feature = "builtin")]
mod builtin;
mod catalogue;
mod closure;
mod embedder;
mod files;
mod generator;
mod guardrail;
#[cfg(feature = "remote")]
pub mod remote;
mod reranker;
mod stamp;
mod static_tokens;
mod tokenizer;
mod transformer;
mod word_tokens;

#[cfg(all(doctest, feature = "builtin"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "builtin")]
pub use builtin::{builtin, builtin_tokenizer, builtin_with};
pub use catalogue::{At, Catalogue, CataloguedModel, Cleared, Limits, Price, Task, Texts};
pub use closure::EmbedWith;
pub use embedder::{Embedder, Embeddings, Kept, Purpose, Refused};
pub use generator::{
    Cancel, Finished, GenerateWith, Generator, Lost, Message, Permit, Piece, Pieces, Request, Role, StopReason, Usage,
};
pub use guardrail::{Direction, Guardrail, Verdict};
pub use reranker::{RerankWith, Reranker};
pub use stamp::ModelStamp;
pub use static_tokens::StaticTokens;
pub use tokenizer::Tokenizer;
pub use transformer::{Arithmetic, CrossEncoder, Transformer};

/// The model in `folder`: a BERT-family transformer, or a static table of model2vec.
///
/// # Errors
/// As [`Transformer::open`] and [`StaticTokens::open`].
pub fn open_folder(folder: &std::path::Path) -> safepassage_error::Result<std::sync::Arc<dyn Embedder>> {
    if StaticTokens::is_in(folder) {
        return Ok(std::sync::Arc::new(StaticTokens::open(folder)?));
    }
    Ok(std::sync::Arc::new(Transformer::open(folder)?))
}
