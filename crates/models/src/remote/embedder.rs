//! Here is a provider of vectors: split texts into its calls, make them beside each other, and take nothing on trust.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use futures_util::{StreamExt, stream};
use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::call::{CallError, Cost};
use super::caller::{Caller, Calls};
use super::runtime;
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

#[derive(Clone)]
struct Route {
    cleared: Cleared,
    provider: Arc<dyn EmbedProvider>,
    caller: Caller,
    /// Tokens of answers that were of no use.
    spoiled: Arc<AtomicU64>,
}

/// A run of texts that go in one call.
type Part = std::ops::Range<usize>;
/// What became of a part, and its place among the calls under way: free for the next one when it is kept.
type Outcome = (Part, Became, OwnedSemaphorePermit);

enum Became {
    /// By the route of this number.
    Embedded(Embedded, usize),
    /// One text, and why nobody reads it.
    Refused(String),
    Failed(Error),
}

/// What a model reads that is set up rightly.
const PLAIN: &str = "text";

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

    /// Makes all calls for `sent`; what becomes of each part comes as soon as it is there. After a failure no further call
    /// begins, and those under way still end: they are paid.
    fn outcomes(&self, sent: Vec<String>, tokens: Vec<u32>, purpose: Purpose) -> Result<mpsc::Receiver<Outcome>> {
        let (sender, receiver) = mpsc::channel();
        let routes = Arc::clone(&self.routes);
        let step = routes.iter().map(|route| route.provider.texts_per_call()).min().unwrap_or(1);
        let beside = routes.iter().map(|route| route.caller.limits().max_concurrent).max().unwrap_or(1);
        let parts: Vec<Part> = (0..sent.len()).step_by(step).map(|from| from..(from + step).min(sent.len())).collect();
        let (stopped, is_sound) = (AtomicBool::new(false), Arc::clone(&self.is_sound));
        let reads_plain = OnceCell::new();
        // What has arrived and is not kept yet would be paid again by a process that comes after: that much waits at most.
        let places = Arc::new(Semaphore::new(beside));
        runtime::start(async move {
            let one = |part: Part| {
                let (sender, stopped, routes, sent, tokens) = (&sender, &stopped, &routes, &sent, &tokens);
                let (places, is_sound, reads_plain) = (&places, &is_sound, &reads_plain);
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
                        let became = match outcome {
                            Ok((embedded, route)) => {
                                is_sound.store(true, Ordering::Relaxed);
                                Became::Embedded(embedded, route)
                            }
                            Err(error) if error.kind() == Kind::Invalid && part.len() > 1 => {
                                let middle = part.start + part.len() / 2;
                                open.extend([middle..part.end, part.start..middle]);
                                continue;
                            }
                            Err(error) if error.kind() == Kind::Invalid => {
                                // Either the text is at fault, or everything is refused.
                                let reads = || async {
                                    let plain = [PLAIN.to_owned()];
                                    let asked = ask(routes, &plain, Cost { tokens: 1 }, purpose).await;
                                    !matches!(asked, Err(error) if error.kind() == Kind::Invalid)
                                };
                                match is_sound.load(Ordering::Relaxed) || *reads_plain.get_or_init(reads).await {
                                    true => Became::Refused(error.message().to_owned()),
                                    false => Became::Failed(refuses_all(&error)),
                                }
                            }
                            Err(error) => Became::Failed(error),
                        };
                        if matches!(became, Became::Failed(_)) {
                            stopped.store(true, Ordering::Relaxed);
                        }
                        if sender.send((part, became, place)).is_err() {
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

/// A model that reads nothing at all is set up wrongly: no text is put aside for that.
fn refuses_all(error: &Error) -> Error {
    let message = format!("the model refuses every text, `{PLAIN}` too; is its entry right? {}", error.message());
    Error::invalid(OPERATION, message)
}

/// One call, by the first route that answers, and its number.
async fn ask(routes: &[Route], texts: &[String], cost: Cost, purpose: Purpose) -> Result<(Embedded, usize)> {
    let mut failed = None;
    for (n, Route { cleared, provider, caller, spoiled }) in routes.iter().enumerate() {
        cleared.check(Clock::system().now())?;
        let operation = || {
            let call = provider.embed(texts, purpose);
            async move {
                let mut embedded = call.await?;
                let checked = check(&mut embedded, texts.len(), provider.stamp().dim);
                if checked.is_err() {
                    let paid = embedded.tokens.unwrap_or(u64::from(cost.tokens));
                    spoiled.fetch_add(paid, Ordering::Relaxed);
                }
                checked.map(|()| embedded)
            }
        };
        let outcome = match purpose {
            Purpose::Document if n + 1 == routes.len() => caller.call(cost, operation).await,
            Purpose::Document => caller.call_or_turn(cost, operation).await,
            Purpose::Query => caller.call_within(caller.limits().question_deadline, cost, operation).await,
        };
        match outcome {
            Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Throttled) => failed = Some(error),
            outcome => return outcome.map(|embedded| (embedded, n)),
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
        let mut cost = 0.0;
        for (part, became, _place) in self.outcomes(sent, tokens.clone(), purpose)? {
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
