//! An issuer for tests: keys that are the same in every run, and tokens of any bytes.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use p256::pkcs8::EncodePrivateKey;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rsa::RsaPrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::traits::PublicKeyParts;
use safepassage_access::Identity;
use safepassage_error::Error;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_identity::{Algorithm, KeySet, Verifier, VerifierSettings};
use serde_json::{Value, json};

pub const NOW: u64 = 1_800_000_000;
pub const ISSUER: &str = "https://login.example.com/";
pub const AUDIENCE: &str = "search";

pub fn clock() -> Clock {
    Clock::fixed(Timestamp(NOW * 1000))
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key pair: how it signs, and what a key set says of it.
pub struct Pair {
    pub signing: EncodingKey,
    pub jwk: Value,
}

pub struct Keys {
    pub rsa: Pair,
    pub other_rsa: Pair,
    pub p256: Pair,
    pub ed: Pair,
    /// The public RSA key as DER, which an attacker knows too.
    pub rsa_public_der: Vec<u8>,
}

pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let (rsa, rsa_public_der) = rsa(1, "rsa-1");
        Keys { rsa, other_rsa: self::rsa(2, "rsa-2").0, p256: p256(), ed: ed(), rsa_public_der }
    })
}

fn rsa(seed: u64, kid: &str) -> (Pair, Vec<u8>) {
    let key = RsaPrivateKey::new(&mut StdRng::seed_from_u64(seed), 2048).unwrap();
    let jwk = json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
        "n": encode(key.n().to_bytes_be()), "e": encode(key.e().to_bytes_be())});
    let signing = EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes());
    (Pair { signing, jwk }, key.to_public_key().to_pkcs1_der().unwrap().into_vec())
}

fn p256() -> Pair {
    use p256::elliptic_curve::sec1::ToEncodedPoint;
    let key = p256::SecretKey::random(&mut StdRng::seed_from_u64(3));
    let point = key.public_key().to_encoded_point(false);
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "p256-1",
        "x": encode(point.x().unwrap()), "y": encode(point.y().unwrap())});
    Pair { signing: EncodingKey::from_ec_der(key.to_pkcs8_der().unwrap().as_bytes()), jwk }
}

/// The key of RFC 8037, appendix A.
fn ed() -> Pair {
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "alg": "EdDSA",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    Pair { signing: EncodingKey::from_ed_der(&[&prefix[..], &seed].concat()), jwk }
}

pub fn key_set(keys: &[&Value]) -> Vec<u8> {
    serde_json::to_vec(&json!({ "keys": keys })).unwrap()
}

/// Signs any bytes as header and payload.
pub fn sign(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, key: &EncodingKey, algorithm: Algorithm) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let outside: jsonwebtoken::Algorithm = algorithm.name().parse().unwrap();
    let signer = (DEFAULT_PROVIDER.signer_factory)(&outside, key).unwrap();
    format!("{signed}.{}", encode(signer.try_sign(signed.as_bytes()).unwrap()))
}

/// A token of the Ed25519 key.
pub fn token(claims: &Value) -> String {
    sign(r#"{"alg":"EdDSA","typ":"JWT","kid":"ed-1"}"#, claims.to_string(), &keys().ed.signing, Algorithm::EdDSA)
}

/// Claims that are taken.
pub fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW - 10, "exp": NOW + 600, "groups": ["hr", "staff"]})
}

/// The same claims with some changed; `null` takes one out.
pub fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub fn settings() -> VerifierSettings {
    VerifierSettings::new(ISSUER, AUDIENCE, [Algorithm::EdDSA])
}

pub fn verifier(settings: VerifierSettings) -> Verifier {
    Verifier::new(settings, KeySet::from_jwks(&key_set(&[&keys().ed.jwk])).unwrap()).unwrap()
}

pub fn verify(settings: VerifierSettings, claims: &Value) -> Result<Identity, Error> {
    verifier(settings).verify(token(claims), &clock())
}

/// The reason of a refusal, and the claim that is at fault.
pub fn reason(error: &Error) -> (&str, &str) {
    let fact = |name| error.context().iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str());
    (fact("reason"), fact("claim"))
}

pub fn principals(identity: &Identity) -> Vec<String> {
    identity.principals().iter().map(ToString::to_string).collect()
}
