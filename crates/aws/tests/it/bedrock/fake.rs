//! Bedrock as its documentation has it, for the models that are known here: strict about requests, and out of order as told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::server::{Reply, Request, serve};

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Throttled,
    /// With `Retry-After: 1`.
    ThrottledFor,
    Quota,
    NotReady,
    Unavailable,
    Internal,
    ModelTimeout,
    ModelError,
    BadGateway,
    Denied,
    NoSuchModel,
    NoJson,
    OtherJson,
    CutOff,
    TooFew,
    TooMany,
    WrongDimension,
    NotFinite,
    Zero,
    Closed,
    Silence,
}

impl Fault {
    /// Those after which the same call may succeed.
    pub const PASSING: [Self; 18] = [
        Self::Throttled,
        Self::ThrottledFor,
        Self::Quota,
        Self::NotReady,
        Self::Unavailable,
        Self::Internal,
        Self::ModelTimeout,
        Self::ModelError,
        Self::BadGateway,
        Self::NoJson,
        Self::OtherJson,
        Self::CutOff,
        Self::TooFew,
        Self::TooMany,
        Self::WrongDimension,
        Self::NotFinite,
        Self::Zero,
        Self::Closed,
    ];
}

/// Which fault the `attempt`th request (from 0) for a first text has.
pub type Faults = Box<dyn Fn(&str, u64) -> Option<Fault> + Send + Sync>;

#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Requests, by their first text.
    pub requests: HashMap<String, u64>,
    /// How often each text was embedded and charged.
    pub paid: HashMap<String, u64>,
    /// Requests that were refused as not documented.
    pub refused: Vec<String>,
}

/// A running server.
pub struct Fake {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Fake {
    pub fn start(faults: Faults) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let in_server = Arc::clone(&seen);
        Self { url: serve(move |request| answer(&request, &faults, &in_server)), seen }
    }

