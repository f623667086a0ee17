//! Here is a JWKS: which key verifies a token?

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use safepassage_error::{Error, Result};
use serde_json::{Map, Value};

use crate::algorithm::{Algorithm, Family};
use crate::json;
use crate::refusal::Refusal;

const MAX_BYTES: usize = 1 << 20;
const MAX_KEYS: usize = 1000;
/// RFC 7518, section 3.3, and what the implementation takes.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
const MIN_SECRET_BYTES: usize = 32;

/// Keys that verify tokens. Cheap to clone.
#[derive(Clone)]
pub struct KeySet(Arc<[Key]>);

struct Key {
    kid: Option<String>,
    /// `None` for a key that no signature is verified with, whatever a token says.
    usable: Option<Usable>,
}

struct Usable {
    kind: Kind,
    /// The one algorithm that it is for, if the set says so.
    algorithm: Option<String>,
    key: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
    Secret,
}

impl KeySet {
    /// Reads a JWKS.
    ///
    /// Keys of unknown types, for encryption, or too weak stay in the set and verify nothing; so do shared secrets.
    ///
    /// # Errors
    /// `Invalid` if it is no JWKS, holds a private key, or no key that verifies anything.
    pub fn from_jwks(json: &[u8]) -> Result<Self> {
        if json.len() > MAX_BYTES {
            return Err(invalid("is longer than a megabyte"));
        }
        let set = json::object(json).map_err(|_| invalid("is not a JSON object without repeated names"))?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or_else(|| invalid("has no list `keys`"))?;
        if listed.len() > MAX_KEYS {
            return Err(invalid("has more than 1000 keys"));
        }
        let keys: Vec<Key> = listed.iter().map(Key::read).collect::<Result<_>>()?;
        if keys.iter().all(|key| key.usable.is_none()) {
            return Err(invalid("has no key that verifies signatures"));
        }
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|other| key.kid.is_some() && key.kid == other.kid && key.kind() == other.kind()) {
                return Err(invalid("has two keys of one type and one `kid`"));
            }
        }
        Ok(Self(keys.into()))
    }

    /// One secret, of at least 32 bytes, that the issuer and we know.
    ///
    /// # Errors
    /// `Invalid` for a shorter one.
    pub fn from_secret(secret: &[u8]) -> Result<Self> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(Error::invalid("read keys", "a shared secret has at least 32 bytes"));
        }
        let key = DecodingKey::from_secret(secret);
        let usable = Some(Usable { kind: Kind::Secret, algorithm: None, key });
        Ok(Self(Arc::new([Key { kid: None, usable }])))
    }

    /// The algorithms that its keys can verify, if all are of one family: the keys of a set that is trusted may choose
    /// what a token may not. Empty for keys of several families.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let kinds = || self.0.iter().filter_map(Key::kind);
        let fits = |algorithm: &&Algorithm| kinds().any(|kind| kind.signs(**algorithm));
        let all: Vec<Algorithm> = Algorithm::ALL.iter().filter(fits).copied().collect();
        if all.iter().any(|algorithm| algorithm.family() != all[0].family()) { Vec::new() } else { all }
    }

    /// Whether there is a key of that name. A token that names none is not answered by newer keys.
    pub(crate) fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none_or(|kid| self.0.iter().any(|key| key.kid.as_deref() == Some(kid)))
    }

    /// Checks that `signature` of `signed` is by the key `kid`.
    ///
    /// # Errors
    /// `Denied` if there is no such key, it is not for `algorithm`, or the signature is not by it.
    pub(crate) fn verify(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &Vec<u8>,
    ) -> Result<()> {
        let named: Vec<&Key> = match (kid, &*self.0) {
            // The only key needs no name, and a secret has none.
            (None, [only]) => vec![only],
            (_, [only]) if only.kind() == Some(Kind::Secret) => vec![only],
            (None, _) => return Err(Refusal::KeyMissing.error()),
            (Some(kid), keys) => keys.iter().filter(|key| key.kid.as_deref() == Some(kid)).collect(),
        };
        if named.is_empty() {
            return Err(Refusal::KeyUnknown.error());
        }
        let Some(key) = named.iter().find_map(|key| key.verifying(algorithm)) else {
            return Err(Refusal::KeyMismatch.error());
        };
        // By name, and not through the process-wide default, which another crate's features could change.
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm.outside(), key);
        let verifier = verifier.map_err(|_| Refusal::KeyMismatch.error())?;
        verifier.verify(signed, signature).map_err(|_| Refusal::Signature.error())
    }
}

