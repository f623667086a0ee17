//! How are documents cut? What an index remembers of it, and how a person writes it.

use std::fmt;
use std::str::FromStr;

use safepassage_error::{Error, Result};
use safepassage_models::Embedder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most sentences before and after one that is found.
const MOST_WINDOW: u32 = 16;
/// The most chunks' worth of tokens of a parent.
const MOST_PARENT: usize = 16;
/// The most tokens of a child unless set: small ones are what is found best.
const CHILD_TOKENS: usize = 128;

/// By what documents are cut.
///
/// As text: `structure`, `fixed`, `sentences:N`, `hierarchical:N`, `semantic:N` or `none`; the number may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ChunkWay {
    /// At the best boundary within the budget: a heading, a block, a sentence, a blank.
    #[default]
    Structure,
    /// As many tokens as fit, whatever stands there; no word is cut that fits.
    Fixed,
    /// Each sentence is found by itself and given with those around it, as far as the asker may see them.
    Sentences {
        /// So many sentences before and after it; 3 unless set.
        window: u32,
    },
    /// Small chunks are found and the larger one they are of is given, as far as the asker may see it.
    Hierarchical {
        /// The most tokens of the larger one; four times a chunk's unless set.
        parent_tokens: usize,
    },
    /// Where the meaning changes: each sentence is embedded once more for that, in dry runs too. A model elsewhere, which
    /// would be paid for it, is refused.
    Semantic {
        /// A break is where the distance from what was said to what is said next is above this percentile of all.
        percentile: u8,
    },
    /// A document is one chunk. One that the model cannot read at once is cut by its structure, and a sync says which.
    #[serde(rename = "none")]
    Whole,
}

impl ChunkWay {
    const WINDOW: u32 = 3;
    const PERCENTILE: u8 = 95;

    /// Whether an index with `settings` is cut this way; a number that was left out is that of `settings`.
    #[must_use]
    pub fn is_like(self, settings: ChunkSettings) -> bool {
        match (self, settings.way) {
            (Self::Hierarchical { parent_tokens: 0 }, Self::Hierarchical { .. }) => true,
            (way, stored) => way == stored,
        }
    }

    fn is_structure(&self) -> bool {
        *self == Self::Structure
    }

    /// Whether it makes sense with chunks of `chunk_tokens`.
    fn check(self, chunk_tokens: usize) -> Result<Self> {
        let refused = |message: String| Err(Error::invalid("set chunker", message));
        match self {
            Self::Sentences { window } if window > MOST_WINDOW => {
                refused(format!("a window of `{window}` sentences is too large; {MOST_WINDOW} can be"))
            }
            Self::Hierarchical { parent_tokens }
                if !(chunk_tokens + 1..=chunk_tokens * MOST_PARENT).contains(&parent_tokens) =>
            {
                let most = chunk_tokens * MOST_PARENT;
                refused(format!("a parent has more than {chunk_tokens} tokens and up to {most}, not `{parent_tokens}`"))
            }
            Self::Semantic { percentile } if !(1..=99).contains(&percentile) => {
                refused(format!("a percentile is 1 to 99, not `{percentile}`"))
            }
            fine => Ok(fine),
        }
    }
}

impl FromStr for ChunkWay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            let known = "`structure`, `fixed`, `sentences:N`, `hierarchical:N`, `semantic:N` or `none`";
            Error::invalid("set chunker", format!("the chunker `{text}` is none of {known}"))
        };
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        let number = number.map(|number| number.parse::<u32>().map_err(|_| unknown())).transpose()?;
        Ok(match (name, number) {
            ("structure", None) => Self::Structure,
            ("fixed", None) => Self::Fixed,
            ("none", None) => Self::Whole,
            ("sentences", window) => Self::Sentences { window: window.unwrap_or(Self::WINDOW) },
            // Zero stands for what the size of a chunk says, which is not known here.
            ("hierarchical", parent) => Self::Hierarchical { parent_tokens: parent.unwrap_or(0) as usize },
            ("semantic", percentile) => {
                let percentile = percentile.map_or(Ok(Self::PERCENTILE), u8::try_from).map_err(|_| unknown())?;
                Self::Semantic { percentile }
            }
            _ => return Err(unknown()),
        })
    }
}

