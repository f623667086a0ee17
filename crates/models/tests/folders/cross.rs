//! Cross-encoders: a second implementation as judge, and what they refuse.

use crate::tiny::Tiny;
use safepassage_error::Kind;
use safepassage_models::{CrossEncoder, RerankWith, Reranker};

const QUESTION: &str = "red green";
const PASSAGES: [&str; 5] =
    ["alpha", "red green blue", "", "one two three red green blue alpha beta gamma delta", "gamma gamma"];

#[test]
fn every_family_equals_the_plain_reference() {
    for family in ["bert", "roberta"] {
        let tiny = Tiny::new(family).with_head(1);
        let model = CrossEncoder::open(tiny.write().path()).unwrap();
        let scores = model.scores(QUESTION, &PASSAGES).unwrap();
        for (score, passage) in scores.iter().zip(PASSAGES) {
            let right = tiny.reference_of_pair(QUESTION, passage);
            assert!((score - right).abs() < 1e-5, "{family} `{passage}`: {score} {right}");
        }
        // Which text is which matters, and neighbours do not.
        let turned = model.scores(PASSAGES[1], &[QUESTION]).unwrap()[0];
        assert!((turned - scores[1]).abs() > 1e-3, "{family}");
        assert_eq!(model.scores(QUESTION, &PASSAGES[3..4]).unwrap()[0].to_bits(), scores[3].to_bits());
        // A pair that is too long is cut and not refused.
        assert!(model.scores(QUESTION, &[&"alpha beta ".repeat(100)]).unwrap()[0].is_finite());
        assert!(model.scores(QUESTION, &[]).unwrap().is_empty());
    }
}

#[test]
fn folders_without_one_output_are_refused() {
    for (tiny, says) in [
        (Tiny::new("bert"), "no tensor `pooler.dense.weight`"),
        (Tiny::new("bert").with_head(2), "`classifier.weight` has the shape"),
        (Tiny::new("distilbert").with_head(1), "DistilBERT"),
    ] {
        let error = CrossEncoder::open(tiny.write().path()).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(CrossEncoder::open(std::path::Path::new("/nowhere")).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_function_is_held_to_one_finite_number_a_passage() {
    let few = RerankWith::new("few", |_, _| Ok(vec![1.0]));
    assert!(few.checked_scores("q", &["a", "b"]).unwrap_err().to_string().contains("`few` gave 1 scores for 2"));
    let odd = RerankWith::new("odd", |_, passages| Ok(vec![f32::NAN; passages.len()]));
    assert!(odd.checked_scores("q", &["a"]).unwrap_err().to_string().contains("`odd` gave NaN"));
    let length = RerankWith::new("length", |_, passages| Ok(passages.iter().map(|p| p.len() as f32).collect()));
    assert_eq!(length.checked_scores("q", &["abc", ""]).unwrap(), [3.0, 0.0]);
}
