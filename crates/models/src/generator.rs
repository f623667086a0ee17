//! What does every model offer that answers a prompt?
//!
//! In goes a [`Request`], out come [`Pieces`] of text as they are written, and last a [`Finished`] that says why it ended
//! and what it cost. A model elsewhere is not sent anything before a [`Permit`] was asked, right before it leaves.

mod cancel;
mod closure;
mod lost;
mod pieces;

use std::fmt;
use std::sync::Arc;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

pub use self::cancel::Cancel;
pub use self::closure::GenerateWith;
pub use self::lost::Lost;
pub use self::pieces::Pieces;
use crate::catalogue::Cleared;

/// Bytes that a token stands for, by which a text is estimated: few, so that it is rather said to be longer.
pub(crate) const BYTES_PER_TOKEN: usize = 3;
/// No answer has more bytes for each token that was asked for.
const MOST_BYTES_PER_TOKEN: usize = 64;

/// Who says a part of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever runs the model: what holds whoever asks.
    System,
    /// Whoever asks.
    User,
    /// The model, earlier.
    Assistant,
}

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub text: String,
}

/// What a model is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The prompt, in order.
    pub messages: Vec<Message>,
    /// Tokens that the answer may have.
    pub most_tokens: u32,
    /// The answer ends before any of these.
    pub stop: Vec<String>,
    /// How freely it is written, from 0; as the model does by itself unless set.
    pub temperature: Option<f32>,
    /// Calls with the same key may share what a backend keeps of a prompt's beginning; it must not be shared by tenants.
    pub cache_key: Option<String>,
    /// Ends the call, also before it has begun to answer.
    pub cancel: Option<Cancel>,
    /// Where a call that fails before it has begun to answer says what it has cost.
    pub lost: Option<Lost>,
}

impl Request {
    /// How many bytes the answer may have at most: nobody gives out more, whatever a backend does.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        (self.most_tokens as usize).saturating_mul(MOST_BYTES_PER_TOKEN)
    }

    /// Bytes of all messages.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.text.len()).sum()
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// The model was done.
    End,
    /// It had as many tokens as it may.
    Length,
    /// One of the words came before which it ends.
    StopWord,
    /// A guardrail stepped in: what was given may be its words.
    Guardrail,
    /// The provider withheld the rest.
    Filtered,
    /// It wants a tool called; none is offered here.
    Tool,
    /// Something that has no name here.
    Other,
}

impl StopReason {
    /// As answers and spans have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Length => "length",
            Self::StopWord => "stop_word",
            Self::Guardrail => "guardrail",
            Self::Filtered => "filtered",
            Self::Tool => "tool",
            Self::Other => "other",
        }
    }
}

/// Tokens that were counted by the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Of the prompt.
    pub tokens_in: u64,
    /// Of the answer.
    pub tokens_out: u64,
    /// Of the prompt, those that the backend had kept.
    #[serde(default)]
    pub tokens_cached: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.tokens_in += other.tokens_in;
        self.tokens_out += other.tokens_out;
        self.tokens_cached += other.tokens_cached;
    }
}

/// The end of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Why it ended.
    pub reason: StopReason,
    /// What it cost, if the backend says.
    pub usage: Option<Usage>,
}

/// What a model gives next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// More of the answer.
    Text(String),
    /// The backend has counted so many tokens besides those that the end will name: of an attempt that failed, or before
    /// the answer breaks off.
    Counted(Usage),
    /// There is no more.
    Finished(Finished),
}

/// Asked right before each time that a prompt leaves; what it fails with, the call fails with, and nothing was sent.
pub type Permit = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// A model that answers prompts.
pub trait Generator: Send + Sync {
    /// What it is called: in reports, in the audit log and in the ledger.
    fn name(&self) -> &str;

    /// How many tokens prompt and answer may have together.
    fn window(&self) -> usize;

    /// What it may be sent, if texts leave the process for it; `None` only for what computes here.
    fn cleared(&self) -> Option<&Cleared> {
        None
    }

    /// Models to turn to where this one is unavailable, in order. Each is asked as itself: within its own clearance.
    fn fallbacks(&self) -> &[Arc<dyn Generator>] {
        &[]
    }

    /// How many tokens `text` is, or rather more.
    fn tokens(&self, text: &str) -> usize {
        text.len().div_ceil(BYTES_PER_TOKEN)
    }

    /// Returns when the model has begun to answer; the rest comes with the pieces. To drop them is to end the call. What
    /// fails before that may have been tried again; what fails later is not.
    ///
    /// # Errors
    /// What `permit` fails with; `Invalid` if the model refuses the request; `Unavailable`, `Throttled`, `Denied`. No error
    /// says anything of the prompt.
    fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces>;
}

impl fmt::Debug for dyn Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Generator").field(&self.name()).finish()
    }
}

/// Whether `request` is one that a model can be asked.
pub(crate) fn check(request: &Request) -> Result<()> {
    if request.messages.is_empty() || request.most_tokens == 0 {
        return Err(Error::invalid("generate", "there is nothing to answer, or no token to answer with"));
    }
    match request.temperature {
        Some(temperature) if !(0.0..=2.0).contains(&temperature) => {
            Err(Error::invalid("generate", format!("the temperature must be 0 to 2, not {temperature}")))
        }
        _ => Ok(()),
    }
}
