//! Cohere Embed v3 and v4: 96 texts in, as many vectors out.
//!
//! v4 takes a dimension; v3 has one. Both are asked not to cut: what is too long is an error that we can tell of.

use safepassage_models::Purpose;
use serde::{Deserialize, Serialize};

use super::wire::Vectors;

#[derive(Serialize)]
struct Request<'a> {
    texts: &'a [String],
    input_type: &'static str,
    truncate: &'static str,
    embedding_types: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<usize>,
}

#[derive(Deserialize)]
struct Answer {
    embeddings: Embeddings,
}

/// A list when no types were asked for, else a list a type.
#[derive(Deserialize)]
#[serde(untagged)]
enum Embeddings {
    ByType { float: Vec<Vec<f32>> },
    Floats(Vec<Vec<f32>>),
}

const fn input_type(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Document => "search_document",
        Purpose::Query => "search_query",
    }
}

pub(super) fn request(texts: &[String], dim: Option<usize>, purpose: Purpose) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Request {
        texts,
        input_type: input_type(purpose),
        truncate: "NONE",
        embedding_types: ["float"],
        output_dimension: dim,
    })
}

pub(super) fn answer(body: &[u8]) -> serde_json::Result<Vectors> {
    let Answer { embeddings: Embeddings::ByType { float: rows } | Embeddings::Floats(rows) } =
        serde_json::from_slice(body)?;
    Ok(Vectors { rows, tokens: None, cut: Vec::new() })
}
