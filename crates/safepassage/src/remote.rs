//! Here is a name in a catalogue of models: make the embedder or the reranker that it stands for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use safepassage_error::{Error, Result};
use safepassage_models::remote::{
    CachedEmbedder, CallLimits, Caller, OpenAi, OpenAiSettings, RemoteEmbedder, RemoteReranker, RerankServer,
};
use safepassage_models::{At, Catalogue, CataloguedModel, Embedder, Reranker, Texts, Tokenizer};

const OPERATION: &str = "open model";
/// How many tokens a model reads if its entry does not say.
const MAX_TOKENS: usize = 512;

/// The model `name` of the catalogue in the file `catalogue`, with a cache of what it embedded in the file `cache`.
///
/// # Errors
/// `Denied` if it is not in the catalogue or has expired; `Invalid` if its entry does not say how it is reached;
/// `NotFound`, `Unavailable`, `Corrupted`.
pub fn open_model(catalogue: &Path, name: &str, cache: Option<&Path>) -> Result<Arc<dyn Embedder>> {
    let catalogue = Catalogue::read(catalogue)?;
    let model = catalogue.model(name)?;
    let mut embedder = remote(model)?;
    for other in &model.fallbacks {
        embedder = embedder.or(remote(catalogue.model(other)?)?)?;
    }
    let embedder: Arc<dyn Embedder> = Arc::new(embedder);
    match cache {
        None => Ok(embedder),
        Some(cache) => Ok(Arc::new(CachedEmbedder::open(embedder, cache)?)),
    }
}

/// The reranker `name` of the catalogue in the file `catalogue`. It reads passages up to the label that it is cleared for.
///
/// # Errors
/// As [`open_model`].
pub fn open_reranker(catalogue: &Path, name: &str) -> Result<Arc<dyn Reranker>> {
    let catalogue = Catalogue::read(catalogue)?;
    let model = catalogue.model(name)?;
    if !model.fallbacks.is_empty() {
        let message = format!("`{name}` falls back to another model, whose scores would not stand beside its own");
        return Err(Error::invalid(OPERATION, message));
    }
    let (cleared, caller) = (model.cleared()?, Caller::new(limits(model)?)?);
    match model.provider.as_str() {
        "openai" => Ok(Arc::new(RemoteReranker::new(cleared, RerankServer::new(openai(model)?)?, caller)?)),
        #[cfg(feature = "aws")]
        "bedrock" => Ok(Arc::new(safepassage_aws::bedrock::BedrockReranker::open(model, None, caller)?)),
        _ => Err(built_without(model)),
    }
}

fn built_without(model: &CataloguedModel) -> Error {
    let CataloguedModel { name, provider, .. } = model;
    Error::invalid(OPERATION, format!("`{name}` is of the provider `{provider}`, which this program was built without"))
}

fn remote(model: &CataloguedModel) -> Result<RemoteEmbedder> {
    let cleared = model.cleared()?;
    let caller = Caller::new(limits(model)?)?;
    match model.provider.as_str() {
        "openai" => {
            let provider = OpenAi::new(openai(model)?, &caller)?;
            RemoteEmbedder::new(cleared, provider, caller, tokenizer(&model.texts)?)
        }
        #[cfg(feature = "aws")]
        "bedrock" => {
            let provider = safepassage_aws::bedrock::Bedrock::open(&model.into())?;
            RemoteEmbedder::new(cleared, provider, caller, tokenizer(&model.texts)?)
        }
        _ => Err(built_without(model)),
    }
}

fn limits(model: &CataloguedModel) -> Result<CallLimits> {
    let (given, usual) = (model.limits, CallLimits::default());
    let seconds = |given: Option<f64>, usual| {
        given.map_or(Ok(usual), |seconds| {
            Duration::try_from_secs_f64(seconds)
                .map_err(|_| Error::invalid(OPERATION, format!("`{}`: {seconds} s is no time", model.name)))
        })
    };
    Ok(CallLimits {
        attempt: seconds(given.attempt_seconds, usual.attempt)?,
        deadline: seconds(given.deadline_seconds, usual.deadline)?,
        max_attempts: given.max_attempts.unwrap_or(usual.max_attempts),
        requests_per_minute: given.requests_per_minute,
        tokens_per_minute: given.tokens_per_minute,
        max_concurrent: given.max_concurrent.unwrap_or(usual.max_concurrent),
        ..usual
    })
}

fn openai(model: &CataloguedModel) -> Result<OpenAiSettings> {
    let (At { url, key_env, allow_http, .. }, texts) = (&model.at, &model.texts);
    let missing = |what: String| Error::invalid(OPERATION, format!("`{}`: {what}", model.name));
    let url = url.clone().ok_or_else(|| missing("its entry has no `at.url`".into()))?;
    let key = key_env.as_ref().map(|name| {
        std::env::var(name).map_err(|_| missing(format!("the environment variable `{name}` with its key is not set")))
    });
    Ok(OpenAiSettings {
        url,
        model: model.model.clone(),
        key: key.transpose()?,
        dim: texts.dim,
        send_dim: texts.send_dim,
        texts_per_call: texts.per_call,
        document_prefix: texts.document_prefix.clone(),
        query_prefix: texts.query_prefix.clone(),
        allow_http: *allow_http,
    })
}

fn tokenizer(texts: &Texts) -> Result<Tokenizer> {
    let most = texts.max_tokens.unwrap_or(MAX_TOKENS);
    match &texts.tokenizer {
        Some(path) => {
            let json = std::fs::read(path)
                .map_err(|e| Error::invalid(OPERATION, format!("no tokenizer: {e}")).with("path", path.display()))?;
            Tokenizer::from_json(&json, most)
        }
        #[cfg(feature = "builtin")]
        // Its tokens are longer than most models': a third is left free.
        None => safepassage_models::builtin_tokenizer(most * 3 / 4),
        #[cfg(not(feature = "builtin"))]
        None => Err(Error::invalid(OPERATION, "an entry needs its `texts.tokenizer` in a program without `builtin`")),
    }
}
