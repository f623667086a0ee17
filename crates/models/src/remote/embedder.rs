//! Here is a provider of vectors: split texts into its calls, make them beside each other, and take nothing on trust.

mod calls;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use safepassage_error::{Error, Result};

use self::calls::{Became, Route, outcomes};
use super::call::CallError;
use super::caller::{Caller, Calls};
use crate::catalogue::{Cleared, Price};
use crate::embedder::{Embedder, Embeddings, Kept, Purpose, Refused, gathered};
use crate::stamp::ModelStamp;
use crate::tokenizer::Tokenizer;

const OPERATION: &str = "embed";

/// What one call to a provider gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Embedded {
    /// The vector of each text, in order; of any length but zero.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that the provider read and charges, if it says.
    pub tokens: Option<u64>,
    /// Which texts the provider cut, ascending.
    pub truncated: Vec<usize>,
}

/// The future of one call to a provider.
pub type EmbedCall = Pin<Box<dyn Future<Output = std::result::Result<Embedded, CallError>> + Send>>;

/// Somebody outside who makes vectors of texts: how one call is put and read. When, how often and how many beside each
/// other is the [`Caller`]'s business.
pub trait EmbedProvider: Send + Sync + 'static {
    /// Which model it is.
    fn stamp(&self) -> &ModelStamp;

    /// The server, where nobody but it vouches for the model's name.
    fn origin(&self) -> Option<&str> {
        None
    }

    /// How many texts one call takes at most.
    fn texts_per_call(&self) -> usize;

    /// One attempt of one call. `texts` are as the model is to read them but for the stamp's prefixes.
    fn embed(&self, texts: &[String], purpose: Purpose) -> EmbedCall;
}

/// A provider, with others of the same model to turn to where it fails, as an [`Embedder`].
pub struct RemoteEmbedder {
    routes: Arc<[Route]>,
    tokenizer: Tokenizer,
    /// Whether a text was ever embedded.
    is_sound: Arc<AtomicBool>,
    above: Option<Arc<RemoteEmbedder>>,
}

impl RemoteEmbedder {
    /// `provider`, called by `caller`. `tokenizer` says where texts are cut and how many tokens a call may cost: that of
    /// the model where there is one, else any with a margin.
    ///
    /// # Errors
    /// `Denied` if `cleared` is for another model; `Invalid` if the provider takes no texts, or its vectors have no numbers.
    pub fn new(cleared: Cleared, provider: impl EmbedProvider, caller: Caller, tokenizer: Tokenizer) -> Result<Self> {
        cleared.check_model(&provider.stamp().provider, &provider.stamp().model)?;
        if provider.texts_per_call() == 0 || provider.stamp().dim == 0 {
            return Err(Error::invalid(OPERATION, "the provider takes no texts or gives no numbers"));
        }
        let route = Route { cleared, provider: Arc::new(provider), caller, spoiled: Arc::default() };
        Ok(Self { routes: Arc::new([route]), tokenizer, is_sound: Arc::default(), above: None })
    }

    /// Asks `other` where the ones before it are unavailable or throttled to the end. It must be the same model: another
    /// region, another account; and cleared for the same.
    ///
    /// # Errors
    /// `Invalid` if it is another model, or cleared for another label.
    pub fn or(self, other: Self) -> Result<Self> {
        for route in other.routes.iter() {
            if route.cleared.highest_label() != self.routes[0].cleared.highest_label() {
                let message = format!("`{}` is cleared for another label", route.cleared.name());
                return Err(Error::invalid(OPERATION, message));
            }
            self.check_like(route)?;
        }
        let routes = self.routes.iter().chain(other.routes.iter()).cloned().collect();
        Ok(Self { routes, ..self })
    }

    /// Leaves texts above its label to `other`, the same model at a place that is cleared for them.
    ///
    /// # Errors
    /// `Invalid` if it is another model.
    pub fn with_above(self, other: Self) -> Result<Self> {
        self.check_like(&other.routes[0])?;
        Ok(Self { above: Some(Arc::new(other)), ..self })
    }

    /// Whether `route` leads to the same model, in the same currency: vectors and prices stand beside each other.
    fn check_like(&self, route: &Route) -> Result<()> {
        let currency = |route: &Route| route.cleared.price().map(|price| price.currency.clone());
        if let (Some(theirs), Some(ours)) = (currency(route), currency(&self.routes[0]))
            && theirs != ours
        {
            let message = format!("`{}` costs {theirs}, and the model it stands in for {ours}", route.cleared.name());
            return Err(Error::invalid(OPERATION, message));
        }
        route.provider.stamp().check(self.stamp())
    }