    pub fn sound() -> Self {
        Self::start(Box::new(|_, _| None))
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Titan {
    input_text: String,
    dimensions: usize,
    normalize: bool,
    embedding_types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cohere {
    texts: Vec<String>,
    input_type: String,
    truncate: String,
    embedding_types: Option<Vec<String>>,
    output_dimension: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Nova {
    schema_version: String,
    task_type: String,
    single_embedding_params: NovaParameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NovaParameters {
    embedding_purpose: String,
    embedding_dimension: usize,
    text: NovaText,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NovaText {
    truncation_mode: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rerank {
    query: String,
    documents: Vec<String>,
    top_n: usize,
    api_version: Option<u32>,
}

/// What a request asks for, if it is as documented.
struct Asked {
    texts: Vec<String>,
    rows: Vec<Vec<f32>>,
    body: fn(&[String], &[Vec<f32>]) -> Value,
}

fn answer(request: &Request, faults: &Faults, seen: &Mutex<Seen>) -> Reply {
    let signed = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    if !(signed.starts_with("AWS4-HMAC-SHA256 Credential=") && signed.contains("/bedrock/aws4_request")) {
        return error(403, "AccessDeniedException", "not signed for bedrock");
    }
    let model = request.target.strip_prefix("/model/").and_then(|path| path.strip_suffix("/invoke"));
    let model = model.unwrap_or_default().replace("%3A", ":").replace("%2F", "/");
    let asked = match read(&model, &request.body) {
        Ok(asked) => asked,
        Err(what) => {
            seen.lock().unwrap().refused.push(what.clone());
            return error(400, "ValidationException", &what);
        }
    };
    let first = asked.texts.first().cloned().unwrap_or_default();
    let attempt = {
        let mut seen = seen.lock().unwrap();
        let count = seen.requests.entry(first.clone()).or_default();
        *count += 1;
        *count - 1
    };
    let fault = faults(&first, attempt);
    if let Some(refused) = fault.and_then(refusal) {
        return refused;
    }
    for text in &asked.texts {
        *seen.lock().unwrap().paid.entry(text.clone()).or_default() += 1;
    }
    spoiled(fault, asked)
}

fn error(status: u16, name: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"message": message})).with("x-amzn-errortype", name)
}

/// Faults before anything was computed: nothing is charged.
fn refusal(fault: Fault) -> Option<Reply> {
    Some(match fault {
        Fault::Throttled => error(429, "ThrottlingException", "Too many tokens, please wait before trying again."),
        Fault::ThrottledFor => error(429, "ThrottlingException", "Too many requests").with("retry-after", "1"),
        Fault::Quota => error(400, "ServiceQuotaExceededException", "Your request exceeds the service quota"),
        Fault::NotReady => error(429, "ModelNotReadyException", "Model is not ready for inference"),
        Fault::Unavailable => error(503, "ServiceUnavailableException", "try again"),
        Fault::Internal => error(500, "InternalServerException", "an internal error"),
        Fault::ModelTimeout => error(408, "ModelTimeoutException", "Model has timed out in processing the request"),
        Fault::ModelError => {
            let body = json!({"message": "an error in the model", "originalStatusCode": 500, "resourceName": "x"});
            Reply::json(424, &body).with("x-amzn-errortype", "ModelErrorException")
        }
        Fault::BadGateway => {
            Reply::Answer { status: 502, headers: Vec::new(), body: b"<html>bad gateway</html>".to_vec() }
        }
        Fault::Denied => error(403, "AccessDeniedException", "User is not authorized to perform: bedrock:InvokeModel"),
        Fault::NoSuchModel => error(404, "ResourceNotFoundException", "Could not resolve the foundation model"),
        Fault::Closed => Reply::Closed,
        Fault::Silence => Reply::Silence,
        _ => return None,
    })
}

/// Faults of the answer: it is charged all the same.
fn spoiled(fault: Option<Fault>, asked: Asked) -> Reply {
    let Asked { texts, mut rows, body } = asked;
    match fault {
        Some(Fault::TooFew) => drop(rows.pop()),
        Some(Fault::TooMany) => rows.push(rows[0].clone()),
        Some(Fault::WrongDimension) => drop(rows[0].pop()),
        Some(Fault::NotFinite) => rows[0][0] = 12345.5,
        Some(Fault::Zero) => rows[0].fill(0.0),
        _ => {}
    }
    let mut text = body(&texts, &rows).to_string();
    match fault {
        Some(Fault::NoJson) => text.truncate(text.len() / 2),
        Some(Fault::OtherJson) => text = json!({"outputs": []}).to_string(),
        // Ten times what a float can be.
        Some(Fault::NotFinite) => text = text.replacen("12345.5", "3.4e39", 1),
        _ => {}
    }
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count() + 2).sum();
    let headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("x-amzn-bedrock-input-token-count".to_owned(), tokens.to_string()),
    ];
    let body = text.into_bytes();
    match fault {
        Some(Fault::CutOff) => Reply::CutOff { sent: body.len() / 2, headers, body },
        _ => Reply::Answer { status: 200, headers, body },
    }
}

fn read(model: &str, body: &[u8]) -> Result<Asked, String> {
    let malformed = |e: serde_json::Error| format!("Malformed input request: {e}");
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let name = model.rsplit('/').next().unwrap_or_default();
    if name.contains("titan-embed-text-v2") {
        let Titan { input_text, dimensions, normalize, embedding_types } =
            serde_json::from_slice(body).map_err(malformed)?;
        demand([256, 512, 1024].contains(&dimensions) && normalize, "dimensions")?;
        demand(embedding_types == ["float"], "embeddingTypes")?;
        demand(input_text.chars().count() <= 50_000, "expected maxLength: 50000")?;
        let tokens = input_text.split_whitespace().count();
        demand(
            tokens <= 8192,
            &format!("Too many input tokens. Max input tokens: 8192, request input token count: {tokens}"),
        )?;
        let rows = vec![vector(&[name, &input_text], dimensions)];
        let body = |texts: &[String], rows: &[Vec<f32>]| {
            let row = rows.first().cloned().unwrap_or_default();
            let count = texts[0].split_whitespace().count() + 2;
            json!({"embedding": row, "embeddingsByType": {"float": row}, "inputTextTokenCount": count})
        };
        return Ok(Asked { texts: vec![input_text], rows, body });
    }
    if name.contains("cohere.embed-") {
        let v4 = name.contains("embed-v4");
        let asked: Cohere = serde_json::from_slice(body).map_err(malformed)?;
        demand((1..=96).contains(&asked.texts.len()), "#/texts: expected maxItems: 96")?;
        demand(["search_document", "search_query"].contains(&asked.input_type.as_str()), "input_type")?;
        let truncates: &[&str] = if v4 { &["NONE", "LEFT", "RIGHT"] } else { &["NONE", "START", "END"] };
        demand(truncates.contains(&asked.truncate.as_str()), "truncate")?;
        demand(v4 || asked.output_dimension.is_none(), "extraneous key [output_dimension] is not permitted")?;
        let dim = asked.output_dimension.unwrap_or(if v4 { 1536 } else { 1024 });
        demand([256, 512, 1024, 1536].contains(&dim), "output_dimension")?;
        for (at, text) in asked.texts.iter().enumerate() {
            let chars = text.chars().count();
            demand(
                v4 || chars <= 2048,
                &format!("Malformed input request: #/texts/{at}: expected maxLength: 2048, actual: {chars}"),
            )?;
            let tokens = text.split_whitespace().count();
            demand(v4 || asked.truncate != "NONE" || tokens <= 512, &format!("too many tokens: {tokens} of 512"))?;
        }
        let rows = asked.texts.iter().map(|text| vector(&[name, &asked.input_type, text], dim)).collect();
        let body: fn(&[String], &[Vec<f32>]) -> Value = if asked.embedding_types.is_some() {
            |texts, rows| json!({"id": "1", "texts": texts, "embeddings": {"float": rows}, "response_type": "embeddings_by_type"})
        } else {
            |texts, rows| json!({"id": "1", "texts": texts, "embeddings": rows, "response_type": "embeddings_floats"})
        };
        return Ok(Asked { texts: asked.texts, rows, body });
    }
    if name.contains("nova-2-multimodal-embeddings") {
        let asked: Nova = serde_json::from_slice(body).map_err(malformed)?;
        demand(asked.schema_version == "nova-multimodal-embed-v1", "schemaVersion")?;
        demand(asked.task_type == "SINGLE_EMBEDDING", "taskType")?;
        let NovaParameters { embedding_purpose, embedding_dimension, text } = asked.single_embedding_params;
        demand(["GENERIC_INDEX", "TEXT_RETRIEVAL"].contains(&embedding_purpose.as_str()), "embeddingPurpose")?;
        demand([256, 384, 1024, 3072].contains(&embedding_dimension), "embeddingDimension")?;
        demand(text.truncation_mode == "NONE" && text.value.chars().count() <= 50_000, "text")?;
        let rows = vec![vector(&[name, &embedding_purpose, &text.value], embedding_dimension)];
        let body = |_: &[String], rows: &[Vec<f32>]| {
            let embeddings = rows.iter().map(|row| json!({"embeddingType": "TEXT", "embedding": row}));
            json!({"embeddings": embeddings.collect::<Vec<_>>()})
        };
        return Ok(Asked { texts: vec![text.value], rows, body });
    }
    if name.contains(".rerank-v") {
        let cohere = name.starts_with("cohere");
        let asked: Rerank = serde_json::from_slice(body).map_err(malformed)?;
        demand(cohere == (asked.api_version == Some(2)), "api_version")?;
        demand((1..=1000).contains(&asked.documents.len()) && !asked.query.is_empty(), "documents")?;
        demand((1..=asked.documents.len()).contains(&asked.top_n), "top_n")?;
        let rows = asked.documents.iter().map(|text| vec![score(&asked.query, text)]).collect();
        let body = |_: &[String], rows: &[Vec<f32>]| {
            let mut results: Vec<(usize, f32)> =
                rows.iter().map(|row| row.first().copied().unwrap_or(f32::NAN)).enumerate().collect();
            results.sort_by(|a, b| b.1.total_cmp(&a.1));
            let results = results.iter().map(|(index, score)| json!({"index": index, "relevance_score": score}));
            json!({"results": results.collect::<Vec<_>>()})
        };
        return Ok(Asked { texts: asked.documents, rows, body });
    }
    Err("The provided model identifier is invalid.".into())
}

/// How well a passage answers: by what is in both, so that a test knows the order.
pub fn score(query: &str, text: &str) -> f32 {
    let words: Vec<&str> = text.split_whitespace().collect();
    query.split_whitespace().filter(|word| words.contains(word)).count() as f32 / (1 + words.len()) as f32
}

/// A unit vector that only depends on `parts`.
pub fn vector(parts: &[&str], dim: usize) -> Vec<f32> {
    let seed = Sha256::digest(parts.join("\u{0}").as_bytes());
    let mut state = seed.iter().take(8).fold(1u64, |all, byte| all << 8 | u64::from(*byte)) | 1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let row: Vec<f32> = (0..dim).map(|_| draw()).collect();
    let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
    row.iter().map(|x| x / length).collect()
}
