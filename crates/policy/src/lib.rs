//! Who decides beside the ACLs?
//!
//! In go policies as text, or the address of an engine outside, with an identity and what is to be read; out comes yes
//! or no. Nothing here can widen what ACLs permit: `access` asks a [`Policy`](safepassage_access::Policy) and the
//! session asks an [`Authorizer`](safepassage_access::Authorizer) only about what is permitted already. Each way is a
//! feature, and what fails permits nothing.

#![forbid(unsafe_code)]

#[cfg(feature = "authzen")]
mod authzen;
#[cfg(feature = "cedar")]
mod cedar;
#[cfg(any(feature = "openfga", feature = "authzen"))]
mod described;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "openfga")]
mod openfga;
#[cfg(any(feature = "cedar", feature = "http"))]
mod principals;

#[cfg(feature = "authzen")]
pub use authzen::{AuthZen, AuthZenSettings};
#[cfg(feature = "cedar")]
pub use cedar::{CedarCompiler, CedarPolicy};
#[cfg(any(feature = "openfga", feature = "authzen"))]
pub use described::authorizer_from_json;
#[cfg(feature = "http")]
pub use http::Endpoint;
#[cfg(feature = "openfga")]
pub use openfga::{Consistency, OpenFga, OpenFgaSettings};
