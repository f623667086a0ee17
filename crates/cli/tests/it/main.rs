//! The binary, held to its contract from outside: arguments in, exit codes, JSON and files out.

#![forbid(unsafe_code)]

mod audit;
mod authorizer;
mod bad_input;
#[cfg(feature = "aws")]
mod bedrock;
mod contract;
mod damage;
mod eval;
mod faults;
mod filters;
mod imports;
mod kill;
mod llama;
mod model;
mod objects;
#[cfg(feature = "otel")]
mod otel;
mod parser;
mod permissions;
mod program;
mod re_embed;
mod sync;
mod tokens;
mod watch;
