//! What does everything offer that looks at texts on their way to a model and back?

use std::fmt;

use safepassage_error::Result;

use crate::catalogue::Cleared;
use crate::generator::Permit;

/// Which way a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To a model: the question with its passages.
    In,
    /// From a model: its answer.
    Out,
}

/// What was found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it goes on as it is.
    Pass,
    /// Something that need not stop it: this goes on instead.
    Masked(String),
    /// Something: this is said instead, and nothing goes on.
    Intervened(String),
}

/// Looks at texts, and says what else is said where one must not go on.
pub trait Guardrail: Send + Sync {
    /// What it is called: in reports and in the audit log.
    fn name(&self) -> &str;

    /// What it may be sent, if texts leave the process for it; `None` for one that looks here.
    fn cleared(&self) -> Option<&Cleared> {
        None
    }

    /// Looks at `text`, and sends it nowhere before `permit` was asked.
    ///
    /// # Errors
    /// What `permit` or the guardrail fails with: then nothing goes on. No error says anything of the text.
    fn check(&self, text: &str, direction: Direction, permit: &Permit) -> Result<Verdict>;
}

impl fmt::Debug for dyn Guardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guardrail").field(&self.name()).finish()
    }
}
