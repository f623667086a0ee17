//! Which key sets are read, and how long fetched ones hold.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jsonwebtoken::EncodingKey;
use safepassage_error::{Error, Kind, Result};
use safepassage_identity::{Algorithm, CacheSettings, CachedKeys, KeySet, Refusal, Verifier, VerifierSettings};
use serde_json::{Value, json};

use crate::support::*;

fn of(jwk: &Value, changes: Value) -> Value {
    let mut jwk = jwk.clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name] = value.clone();
        }
    }
    jwk
}

#[test]
fn every_family_verifies_its_own() {
    let keys = keys();
    for (pair, kid, algorithm) in [
        (&keys.rsa, "rsa-1", Algorithm::RS256),
        (&keys.rsa, "rsa-1", Algorithm::RS512),
        (&keys.rsa, "rsa-1", Algorithm::PS256),
        (&keys.p256, "p256-1", Algorithm::ES256),
        (&keys.ed, "ed-1", Algorithm::EdDSA),
    ] {
        let set = KeySet::from_jwks(&key_set(&[&of(&pair.jwk, json!({"alg": null}))])).unwrap();
        assert!(set.algorithms().contains(&algorithm));
        let verifier = Verifier::new(VerifierSettings::new(ISSUER, AUDIENCE, [algorithm]), set).unwrap();
        for header in [json!({"alg": algorithm, "kid": kid, "typ": "at+jwt"}), json!({"alg": algorithm})] {
            let token = sign(header.to_string(), claims().to_string(), &pair.signing, algorithm);
            assert_eq!(verifier.verify(&token, &clock()).unwrap().user(), Some("alice"), "{header}");
        }
    }
    let mixed = KeySet::from_jwks(&key_set(&[&keys.rsa.jwk, &keys.ed.jwk])).unwrap();
    assert!(mixed.algorithms().is_empty());
}

#[test]
fn secrets_and_public_keys_never_mix() {
    let secret = [9; 32];
    let by_secret = |algorithm| VerifierSettings::new(ISSUER, AUDIENCE, [algorithm]);
    let verifier = Verifier::with_secret(by_secret(Algorithm::HS256), &secret).unwrap();
    let header = r#"{"alg":"HS256","kid":"any"}"#;
    let token = sign(header, claims().to_string(), &EncodingKey::from_secret(&secret), Algorithm::HS256);
    assert!(verifier.verify(&token, &clock()).is_ok());
    let other = sign(header, claims().to_string(), &EncodingKey::from_secret(&[8; 32]), Algorithm::HS256);
    assert_eq!(reason(&verifier.verify(&other, &clock()).unwrap_err()).0, "signature");

    let set = KeySet::from_jwks(&key_set(&[&keys().ed.jwk])).unwrap();
    let invalid = |result: Result<Verifier>| assert_eq!(result.unwrap_err().kind(), Kind::Invalid);
    invalid(Verifier::new(by_secret(Algorithm::HS256), set));
    invalid(Verifier::with_secret(by_secret(Algorithm::RS256), &secret));
    invalid(Verifier::with_secret(by_secret(Algorithm::HS256), &secret[..31]));
}

