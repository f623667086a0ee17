//! The binary, held to its contract from outside: arguments in, exit codes, JSON and files out.

#![forbid(unsafe_code)]

mod audit;
mod authorizer;
mod bad_input;
#[cfg(feature = "aws")]
mod batch;
#[cfg(feature = "aws")]
mod bedrock;
#[cfg(feature = "aws")]
mod bucket;
mod contract;
mod damage;
mod eval;
mod faults;
mod filters;
mod imports;
mod kill;
mod llama;
#[cfg(feature = "aws")]
#[path = "../../../aws/tests/it/ministack.rs"]
mod ministack;
mod model;
mod objects;
#[cfg(feature = "otel")]
mod otel;
mod parser;
mod permissions;
#[cfg(feature = "aws")]
#[path = "../../../aws/tests/it/ports.rs"]
mod ports;
mod program;
mod re_embed;
#[cfg(feature = "aws")]
#[path = "../../../aws/tests/it/server.rs"]
#[expect(dead_code, reason = "other tests let it wait")]
mod server;
mod sync;
mod tokens;
mod watch;
#[cfg(feature = "aws")]
#[path = "../../../aws/tests/it/s3/weed.rs"]
mod weed;
