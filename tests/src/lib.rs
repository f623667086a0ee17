//! Which documents should somebody see, said as plainly as can be?
//!
//! [`World`] is an index seen from outside: it remembers what was done and says with loops over lists what must follow.
//! It shares no code with the library but the types that callers write down. [`Numbers`] makes worlds from seeds. A
//! [`Course`] is a random world with all that permissions know, and [`Ledger`] remembers it for the specification.

#![forbid(unsafe_code)]

mod askers;
mod course;
mod ledger;
mod listener;
mod numbers;
mod words;
mod world;

pub use course::{Compared, Course};
pub use ledger::{Added, Content, Ledger};
pub use numbers::Numbers;
pub use words::Words;
pub use world::{Key, Who, World, cosine};

use std::path::PathBuf;

/// The top of the repository.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
