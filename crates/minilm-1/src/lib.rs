//! Which bytes is the built-in model made of? Part 1 of 3: the first two thirds of the word table.
//!
//! all-MiniLM-L6-v2 in int8, written by `crates/models/scripts/quantise.py`, read by `safepassage-models`. The parts are
//! separate crates because the registry takes less than 10 MB for one. Licence and origin: `LICENSE` and `NOTICE`.

#![forbid(unsafe_code)]

/// The first two thirds of the word table: a safetensors file, int8 rows with one float32 scale each.
pub static WEIGHTS: &[u8] = include_bytes!("../weights.safetensors");
