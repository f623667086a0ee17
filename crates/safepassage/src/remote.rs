//! Here is a name in a catalogue of models: make the embedder, the reranker or the generator that it stands for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use safepassage_error::{Error, Kind, Result};
use safepassage_models::remote::{
    CachedEmbedder, CallLimits, Caller, ChatServer, OpenAi, OpenAiSettings, RemoteEmbedder, RemoteGenerator,
    RemoteReranker, RerankServer,
};
use safepassage_models::{
    At, Catalogue, CataloguedModel, Embedder, Generator, Guardrail, Reranker, Task, Texts, Tokenizer,
};

const OPERATION: &str = "open model";
/// How many tokens a model reads if its entry does not say.
const MAX_TOKENS: usize = 512;
/// Further attempts that each call of somebody who waits earns: so that, of many who wait at once, few ask twice.
const RETRIES_PER_CALL: f64 = 0.09;

/// The model `name` of the catalogue in the file `catalogue`, with a cache of what it embedded in the file `cache`, or in the
/// one that the catalogue names.
///
/// # Errors
/// `Denied` if it is not in the catalogue or has expired; `Invalid` if its entry does not say how it is reached;
/// `NotFound`, `Unavailable`, `Corrupted`.
pub fn open_model(catalogue: &Path, name: &str, cache: Option<&Path>) -> Result<Arc<dyn Embedder>> {
    let catalogue = Catalogue::read(catalogue)?;
    let embedder: Arc<dyn Embedder> = Arc::new(embedding(&catalogue, name)?);
    match catalogue.cache().or(cache) {
        None => Ok(embedder),
        Some(cache) => Ok(Arc::new(CachedEmbedder::open(embedder, cache)?)),
    }
}

/// The model `name`, with those that it falls back to and the one that reads what is above its label.
fn embedding(catalogue: &Catalogue, name: &str) -> Result<RemoteEmbedder> {
    let model = catalogue.model(name)?;
    model.check_task(Task::Embed)?;
    let mut embedder = remote(model)?;
    for other in &model.fallbacks {
        embedder = embedder.or(remote(catalogue.model(other)?)?)?;
    }
    match &model.above {
        Some(above) => embedder.with_above(embedding(catalogue, above)?),
        None => Ok(embedder),
    }
}

/// What was embedded, beside the files of the index in `folder`.
pub(crate) fn cache_of(folder: &Path) -> PathBuf {
    folder.join("embeddings.sqlite")
}

/// The reranker `name` of the catalogue in the file `catalogue`. It reads passages up to the label that it is cleared for.
///
/// # Errors
/// As [`open_model`].
pub fn open_reranker(catalogue: &Path, name: &str) -> Result<Arc<dyn Reranker>> {
    let catalogue = Catalogue::read(catalogue)?;
    let model = catalogue.model(name)?;
    model.check_task(Task::Rerank)?;
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

/// The generator `name` of the catalogue in the file `catalogue`, with those of its entry to fall back to. It is sent
/// questions, and passages up to the label that it is cleared for.
///
/// # Errors
/// As [`open_model`]; `Invalid` if its entry has no `texts.window`.
pub fn open_generator(catalogue: &Path, name: &str) -> Result<Arc<dyn Generator>> {
    let catalogue = Catalogue::read(catalogue)?;
    let model = catalogue.model(name)?;
    let mut generator = generating(model)?;
    for other in &model.fallbacks {
        generator = generator.or(Arc::new(generating(catalogue.model(other)?)?));
    }
    Ok(Arc::new(generator))
}

/// The guardrail `name` of the catalogue in the file `catalogue`.
///
/// # Errors
/// As [`open_model`].
pub fn open_guardrail(catalogue: &Path, name: &str) -> Result<Arc<dyn Guardrail>> {
    let catalogue = Catalogue::read(catalogue)?;
    let model = catalogue.model(name)?;
    model.check_task(Task::Guard)?;
    match model.provider.as_str() {
        #[cfg(feature = "aws")]
        "bedrock" => {
            let caller = Caller::new(limits(model)?)?;
            Ok(Arc::new(safepassage_aws::bedrock::BedrockGuardrail::open(model, None, caller)?))
        }
        _ => Err(built_without(model)),
    }
}

/// The model `model` of a server on this machine, at `url` up to and with `/v1`, without a catalogue: the caller says up to
/// which label it may be sent passages, and how many tokens prompts and answers may have together.
///
/// # Errors
/// `Denied` for a server that is not on this machine; `Invalid` for what is no URL.
pub fn open_local_generator(url: &str, model: &str, highest_label: &str, window: usize) -> Result<Arc<dyn Generator>> {
    let name = format!("openai:{url}#{model}");
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    if !["localhost", "127.0.0.1", "[::1]"].contains(&host) {
        let message = format!("`{name}` is not on this machine: a model elsewhere needs an entry in a catalogue");
        return Err(Error::new(Kind::Denied, OPERATION, message));
    }
    let model = CataloguedModel::local(model, url, highest_label, window);
    Ok(Arc::new(generating(&model)?))
}

fn generating(model: &CataloguedModel) -> Result<RemoteGenerator> {
    model.check_task(Task::Generate)?;
    let window = model.texts.window.ok_or_else(|| {
        Error::invalid(
            OPERATION,
            format!("`{}`: its entry has no `texts.window`, how many tokens it takes", model.name),
        )
    })?;
    let caller = Caller::new(limits(model)?)?;
    let tokenizer = model.texts.tokenizer.as_ref().map(|_| tokenizer(&model.texts)).transpose()?;
    match model.provider.as_str() {
        "openai" => RemoteGenerator::new(model.cleared()?, ChatServer::new(openai(model)?)?, caller, window, tokenizer),
        #[cfg(feature = "aws")]
        "bedrock" => safepassage_aws::bedrock::BedrockGenerator::open(model, None, caller, tokenizer),
        _ => Err(built_without(model)),
    }
}

fn built_without(model: &CataloguedModel) -> Error {
    let CataloguedModel { name, provider, .. } = model;
    Error::invalid(OPERATION, format!("`{name}` is of the provider `{provider}`, which this program was built without"))
}

pub(crate) fn remote(model: &CataloguedModel) -> Result<RemoteEmbedder> {
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
        retries_per_call: Some(RETRIES_PER_CALL),
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
        cache_key: texts.cache_key,
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
