//! Policies and engines outside, held to what the README promises.

#[cfg(feature = "authzen")]
mod authzen;
#[cfg(feature = "cedar")]
mod cedar;
#[cfg(feature = "openfga")]
mod openfga;
#[cfg(any(feature = "openfga", feature = "authzen"))]
mod server;
