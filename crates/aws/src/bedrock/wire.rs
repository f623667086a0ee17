//! Here are texts for a model: what is sent, and what came back?

use safepassage_models::Purpose;

use super::family::Family;
use super::{cohere, nova, titan};

/// What an answer says, not yet checked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Vectors {
    pub rows: Vec<Vec<f32>>,
    /// The model's own count, where the body has it.
    pub tokens: Option<u64>,
    /// Which texts the model cut.
    pub cut: Vec<usize>,
}

impl Family {
    /// The body of a call for `texts`, of which the model takes as many as its limits say.
    pub(super) fn request(self, texts: &[String], dim: usize, purpose: Purpose) -> serde_json::Result<Vec<u8>> {
        let one = texts.first().map_or("", String::as_str);
        match self {
            Self::TitanTextV2 => titan::request(one, dim),
            Self::CohereEnglishV3 | Self::CohereMultilingualV3 => cohere::request(texts, None, purpose),
            Self::CohereV4 => cohere::request(texts, Some(dim), purpose),
            Self::NovaMultimodal => nova::request(one, dim, purpose),
        }
    }

    pub(super) fn answer(self, body: &[u8]) -> serde_json::Result<Vectors> {
        match self {
            Self::TitanTextV2 => titan::answer(body),
            Self::CohereEnglishV3 | Self::CohereMultilingualV3 | Self::CohereV4 => cohere::answer(body),
            Self::NovaMultimodal => nova::answer(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sent(family: Family, texts: &[&str], dim: usize, purpose: Purpose) -> Value {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        serde_json::from_slice(&family.request(&texts, dim, purpose).unwrap()).unwrap()
    }

    #[test]
    fn requests_are_as_documented() {
        assert_eq!(
            sent(Family::TitanTextV2, &["a"], 256, Purpose::Query),
            json!({"inputText": "a", "dimensions": 256, "normalize": true, "embeddingTypes": ["float"]})
        );
        assert_eq!(
            sent(Family::CohereEnglishV3, &["a", "b"], 1024, Purpose::Document),
            json!({"texts": ["a", "b"], "input_type": "search_document", "truncate": "NONE", "embedding_types": ["float"]})
        );
        assert_eq!(
            sent(Family::CohereV4, &["a"], 512, Purpose::Query),
            json!({"texts": ["a"], "input_type": "search_query", "truncate": "NONE", "embedding_types": ["float"], "output_dimension": 512})
        );
        assert_eq!(
            sent(Family::NovaMultimodal, &["a"], 384, Purpose::Query),
            json!({"schemaVersion": "nova-multimodal-embed-v1", "taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {
                "embeddingPurpose": "TEXT_RETRIEVAL", "embeddingDimension": 384, "text": {"truncationMode": "NONE", "value": "a"}}})
        );
    }

    #[test]
    fn answers_are_read_in_every_shape() {
        let rows = |rows: &[&[f32]]| rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>();
        let titan =
            br#"{"embedding": [1.0, 0.0], "embeddingsByType": {"float": [1.0, 0.0]}, "inputTextTokenCount": 7}"#;
        let titan = Family::TitanTextV2.answer(titan).unwrap();
        assert_eq!(titan, Vectors { rows: rows(&[&[1.0, 0.0]]), tokens: Some(7), cut: vec![] });
        for body in [
            &br#"{"id": "x", "texts": ["a", "b"], "embeddings": [[1], [2]], "response_type": "embeddings_floats"}"#[..],
            br#"{"id": "x", "embeddings": {"float": [[1], [2]]}, "response_type": "embeddings_by_type"}"#,
        ] {
            assert_eq!(Family::CohereV4.answer(body).unwrap().rows, rows(&[&[1.0], &[2.0]]));
        }
        let nova = br#"{"embeddings": [{"embeddingType": "TEXT", "embedding": [3], "truncatedCharLength": 9}]}"#;
        assert_eq!(
            Family::NovaMultimodal.answer(nova).unwrap(),
            Vectors { rows: rows(&[&[3.0]]), tokens: None, cut: vec![0] }
        );
        for family in Family::ALL {
            assert!(family.answer(b"{}").is_err(), "{family:?}");
            assert!(family.answer(b"{\"embedding\": [1.0, ").is_err(), "{family:?}");
        }
    }
}
