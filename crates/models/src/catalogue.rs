//! Which models may texts be sent to, up to which label, at what price, and until when?
//!
//! A file that a person writes and another one reviews. Nothing leaves the process for a model that is not in it: what
//! calls a model elsewhere takes a [`Cleared`], and only a catalogue gives one.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use safepassage_error::system::{Clock, Timestamp};
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

const OPERATION: &str = "read catalogue";

/// Every model that texts may be sent to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The file, relative to the catalogue, that remembers what its models embedded, for all indexes together.
    cache: Option<PathBuf>,
    #[serde(default, rename = "model")]
    models: Vec<CataloguedModel>,
}

/// One model of a catalogue: how it is reached, and what it is cleared for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CataloguedModel {
    /// What it is called here.
    pub name: String,
    /// `openai` for a server that speaks its interface, `bedrock`.
    pub provider: String,
    /// What the provider calls it.
    pub model: String,
    /// What it is for, as `embed`, `rerank`, `generate`, `guard`; whatever it is asked for unless set.
    #[serde(default)]
    pub task: Option<Task>,
    /// Who answers for its use.
    #[serde(default)]
    pub owner: Option<String>,
    /// The highest label of texts that it may read.
    pub highest_label: String,
    /// The last day on which it may be used, in UTC; for ever unless set.
    #[serde(default)]
    pub expires: Option<Date>,
    /// For a million tokens of input.
    #[serde(default)]
    pub price_per_million_tokens: Option<f64>,
    /// The same in batch jobs.
    #[serde(default)]
    pub batch_price_per_million_tokens: Option<f64>,
    /// For a million tokens of what it writes.
    #[serde(default)]
    pub price_per_million_tokens_out: Option<f64>,
    /// Of the prices; US dollars unless set.
    #[serde(default = "dollars")]
    pub currency: String,
    /// The day on which somebody looked the price up.
    #[serde(default)]
    pub priced: Option<Date>,
    /// How it is reached.
    #[serde(default)]
    pub at: At,
    /// How texts are put to it.
    #[serde(default)]
    pub texts: Texts,
    /// How often it may be called.
    #[serde(default)]
    pub limits: Limits,
    /// Models of the catalogue to turn to where this one is unavailable: the same model elsewhere, in this order.
    #[serde(default)]
    pub fallbacks: Vec<String>,
    /// The model of the catalogue that embeds texts above this one's label: the same model at a place that is cleared for
    /// them. Without it such documents are put aside.
    pub above: Option<String>,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Vectors of texts.
    Embed,
    /// How well passages answer a question.
    Rerank,
    /// Answers to prompts.
    Generate,
    /// Looks at texts on their way.
    Guard,
}

/// How a model is reached.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct At {
    /// Of the server, up to and with `/v1`; for Bedrock an endpoint other than the region's own.
    pub url: Option<String>,
    /// Of the provider.
    pub region: Option<String>,
    /// The inference profile or ARN that a model of Bedrock is called by, where that is not its own id.
    pub profile: Option<String>,
    /// The guardrail that a model of Bedrock answers under, as `ID:VERSION`.
    pub guardrail: Option<String>,
    /// The environment variable that holds the key.
    pub key_env: Option<String>,
    /// The role to assume, in another account.
    pub role_arn: Option<String>,
    /// What that role asks for.
    pub external_id: Option<String>,
    /// Whether texts may go over a network unencrypted.
    pub allow_http: bool,
}

/// How texts are put to a model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Texts {
    /// Components of a vector.
    pub dim: Option<usize>,
    /// Whether `dim` is sent along.
    pub send_dim: bool,
    /// How many tokens it reads at once, special tokens included; 512 unless set.
    pub max_tokens: Option<usize>,
    /// How many tokens a prompt and its answer may have together.
    pub window: Option<usize>,
    /// Whether it gives an answer only as a whole.
    pub whole: bool,
    /// Whether the server takes a key under which it may keep the beginning of prompts; one is made for each tenant.
    pub cache_key: bool,
    /// Its `tokenizer.json`, relative to the catalogue; the built-in model's with a margin of a third unless set.
    pub tokenizer: Option<PathBuf>,
    /// Texts in one call.
    pub per_call: Option<usize>,
    /// Put before a stored text.
    pub document_prefix: String,
    /// Put before a question.
    pub query_prefix: String,
}

