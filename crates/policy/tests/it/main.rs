//! Policies and engines outside, held to what the README promises.

#[cfg(feature = "cedar")]
mod cedar;
