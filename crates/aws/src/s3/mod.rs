//! S3: which documents lie below a prefix of a bucket, or which of them were said to have changed?

mod client;
mod event;
mod keys;
mod store;

pub use event::{ObjectChange, ObjectEvents, changed_below};
pub use store::{S3Files, S3Stores};
