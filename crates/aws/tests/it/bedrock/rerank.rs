//! Passages, as both rerankers take them.

use safepassage_aws::bedrock::BedrockReranker;
use safepassage_error::Kind;
use safepassage_models::Reranker;
use safepassage_models::remote::{CallLimits, Caller, RemoteReranker};

use super::fake::{Fake, Fault, score};
use super::{account, entry, limits};

const MODELS: [&str; 2] = ["cohere.rerank-v3-5:0", "amazon.rerank-v1:0"];

fn reranker(url: &str, model: &str, limits: CallLimits) -> RemoteReranker {
    let arn = format!("arn:aws:bedrock:eu-central-1::foundation-model/{model}");
    BedrockReranker::open(&entry(url, model, Some(&arn)), account(url).keys, Caller::new(limits).unwrap()).unwrap()
}

#[test]
fn every_passage_has_its_score_in_the_order_of_the_passages() {
    let passages: Vec<String> = (0..250).map(|n| format!("red {} fox", "blue ".repeat(n % 7))).collect();
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    for model in MODELS {
        let bedrock = Fake::sound();
        let reranker = reranker(&bedrock.url, model, limits());
        assert_eq!(reranker.name(), format!("bedrock:{model}"));
        let wanted: Vec<f32> = passages.iter().map(|text| score("a blue fox", text)).collect();
        assert_eq!(reranker.checked_scores("a blue fox", &passages).unwrap(), wanted);
        assert_eq!(reranker.scores("a blue fox", &[]).unwrap(), [] as [f32; 0]);
        assert_eq!((bedrock.seen().requests.values().sum::<u64>(), bedrock.seen().refused.len()), (3, 0));
    }
}

#[test]
fn an_answer_that_lacks_or_repeats_a_passage_is_no_answer() {
    let table = [
        (Fault::TooFew, Kind::Unavailable, 2),
        (Fault::TooMany, Kind::Unavailable, 2),
        (Fault::WrongDimension, Kind::Unavailable, 2),
        (Fault::NotFinite, Kind::Unavailable, 2),
        (Fault::OtherJson, Kind::Unavailable, 2),
        (Fault::CutOff, Kind::Unavailable, 2),
        (Fault::Throttled, Kind::Throttled, 2),
        (Fault::Denied, Kind::Denied, 1),
    ];
    for (fault, kind, attempts) in table {
        let bedrock = Fake::start(Box::new(move |_, _| Some(fault)));
        let reranker = reranker(&bedrock.url, MODELS[0], CallLimits { max_attempts: 2, ..limits() });
        let error = reranker.scores("fox", &["fox", "hen"]).unwrap_err();
        assert_eq!((error.kind(), bedrock.seen().requests["fox"]), (kind, attempts), "{fault:?}: {error:?}");
    }
}

#[test]
fn only_rerankers_are_opened() {
    let caller = Caller::new(limits()).unwrap();
    let error =
        BedrockReranker::open(&entry("http://127.0.0.1:1", "cohere.embed-v4:0", None), None, caller).unwrap_err();
    assert!(error.message().contains("`cohere.embed-v4:0` is not"), "{error}");
}
