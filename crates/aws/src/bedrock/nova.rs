//! Amazon Nova Multimodal Embeddings, for text: one text in, one vector out.

use safepassage_models::Purpose;
use serde::{Deserialize, Serialize};

use super::wire::Vectors;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    schema_version: &'static str,
    task_type: &'static str,
    single_embedding_params: Parameters<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters<'a> {
    embedding_purpose: &'static str,
    embedding_dimension: usize,
    text: Text<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    truncation_mode: &'static str,
    value: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    embeddings: Vec<Embedding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Embedding {
    embedding: Vec<f32>,
    /// Said if the text was cut, although it was asked not to be.
    truncated_char_length: Option<u64>,
}

const fn embedding_purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Document => "GENERIC_INDEX",
        Purpose::Query => "TEXT_RETRIEVAL",
    }
}

pub(super) fn request(text: &str, dim: usize, purpose: Purpose) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Request {
        schema_version: "nova-multimodal-embed-v1",
        task_type: "SINGLE_EMBEDDING",
        single_embedding_params: Parameters {
            embedding_purpose: embedding_purpose(purpose),
            embedding_dimension: dim,
            text: Text { truncation_mode: "NONE", value: text },
        },
    })
}

pub(super) fn answer(body: &[u8]) -> serde_json::Result<Vectors> {
    let Answer { embeddings } = serde_json::from_slice(body)?;
    let cut = embeddings.iter().map(|embedding| embedding.truncated_char_length.is_some()).enumerate();
    let cut = cut.filter_map(|(at, cut)| cut.then_some(at)).collect();
    Ok(Vectors { rows: embeddings.into_iter().map(|embedding| embedding.embedding).collect(), tokens: None, cut })
}
