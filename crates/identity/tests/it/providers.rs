//! What the common providers send, and groups that a resolver adds.

use safepassage_access::Principal;
use safepassage_error::{Error, Kind};
use safepassage_identity::{
    Algorithm, ClaimMapping, GroupFile, KeySet, Refusal, ScimGroups, Verifier, VerifierSettings,
};
use serde_json::{Value, json};

use crate::support::*;

const ENTRA: &str = "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0";

fn mapped(issuer: &str, mapping: &str) -> VerifierSettings {
    VerifierSettings { issuer: issuer.into(), mapping: serde_json::from_str(mapping).unwrap(), ..settings() }
}

fn entra(changes: Value) -> Value {
    let mut all = json!({"iss": ENTRA, "sub": "pairwise", "oid": "11111111-aaaa", "groups": ["g-1", "g-2"],
        "tid": "9122040d-6c67-4c5b-b112-36a304b66dad", "ver": "2.0", "nbf": NOW - 300});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    with(all)
}

#[test]
fn plain_oidc_and_nested_paths() {
    let plain = verify(settings(), &claims()).unwrap();
    let want = [
        "public",
        "everyone",
        "https://login.example.com/|user:alice",
        "https://login.example.com/|group:hr",
        "https://login.example.com/|group:staff",
    ];
    assert_eq!(principals(&plain), want);
    assert!(plain.groups_complete());
    assert_eq!(plain.expires_at().0, (NOW + 600) * 1000);
    assert_eq!(plain.clearance(), None);

    let keycloak = mapped(
        ISSUER,
        r#"{"groups": ["realm_access.roles", ["https://example.com/groups"], "/resource_access/my.app/roles"]}"#,
    );
    let all = json!({"realm_access": {"roles": ["r"]}, "https://example.com/groups": ["g"], "resource_access": {"my.app": {"roles": ["a"]}}});
    let identity = verify(keycloak.clone(), &with(all.clone())).unwrap();
    assert!(identity.groups_complete());
    for group in ["r", "g", "a"] {
        assert!(principals(&identity).contains(&format!("{ISSUER}|group:{group}")));
    }
    for missing in ["realm_access", "https://example.com/groups", "resource_access"] {
        let mut some = all.clone();
        some.as_object_mut().unwrap().remove(missing);
        assert!(!verify(keycloak.clone(), &with(some)).unwrap().groups_complete(), "{missing}");
    }
    assert!(verify(settings(), &with(json!({"aud": ["other", AUDIENCE]}))).is_ok());
}

