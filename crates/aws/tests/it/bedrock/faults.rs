//! Everything that Bedrock may do instead of answering.

use std::time::Duration;

use safepassage_error::Kind;
use safepassage_models::remote::CallLimits;
use safepassage_models::{Embedder, Purpose};

use super::fake::{Fake, Fault};
use super::{embedder, limits};

/// Which fault of the passing ones, or none: four calls of five are sound, and every text has another lot.
fn drawn(text: &str, attempt: u64) -> Option<Fault> {
    use sha2::{Digest, Sha256};
    let lot = Sha256::digest(format!("bedrock {text} {attempt}").as_bytes());
    // A wait of a second is tried elsewhere, and an answer for one text has no room for a vector too many.
    let drawn = |fault: &Fault| ![Fault::ThrottledFor, Fault::TooMany].contains(fault);
    let passing: Vec<Fault> = Fault::PASSING.into_iter().filter(drawn).collect();
    (lot[0] % 5 == 0).then(|| passing[usize::from(lot[1]) % passing.len()])
}

#[test]
fn every_fault_that_passes_costs_one_more_attempt_and_nothing_else() {
    for fault in Fault::PASSING {
        let bedrock = Fake::start(Box::new(move |_, attempt| (attempt == 0).then_some(fault)));
        for model in ["amazon.titan-embed-text-v2:0", "cohere.embed-v4:0"] {
            if fault == Fault::TooMany && model.starts_with("amazon") {
                continue;
            }
            let embedder = embedder(&bedrock.url, model, Some(256), limits());
            let given = embedder.embed(&[model, "a"], Purpose::Document).unwrap_or_else(|e| panic!("{fault:?}: {e:?}"));
            assert_eq!(given.rows().len(), 2);
            let [calls] = embedder.calls()[..] else { panic!("one route") };
            assert_eq!(calls.attempts, calls.calls + calls.calls, "{fault:?} {model}: {calls:?}");
        }
    }
}

#[test]
fn every_fault_that_stays_ends_with_its_kind() {
    let table = [
        (Fault::Throttled, Kind::Throttled, 3),
        (Fault::Quota, Kind::Throttled, 3),
        (Fault::NotReady, Kind::Unavailable, 3),
        (Fault::Unavailable, Kind::Unavailable, 3),
        (Fault::Internal, Kind::Unavailable, 3),
        (Fault::ModelTimeout, Kind::Unavailable, 3),
        (Fault::ModelError, Kind::Unavailable, 3),
        (Fault::BadGateway, Kind::Unavailable, 3),
        (Fault::Denied, Kind::Denied, 1),
        (Fault::NoSuchModel, Kind::NotFound, 1),
        (Fault::NoJson, Kind::Unavailable, 3),
        (Fault::OtherJson, Kind::Unavailable, 3),
        (Fault::CutOff, Kind::Unavailable, 3),
        (Fault::TooFew, Kind::Unavailable, 3),
        (Fault::TooMany, Kind::Unavailable, 3),
        (Fault::WrongDimension, Kind::Unavailable, 3),
        (Fault::NotFinite, Kind::Unavailable, 3),
        (Fault::Zero, Kind::Unavailable, 3),
        (Fault::Closed, Kind::Unavailable, 3),
        (Fault::Silence, Kind::Unavailable, 3),
    ];
    for (fault, kind, attempts) in table {
        let bedrock = Fake::start(Box::new(move |_, _| Some(fault)));
        let attempt = if fault == Fault::Silence { Duration::from_millis(300) } else { limits().attempt };
        let embedder =
            embedder(&bedrock.url, "cohere.embed-v4:0", Some(256), CallLimits { max_attempts: 3, attempt, ..limits() });
        let error = embedder.embed(&["my salary", "b"], Purpose::Document).unwrap_err();
        assert_eq!((error.kind(), embedder.calls()[0].attempts), (kind, attempts), "{fault:?}: {error:?}");
        assert!(!format!("{error}").contains("salary"), "{error}");
        println!("| {fault:?} | {} | {attempts} | {error} |", kind.name());
    }
}

#[test]
fn one_call_in_five_fails_and_every_text_is_embedded_once() {
    const TEXTS: usize = 10_000;
    let bedrock = Fake::start(Box::new(drawn));
    let texts: Vec<String> = (0..TEXTS).map(|n| format!("passage {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let limits = CallLimits { max_attempts: 10, ..limits() };
    let embedder = embedder(&bedrock.url, "amazon.titan-embed-text-v2:0", Some(256), limits);
    let mut given = vec![0; TEXTS];
    let kept = embedder
        .embed_each(&texts, Purpose::Document, &mut |at, _| {
            given[at] += 1;
            Ok(())
        })
        .unwrap();
    assert!(given.iter().all(|&times| times == 1) && kept.refused.is_empty() && kept.truncated.is_empty());
    let seen = bedrock.seen();
    // The faults are drawn by text and attempt, so what must have been sent is known.
    let attempts = |text: &str| (0..).find(|&attempt| drawn(text, attempt).is_none()).unwrap() + 1;
    let wanted: u64 = texts.iter().map(|text| attempts(text)).sum();
    let [calls] = embedder.calls()[..] else { panic!("one route") };
    assert_eq!((calls.calls, calls.attempts, seen.requests.values().sum::<u64>()), (TEXTS as u64, wanted, wanted));
    let paid: u64 = seen.paid.values().sum();
    let charged = |text: &&str| {
        (0..attempts(text)).filter(|&attempt| !drawn(text, attempt).is_some_and(uncharged)).count() as u64
    };
    assert_eq!(paid, texts.iter().map(charged).sum::<u64>());
    println!("{TEXTS} texts, {wanted} requests ({:.3} a text), {paid} charged", wanted as f64 / TEXTS as f64);
}

/// Faults before anything was computed.
fn uncharged(fault: Fault) -> bool {
    use Fault::{BadGateway, Closed, Internal, ModelError, ModelTimeout, NotReady, Quota, Throttled, Unavailable};
    [Throttled, Quota, NotReady, Unavailable, Internal, ModelTimeout, ModelError, BadGateway, Closed].contains(&fault)
}