/// How often a model may be called; what is not set stays as it is by default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute.
    pub tokens_per_minute: Option<u32>,
    /// Calls under way at once.
    pub max_concurrent: Option<usize>,
    /// Attempts of one call.
    pub max_attempts: Option<u32>,
    /// Seconds for one attempt.
    pub attempt_seconds: Option<f64>,
    /// Seconds for a call with all its attempts.
    pub deadline_seconds: Option<f64>,
}

/// The permission to send texts to a model. Only a [`Catalogue`] gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleared {
    name: String,
    provider: String,
    model: String,
    highest_label: String,
    expires: Option<Date>,
    price: Option<Price>,
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Price {
    /// For a million tokens of input.
    pub per_million_tokens: f64,
    /// For a million tokens of what it writes, if it writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_million_tokens_out: Option<f64>,
    /// Of the numbers above.
    pub currency: String,
    /// The day on which somebody looked it up.
    pub priced: Option<String>,
}

fn dollars() -> String {
    "USD".into()
}

impl Catalogue {
    /// Reads the file `path`, TOML with a `[[model]]` for each.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`; `Invalid` with the line if it is none.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Unavailable };
            Error::new(kind, OPERATION, e.to_string()).with("path", path.display())
        })?;
        let mut catalogue = Self::parse(&text).map_err(|e| e.with("path", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let tokenizers = catalogue.models.iter_mut().filter_map(|model| model.texts.tokenizer.as_mut());
        for file in tokenizers.chain(catalogue.cache.as_mut()) {
            *file = folder.join(&*file);
        }
        Ok(catalogue)
    }

    /// A catalogue of this text.
    ///
    /// # Errors
    /// `Invalid` if it is none: unknown fields, two models of one name, a price below zero, a fallback that is not there.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |message: String| Err(Error::invalid(OPERATION, message));
        let catalogue: Self =
            toml::from_str(text).map_err(|e| Error::invalid(OPERATION, e.to_string().trim_end().to_owned()))?;
        for (at, model) in catalogue.models.iter().enumerate() {
            let CataloguedModel { name, fallbacks, .. } = model;
            let prices = [model.price_per_million_tokens, model.price_per_million_tokens_out];
            if name.is_empty() || name.chars().any(|c| c.is_control() || c == '#') {
                return invalid(format!("`{name}` cannot name a model"));
            }
            if catalogue.models[..at].iter().any(|other| other.name == *name) {
                return invalid(format!("`{name}` is there twice"));
            }
            let batch = model.batch_price_per_million_tokens;
            if prices.iter().chain([&batch]).flatten().any(|price| !price.is_finite() || *price < 0.0) {
                return invalid(format!("the price of `{name}` is no price"));
            }
            if let Some(missing) = fallbacks.iter().find(|other| *other == name || catalogue.find(other).is_none()) {
                return invalid(format!(
                    "`{name}` falls back to `{missing}`, which is no other model of the catalogue"
                ));
            }
            // Each after the one before it, and nowhere round to the first again.
            let mut above = model.above.as_ref();
            for _ in 0..catalogue.models.len() {
                let Some(other) = above else { break };
                let Some(found) = catalogue.find(other).filter(|found| found.name != *name) else {
                    return invalid(format!(
                        "texts above the label of `{name}` go to `{other}`, which is no other model of the catalogue"
                    ));
                };
                above = found.above.as_ref();
            }
        }
        Ok(catalogue)
    }

    fn find(&self, name: &str) -> Option<&CataloguedModel> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The file that remembers what its models embedded for all indexes; beside each index unless the catalogue names one.
    #[must_use]
    pub fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// All models.
    #[must_use]
    pub fn models(&self) -> &[CataloguedModel] {
        &self.models
    }

    /// The model `name`.
    ///
    /// # Errors
    /// `Denied` if it is not in the catalogue: nothing may be sent to it.
    pub fn model(&self, name: &str) -> Result<&CataloguedModel> {
        let names = || self.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ");
        self.find(name).ok_or_else(|| {
            let message = format!("the model `{name}` is not in the catalogue, which has: {}", names());
            Error::new(Kind::Denied, "choose model", message)
        })
    }
}

