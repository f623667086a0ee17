//! Which signatures are there, and which kind of key does each need?

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

macro_rules! algorithms {
    ($($name:ident $family:ident $doc:literal)*) => {
        /// How a token is signed (RFC 7518, RFC 8037). There is no `none`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Algorithm {
            $(#[doc = $doc] $name,)*
        }

        impl Algorithm {
            /// Every algorithm.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name, as headers and key sets write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The family: algorithms of one family use keys that no other family can use.
            #[must_use]
            pub const fn family(self) -> Family {
                match self { $(Self::$name => Family::$family,)* }
            }

            pub(crate) const fn outside(self) -> jsonwebtoken::Algorithm {
                match self { $(Self::$name => jsonwebtoken::Algorithm::$name,)* }
            }
        }
    };
}

algorithms! {
    RS256 Rsa "RSA, PKCS #1, SHA-256."
    RS384 Rsa "RSA, PKCS #1, SHA-384."
    RS512 Rsa "RSA, PKCS #1, SHA-512."
    PS256 Rsa "RSA, PSS, SHA-256."
    PS384 Rsa "RSA, PSS, SHA-384."
    PS512 Rsa "RSA, PSS, SHA-512."
    ES256 Ec "ECDSA on P-256, SHA-256."
    ES384 Ec "ECDSA on P-384, SHA-384."
    EdDSA Ed "Ed25519."
    HS256 Hmac "A shared secret, SHA-256."
    HS384 Hmac "A shared secret, SHA-384."
    HS512 Hmac "A shared secret, SHA-512."
}

/// The kinds of algorithms. A verifier takes one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// RSA keys.
    Rsa,
    /// Keys on an elliptic curve of NIST.
    Ec,
    /// Ed25519 keys.
    Ed,
    /// A secret that both sides know.
    Hmac,
}

impl Algorithm {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }
}

impl std::str::FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::named(text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|algorithm| algorithm.name()).collect();
            Error::invalid("read algorithm", format!("`{text}` is none of {}", known.join(", ")))
        })
    }
}
