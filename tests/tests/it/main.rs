//! The whole product held to its promises.

#![forbid(unsafe_code)]

mod asking;
mod audit;
mod authorizer;
mod break_glass;
mod catalogue;
mod chunkers;
mod company;
mod derived;
mod digest;
mod expiry;
mod filters;
mod killed;
mod llama;
mod map;
mod office;
mod owners;
mod processes;
mod proof;
mod provider;
mod re_embed;
mod refine;
mod spoken;
mod staged;
mod truncated;
mod twins;
mod worlds;
