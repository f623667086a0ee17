//! Evaluation of whole indexes, and of ones that do what none may.

#![forbid(unsafe_code)]

mod canaries;
mod drift;
mod judged;
mod leaks;
mod measured;
mod pages;
mod world;
