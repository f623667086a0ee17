//! The whole product held to its promises.

#![forbid(unsafe_code)]

mod audit;
mod authorizer;
mod break_glass;
mod catalogue;
mod chunkers;
mod company;
mod expiry;
mod filters;
mod killed;
mod map;
mod office;
mod owners;
mod processes;
mod proof;
mod refine;
mod staged;
mod twins;
mod worlds;
