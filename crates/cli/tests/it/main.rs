//! The binary, held to its contract from outside: arguments in, exit codes, JSON and files out.

#![forbid(unsafe_code)]

mod bad_input;
mod model;
mod program;
