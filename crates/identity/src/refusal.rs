//! Why is a token refused?
//!
//! The one table of reasons. An error carries the code as the fact `reason`, and the claim's name as the settings write
//! it; nothing that came with the token is ever repeated.

use safepassage_error::{Error, Kind};

use crate::mapping::ClaimPath;

macro_rules! refusals {
    ($($name:ident = $code:literal, $message:literal;)*) => {
        /// Why a token is refused: the fact `reason` of the error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Refusal {
            $(#[doc = concat!("`", $code, "`: ", $message, ".")] $name,)*
        }

        impl Refusal {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code, stable for programs.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

refusals! {
    Size = "token_size", "the token is longer than is taken";
    Form = "token_form", "the token is not three parts with dots between them";
    Encoding = "token_encoding", "a part of the token is not base64url without padding";
    Json = "token_json", "a part of the token is not a JSON object";
    Depth = "token_depth", "the token's JSON is nested too deep";
    Duplicate = "duplicate_name", "a name stands twice in the token";
    HeaderCritical = "header_critical", "the token has critical headers";
    HeaderKey = "header_key", "the token brings or points to a key of its own";
    HeaderType = "header_type", "the token is of a type that is not taken";
    Algorithm = "algorithm", "the token's algorithm is not one of those that are taken";
    KeyMissing = "key_missing", "the token does not name its key";
    KeyUnknown = "key_unknown", "the issuer has no key of that name";
    KeyMismatch = "key_mismatch", "the named key is not for signatures by that algorithm";
    Signature = "signature", "the signature is not the issuer's";
    ClaimMissing = "claim_missing", "a claim is missing";
    ClaimType = "claim_type", "a claim has a value of the wrong type";
    ClaimValue = "claim_value", "a claim has another value than it must have";
    Issuer = "issuer", "the token is from another issuer";
    Audience = "audience", "the token is for somebody else";
    Expired = "expired", "the token has expired; sign in again";
    NotYet = "not_yet", "the token does not hold yet";
    IssuedLater = "issued_in_future", "the token says that it was issued in the future";
    Lifetime = "lifetime", "the token holds longer than tokens may";
    GroupsTooMany = "groups_too_many", "the token lists more groups than are taken";
}

impl Refusal {
    pub(crate) fn error(self) -> Error {
        Error::new(Kind::Denied, "verify token", self.message()).with("reason", self.code())
    }

    pub(crate) fn of(self, claim: &ClaimPath) -> Error {
        self.error().with("claim", claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::BTreeSet<&str> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
        assert_eq!(codes.len(), Refusal::ALL.len());
    }
}
