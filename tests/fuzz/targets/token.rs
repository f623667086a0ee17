//! What do tokens, key sets and directories say when somebody else wrote them?
//!
//! The first byte says which parser; claims are signed here, so that they are read at all.

#![no_main]

use std::sync::LazyLock;

use jsonwebtoken::EncodingKey;
use libfuzzer_sys::fuzz_target;
use safepassage_access::{GroupResolver, Principal};
use safepassage_error::Kind;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_identity::{Algorithm, GroupFile, KeySet, ScimGroups, Verifier, VerifierSettings};

const SECRET: &[u8; 32] = b"everybody knows this one, I fear";
/// In 2026.
const NOW: u64 = 1_775_000_000_000;

fn settings(preset: &str) -> VerifierSettings {
    let json = format!(
        r#"{{"issuer": "https://login.example.com/", "audiences": ["safepassage"], "algorithms": ["HS256"], "mapping": {preset}}}"#
    );
    VerifierSettings::from_json(json.as_bytes()).unwrap()
}

static BY_SECRET: LazyLock<Vec<Verifier>> = LazyLock::new(|| {
    let mappings = [r#""oidc""#, r#""entra""#, r#""cognito""#, r#""cognito-access""#, r#""okta""#];
    mappings.iter().map(|mapping| Verifier::with_secret(settings(mapping), SECRET).unwrap()).collect()
});

static BY_KEYS: LazyLock<Verifier> = LazyLock::new(|| {
    let keys = KeySet::from_jwks(include_bytes!("../../../fixtures/tokens/jwks.json")).unwrap();
    let json = include_bytes!("../../../fixtures/tokens/verifier.json");
    Verifier::new(VerifierSettings::from_json(json).unwrap(), keys).unwrap()
});

fn signed(header: &[u8], claims: &[u8]) -> String {
    let (header, claims) = (encoded(header), encoded(claims));
    let key = EncodingKey::from_secret(SECRET);
    let text = format!("{header}.{claims}");
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("{text}.{signature}")
}

/// Base64 as URLs have it, without padding.
fn encoded(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for digit in 0..=part.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

/// Whoever a token stands for is of its issuer, holds now and ends with the token.
fn check(verifier: &Verifier, token: &[u8], clock: &Clock) {
    match verifier.verify(token, clock) {
        Ok(identity) => {
            assert!(identity.check_expiry(clock.now()).is_ok());
            let text = identity.principals().iter().map(ToString::to_string).collect::<Vec<_>>();
            text.iter().for_each(|text| assert_eq!(text.parse::<Principal>().unwrap().to_string(), *text));
            assert!(identity.user().is_some_and(|user| !user.is_empty()));
            let later = Clock::fixed(identity.expires_at());
            assert!(verifier.verify(token, &later).is_err(), "a token that has ended is taken");
        }
        Err(error) => assert_eq!(error.kind(), Kind::Denied, "{error}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let clock = Clock::fixed(Timestamp(NOW));
    match first % 8 {
        0 => {
            check(&BY_KEYS, rest, &clock);
            BY_SECRET.iter().for_each(|verifier| check(verifier, rest, &clock));
        }
        1 => {
            let cut = rest.iter().position(|&byte| byte == b'\n').unwrap_or(0);
            let token = signed(&rest[..cut], &rest[cut..]);
            check(&BY_SECRET[0], token.as_bytes(), &clock);
        }
        2 => {
            let token = signed(br#"{"alg":"HS256","typ":"JWT"}"#, rest);
            BY_SECRET.iter().for_each(|verifier| check(verifier, token.as_bytes(), &clock));
        }
        3 => {
            if let Ok(keys) = KeySet::from_jwks(rest) {
                let algorithms = keys.algorithms();
                let token = include_bytes!("../../../fixtures/tokens/alice.jwt").trim_ascii();
                let all = if algorithms.is_empty() { vec![Algorithm::EdDSA] } else { algorithms };
                let settings = VerifierSettings::new("https://login.example.com/", "safepassage", all);
                if let Ok(verifier) = Verifier::new(settings, keys) {
                    check(&verifier, token, &clock);
                }
            }
        }
        4 => {
            let Ok(settings) = VerifierSettings::from_json(rest) else { return };
            if let Ok(verifier) = Verifier::with_secret(settings, SECRET) {
                let claims = br#"{"iss":"https://login.example.com/","aud":"safepassage","sub":"a","exp":4102444800}"#;
                let _ = verifier.verify(signed(br#"{"alg":"HS256"}"#, claims), &clock);
            }
        }
        5 => {
            if let Ok(groups) = GroupFile::from_json(None, rest) {
                let _ = groups.parents(&Principal::group("hr"));
            }
        }
        6 => {
            if let Ok(groups) = ScimGroups::from_json(None, rest) {
                let _ = groups.parents(&Principal::user("a"));
            }
        }
        _ => {
            // An identity as a file has it.
            if let Ok(identity) = safepassage::identity_from_json(rest, &clock) {
                assert!(identity.check_expiry(clock.now()).is_ok());
            }
        }
    }
});
