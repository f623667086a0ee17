//! Does what speaks to Amazon hold when the other side does not?

mod bedrock;
mod ministack;
mod ports;
mod role;
mod s3;
mod server;
