//! Does what speaks to Amazon hold when the other side does not?

mod bedrock;
mod server;