impl CataloguedModel {
    /// An entry for the model `model` of a server that speaks OpenAI's interface at `url`, to answer prompts: for one on
    /// this machine, that no catalogue names.
    #[must_use]
    pub fn local(model: &str, url: &str, highest_label: &str, window: usize) -> Self {
        Self {
            name: format!("openai:{url}#{model}"),
            provider: "openai".to_owned(),
            model: model.to_owned(),
            task: Some(Task::Generate),
            owner: None,
            highest_label: highest_label.to_owned(),
            expires: None,
            price_per_million_tokens: None,
            price_per_million_tokens_out: None,
            batch_price_per_million_tokens: None,
            currency: dollars(),
            priced: None,
            at: At { url: Some(url.to_owned()), ..At::default() },
            texts: Texts { window: Some(window), ..Texts::default() },
            limits: Limits::default(),
            fallbacks: Vec::new(),
            above: None,
        }
    }

    /// Whether it is for `task`, as far as its entry says.
    ///
    /// # Errors
    /// `Denied` if it is for something else.
    pub fn check_task(&self, task: Task) -> Result<()> {
        match self.task {
            Some(own) if own != task => {
                let word = |task: Task| format!("{task:?}").to_lowercase();
                let message =
                    format!("the model `{}` is in the catalogue to {}, not to {}", self.name, word(own), word(task));
                Err(Error::new(Kind::Denied, "choose model", message))
            }
            _ => Ok(()),
        }
    }

    /// The permission to send texts to it, by the machine's clock.
    ///
    /// # Errors
    /// `Denied` if it has expired.
    pub fn cleared(&self) -> Result<Cleared> {
        self.cleared_at(self.price_per_million_tokens)
    }

    /// As [`CataloguedModel::cleared`], at the price of batch jobs where the catalogue has one.
    ///
    /// # Errors
    /// `Denied` if it has expired.
    pub fn cleared_in_batch(&self) -> Result<Cleared> {
        self.cleared_at(self.batch_price_per_million_tokens.or(self.price_per_million_tokens))
    }

    fn cleared_at(&self, price: Option<f64>) -> Result<Cleared> {
        let price = price.map(|per_million_tokens| Price {
            per_million_tokens,
            per_million_tokens_out: self.price_per_million_tokens_out,
            currency: self.currency.clone(),
            priced: self.priced.map(|day| day.to_string()),
        });
        let cleared = Cleared {
            name: self.name.clone(),
            provider: self.provider.clone(),
            model: self.model.clone(),
            highest_label: self.highest_label.clone(),
            expires: self.expires,
            price,
        };
        cleared.check(Clock::system().now())?;
        Ok(cleared)
    }
}

impl Cleared {
    /// What the model is called in the catalogue.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose it is, as the catalogue says: `openai`, `bedrock`.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The highest label of texts that may be sent to it.
    #[must_use]
    pub fn highest_label(&self) -> &str {
        &self.highest_label
    }

    /// What it costs, if the catalogue says.
    #[must_use]
    pub fn price(&self) -> Option<&Price> {
        self.price.as_ref()
    }