#[test]
fn missing_groups_are_incomplete_unless_the_mapping_says_none() {
    let none = json!({"groups": null});
    assert!(!verify(settings(), &with(none.clone())).unwrap().groups_complete());
    let settings = mapped(ISSUER, r#"{"missing_groups": "none"}"#);
    assert!(verify(settings.clone(), &with(none)).unwrap().groups_complete());
    let truncated = json!({"groups": null, "hasgroups": true});
    assert!(!verify(settings, &with(truncated)).unwrap().groups_complete());
    let without = mapped(ISSUER, r#"{"groups": []}"#);
    assert!(!verify(without, &claims()).unwrap().groups_complete());
}

#[test]
fn entra_users_are_oids_of_the_issuers_directory() {
    let settings = mapped(ENTRA, r#""entra""#);
    let identity = verify(settings.clone(), &entra(json!({}))).unwrap();
    assert_eq!((identity.user(), identity.groups_complete()), (Some("11111111-aaaa"), true));
    for (changes, refusal, claim) in [
        (json!({"tid": "another"}), Refusal::ClaimValue, "tid"),
        (json!({"tid": "v2.0x"}), Refusal::ClaimValue, "tid"),
        (json!({"tid": "login.microsoftonline.com"}), Refusal::ClaimValue, "tid"),
        (json!({"tid": ""}), Refusal::ClaimValue, "tid"),
        (json!({"tid": null}), Refusal::ClaimMissing, "tid"),
        (json!({"oid": null}), Refusal::ClaimMissing, "oid"),
    ] {
        let error = verify(settings.clone(), &entra(changes.clone())).unwrap_err();
        assert_eq!(reason(&error), (refusal.code(), claim), "{changes}");
    }
}

#[test]
fn entra_groups_beyond_the_limit_are_incomplete() {
    let overage = [
        json!({"groups": null, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example/me"}}}),
        json!({"groups": null, "hasgroups": true}),
        json!({"hasgroups": "true"}),
        json!({"_claim_names": {"groups": "src1"}}),
        json!({"groups": null}),
    ];
    for changes in overage {
        let identity = verify(mapped(ENTRA, r#""entra""#), &entra(changes.clone())).unwrap();
        assert!(!identity.groups_complete(), "{changes}");
    }
    let unrelated = json!({"_claim_names": {"address": "src1"}, "hasgroups": false});
    assert!(verify(mapped(ENTRA, r#""entra""#), &entra(unrelated)).unwrap().groups_complete());
}

#[test]
fn cognito_tokens_are_for_one_use() {
    let id = mapped(ISSUER, r#""cognito""#);
    let access = mapped(ISSUER, r#""cognito-access""#);
    let id_token = with(json!({"token_use": "id", "groups": null, "cognito:groups": ["hr"]}));
    let access_token = with(json!({"token_use": "access", "aud": null, "client_id": AUDIENCE, "groups": null}));
    let identity = verify(id.clone(), &id_token).unwrap();
    assert!(principals(&identity).contains(&format!("{ISSUER}|group:hr")));
    assert!(verify(access.clone(), &access_token).unwrap().groups_complete());
    assert_eq!(reason(&verify(id.clone(), &access_token).unwrap_err()), ("claim_missing", "aud"));
    assert_eq!(reason(&verify(access, &id_token).unwrap_err()), ("claim_missing", "client_id"));
    let mixed = with(json!({"token_use": "access"}));
    assert_eq!(reason(&verify(id, &mixed).unwrap_err()), ("claim_value", "token_use"));
}

#[test]
fn okta_users_have_one_id_in_both_kinds_of_tokens() {
    let okta = mapped(ISSUER, r#""okta""#);
    let user = |claims: Value| verify(okta.clone(), &with(claims)).unwrap().user().map(String::from);
    assert_eq!(user(json!({"sub": "00u1"})).as_deref(), Some("00u1"));
    assert_eq!(user(json!({"sub": "alice@example.com", "uid": "00u1"})).as_deref(), Some("00u1"));
    let wrong = verify(okta.clone(), &with(json!({"uid": 1}))).unwrap_err();
    assert_eq!(reason(&wrong), ("claim_type", "uid"));
}

#[test]
fn one_group_name_under_two_issuers_is_two_groups() {
    let here = verify(settings(), &claims()).unwrap();
    let there =
        verify(mapped("https://other.example/", r#""oidc""#), &with(json!({"iss": "https://other.example/"}))).unwrap();
    let groups = |identity: &safepassage_access::Identity| {
        identity.principals().into_iter().filter(Principal::is_group).collect::<Vec<_>>()
    };
    assert!(groups(&here).iter().all(|group| !groups(&there).contains(group)));
    assert_ne!(here.digest(), there.digest());
}

#[test]
fn only_an_issuer_that_is_said_to_be_local_is() {
    let local = VerifierSettings { local_issuer: true, ..settings() };
    let file = GroupFile::from_json(None, br#"{"hr": ["people"]}"#).unwrap();
    let identity = verifier(local).with_groups(file).verify(token(&claims()), &clock()).unwrap();
    assert_eq!(principals(&identity), ["public", "everyone", "user:alice", "group:hr", "group:people", "group:staff"]);
}

/// The fixture is what its README says: signed by a key that everybody knows.
#[test]
fn the_fixture_is_a_token_of_the_known_key() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokens/");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    let claims = r#"{"iss":"https://login.example.com/","aud":"safepassage","sub":"alice.keane","groups":["hr","leadership"],"iat":1767225600,"exp":4102444800}"#;
    let header = r#"{"alg":"EdDSA","typ":"JWT","kid":"example-1"}"#;
    assert_eq!(read("alice.jwt").trim(), sign(header, claims, &keys().ed.signing, Algorithm::EdDSA));
    let keys = KeySet::from_jwks(read("jwks.json").as_bytes()).unwrap();
    let settings = VerifierSettings::from_json(read("verifier.json").as_bytes()).unwrap();
    let identity = Verifier::new(settings, keys).unwrap().verify(read("alice.jwt").trim(), &clock()).unwrap();
    assert_eq!(identity.user(), Some("alice.keane"));
}

#[test]
fn resolvers_add_groups_and_fail_closed() {
    let verifier = || verifier(settings());
    let file = GroupFile::from_json(Some(ISSUER), br#"{"hr": ["people"], "people": ["all", "hr"]}"#).unwrap();
    let identity = verifier().with_groups(file).verify(token(&claims()), &clock()).unwrap();
    assert!(principals(&identity).contains(&format!("{ISSUER}|group:all")));

    let of_another_issuer = GroupFile::from_json(None, br#"{"hr": ["people"]}"#).unwrap();
    let error = verifier().with_groups(of_another_issuer).verify(token(&claims()), &clock()).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);

    let down = |_: &Principal| Err(Error::new(Kind::Unavailable, "look up", "no answer"));
    let error = verifier().with_groups(down).verify(token(&claims()), &clock()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);

    let endless = |member: &Principal| Ok(vec![format!("{member}+")]);
    let error = verifier().with_groups(endless).verify(token(&claims()), &clock()).unwrap_err();
    assert_eq!((error.kind(), reason(&error).0), (Kind::Denied, "groups_too_deep"));

    let scim = ScimGroups::from_json(Some(ISSUER), br#"{"Resources": [{"id": "g", "members": [{"value": "alice"}]}]}"#);
    let scim = scim.unwrap().knowing_users();
    let truncated = token(&with(json!({"groups": null, "hasgroups": true})));
    let identity = verifier().with_groups(scim).verify(truncated, &clock()).unwrap();
    assert!(identity.groups_complete() && principals(&identity).contains(&format!("{ISSUER}|group:g")));
}

#[test]
fn attributes_keep_their_types() {
    let mapping =
        r#"{"attributes": {"level": "profile.level", "tags": "tags", "boss": "boss", "name": "name", "none": "none"}}"#;
    let identity = |claims: Value| verify(mapped(ISSUER, mapping), &with(claims)).unwrap();
    let all = json!({"profile": {"level": 3}, "tags": ["a", "b"], "boss": true, "name": "Alice"});
    assert_ne!(identity(all.clone()).digest(), identity(json!({})).digest());
    assert_eq!(identity(all.clone()).digest(), identity(all).digest());
}

#[test]
fn settings_that_cannot_be_used_are_invalid() {
    let good = json!({"issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": ["RS256", "PS512"]});
    let read = |changes: Value| {
        let mut all = good.as_object().unwrap().clone();
        all.extend(changes.as_object().unwrap().clone());
        VerifierSettings::from_json(&serde_json::to_vec(&all).unwrap())
            .and_then(|settings| settings.check().map(|()| settings))
    };
    let settings = read(json!({})).unwrap();
    assert_eq!(settings.mapping, ClaimMapping::oidc());
    let again = VerifierSettings::from_json(&serde_json::to_vec(&settings).unwrap()).unwrap();
    assert_eq!(again, settings);
    for changes in [
        json!({"issuer": ""}),
        json!({"issuer": "https://user:1@idp/"}),
        json!({"audiences": []}),
        json!({"audiences": [""]}),
        json!({"algorithms": []}),
        json!({"algorithms": ["none"]}),
        json!({"algorithms": ["RS256", "HS256"]}),
        json!({"algorithms": ["RS256", "ES256"]}),
        json!({"leeway_seconds": 301}),
        json!({"leeway_seconds": -1}),
        json!({"max_token_bytes": 1_048_577}),
        json!({"audience": "typo"}),
        json!({"mapping": "keycloak"}),
        json!({"mapping": {"user": []}}),
        json!({"tenant": "acme", "mapping": {"tenant": "org"}}),
    ] {
        assert_eq!(read(changes.clone()).unwrap_err().kind(), Kind::Invalid, "{changes}");
    }
    assert!(VerifierSettings::from_json(b"[\"i\", [\"a\"], [\"RS256\"]]").is_err());
}
