//! The table of attacks: every token that must be refused, with the kind and the reason.

use jsonwebtoken::EncodingKey;
use safepassage_error::Kind;
use safepassage_identity::{Algorithm, KeySet, Refusal, Verifier, VerifierSettings};
use serde_json::{Value, json};

use crate::support::*;

/// The issuer signs by RSA; its key set has more than the verifier may use.
fn rsa_verifier() -> Verifier {
    let keys = keys();
    let as_kid = |jwk: &Value, changes: Value| {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        jwk
    };
    let set = key_set(&[
        &keys.rsa.jwk,
        &keys.p256.jwk,
        &as_kid(&keys.rsa.jwk, json!({"kid": "for-encryption", "use": "enc"})),
        &as_kid(&keys.rsa.jwk, json!({"kid": "not-to-verify", "key_ops": ["encrypt"]})),
        &as_kid(&keys.rsa.jwk, json!({"kid": "of-ps256", "alg": "PS256"})),
        &as_kid(&keys.rsa.jwk, json!({"kid": "of-encryption", "alg": "RSA-OAEP"})),
        &json!({"kty": "oct", "kid": "shared", "k": encode([7; 32])}),
        &json!({"kty": "RSA", "kid": "weak", "n": encode([0xff; 128]), "e": "AQAB"}),
    ]);
    let settings = VerifierSettings::new(ISSUER, AUDIENCE, [Algorithm::RS256, Algorithm::RS384]);
    Verifier::new(settings, KeySet::from_jwks(&set).unwrap()).unwrap()
}

const HEADER: &str = r#"{"alg":"RS256","typ":"JWT","kid":"rsa-1"}"#;

fn by_rsa(header: &str, payload: impl AsRef<[u8]>) -> Vec<u8> {
    sign(header, payload, &keys().rsa.signing, Algorithm::RS256).into_bytes()
}