#[test]
fn key_sets_that_cannot_be_used_are_invalid() {
    let (rsa, ed, p256) = (&keys().rsa.jwk, &keys().ed.jwk, &keys().p256.jwk);
    let off_curve = of(p256, json!({"x": encode([1; 31])}));
    for (name, set) in [
        ("empty", b"".to_vec()),
        ("no keys", key_set(&[])),
        ("keys twice", br#"{"keys": [], "keys": []}"#.to_vec()),
        ("a list", b"[]".to_vec()),
        ("not an object", br#"{"keys": [1]}"#.to_vec()),
        ("a private key", key_set(&[&of(ed, json!({"d": "x"}))])),
        ("two of one kid", key_set(&[ed, ed])),
        ("kid a number", key_set(&[&of(ed, json!({"kid": 1}))])),
        ("only a secret", key_set(&[&json!({"kty": "oct", "kid": "s", "k": encode([7; 32])})])),
        ("only for encryption", key_set(&[&of(ed, json!({"use": "enc"}))])),
        ("too short a point", key_set(&[&of(ed, json!({"x": encode([1; 31])}))])),
        ("too long a point", key_set(&[&of(ed, json!({"x": encode([1; 33])}))])),
        ("no coordinate", key_set(&[&of(p256, json!({"y": null}))])),
        ("a short coordinate", key_set(&[&off_curve])),
        ("another curve", key_set(&[&of(p256, json!({"crv": "P-521"}))])),
        ("an even exponent", key_set(&[&of(rsa, json!({"e": "Ag"}))])),
        ("an exponent of one", key_set(&[&of(rsa, json!({"e": "AQ"}))])),
        ("a modulus of zero", key_set(&[&of(rsa, json!({"n": encode([0; 256])}))])),
        ("a huge modulus", key_set(&[&of(rsa, json!({"n": encode([0xff; 1024])}))])),
        ("too long", [key_set(&[ed]), vec![b' '; 1 << 20]].concat()),
    ] {
        assert_eq!(KeySet::from_jwks(&set).expect_err(name).kind(), Kind::Invalid, "{name}");
    }
    let with_strangers =
        key_set(&[ed, &json!({"kty": "AKP", "kid": "new"}), &json!({}), &of(rsa, json!({"kid": "ed-1"}))]);
    assert!(KeySet::from_jwks(&with_strangers).is_ok());
    let off = key_set(&[&of(p256, json!({"x": encode([1; 32])})), ed]);
    let settings = VerifierSettings::new(ISSUER, AUDIENCE, [Algorithm::ES256]);
    let verifier = Verifier::new(settings, KeySet::from_jwks(&off).unwrap()).unwrap();
    let header = r#"{"alg":"ES256","kid":"p256-1"}"#;
    let token = sign(header, claims().to_string(), &keys().p256.signing, Algorithm::ES256);
    assert!(verifier.verify(&token, &clock()).is_err(), "a point that is not on the curve");
}

/// A server of key sets that tests turn on, off and over.
#[derive(Clone)]
struct Server {
    set: Arc<Mutex<Option<Vec<u8>>>>,
    fetches: Arc<AtomicUsize>,
}

impl Server {
    fn new(set: Option<Vec<u8>>) -> Self {
        Self { set: Arc::new(Mutex::new(set)), fetches: Arc::default() }
    }

    fn serve(&self, set: Option<Vec<u8>>) {
        *self.set.lock().unwrap() = set;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn verifier(&self) -> Verifier {
        let server = self.clone();
        let fetch = move || {
            server.fetches.fetch_add(1, Ordering::SeqCst);
            let set = server.set.lock().unwrap().clone();
            set.ok_or_else(|| Error::new(Kind::Unavailable, "fetch", "no answer"))
        };
        Verifier::new(settings(), CachedKeys::new(fetch, CacheSettings::default()).unwrap()).unwrap()
    }
}

fn named(kid: &str) -> Vec<u8> {
    key_set(&[&of(&keys().ed.jwk, json!({ "kid": kid }))])
}

fn token_of(kid: &str) -> String {
    let claims = with(json!({"exp": NOW + 1_000_000}));
    let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
    sign(header, claims.to_string(), &keys().ed.signing, Algorithm::EdDSA)
}

#[test]
fn keys_are_kept_and_rotated() {
    let (server, clock) = (Server::new(Some(named("a"))), clock());
    let verifier = server.verifier();
    for _ in 0..10 {
        verifier.verify(token_of("a"), &clock).unwrap();
    }
    assert_eq!(server.fetches(), 1);

    server.serve(Some(named("b")));
    clock.advance_seconds(29);
    let unknown = verifier.verify(token_of("b"), &clock).unwrap_err();
    assert_eq!(reason(&unknown).0, Refusal::KeyUnknown.code());
    assert_eq!(server.fetches(), 1, "within the interval nothing is fetched");
    clock.advance_seconds(1);
    verifier.verify(token_of("b"), &clock).unwrap();
    assert_eq!(server.fetches(), 2);
    assert_eq!(reason(&verifier.verify(token_of("a"), &clock).unwrap_err()).0, "key_unknown", "rotated out");

    for kid in 0..100 {
        assert!(verifier.verify(token_of(&kid.to_string()), &clock).is_err());
    }
    assert_eq!(server.fetches(), 2, "a flood of unknown names is no flood of fetches");

    clock.advance_seconds(3600);
    server.serve(Some(named("c")));
    assert!(verifier.verify(token_of("b"), &clock).is_err(), "newer keys are looked for in time");
    assert_eq!(server.fetches(), 3);
}

#[test]
fn old_keys_hold_for_a_while_and_no_longer() {
    let (server, clock) = (Server::new(None), clock());
    let verifier = server.verifier();
    let unavailable = |verifier: &Verifier, kid: &str| {
        let error = verifier.verify(token_of(kid), &clock).unwrap_err();
        assert!(error.kind() == Kind::Unavailable && error.is_retryable());
    };
    unavailable(&verifier, "a");
    unavailable(&verifier, "a");
    assert_eq!(server.fetches(), 1, "failures are not repeated within the interval");
    clock.advance_seconds(30);
    server.serve(Some(named("a")));
    verifier.verify(token_of("a"), &clock).unwrap();

    server.serve(Some(b"<html>sign in</html>".to_vec()));
    clock.advance_seconds(24 * 3600 - 1);
    verifier.verify(token_of("a"), &clock).unwrap();
    clock.advance_seconds(1);
    unavailable(&verifier, "a");
    clock.advance_seconds(30);
    server.serve(Some(named("a")));
    verifier.verify(token_of("a"), &clock).unwrap();

    server.serve(None);
    clock.advance_seconds(30);
    unavailable(&verifier, "b");
    verifier.verify(token_of("a"), &clock).unwrap();
}

#[cfg(feature = "jwks-url")]
#[test]
fn a_url_is_fetched_once_and_redirects_are_not_followed() {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    let answers = [
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", named("a").len()),
        "HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .into(),
        "HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", " ".repeat((1 << 20) + 1)),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let body = if at == 0 { named("a") } else { Vec::new() };
            // The reader may have hung up on an answer that is too long.
            let _ = stream.write_all(&[answer.as_bytes(), &body].concat());
        });
        let keys = safepassage_identity::from_url(&url, CacheSettings::default()).unwrap();
        let verifier = Verifier::new(settings(), keys).unwrap();
        let verified = verifier.verify(token_of("a"), &clock());
        if at == 0 {
            assert_eq!(verified.unwrap().user(), Some("alice"));
            assert!(verifier.verify(token_of("a"), &clock()).is_ok(), "kept");
        } else {
            assert_eq!(verified.unwrap_err().kind(), Kind::Unavailable, "answer {at}");
        }
        server.join().unwrap();
    }
    for url in ["http://idp.example.com/keys", "no url"] {
        assert_eq!(safepassage_identity::from_url(url, CacheSettings::default()).unwrap_err().kind(), Kind::Invalid);
    }
}
