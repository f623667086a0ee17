//! Here are passages and a question: which prompt is made of them, and what does the answer cite?
//!
//! Texts in, texts out; no I/O and no model. A [`Template`] says what stands where; [`Template::fit`] puts in as many
//! passages as there is room for, best first, each within a fence that it cannot forge; [`cited`] finds what an answer names.
//! [`check_question`] refuses what no question is; [`suspicion`] says what speaks for a text's being an instruction; [`redacted`] takes out what a [`Redactor`] finds, [`Redacting`] while a text is
//! still being written. Who may read a passage is decided before.

#![forbid(unsafe_code)]

mod citations;
mod fence;
mod fit;
mod injection;
mod question;
pub mod redact;
mod template;

pub use citations::{Cited, cited};
pub use fence::{Fence, Passage};
pub use fit::{Fitted, Room};
pub use injection::{SUSPECTED_FROM, Suspicion, suspicion};
pub use question::{QuestionLimits, check_question};
pub use redact::{Found, Identifiers, Redacting, Redactor, redacted};
pub use template::Template;