fn header_attacks(good: &str) -> Vec<(&'static str, Vec<u8>, Refusal)> {
    let claims = claims().to_string();
    let keys = keys();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let payload = good.split('.').nth(1).unwrap();
    let unsigned = |header: &str| format!("{}.{payload}.", encode(header)).into_bytes();
    let by = |header: &str, key: &EncodingKey, algorithm| sign(header, &claims, key, algorithm).into_bytes();
    let header = |header: &str| by_rsa(header, &claims);
    let rsa_as_secret = EncodingKey::from_secret(&keys.rsa_public_der);
    let modulus_as_secret = EncodingKey::from_secret(keys.rsa.jwk["n"].as_str().unwrap().as_bytes());
    let set_secret = EncodingKey::from_secret(&[7; 32]);
    let embedded = json!({"alg": "RS256", "kid": "rsa-1", "jwk": keys.other_rsa.jwk}).to_string();
    vec![
        ("alg none", unsigned(r#"{"alg":"none","kid":"rsa-1"}"#), Refusal::Algorithm),
        ("alg None", unsigned(r#"{"alg":"None","kid":"rsa-1"}"#), Refusal::Algorithm),
        ("alg nOnE", unsigned(r#"{"alg":"nOnE","kid":"rsa-1"}"#), Refusal::Algorithm),
        (
            "alg none, signature kept",
            format!("{}.{payload}.{}", encode(r#"{"alg":"none"}"#), good.rsplit('.').next().unwrap()).into(),
            Refusal::Algorithm,
        ),
        ("alg missing", header(r#"{"kid":"rsa-1"}"#), Refusal::Algorithm),
        ("alg null", header(r#"{"alg":null,"kid":"rsa-1"}"#), Refusal::Algorithm),
        ("alg as list", header(r#"{"alg":["RS256"],"kid":"rsa-1"}"#), Refusal::Algorithm),
        ("alg in lower case", header(r#"{"alg":"rs256","kid":"rsa-1"}"#), Refusal::Algorithm),
        (
            "alg of the family, not listed",
            by(r#"{"alg":"RS512","kid":"rsa-1"}"#, &keys.rsa.signing, Algorithm::RS512),
            Refusal::Algorithm,
        ),
        (
            "HS256 with the public key as DER",
            by(r#"{"alg":"HS256","kid":"rsa-1"}"#, &rsa_as_secret, Algorithm::HS256),
            Refusal::Algorithm,
        ),
        (
            "HS256 with the modulus",
            by(r#"{"alg":"HS256","kid":"rsa-1"}"#, &modulus_as_secret, Algorithm::HS256),
            Refusal::Algorithm,
        ),
        (
            "HS256 with the set's shared secret",
            by(r#"{"alg":"HS256","kid":"shared"}"#, &set_secret, Algorithm::HS256),
            Refusal::Algorithm,
        ),
        (
            "ES256 by the set's own key",
            by(r#"{"alg":"ES256","kid":"p256-1"}"#, &keys.p256.signing, Algorithm::ES256),
            Refusal::Algorithm,
        ),
        ("HS256 that says RS256", sign(HEADER, &claims, &rsa_as_secret, Algorithm::HS256).into(), Refusal::Signature),
        ("RS256, the key's alg being another", header(r#"{"alg":"RS256","kid":"of-ps256"}"#), Refusal::KeyMismatch),
        (
            "RS384, the key's alg being RS256",
            by(r#"{"alg":"RS384","kid":"rsa-1"}"#, &keys.rsa.signing, Algorithm::RS384),
            Refusal::KeyMismatch,
        ),
        ("a key for encryption by its alg", header(r#"{"alg":"RS256","kid":"of-encryption"}"#), Refusal::KeyMismatch),
        ("a key for encryption by its use", header(r#"{"alg":"RS256","kid":"for-encryption"}"#), Refusal::KeyMismatch),
        ("a key that must not verify", header(r#"{"alg":"RS256","kid":"not-to-verify"}"#), Refusal::KeyMismatch),
        ("a key of another type", header(r#"{"alg":"RS256","kid":"p256-1"}"#), Refusal::KeyMismatch),
        ("the shared secret's name", header(r#"{"alg":"RS256","kid":"shared"}"#), Refusal::KeyMismatch),
        ("a key of 1024 bits", header(r#"{"alg":"RS256","kid":"weak"}"#), Refusal::KeyMismatch),
        (
            "another issuer's key under our name",
            by(HEADER, &keys.other_rsa.signing, Algorithm::RS256),
            Refusal::Signature,
        ),
        (
            "another issuer's key",
            by(r#"{"alg":"RS256","kid":"rsa-2"}"#, &keys.other_rsa.signing, Algorithm::RS256),
            Refusal::KeyUnknown,
        ),
        ("no kid, several keys", header(r#"{"alg":"RS256"}"#), Refusal::KeyMissing),
        ("kid empty", header(r#"{"alg":"RS256","kid":""}"#), Refusal::KeyUnknown),
        ("kid null", header(r#"{"alg":"RS256","kid":null}"#), Refusal::KeyUnknown),
        ("kid as number", header(r#"{"alg":"RS256","kid":1}"#), Refusal::KeyUnknown),
        ("kid as path", header(r#"{"alg":"RS256","kid":"../../dev/null"}"#), Refusal::KeyUnknown),
        ("kid as query", header(r#"{"alg":"RS256","kid":"x' UNION SELECT 'k"}"#), Refusal::KeyUnknown),
        ("kid with a zero byte", header(r#"{"alg":"RS256","kid":"rsa-1\u0000"}"#), Refusal::KeyUnknown),
        ("kid too long", header(&json!({"alg": "RS256", "kid": "k".repeat(257)}).to_string()), Refusal::KeyUnknown),
        ("two kids", header(r#"{"alg":"RS256","kid":"rsa-1","kid":"rsa-2"}"#), Refusal::Duplicate),
        ("two algs", header(r#"{"alg":"RS256","alg":"none","kid":"rsa-1"}"#), Refusal::Duplicate),
        ("two algs, one escaped", header(r#"{"alg":"RS256","\u0061lg":"none","kid":"rsa-1"}"#), Refusal::Duplicate),
        ("crit", header(r#"{"alg":"RS256","kid":"rsa-1","crit":["exp"],"exp":1}"#), Refusal::HeaderCritical),
        ("crit empty", header(r#"{"alg":"RS256","kid":"rsa-1","crit":[]}"#), Refusal::HeaderCritical),
        ("jku", header(r#"{"alg":"RS256","kid":"rsa-1","jku":"https://evil.example/keys"}"#), Refusal::HeaderKey),
        ("x5u", header(r#"{"alg":"RS256","kid":"rsa-1","x5u":"https://evil.example/chain"}"#), Refusal::HeaderKey),
        ("x5c", header(r#"{"alg":"RS256","kid":"rsa-1","x5c":["MIIB"]}"#), Refusal::HeaderKey),
        ("a key of its own", by(&embedded, &keys.other_rsa.signing, Algorithm::RS256), Refusal::HeaderKey),
        ("b64 false", header(r#"{"alg":"RS256","kid":"rsa-1","b64":false}"#), Refusal::HeaderType),
        ("compressed", header(r#"{"alg":"RS256","kid":"rsa-1","zip":"DEF"}"#), Refusal::HeaderType),
        ("encrypted", header(r#"{"alg":"RS256","kid":"rsa-1","enc":"A128GCM"}"#), Refusal::HeaderType),
        ("a token within a token", header(r#"{"alg":"RS256","kid":"rsa-1","cty":"JWT"}"#), Refusal::HeaderType),
        ("a logout token", header(r#"{"alg":"RS256","kid":"rsa-1","typ":"logout+jwt"}"#), Refusal::HeaderType),
        ("a proof of possession", header(r#"{"alg":"RS256","kid":"rsa-1","typ":"dpop+jwt"}"#), Refusal::HeaderType),
        ("typ as number", header(r#"{"alg":"RS256","kid":"rsa-1","typ":1}"#), Refusal::HeaderType),
        ("header as list", header(r#"["RS256"]"#), Refusal::Json),
        ("header not JSON", header("RS256"), Refusal::Json),
        ("header with a tail", header(r#"{"alg":"RS256","kid":"rsa-1"}{}"#), Refusal::Json),
        ("signature cut off", format!("{signed}.").into(), Refusal::Signature),
        ("signature missing", signed.into(), Refusal::Form),
    ]
}

fn form_attacks(good: &str) -> Vec<(&'static str, Vec<u8>, Refusal)> {
    let claims = claims();
    let parts: Vec<&str> = good.split('.').collect();
    let payload = |payload: &[u8]| by_rsa(HEADER, payload);
    let text = claims.to_string();
    let forged = with(json!({"sub": "root"})).to_string();
    let twice = |extra: &str| payload(text.replacen('{', &format!("{{{extra},"), 1).as_bytes());
    let nested = format!("{{\"a\":{}{}}}", "[".repeat(60), "]".repeat(60));
    vec![
        ("empty", vec![], Refusal::Form),
        ("dots only", b"..".to_vec(), Refusal::Json),
        ("one part", b"abc".to_vec(), Refusal::Form),
        ("four parts", format!("{good}.x").into(), Refusal::Form),
        ("five parts, as encrypted tokens have", format!("{good}.x.y").into(), Refusal::Form),
        ("JSON serialization", json!({"payload": parts[1], "signature": parts[2]}).to_string().into(), Refusal::Form),
        ("truncated", good[..good.len() - 22].into(), Refusal::Signature),
        ("truncated by a character", good[..good.len() - 1].into(), Refusal::Encoding),
        ("payload of another", format!("{}.{}.{}", parts[0], encode(&forged), parts[2]).into(), Refusal::Signature),
        ("padding", format!("{good}==").into(), Refusal::Encoding),
        ("padding in the header", format!("{}=.{}.{}", parts[0], parts[1], parts[2]).into(), Refusal::Encoding),
        ("plain base64", format!("{}+.{}.{}", parts[0], parts[1], parts[2]).into(), Refusal::Encoding),
        ("space before", format!(" {good}").into(), Refusal::Encoding),
        ("line feed after", format!("{good}\n").into(), Refusal::Encoding),
        ("garbage after", format!("{good}%00").into(), Refusal::Encoding),
        ("Bearer before", format!("Bearer {good}").into(), Refusal::Encoding),
        ("bytes that are no text", [good.as_bytes(), &[0xff, 0xfe]].concat(), Refusal::Encoding),
        ("longer than is taken", format!("{good}{}", "A".repeat(32 << 10)).into(), Refusal::Size),
        ("claims not UTF-8", payload(b"{\"sub\":\"\xff\"}"), Refusal::Json),
        ("claims as list", payload(b"[]"), Refusal::Json),
        ("claims empty", payload(b""), Refusal::Json),
        ("claims twice", payload(format!("{text}{text}").as_bytes()), Refusal::Json),
        ("sub twice", twice(r#""sub":"root""#), Refusal::Duplicate),
        ("exp twice", twice(r#""exp":9999999999"#), Refusal::Duplicate),
        ("groups twice", twice(r#""groups":["admin"]"#), Refusal::Duplicate),
        ("a name twice, deep within", twice(r#""x":{"y":[{"z":1,"z":2}]}"#), Refusal::Duplicate),
        ("nested deep", payload(nested.as_bytes()), Refusal::Depth),
    ]
}

#[test]
fn forged_tokens_are_refused_with_the_right_reason() {
    let verifier = rsa_verifier();
    let good = String::from_utf8(by_rsa(HEADER, claims().to_string())).unwrap();
    assert_eq!(verifier.verify(&good, &clock()).unwrap().user(), Some("alice"));
    let attacks = [header_attacks(&good), form_attacks(&good)].concat();
    assert!(attacks.len() >= 75, "{}", attacks.len());
    for (name, token, refusal) in attacks {
        let error = verifier.verify(&token, &clock()).expect_err(name);
        assert_eq!((error.kind(), reason(&error).0), (Kind::Denied, refusal.code()), "{name}");
    }
}

#[test]
fn claims_that_do_not_hold_are_refused_with_reason_and_claim() {
    let many: Vec<String> = (0..2049).map(|group| group.to_string()).collect();
    let attacks: Vec<(Value, Refusal, &str)> = vec![
        (json!({"iss": null}), Refusal::ClaimMissing, "iss"),
        (json!({"aud": null}), Refusal::ClaimMissing, "aud"),
        (json!({"exp": null}), Refusal::ClaimMissing, "exp"),
        (json!({"sub": null}), Refusal::ClaimMissing, "sub"),
        (json!({"iss": "https://login.example.com"}), Refusal::Issuer, ""),
        (json!({"iss": "https://LOGIN.example.com/"}), Refusal::Issuer, ""),
        (json!({"iss": "https://evil.example/"}), Refusal::Issuer, ""),
        (json!({"iss": [ISSUER]}), Refusal::ClaimType, "iss"),
        (json!({"iss": ""}), Refusal::ClaimValue, "iss"),
        (json!({"aud": "other"}), Refusal::Audience, ""),
        (json!({"aud": "search "}), Refusal::Audience, ""),
        (json!({"aud": []}), Refusal::Audience, ""),
        (json!({"aud": ["a", "b"]}), Refusal::Audience, ""),
        (json!({"aud": [AUDIENCE, 1]}), Refusal::ClaimType, "aud"),
        (json!({"aud": {"search": true}}), Refusal::ClaimType, "aud"),
        (json!({"sub": ""}), Refusal::ClaimValue, "sub"),
        (json!({"sub": 7}), Refusal::ClaimType, "sub"),
        (json!({"sub": ["alice"]}), Refusal::ClaimType, "sub"),
        (json!({"exp": NOW}), Refusal::Expired, ""),
        (json!({"exp": NOW - 1}), Refusal::Expired, ""),
        (json!({"exp": 0}), Refusal::Expired, ""),
        (json!({"exp": -1}), Refusal::ClaimValue, "exp"),
        (json!({"exp": 1e300}), Refusal::ClaimValue, "exp"),
        (json!({"exp": u64::MAX}), Refusal::ClaimValue, "exp"),
        (json!({"exp": (NOW + 600) * 1000}), Refusal::ClaimValue, "exp"),
        (json!({"exp": (NOW + 600).to_string()}), Refusal::ClaimType, "exp"),
        (json!({"exp": true}), Refusal::ClaimType, "exp"),
        (json!({"nbf": NOW + 1}), Refusal::NotYet, ""),
        (json!({"nbf": "0"}), Refusal::ClaimType, "nbf"),
        (json!({"iat": NOW + 61}), Refusal::IssuedLater, ""),
        (json!({"iat": "now"}), Refusal::ClaimType, "iat"),
        (json!({"groups": "admin"}), Refusal::ClaimType, "groups"),
        (json!({"groups": {"admin": true}}), Refusal::ClaimType, "groups"),
        (json!({"groups": ["hr", 1]}), Refusal::ClaimType, "groups"),
        (json!({"groups": ["hr", null]}), Refusal::ClaimType, "groups"),
        (json!({"groups": ["hr", ["admin"]]}), Refusal::ClaimType, "groups"),
        (json!({"groups": ["hr", ""]}), Refusal::ClaimValue, "groups"),
        (json!({"groups": many}), Refusal::GroupsTooMany, ""),
        (json!({"_claim_names": "groups"}), Refusal::ClaimType, "_claim_names"),
        (json!({"level": 3}), Refusal::ClaimType, "level"),
        (json!({"level": ""}), Refusal::ClaimValue, "level"),
        (json!({"org": 3}), Refusal::ClaimType, "org"),
        (json!({"org": null}), Refusal::ClaimMissing, "org"),
        (json!({"age": 1.5}), Refusal::ClaimType, "age"),
        (json!({"age": {"years": 3}}), Refusal::ClaimType, "age"),
        (json!({"age": [1]}), Refusal::ClaimType, "age"),
        (json!({"amr": "pwd"}), Refusal::ClaimValue, "amr"),
        (json!({"amr": null}), Refusal::ClaimMissing, "amr"),
        (json!({"exp": NOW + 3600}), Refusal::Lifetime, ""),
        (json!({"iat": null}), Refusal::ClaimMissing, "iat"),
        (json!({"realm": "x"}), Refusal::ClaimType, "realm > roles"),
    ];
    let settings = VerifierSettings::from_json(
        br#"{"issuer": "https://login.example.com/", "audiences": ["search"], "algorithms": ["EdDSA"],
            "mapping": {"clearance": "level", "tenant": "org", "attributes": {"age": "age"}, "groups": ["groups", "realm.roles"]},
            "require": [{"claim": "amr", "value": "mfa"}], "max_lifetime_seconds": 3600}"#,
    )
    .unwrap();
    let base = json!({"level": "internal", "org": "acme", "age": 7, "amr": "mfa", "realm": {"roles": ["r"]}});
    let changed = |changes: &Value| {
        let mut all = base.as_object().unwrap().clone();
        all.extend(changes.as_object().unwrap().clone());
        with(all.into())
    };
    let taken = verify(settings.clone(), &changed(&json!({}))).unwrap();
    assert_eq!((taken.clearance(), taken.tenant().0.as_ref()), (Some("internal"), "acme"));
    assert!(taken.groups_complete());
    for (changes, refusal, claim) in attacks {
        let error = verify(settings.clone(), &changed(&changes)).expect_err(&changes.to_string());
        assert_eq!((error.kind(), reason(&error)), (Kind::Denied, (refusal.code(), claim)), "{changes}");
    }
}

#[test]
fn nothing_of_the_token_is_repeated() {
    let secret = "the-secret-value";
    for changes in [
        json!({"iss": secret}),
        json!({"aud": secret}),
        json!({"groups": secret}),
        json!({secret: {"a": secret}, "sub": [secret]}),
    ] {
        let error = verify(settings(), &with(changes)).unwrap_err();
        assert!(!format!("{error:?} {error}").contains(secret));
    }
}

#[test]
fn the_leeway_is_met_exactly() {
    let lenient = |seconds| VerifierSettings { leeway_seconds: seconds, ..settings() };
    let taken = |seconds, changes: Value| verify(lenient(seconds), &with(changes));
    for (seconds, changes, refusal) in [
        (0, json!({"exp": NOW + 1}), None),
        (0, json!({"exp": NOW as f64 + 0.5}), None),
        (0, json!({"exp": NOW}), Some(Refusal::Expired)),
        (30, json!({"exp": NOW - 29}), None),
        (30, json!({"exp": NOW - 30}), Some(Refusal::Expired)),
        (0, json!({"nbf": NOW}), None),
        (0, json!({"nbf": NOW as f64 + 0.5}), Some(Refusal::NotYet)),
        (30, json!({"nbf": NOW + 30}), None),
        (30, json!({"nbf": NOW + 31}), Some(Refusal::NotYet)),
        (0, json!({"iat": NOW + 60}), None),
        (0, json!({"iat": NOW + 61}), Some(Refusal::IssuedLater)),
        (30, json!({"iat": NOW + 90}), None),
        (30, json!({"iat": NOW + 91}), Some(Refusal::IssuedLater)),
    ] {
        let found = taken(seconds, changes.clone()).err().map(|error| reason(&error).0.to_owned());
        assert_eq!(found.as_deref(), refusal.map(Refusal::code), "{seconds} {changes}");
    }
    let ends = |seconds| taken(seconds, json!({"exp": NOW + 5})).unwrap().expires_at().0 / 1000;
    assert_eq!((ends(0), ends(30)), (NOW + 5, NOW + 35));
}