    /// What was called so far, of each route in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Calls> {
        self.routes.iter().map(|route| route.caller.calls()).collect()
    }

    /// Ends what is under way and every later call.
    pub fn cancel(&self) {
        self.routes.iter().for_each(|route| route.caller.cancel());
    }

    /// A text of a document as it is sent.
    ///
    /// # Errors
    /// `Internal` if it cannot be cut into tokens.
    pub fn as_sent(&self, text: &str) -> Result<String> {
        Ok(self.prepared(&[text], Purpose::Document)?.0.pop().unwrap_or_default())
    }

    /// The texts as they are sent: with the prefix, and cut where the model would read no further.
    fn prepared(&self, texts: &[&str], purpose: Purpose) -> Result<(Vec<String>, Vec<u32>, Vec<usize>)> {
        let stamp = self.stamp();
        let prefix = match purpose {
            Purpose::Document => &stamp.document_prefix,
            Purpose::Query => &stamp.query_prefix,
        };
        let (mut sent, mut tokens, mut truncated) = (Vec::new(), Vec::new(), Vec::new());
        for (at, text) in texts.iter().enumerate() {
            let (read, count) = self.cut(text)?;
            if read.len() < text.len() {
                truncated.push(at);
            }
            sent.push(format!("{prefix}{read}"));
            tokens.push(u32::try_from(count).unwrap_or(u32::MAX));
        }
        Ok((sent, tokens, truncated))
    }

    /// The part of `text` that the model reads, and its tokens.
    fn cut<'t>(&self, text: &'t str) -> Result<(&'t str, usize)> {
        let (offsets, most) = (self.tokenizer.offsets(text)?, self.tokenizer.max_tokens());
        let end = offsets.get(most).map_or(text.len(), |(start, _)| *start);
        Ok((&text[..end], offsets.len().min(most)))
    }

    fn price(&self) -> Option<&Price> {
        self.routes[0].cleared.price()
    }

    /// What answers of no use cost since this was asked last, in tokens and in money.
    fn spoiled(&self) -> (u64, f64) {
        let spoiled = |route: &Route| {
            let tokens = route.spoiled.swap(0, Ordering::Relaxed);
            (tokens, route.cleared.price().map_or(0.0, |price| price.of(tokens)))
        };
        self.routes.iter().map(spoiled).fold((0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1))
    }
}

impl Embedder for RemoteEmbedder {
    fn stamp(&self) -> &ModelStamp {
        self.routes[0].provider.stamp()
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embeddings> {
        gathered(self, texts, purpose)
    }

    fn embed_each(
        &self,
        texts: &[&str],
        purpose: Purpose,
        keep: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<Kept> {
        let (sent, tokens, truncated) = self.prepared(texts, purpose)?;
        let mut kept = Kept { truncated, ..Kept::default() };
        let mut failed = None;
        let mut cost = 0.0;
        for (part, became, _place) in
            outcomes(Arc::clone(&self.routes), Arc::clone(&self.is_sound), sent, tokens.clone(), purpose)?
        {
            match became {
                Became::Embedded(embedded, route) => {
                    let estimate = || tokens[part.clone()].iter().map(|n| u64::from(*n)).sum();
                    let read = embedded.tokens.unwrap_or_else(estimate);
                    kept.tokens += read;
                    cost += self.routes[route].cleared.price().or(self.price()).map_or(0.0, |price| price.of(read));
                    kept.truncated.extend(embedded.truncated.iter().map(|at| part.start + at));
                    for (at, vector) in part.zip(&embedded.vectors) {
                        // Also after a failure: it is there and paid.
                        if let Err(error) = keep(at, vector) {
                            failed.get_or_insert(error);
                        }
                    }
                }
                Became::Refused(reason) => kept.refused.push(Refused { text: part.start, reason }),
                Became::Failed(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        let (spoiled, lost) = self.spoiled();
        kept.tokens += spoiled;
        kept.cost = self.price().map(|_| cost + lost);
        kept.truncated.sort_unstable();
        kept.truncated.dedup();
        kept.refused.sort_unstable_by_key(|refused| refused.text);
        failed.map_or(Ok(kept), Err)
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.routes[0].cleared)
    }

    fn above(&self) -> Option<Arc<dyn Embedder>> {
        self.above.clone().map(|above| above as _)
    }

    fn as_read<'t>(&self, text: &'t str) -> Result<&'t str> {
        self.cut(text).map(|(read, _)| read)
    }

    fn origin(&self) -> Option<&str> {
        self.routes[0].provider.origin()
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}