impl fmt::Display for ChunkWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure => f.write_str("structure"),
            Self::Fixed => f.write_str("fixed"),
            Self::Sentences { window } => write!(f, "sentences:{window}"),
            Self::Hierarchical { parent_tokens } => write!(f, "hierarchical:{parent_tokens}"),
            Self::Semantic { percentile } => write!(f, "semantic:{percentile}"),
            Self::Whole => f.write_str("none"),
        }
    }
}

/// How documents are cut; fixed for the life of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkSettings {
    /// By what; by structure where nothing is said.
    #[serde(default, skip_serializing_if = "ChunkWay::is_structure")]
    pub way: ChunkWay,
    /// The most tokens of a chunk, title and headings that are embedded with it included.
    pub chunk_tokens: usize,
    /// About how many tokens a chunk repeats of the one before, unless something new begins there.
    pub overlap_tokens: usize,
}

impl ChunkSettings {
    /// Settings for a model that reads `max_tokens`, by structure; what is not given is the model's own measure, and an
    /// eighth of it.
    ///
    /// # Errors
    /// `Invalid` for fewer than 16 tokens, more than the model reads, or an overlap of half a chunk or more.
    pub fn new(max_tokens: usize, chunk_tokens: Option<usize>, overlap_tokens: Option<usize>) -> Result<Self> {
        Self::by(ChunkWay::Structure, max_tokens, chunk_tokens, overlap_tokens)
    }

    /// As [`ChunkSettings::new`], by `way`. Children of a parent have 128 tokens unless set, and sentences do not overlap.
    ///
    /// # Errors
    /// As [`ChunkSettings::new`], and for a number of `way` that makes no sense.
    pub fn by(
        way: ChunkWay,
        max_tokens: usize,
        chunk_tokens: Option<usize>,
        overlap_tokens: Option<usize>,
    ) -> Result<Self> {
        let usual = match way {
            ChunkWay::Hierarchical { .. } => max_tokens.min(CHILD_TOKENS),
            _ => max_tokens,
        };
        let chunk_tokens = chunk_tokens.unwrap_or(usual);
        if !(16..=max_tokens).contains(&chunk_tokens) {
            let message = format!("a chunk has 16 to {max_tokens} tokens with this model, not {chunk_tokens}");
            return Err(Error::invalid("set chunk size", message));
        }
        let overlap_tokens = match (way, overlap_tokens) {
            (ChunkWay::Sentences { .. }, Some(1..)) => {
                let message = "sentences do not overlap; their window says how many are given around one";
                return Err(Error::invalid("set chunk size", message));
            }
            (ChunkWay::Sentences { .. }, _) => 0,
            (_, overlap_tokens) => overlap_tokens.unwrap_or(chunk_tokens / 8),
        };
        if overlap_tokens * 2 >= chunk_tokens {
            let message = format!("an overlap of {overlap_tokens} is half of a chunk of {chunk_tokens} or more");
            return Err(Error::invalid("set chunk size", message));
        }
        let way = match way {
            ChunkWay::Hierarchical { parent_tokens: 0 } => ChunkWay::Hierarchical { parent_tokens: 4 * chunk_tokens },
            way => way.check(chunk_tokens)?,
        };
        Ok(Self { way, chunk_tokens, overlap_tokens })
    }

    /// What an index remembers.
    ///
    /// # Errors
    /// `Corrupted` if it remembers nothing; `Invalid` if it remembers what this program does not know.
    pub fn read(stored: &Value) -> Result<Self> {
        if stored.is_null() {
            return Err(Error::corrupted("read chunk settings", "the index does not say how it is cut"));
        }
        serde_json::from_value(stored.clone()).map_err(|e| {
            let message = "the index is cut in a way that this program does not know; a newer one has made it";
            Error::invalid("read chunk settings", message).because(e)
        })
    }

    /// Whether documents can be cut so with `embedder`.
    ///
    /// # Errors
    /// `Invalid` if each sentence would be sent to a model elsewhere.
    pub fn check_embedder(&self, embedder: &dyn Embedder) -> Result<()> {
        match (self.way, embedder.cleared()) {
            (ChunkWay::Semantic { .. }, Some(cleared)) => {
                let name = cleared.name();
                let message = format!(
                    "`{}` embeds each sentence once more, and the model `{name}` would be paid for it; take another chunker",
                    self.way
                );
                Err(Error::invalid("set chunker", message))
            }
            _ => Ok(()),
        }
    }
}
