//! Amazon Titan Text Embeddings V2: one text in, one vector out.

use serde::{Deserialize, Serialize};

use super::wire::Vectors;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    input_text: &'a str,
    dimensions: usize,
    normalize: bool,
    embedding_types: [&'static str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    embedding: Vec<f32>,
    input_text_token_count: u64,
}

pub(super) fn request(text: &str, dim: usize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Request { input_text: text, dimensions: dim, normalize: true, embedding_types: ["float"] })
}

pub(super) fn answer(body: &[u8]) -> serde_json::Result<Vectors> {
    let Answer { embedding, input_text_token_count } = serde_json::from_slice(body)?;
    Ok(Vectors { rows: vec![embedding], tokens: Some(input_text_token_count), cut: Vec::new() })
}
