//! Which documents should somebody see, said as plainly as can be?
//!
//! [`World`] is an index seen from outside: it remembers what was done and says with loops over lists what must follow.
//! It shares no code with the library but the types that callers write down. [`Numbers`] makes worlds from seeds.

#![forbid(unsafe_code)]

mod numbers;
mod world;

pub use numbers::Numbers;
pub use world::{Key, Who, World, cosine};

use std::path::PathBuf;

/// The top of the repository.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
