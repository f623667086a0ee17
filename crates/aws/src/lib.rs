//! Here is an account at Amazon: which vectors and documents does it give?
//!
//! [`bedrock`] has embedding models and rerankers, [`s3`] documents, [`sqs`] what is said of them. TLS is rustls with ring: nothing of C beside it, no cmake.

#![forbid(unsafe_code)]

mod account;
pub mod bedrock;
mod fault;
mod options;
pub mod s3;
pub mod sqs;

pub use account::{AccessKeys, Account, Role, Timeouts};
