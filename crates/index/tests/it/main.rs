//! One binary for all integration tests of the index.

mod asker;
mod beside;
mod candidate;
mod crash;
mod damage;
mod filter;
mod format;
mod interleaved;
mod lifecycle;
mod merge;
mod search;
mod storage;
mod words;
mod world;
