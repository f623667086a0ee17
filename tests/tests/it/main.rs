//! The whole product held to its promises.

#![forbid(unsafe_code)]

mod authorizer;
mod company;
mod map;
mod processes;
mod staged;
mod twins;
mod worlds;
