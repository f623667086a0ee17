//! Here is a token: what does it say about its own signature, and may that be believed at all?
//!
//! Nothing here is verified yet. Of the header only the algorithm (one of those taken) and the name of the key are used.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use safepassage_error::Result;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::json::{self, Fault};
use crate::refusal::Refusal;

/// Types of tokens that say who somebody is; others (logout tokens, proofs of possession) are signed by the same keys.
const TYPES: [&str; 4] = ["jwt", "application/jwt", "at+jwt", "application/at+jwt"];
/// Names that bring a key or tell where one is.
const KEYS: [&str; 4] = ["jku", "jwk", "x5u", "x5c"];
/// Names that change what the payload is.
const CONTENT: [&str; 4] = ["b64", "cty", "enc", "zip"];
const MAX_KID_BYTES: usize = 256;

/// A token cut into its parts, its header read.
pub(crate) struct Parts<'t> {
    /// What the signature is of.
    pub signed: &'t [u8],
    pub signature: Vec<u8>,
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    payload: &'t [u8],
}

impl<'t> Parts<'t> {
    /// Cuts `token`; its algorithm must be one of `algorithms`.
    pub(crate) fn of(token: &'t [u8], algorithms: &[Algorithm]) -> Result<Self> {
        let mut parts = token.split(|&byte| byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Form.error());
        };
        let (algorithm, kid) = check(&object(header)?, algorithms)?;
        let signed = &token[..header.len() + 1 + payload.len()];
        Ok(Self { signed, signature: decoded(signature)?, algorithm, kid, payload })
    }

    /// The claims; only to be called once the signature is verified.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>> {
        object(self.payload)
    }
}

fn decoded(part: &[u8]) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Encoding.error())
}

fn object(part: &[u8]) -> Result<Map<String, Value>> {
    json::object(&decoded(part)?).map_err(|fault| {
        match fault {
            Fault::Syntax => Refusal::Json,
            Fault::Duplicate => Refusal::Duplicate,
            Fault::Depth => Refusal::Depth,
        }
        .error()
    })
}

fn check(header: &Map<String, Value>, algorithms: &[Algorithm]) -> Result<(Algorithm, Option<String>)> {
    if header.contains_key("crit") {
        return Err(Refusal::HeaderCritical.error());
    }
    if KEYS.iter().any(|name| header.contains_key(*name)) {
        return Err(Refusal::HeaderKey.error());
    }
    let typed = header
        .get("typ")
        .is_none_or(|typ| typ.as_str().is_some_and(|typ| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ))));
    if !typed || CONTENT.iter().any(|name| header.contains_key(*name)) {
        return Err(Refusal::HeaderType.error());
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
    let Some(algorithm) = algorithm.filter(|algorithm| algorithms.contains(algorithm)) else {
        return Err(Refusal::Algorithm.error());
    };
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if !kid.is_empty() && kid.len() <= MAX_KID_BYTES => Some(kid.clone()),
        Some(_) => return Err(Refusal::KeyUnknown.error()),
    };
    Ok((algorithm, kid))
}