impl Kind {
    const fn signs(self, algorithm: Algorithm) -> bool {
        match algorithm.family() {
            Family::Rsa => matches!(self, Self::Rsa),
            Family::Ec if matches!(algorithm, Algorithm::ES384) => matches!(self, Self::P384),
            Family::Ec => matches!(self, Self::P256),
            Family::Ed => matches!(self, Self::Ed25519),
            Family::Hmac => matches!(self, Self::Secret),
        }
    }
}

impl Key {
    fn read(value: &Value) -> Result<Self> {
        let jwk = value.as_object().ok_or_else(|| invalid("has a key that is no object"))?;
        if jwk.contains_key("d") {
            return Err(invalid("holds a private key; give the public ones only"));
        }
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(invalid("has a `kid` that is no text")),
        };
        Ok(Self { kid, usable: usable(jwk) })
    }

    fn kind(&self) -> Option<Kind> {
        self.usable.as_ref().map(|usable| usable.kind)
    }

    fn verifying(&self, algorithm: Algorithm) -> Option<&DecodingKey> {
        let usable = self.usable.as_ref()?;
        let fits =
            usable.kind.signs(algorithm) && usable.algorithm.as_deref().is_none_or(|name| name == algorithm.name());
        fits.then_some(&usable.key)
    }
}

/// The key as it verifies signatures; `None` if it must not, or cannot.
fn usable(jwk: &Map<String, Value>) -> Option<Usable> {
    let is = |name: &str, want: &str| jwk.get(name).and_then(Value::as_str) == Some(want);
    if jwk.contains_key("use") && !is("use", "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops")
        && !operations.as_array()?.iter().any(|operation| operation.as_str() == Some("verify"))
    {
        return None;
    }
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(name) => Some(name.as_str()?.to_owned()),
    };
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
    let (kind, key) = match jwk.get("kty")?.as_str()? {
        "RSA" => {
            let (modulus, exponent) = (part("n")?, part("e")?);
            check_rsa(&modulus, &exponent)?;
            (Kind::Rsa, DecodingKey::from_rsa_raw_components(&modulus, &exponent))
        }
        "EC" => {
            let kind = if is("crv", "P-256") { Kind::P256 } else { is("crv", "P-384").then_some(Kind::P384)? };
            let bytes = if kind == Kind::P256 { 32 } else { 48 };
            let (x, y) = (part("x")?, part("y")?);
            if x.len() != bytes || y.len() != bytes {
                return None;
            }
            (kind, DecodingKey::from_ec_der(&[&[4], &x[..], &y[..]].concat()))
        }
        "OKP" if is("crv", "Ed25519") => {
            // INVARIANT: 32 bytes; the verifier cuts there without looking.
            let x = part("x").filter(|x| x.len() == 32)?;
            (Kind::Ed25519, DecodingKey::from_ed_der(&x))
        }
        _ => return None,
    };
    Some(Usable { kind, algorithm, key })
}

fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Option<()> {
    let first = modulus.iter().position(|&byte| byte != 0)?;
    let bits = (modulus.len() - first) * 8 - modulus[first].leading_zeros() as usize;
    let exponent = exponent.iter().try_fold(0u64, |value, &byte| value.checked_mul(256)?.checked_add(byte.into()))?;
    let odd = exponent % 2 == 1 && modulus.last()? % 2 == 1;
    (RSA_BITS.contains(&bits) && odd && (3..1 << 33).contains(&exponent)).then_some(())
}

fn invalid(what: &str) -> Error {
    Error::invalid("read keys", format!("the key set {what}"))
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.kid, key.kind()))).finish()
    }
}
