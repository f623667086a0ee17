//! Here is a parsed document: where is it cut?
//!
//! The text is tokenised once, with offsets; a [`Cutter`] says which tokens are a chunk, by the way that the index's settings
//! name. A chunk keeps its bytes, the headings above it and, where small ones are of a large one, which. One text at a time
//! comes here: sections that fewer may read are cut by themselves (`sync/content.rs`).

mod boundaries;
mod cutter;
mod fixed;
mod semantic;
mod sentences;
mod settings;
mod structure;

use std::ops::Range;

use safepassage_error::{Error, Result};
use safepassage_models::{Embedder, Tokenizer};

use crate::parse::Parsed;
use cutter::{Cutter, Text};
pub use settings::{ChunkSettings, ChunkWay};

/// One chunk of a parsed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes of the parsed text, without white space at the ends.
    pub range: Range<usize>,
    /// The headings it stands under, outermost first.
    pub headings: Vec<String>,
    /// What is embedded before its text: title or headings, one line, perhaps empty.
    pub prefix: String,
    /// The number, within the text, of the larger chunk that it is given with; chunks of one follow each other.
    pub parent: Option<u32>,
}

/// Cuts documents for one tokenizer.
#[derive(Clone, Copy)]
pub struct Chunker<'a> {
    tokenizer: &'a Tokenizer,
    embedder: Option<&'a dyn Embedder>,
    settings: ChunkSettings,
}

impl std::fmt::Debug for Chunker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<'a> Chunker<'a> {
    /// A chunker for `tokenizer`, by any way but [`ChunkWay::Semantic`].
    #[must_use]
    pub fn new(tokenizer: &'a Tokenizer, settings: ChunkSettings) -> Self {
        Self { tokenizer, embedder: None, settings }
    }

    /// A chunker for `embedder`.
    ///
    /// # Errors
    /// As [`ChunkSettings::check_embedder`].
    pub fn of(embedder: &'a dyn Embedder, settings: ChunkSettings) -> Result<Self> {
        settings.check_embedder(embedder)?;
        Ok(Self { tokenizer: embedder.tokenizer(), embedder: Some(embedder), settings })
    }

    /// By what it cuts.
    pub(crate) fn way(&self) -> ChunkWay {
        self.settings.way
    }

    /// The chunks of `parsed`, in order; none if there are no words. `title` is embedded with every chunk that has no
    /// headings above it. Every word is in at least one chunk. `O(text)`, and by [`ChunkWay::Semantic`] what it takes to embed
    /// every sentence twice more.
    ///
    /// # Errors
    /// `Invalid` if the tokenizer refuses the text, or a model is needed and was not given; what the model fails with.
    pub fn chunk(&self, parsed: &Parsed, title: Option<&str>) -> Result<Vec<Chunk>> {
        let text = Text::new(self.tokenizer, self.settings.chunk_tokens, parsed, title)?;
        let pieces = self.cutter()?.cut(&text)?;
        let chunks = pieces.into_iter().map(|piece| {
            let range = text.range(&piece.tokens);
            let (headings, prefix) = text.context(range.start);
            Chunk { range, headings, prefix, parent: piece.parent }
        });
        Ok(chunks.collect())
    }

    fn cutter(&self) -> Result<Box<dyn Cutter + 'a>> {
        let overlap_tokens = self.settings.overlap_tokens;
        Ok(match self.settings.way {
            ChunkWay::Structure => Box::new(structure::Structure { overlap_tokens }),
            ChunkWay::Fixed => Box::new(fixed::Fixed { overlap_tokens }),
            ChunkWay::Sentences { .. } => Box::new(sentences::Sentences),
            ChunkWay::Hierarchical { parent_tokens } => {
                Box::new(structure::Hierarchy { parent_tokens, overlap_tokens })
            }
            ChunkWay::Semantic { percentile } => {
                let message = "a model is needed to see where the meaning changes, and none was given";
                let embedder = self.embedder.ok_or_else(|| Error::invalid("cut", message))?;
                Box::new(semantic::Semantic { embedder, percentile, overlap_tokens })
            }
            ChunkWay::Whole => Box::new(structure::Whole { overlap_tokens }),
        })
    }
}

#[cfg(test)]
mod tests;
