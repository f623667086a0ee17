//! Lines are read back as they were written, and whatever else is read is an error.

use proptest::prelude::*;
use safepassage_audit::{Entry, Line};
use safepassage_error::Kind;

use crate::faulty::FaultyFolder;
use crate::{lines, open, search};

#[test]
fn a_line_says_everything_in_the_contract() {
    let folder = FaultyFolder::empty();
    let log = open(&folder);
    let entry = Entry {
        tenant: Some(String::new()),
        issuer: Some("idp".into()),
        identity: Some("ab".into()),
        acl_epoch: Some(7),
        generation: Some(3),
        plan: Some("scan".into()),
        k: Some(10),
        reason: Some("a line\nfeed and a \"quote\" \u{2028}".into()),
        query_sha256: Some(log.query_digest(b"x").unwrap_or_default()),
        ..search("ålice", &["memo", "hand\"book"])
    };
    log.append(vec![entry.clone()]).unwrap();
    let read = lines(&log).pop().unwrap();
    assert_eq!(read.entry, entry);
    assert_eq!((read.seq, &*read.time), (2, "2027-01-15T08:00:00Z"));
    let files = folder.files();
    let text = String::from_utf8(files.live["audit/00000001.jsonl"].clone()).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let keys: Vec<&String> = last.as_object().unwrap().keys().collect();
    for key in ["seq", "time", "action", "tenant", "issuer", "user", "identity", "acl_epoch", "generation", "documents"]
    {
        assert!(keys.contains(&&key.to_owned()), "{key}");
    }
    for key in ["plan", "k", "hits", "outcome", "reason", "query_sha256", "prev", "hash"] {
        assert!(keys.contains(&&key.to_owned()), "{key}");
    }
    assert_eq!(text.lines().count(), 2, "whatever is in a field, a line is one line");
}

#[test]
fn the_same_question_has_another_digest_in_another_log() {
    let digests = [1, 2].map(|_| {
        let log = open(&FaultyFolder::empty());
        log.append(vec![search("alice", &[])]).unwrap();
        let digest = log.query_digest(b"salary?").unwrap();
        assert_eq!(log.query_digest(b"salary?").unwrap(), digest);
        assert_ne!(log.query_digest(b"salary").unwrap(), digest);
        digest
    });
    assert_ne!(digests[0], digests[1]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_an_error_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(Line::parse(&bytes).unwrap_err().kind(), Kind::Corrupted);
    }

    #[test]
    fn what_ends_like_a_line_is_held_to_its_content(body in "[ -~]{0,80}", digits in "[0-9a-f]{64}") {
        let line = format!("{{{body},\"hash\":\"{digits}\"}}");
        prop_assert!(Line::parse(line.as_bytes()).is_err());
        // With the right hash it is the JSON that decides.
        let body = format!("{{{body}");
        let hash = safepassage_audit::Digest::of(&[body.as_bytes()]);
        let line = format!("{body},\"hash\":\"{hash}\"}}");
        prop_assert!(Line::parse(line.as_bytes()).is_err());
    }

    #[test]
    fn a_folder_of_arbitrary_files_is_an_error_and_no_panic(
        log in proptest::collection::vec(any::<u8>(), 0..300), head in proptest::collection::vec(any::<u8>(), 0..600)
    ) {
        let files = [("audit/00000001.jsonl", log), ("audit/head", head), ("audited", Vec::new())];
        let folder = FaultyFolder::new(files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect());
        let log = open(&folder);
        prop_assert!(log.verify(None).is_err());
        prop_assert!(log.standing().is_err());
        prop_assert!(log.append(vec![search("eve", &[])]).is_err());
        prop_assert!(log.mend("try").is_err());
    }

    #[test]
    fn any_text_survives(user in any::<String>(), ids in proptest::collection::vec(any::<String>(), 0..5)) {
        let log = open(&FaultyFolder::empty());
        let documents: Vec<&str> = ids.iter().map(String::as_str).collect();
        log.append(vec![search(&user, &documents)]).unwrap();
        let line = lines(&log).pop().unwrap();
        prop_assert_eq!(line.entry.user, Some(user));
        prop_assert_eq!(line.entry.documents, Some(ids));
    }
}
