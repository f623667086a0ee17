//! Here is a decision: write it down so that nobody can change it unnoticed.
//!
//! In go [`Entry`]s (who asked, what they were given, what was refused); out come lines of JSON, each with the SHA-256
//! of itself and of the line before, appended to the files of one [`AuditLog`] by any number of threads and processes.
//! A call that returns has its lines in the log; a log that cannot take them is an error, and the caller withholds what
//! the lines were about. What is a decision is left to the rooms above.

#![forbid(unsafe_code)]

mod chance;
mod digest;
mod entry;
pub mod folder;
mod head;
mod line;
mod log;
mod mend;
mod retire;
mod secret;
mod settings;
mod show;
mod tail;
mod verify;
mod walk;

pub use digest::Digest;
pub use entry::{Aside, Entry, Kept};
pub use line::Line;
pub use log::{AuditLog, Receipt};
pub use mend::Mended;
pub use retire::{Keep, Retired};
pub use secret::{Secret, SecretDigest};
pub use settings::{AuditSettings, Durability, Standing};
pub use show::Filter;
pub use verify::VerifiedLog;
