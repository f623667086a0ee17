//! Here are texts as they are sent, and ways to the model: make the calls beside each other, and find the texts that are
//! refused.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use futures_util::{StreamExt, stream};
use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::{EmbedProvider, Embedded, OPERATION};
use crate::catalogue::Cleared;
use crate::embedder::Purpose;
use crate::remote::call::{CallError, Cost};
use crate::remote::caller::Caller;
use crate::remote::runtime;

/// One way to the model: a provider, called within its own limits.
#[derive(Clone)]
pub(super) struct Route {
    pub cleared: Cleared,
    pub provider: Arc<dyn EmbedProvider>,
    pub caller: Caller,
    /// Tokens of answers that were of no use.
    pub spoiled: Arc<AtomicU64>,
}

/// A run of texts that go in one call.
pub(super) type Part = std::ops::Range<usize>;
/// What became of a part, and its place among the calls under way: free for the next one when it is kept.
pub(super) type Outcome = (Part, Became, OwnedSemaphorePermit);

/// What became of the texts of a call.
pub(super) enum Became {
    /// By the route of this number.
    Embedded(Embedded, usize),
    /// One text, and why nobody reads it.
    Refused(String),
    Failed(Error),
}

/// What a model reads that is set up rightly.
const PLAIN: &str = "text";

/// Makes all calls for `sent`, by `routes`, of which `is_sound` says whether one ever embedded a text; what becomes of each
/// part comes as soon as it is there. After a failure no further call begins, and those under way still end: they are paid.
pub(super) fn outcomes(
    routes: Arc<[Route]>,
    is_sound: Arc<AtomicBool>,
    sent: Vec<String>,
    tokens: Vec<u32>,
    purpose: Purpose,
) -> Result<mpsc::Receiver<Outcome>> {
    let (sender, receiver) = mpsc::channel();
    let step = routes.iter().map(|route| route.provider.texts_per_call()).min().unwrap_or(1);
    let beside = routes.iter().map(|route| route.caller.limits().max_concurrent).max().unwrap_or(1);
    let parts: Vec<Part> = (0..sent.len()).step_by(step).map(|from| from..(from + step).min(sent.len())).collect();
    let (stopped, plain) = (AtomicBool::new(false), OnceCell::new());
    // What has arrived and is not kept yet would be paid again by a process that comes after: that much waits at most.
    let places = Arc::new(Semaphore::new(beside));
    runtime::start(async move {
        let one = |part: Part| {
            let (sender, stopped, routes, sent, tokens) = (&sender, &stopped, &routes, &sent, &tokens);
            let (places, is_sound, plain) = (&places, &is_sound, &plain);
            async move {
                // Parts whose text is refused are halved until the text is found.
                let mut open = vec![part];
                while let Some(part) = open.pop() {
                    let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let cost = Cost { tokens: tokens[part.clone()].iter().fold(0, |all, n| all.saturating_add(*n)) };
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
                            let asked = || refusal_of_plain(routes, is_sound, purpose);
                            let plain = match is_sound.load(Ordering::Relaxed) {
                                true => &None,
                                false => plain.get_or_init(asked).await,
                            };
                            match plain {
                                None => Became::Refused(error.message().to_owned()),
                                Some(reason) => Became::Failed(refuses_all(reason)),
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

/// A model that reads nothing at all is set up wrongly: no text is put aside for that.
fn refuses_all(reason: &str) -> Error {
    let message = format!("the model refuses every text, `{PLAIN}` too; is its entry right? {reason}");
    Error::invalid(OPERATION, message)
}

/// Why the model refuses what every model reads; `None` if it does not.
async fn refusal_of_plain(routes: &[Route], is_sound: &AtomicBool, purpose: Purpose) -> Option<String> {
    match ask(routes, &[PLAIN.to_owned()], Cost { tokens: 1 }, purpose).await {
        Err(error) if error.kind() == Kind::Invalid => Some(error.message().to_owned()),
        asked => {
            is_sound.fetch_or(asked.is_ok(), Ordering::Relaxed);
            None
        }
    }
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
