//! Does the verifier take what it must take, and refuse everything else for the right reason?

mod attacks;
mod keys;
mod mutations;
mod providers;
mod support;
