//! Does what speaks to Amazon hold when the other side does not?

mod bedrock;
mod ports;
mod role;
mod s3;
mod server;
