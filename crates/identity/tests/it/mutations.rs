//! No change of a token verifies as anything.

use proptest::prelude::*;
use safepassage_error::Kind;

use crate::support::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_token_with_a_byte_changed_is_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut token = token(&claims()).into_bytes();
        let at = at.index(token.len());
        prop_assume!(token[at] != byte);
        token[at] = byte;
        let error = verifier(settings()).verify(&token, &clock()).unwrap_err();
        prop_assert_eq!(error.kind(), Kind::Denied);
        prop_assert!(!reason(&error).0.is_empty());
    }

    #[test]
    fn a_token_cut_spliced_or_doubled_is_refused(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), into in any::<prop::sample::Index>()) {
        let token = token(&claims()).into_bytes();
        let (from, to) = (from.index(token.len()), to.index(token.len()));
        let piece = token[from.min(to)..from.max(to)].to_vec();
        let mut changed = token.clone();
        let into = into.index(token.len());
        changed.splice(into..(into + piece.len() / 2).min(token.len()), piece);
        prop_assume!(changed != token);
        prop_assert_eq!(verifier(settings()).verify(&changed, &clock()).unwrap_err().kind(), Kind::Denied);
    }

    #[test]
    fn any_bytes_are_refused(token in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(verifier(settings()).verify(&token, &clock()).unwrap_err().kind(), Kind::Denied);
    }

    #[test]
    fn any_signed_claims_are_read_or_refused(payload in "[{}\\[\\]\":,a-e0-9. ]{0,40}") {
        let header = r#"{"alg":"EdDSA","kid":"ed-1"}"#;
        let token = sign(header, payload, &keys_ed().signing, safepassage_identity::Algorithm::EdDSA);
        prop_assert_eq!(verifier(settings()).verify(&token, &clock()).unwrap_err().kind(), Kind::Denied);
    }
}

fn keys_ed() -> &'static Pair {
    &keys().ed
}