    /// Whether it may still be used at `now`.
    ///
    /// # Errors
    /// `Denied` if not.
    pub fn check(&self, now: Timestamp) -> Result<()> {
        let today = i64::try_from(now.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let today = today.map(|now| now.to_zoned(jiff::tz::TimeZone::UTC).date());
        match self.expires {
            // A clock that tells no day lets nothing through.
            Some(last) if today.is_none_or(|today| today > last) => {
                let message = format!("the model `{}` was cleared until {last}", self.name);
                Err(Error::new(Kind::Denied, "choose model", message))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is for the model that `provider` calls `model`.
    ///
    /// # Errors
    /// `Denied` if it is for another one.
    pub fn check_model(&self, provider: &str, model: &str) -> Result<()> {
        if (provider, model) == (self.provider.as_str(), self.model.as_str()) {
            return Ok(());
        }
        let message = format!("`{}` is cleared for another model than `{provider}`'s `{model}`", self.name);
        Err(Error::new(Kind::Denied, "choose model", message))
    }
}

impl Price {
    /// What `tokens` of input cost.
    #[must_use]
    pub fn of(&self, tokens: u64) -> f64 {
        self.per_million_tokens * tokens as f64 / 1e6
    }

    /// What a call costs that reads and writes so many tokens.
    #[must_use]
    pub fn of_call(&self, tokens_in: u64, tokens_out: u64) -> f64 {
        self.of(tokens_in) + self.per_million_tokens_out.unwrap_or(0.0) * tokens_out as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [[model]]
        name = "titan"
        provider = "bedrock"
        model = "amazon.titan-embed-text-v2:0"
        highest_label = "internal"
        price_per_million_tokens = 0.02
        priced = "2026-11-01"
        expires = "2027-06-30"
        at = { region = "eu-central-1" }
        texts = { dim = 512, max_tokens = 8192 }
        limits = { tokens_per_minute = 300000 }
        fallbacks = ["titan-north"]

        [[model]]
        name = "titan-north"
        provider = "bedrock"
        model = "amazon.titan-embed-text-v2:0"
        highest_label = "internal"
        at = { region = "eu-north-1" }
        above = "titan"
    "#;

    #[test]
    fn a_model_is_cleared_for_what_the_file_says_until_the_last_day() {
        let catalogue = Catalogue::parse(TEXT).unwrap();
        assert_eq!(catalogue.models().len(), 2);
        let cleared = catalogue.model("titan").unwrap().cleared().unwrap();
        assert_eq!((cleared.name(), cleared.highest_label()), ("titan", "internal"));
        assert!((cleared.price().unwrap().of(2_500_000) - 0.05).abs() < 1e-12);
        let last_millisecond = Timestamp(1_814_399_999_999);
        cleared.check(last_millisecond).unwrap();
        let over = cleared.check(Timestamp(last_millisecond.0 + 1)).unwrap_err();
        assert!(over.kind() == Kind::Denied && over.message().contains("2027-06-30"), "{over}");
        assert!(cleared.check(Timestamp(u64::MAX)).is_err());
        cleared.check_model("bedrock", "amazon.titan-embed-text-v2:0").unwrap();
        assert!(cleared.check_model("openai", "amazon.titan-embed-text-v2:0").is_err());
        assert!(cleared.check_model("bedrock", "amazon.titan-embed-text-v1").is_err());
        assert_eq!(catalogue.model("other").unwrap_err().kind(), Kind::Denied);
    }

    #[test]
    fn what_is_no_catalogue_is_refused() {
        let with = |from: &str, to: &str| Catalogue::parse(&TEXT.replace(from, to));
        for (from, to) in [
            ("highest_label = \"internal\"", ""),
            ("highest_label", "highest_lable"),
            ("titan-north\"\n        provider", "titan\"\n        provider"),
            ("0.02", "-1"),
            ("[\"titan-north\"]", "[\"titan\"]"),
            ("[\"titan-north\"]", "[\"titan-south\"]"),
            ("2027-06-30", "2027-06-31"),
            ("[[model]]", "[model]"),
            ("fallbacks = [\"titan-north\"]", "above = \"titan\""),
            ("fallbacks = [\"titan-north\"]", "above = \"titan-south\""),
            ("fallbacks = [\"titan-north\"]", "above = \"titan-north\""),
        ] {
            assert_eq!(with(from, to).unwrap_err().kind(), Kind::Invalid, "{from} -> {to}");
        }
        Catalogue::parse("").unwrap();
    }
}
