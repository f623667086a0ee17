//! Texts, as every model takes them.

use safepassage_aws::bedrock::{Bedrock, BedrockSettings, Family};
use safepassage_models::{Embedder, Purpose};

use super::fake::{Fake, vector};
use super::{account, called_by, embedder, limits};

fn words(count: usize) -> String {
    "word ".repeat(count).trim_end().to_owned()
}

#[test]
fn every_model_gives_the_vector_of_each_text_in_its_order() {
    let bedrock = Fake::sound();
    let texts: Vec<String> = (0..250).map(|n| format!("text number {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let cohere = Some(("search_document", "search_query"));
    let arn = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.cohere.embed-v4:0";
    for (family, profile, says) in [
        (Family::TitanTextV2, None, None),
        (Family::CohereEnglishV3, None, cohere),
        (Family::CohereMultilingualV3, Some("eu.cohere.embed-multilingual-v3"), cohere),
        (Family::CohereV4, Some(arn), cohere),
        (Family::NovaMultimodal, None, Some(("GENERIC_INDEX", "TEXT_RETRIEVAL"))),
    ] {
        let model = family.model();
        for &dim in family.dims() {
            let embedder = called_by(&bedrock.url, model, profile, Some(dim), limits());
            assert_eq!((embedder.stamp().provider.as_str(), embedder.stamp().model.as_str()), ("bedrock", model));
            assert_eq!(embedder.stamp().dim, dim);
            for purpose in [Purpose::Document, Purpose::Query] {
                let given = embedder.embed(&texts, purpose).unwrap();
                assert_eq!((given.truncated.as_slice(), given.tokens), (&[][..], 250 * 5), "{model}");
                let name = profile.unwrap_or(model).rsplit('/').next().unwrap();
                for (row, text) in given.rows().zip(&texts) {
                    let wanted = match (says, purpose) {
                        (None, _) => vector(&[name, text], dim),
                        (Some((says, _)), Purpose::Document) | (Some((_, says)), Purpose::Query) => {
                            vector(&[name, says, text], dim)
                        }
                    };
                    let cosine: f32 = row.iter().zip(&wanted).map(|(a, b)| a * b).sum();
                    assert!(cosine > 0.999, "{model} {dim} {text}: {cosine}");
                    let length: f32 = row.iter().map(|x| x * x).sum();
                    assert!((length - 1.0).abs() < 1e-5);
                }
            }
        }
    }
    assert_eq!(bedrock.seen().refused, Vec::<String>::new());
}

#[test]
fn batches_are_as_large_as_the_model_takes() {
    let texts: Vec<String> = (0..200).map(|n| format!("text number {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (model, requests) in
        [("cohere.embed-v4:0", 3), ("cohere.embed-english-v3", 3), ("amazon.titan-embed-text-v2:0", 200)]
    {
        let bedrock = Fake::sound();
        embedder(&bedrock.url, model, None, limits()).embed(&texts, Purpose::Document).unwrap();
        let seen = bedrock.seen();
        assert_eq!(seen.requests.values().sum::<u64>(), requests, "{model}");
        assert!(seen.paid.values().all(|&paid| paid == 1) && seen.paid.len() == 200, "{model}");
    }
}

#[test]
fn what_is_cut_is_reported_and_the_rest_is_whole() {
    // (model, what it refuses as too long): by characters, and by its own tokens.
    let by_chars = "x".repeat(2_049);
    let by_tokens = words(400) + &" y".repeat(200);
    let very_long = words(9_000);
    for (model, long) in [
        ("cohere.embed-english-v3", &by_chars),
        ("cohere.embed-english-v3", &by_tokens),
        ("amazon.titan-embed-text-v2:0", &very_long),
        ("amazon.nova-2-multimodal-embeddings-v1:0", &"é".repeat(50_001)),
    ] {
        let bedrock = Fake::sound();
        let embedder = embedder(&bedrock.url, model, None, limits());
        let given = embedder.embed(&["before", long, "after"], Purpose::Document).unwrap();
        assert_eq!(given.truncated, [1], "{model}");
        let alone = embedder.embed(&["before", "after"], Purpose::Document).unwrap();
        let rows: Vec<&[f32]> = given.rows().collect();
        assert_eq!([rows[0], rows[2]], alone.rows().collect::<Vec<_>>()[..], "{model}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_before_anything_is_sent() {
    let open = |model: &str, dim: Option<usize>| {
        let settings = BedrockSettings {
            model: model.into(),
            dim,
            account: account("http://127.0.0.1:1"),
            ..BedrockSettings::default()
        };
        Bedrock::open(&settings).unwrap_err().to_string()
    };
    assert!(open("amazon.titan-embed-text-v1", None).contains("`amazon.titan-embed-text-v1` is not one of"));
    assert!(open("eu.cohere.embed-v4:0", None).contains("a profile or an ARN is said beside the model"));
    assert!(open("amazon.titan-embed-text-v2:0", Some(1536)).contains("has no vectors of 1536 numbers"));
}
