//! Here are texts of one call: which vectors does Bedrock give, and was anything cut?
//!
//! Models are asked not to cut. What is longer than a model's limit in characters is cut before it is sent; what turns out
//! to have too many tokens is sent again in half, as often as it takes. Refused calls are not charged. Both are reported.

use safepassage_error::{Error, Kind, Result};
use safepassage_models::remote::{CallError, EmbedCall, EmbedProvider, Embedded};
use safepassage_models::{CataloguedModel, ModelStamp, Purpose};

use super::client::{Answered, Model};
use super::family::Family;
use crate::account::Account;
use crate::fault::TOO_LONG;

/// No tokenizer makes more tokens than bytes: a text of so many bytes a token is never too long.
const BYTES_PER_TOKEN: usize = 1;

/// An embedding model of Bedrock.
#[derive(Debug, Clone)]
pub struct Bedrock {
    model: Model,
    family: Family,
    stamp: ModelStamp,
}

/// Which model, and how it is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BedrockSettings {
    /// The id of the model.
    pub model: String,
    /// The inference profile or ARN that it is called by, where that is not its id.
    pub profile: Option<String>,
    /// Components of a vector; as many as the model gives by itself unless set.
    pub dim: Option<usize>,
    /// Whose Bedrock it is.
    pub account: Account,
}

impl From<&CataloguedModel> for BedrockSettings {
    /// What the entry of a catalogue says of a model of Bedrock.
    fn from(entry: &CataloguedModel) -> Self {
        let (model, profile, dim) = (entry.model.clone(), entry.at.profile.clone(), entry.texts.dim);
        Self { model, profile, dim, account: Account::from(&entry.at) }
    }
}

impl Bedrock {
    /// The model of `settings`; nothing is sent yet.
    ///
    /// # Errors
    /// `Invalid` if the model is not known or has no vectors of that dimension.
    pub fn open(settings: &BedrockSettings) -> Result<Self> {
        let family = Family::of(&settings.model)?;
        let dim = settings.dim.unwrap_or(family.dims()[0]);
        if !family.dims().contains(&dim) {
            let message = format!("`{}` has no vectors of {dim} numbers, but of {:?}", family.model(), family.dims());
            return Err(Error::invalid("open model", message));
        }
        let stamp = ModelStamp {
            provider: "bedrock".into(),
            model: family.model().into(),
            dim,
            normalised: true,
            document_prefix: String::new(),
            query_prefix: String::new(),
            digest: None,
        };
        let called = settings.profile.as_deref().unwrap_or(&settings.model);
        Ok(Self { model: Model::open(&settings.account, called)?, family, stamp })
    }

    /// Which model it is.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// One request.
    async fn ask(&self, texts: &[String], purpose: Purpose) -> Result<Embedded, CallError> {
        let no_json = |e: serde_json::Error| CallError::refused(Kind::Internal, "the request is no JSON").because(e);
        let body = self.family.request(texts, self.stamp.dim, purpose).map_err(no_json)?;
        let Answered { body, tokens } = self.model.invoke(body).await?;
        let unreadable = |e| CallError::unavailable("the answer is not of the form it must have").because(e);
        let vectors = self.family.answer(&body).map_err(unreadable)?;
        Ok(Embedded { vectors: vectors.rows, tokens: vectors.tokens.or(tokens), truncated: vectors.cut })
    }

    async fn embed_all(&self, mut texts: Vec<String>, purpose: Purpose) -> Result<Embedded, CallError> {
        let limits = self.family.limits();
        let mut cut: Vec<usize> = Vec::new();
        for (at, text) in texts.iter_mut().enumerate() {
            if let Some((end, _)) = text.char_indices().nth(limits.chars) {
                text.truncate(end);
                cut.push(at);
            }
        }
        let mut embedded = loop {
            let too_long = match self.ask(&texts, purpose).await {
                // Of several texts nobody says which is too long: whoever asked tries fewer.
                Err(refused) if texts.len() == 1 && says_too_long(&refused.error) => refused,
                outcome => break outcome?,
            };
            let [text] = texts.as_mut_slice() else { return Err(too_long) };
            if text.len() <= limits.tokens * BYTES_PER_TOKEN {
                return Err(too_long);
            }
            text.truncate(text.floor_char_boundary(text.len() / 2));
            cut = vec![0];
        };
        embedded.truncated.extend(cut);
        embedded.truncated.sort_unstable();
        embedded.truncated.dedup();
        Ok(embedded)
    }
}

/// Whether a refusal is for the length of a text.
fn says_too_long(error: &Error) -> bool {
    error.kind() == Kind::Invalid && error.message().ends_with(TOO_LONG)
}

impl EmbedProvider for Bedrock {
    fn stamp(&self) -> &ModelStamp {
        &self.stamp
    }

    fn texts_per_call(&self) -> usize {
        self.family.limits().texts
    }

    fn embed(&self, texts: &[String], purpose: Purpose) -> EmbedCall {
        let (model, texts) = (self.clone(), texts.to_vec());
        Box::pin(async move { model.embed_all(texts, purpose).await })
    }
}
