//! Here is a provider of vectors: split texts into its calls, make them beside each other, and take nothing on trust.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use futures_util::{StreamExt, stream};
use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::call::{CallError, Cost};
use super::caller::{Caller, Calls};
use super::runtime;
use crate::catalogue::Cleared;
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

    /// How many texts one call takes at most.
    fn texts_per_call(&self) -> usize;

    /// One attempt of one call. `texts` are as the model is to read them but for the stamp's prefixes.
    fn embed(&self, texts: &[String], purpose: Purpose) -> EmbedCall;
}

/// A provider, with others of the same model to turn to where it fails, as an [`Embedder`].
pub struct RemoteEmbedder {
    routes: Arc<[Route]>,
    tokenizer: Tokenizer,
}

#[derive(Clone)]
struct Route {
    cleared: Cleared,
    provider: Arc<dyn EmbedProvider>,
    caller: Caller,
}

/// A run of texts that go in one call.
type Part = std::ops::Range<usize>;
/// What became of a part, and its place among the calls under way: free for the next one when it is kept.
type Outcome = (Part, Result<Embedded>, OwnedSemaphorePermit);

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
        Ok(Self { routes: Arc::new([Route { cleared, provider: Arc::new(provider), caller }]), tokenizer })
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
            route.provider.stamp().check(self.stamp())?;
        }
        let routes = self.routes.iter().chain(other.routes.iter()).cloned().collect();
        Ok(Self { routes, tokenizer: self.tokenizer })
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
            let offsets = self.tokenizer.offsets(text)?;
            let most = self.tokenizer.max_tokens();
            let end = offsets.get(most).map_or(text.len(), |(start, _)| *start);
            if end < text.len() && offsets.len() > most {
                truncated.push(at);
            }
            sent.push(format!("{prefix}{}", &text[..end]));
            tokens.push(u32::try_from(offsets.len().min(most)).unwrap_or(u32::MAX));
        }
        Ok((sent, tokens, truncated))
    }

    /// Makes all calls for `sent`; what becomes of each part comes as soon as it is there. After a failure no further call
    /// begins, and those under way still end: they are paid.
    fn outcomes(&self, sent: Vec<String>, tokens: Vec<u32>, purpose: Purpose) -> Result<mpsc::Receiver<Outcome>> {
        let (sender, receiver) = mpsc::channel();
        let routes = Arc::clone(&self.routes);
        let step = routes.iter().map(|route| route.provider.texts_per_call()).min().unwrap_or(1);
        let beside = routes.iter().map(|route| route.caller.limits().max_concurrent).max().unwrap_or(1);
        let parts: Vec<Part> = (0..sent.len()).step_by(step).map(|from| from..(from + step).min(sent.len())).collect();
        let stopped = AtomicBool::new(false);
        // What has arrived and is not kept yet would be paid again by a process that comes after: that much waits at most.
        let places = Arc::new(Semaphore::new(beside));
        runtime::start(async move {
            let one = |part: Part| {
                let (sender, stopped, routes, sent, tokens) = (&sender, &stopped, &routes, &sent, &tokens);
                let places = &places;
                async move {
                    // Parts whose text is refused are halved until the text is found.
                    let mut open = vec![part];
                    while let Some(part) = open.pop() {
                        let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
                        if stopped.load(Ordering::Relaxed) {
                            return;
                        }
                        let cost =
                            Cost { tokens: tokens[part.clone()].iter().fold(0, |all, n| all.saturating_add(*n)) };
                        let outcome = ask(routes, &sent[part.clone()], cost, purpose).await;
                        match &outcome {
                            Err(error) if error.kind() == Kind::Invalid && part.len() > 1 => {
                                let middle = part.start + part.len() / 2;
                                open.extend([middle..part.end, part.start..middle]);
                                continue;
                            }
                            Err(error) if error.kind() != Kind::Invalid => stopped.store(true, Ordering::Relaxed),
                            _ => {}
                        }
                        if sender.send((part, outcome, place)).is_err() {
                            stopped.store(true, Ordering::Relaxed);
                        }
                    }
                }
            };
            stream::iter(parts).for_each_concurrent(beside, one).await;
        })?;
        Ok(receiver)
    }
}

/// One call, by the first route that answers.
async fn ask(routes: &[Route], texts: &[String], cost: Cost, purpose: Purpose) -> Result<Embedded> {
    let mut failed = None;
    for (n, Route { cleared, provider, caller }) in routes.iter().enumerate() {
        cleared.check(Clock::system().now())?;
        let operation = || {
            let call = provider.embed(texts, purpose);
            async move {
                let mut embedded = call.await?;
                check(&mut embedded, texts.len(), provider.stamp().dim)?;
                Ok(embedded)
            }
        };
        let outcome = match purpose {
            Purpose::Document if n + 1 == routes.len() => caller.call(cost, operation).await,
            Purpose::Document => caller.call_or_turn(cost, operation).await,
            Purpose::Query => caller.call_within(caller.limits().question_deadline, cost, operation).await,
        };
        match outcome {
            Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Throttled) => failed = Some(error),
            outcome => return outcome,
        }
    }
    Err(failed.unwrap_or_else(|| Error::new(Kind::Internal, OPERATION, "there is nobody to ask")))
}

/// Whether it is what was asked for; vectors then have unit length. Anything else may be a fault of the moment.
fn check(embedded: &mut Embedded, texts: usize, dim: usize) -> std::result::Result<(), CallError> {
    let wrong = |what: String| Err(CallError::unavailable(format!("the provider's answer is not usable: {what}")));
    if embedded.vectors.len() != texts {
        return wrong(format!("{} vectors for {texts} texts", embedded.vectors.len()));
    }
    for vector in &mut embedded.vectors {
        if vector.len() != dim {
            return wrong(format!("a vector of {} numbers where {dim} are right", vector.len()));
        }
        let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
        if !length.is_finite() || length == 0.0 {
            return wrong("a vector that is zero or not finite".into());
        }
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    Ok(())
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
        for (part, outcome, _place) in self.outcomes(sent, tokens.clone(), purpose)? {
            match outcome {
                Ok(embedded) => {
                    let estimate = || tokens[part.clone()].iter().map(|n| u64::from(*n)).sum();
                    kept.tokens += embedded.tokens.unwrap_or_else(estimate);
                    kept.truncated.extend(embedded.truncated.iter().map(|at| part.start + at));
                    for (at, vector) in part.zip(&embedded.vectors) {
                        // Also after a failure: it is there and paid.
                        if let Err(error) = keep(at, vector) {
                            failed.get_or_insert(error);
                        }
                    }
                }
                Err(error) if error.kind() == Kind::Invalid => {
                    kept.refused.push(Refused { text: part.start, reason: error.message().to_owned() });
                }
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        kept.truncated.sort_unstable();
        kept.truncated.dedup();
        kept.refused.sort_unstable_by_key(|refused| refused.text);
        failed.map_or(Ok(kept), Err)
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.routes[0].cleared)
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}
