//! Here is a provider that answers prompts: call it within all limits, and give what it writes as it comes.
//!
//! Until the first piece of text a call is one like any other: it may be tried again. From then on it is not; it keeps its
//! place among the calls under way, and it ends when nobody wants the rest.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::call::{CallError, CallLimits, Cost};
use super::caller::{Caller, Calls, Held};
use super::runtime::{start, wait_for};
use crate::catalogue::Cleared;
use crate::generator::{Cancel, Generator, Lost, Permit, Piece, Pieces, Request, Usage, check};
use crate::tokenizer::Tokenizer;

const OPERATION: &str = "generate";
/// Pieces that wait for whoever reads them.
const WAITING: usize = 64;

/// What is written, piece by piece, up to and with the end.
pub type PieceStream = Pin<Box<dyn Stream<Item = std::result::Result<Piece, CallError>> + Send>>;

/// The future of one call to a provider.
pub type GenerateCall = Pin<Box<dyn Future<Output = std::result::Result<PieceStream, CallError>> + Send>>;

/// Somebody outside who answers prompts: how one call is put and read. To drop the future or the stream ends the call. No
/// error says anything of what was sent or answered.
pub trait GenerateProvider: Send + Sync + 'static {
    /// The provider as a catalogue calls it, and what it calls the model.
    fn model(&self) -> (&str, &str);

    /// One attempt of one call.
    fn begin(&self, request: &Request) -> GenerateCall;
}

/// A provider as a [`Generator`].
pub struct RemoteGenerator {
    name: String,
    provider: Arc<dyn GenerateProvider>,
    caller: Caller,
    cleared: Cleared,
    window: usize,
    tokenizer: Option<Tokenizer>,
    fallbacks: Vec<Arc<dyn Generator>>,
}

impl fmt::Debug for RemoteGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteGenerator").field("name", &self.name).finish_non_exhaustive()
    }
}

impl RemoteGenerator {
    /// `provider`, called by `caller`, whose prompts and answers have `window` tokens together. Tokens are counted by
    /// `tokenizer`, or estimated.
    ///
    /// # Errors
    /// `Denied` if `cleared` is for another model; `Invalid` if there is no window.
    pub fn new(
        cleared: Cleared,
        provider: impl GenerateProvider,
        caller: Caller,
        window: usize,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Self> {
        let (by, model) = provider.model();
        cleared.check_model(by, model)?;
        if window == 0 {
            return Err(Error::invalid("open model", format!("`{}` has a window of no tokens", cleared.name())));
        }
        let name = cleared.name().to_owned();
        Ok(Self { name, provider: Arc::new(provider), caller, cleared, window, tokenizer, fallbacks: Vec::new() })
    }

    /// Turns to `other` where this one and those named before are unavailable.
    #[must_use]
    pub fn or(mut self, other: Arc<dyn Generator>) -> Self {
        self.fallbacks.push(other);
        self
    }

    /// What was called so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.caller.calls()
    }
}

impl Generator for RemoteGenerator {
    fn name(&self) -> &str {
        &self.name
    }

    fn window(&self) -> usize {
        self.window
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.cleared)
    }

    fn fallbacks(&self) -> &[Arc<dyn Generator>] {
        &self.fallbacks
    }

    fn tokens(&self, text: &str) -> usize {
        let counted = self.tokenizer.as_ref().and_then(|tokenizer| tokenizer.offsets(text).ok());
        // The special tokens are counted too.
        counted.map_or_else(|| text.len().div_ceil(crate::generator::BYTES_PER_TOKEN), |offsets| offsets.len() + 2)
    }

    fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces> {
        check(request)?;
        let tokens = request.messages.iter().map(|message| self.tokens(&message.text)).sum::<usize>();
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX).saturating_add(request.most_tokens);
        let (caller, provider, request) = (self.caller.clone(), Arc::clone(&self.provider), request.clone());
        let (permit, cleared) = (Arc::clone(permit), self.cleared.clone());
        let cancel = request.cancel.clone().unwrap_or_default();
        wait_for(async move {
            // What failed attempts have cost, as far as the provider says.
            let lost = Lost::default();
            let attempt = || {
                let (permit, cleared, provider, request, lost) = (&permit, &cleared, &provider, &request, &lost);
                async move {
                    permitted(permit, cleared).await?;
                    let mut pieces = provider.begin(request).await?;
                    loop {
                        match pieces.next().await {
                            Some(Ok(Piece::Counted(usage))) => lost.add(usage),
                            Some(first) => return Ok((first?, pieces)),
                            None => return Err(CallError::unavailable("the answer was cut off")),
                        }
                    }
                }
            };
            let limits = *caller.limits();
            let begun = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(cancelled(&cancel)),
                begun = caller.begin_within(limits.deadline, Cost { tokens }, attempt) => begun,
            };
            let lost = lost.take();
            let ((first, pieces), held) = begun.inspect_err(|_| {
                // Nobody gets pieces that would say so.
                request.lost.iter().for_each(|told| told.add(lost));
            })?;
            let (sender, receiver) = mpsc::channel(WAITING);
            if lost != Usage::default() {
                // It is the first of many that there is room for.
                sender.try_send(Ok(Piece::Counted(lost))).unwrap_or_default();
            }
            start(forwarded(first, pieces, (sender, cancel), held, limits))?;
            Ok(Pieces::awaited(&request, Received(receiver)))
        })
    }
}

/// Whether the prompt may leave now. What is asked may read files or ask somebody else, so it has a thread of its own.
pub(super) async fn permitted(permit: &Permit, cleared: &Cleared) -> std::result::Result<(), CallError> {
    cleared.check(Clock::system().now()).map_err(CallError::withheld)?;
    let permit = Arc::clone(permit);
    let asked = tokio::task::spawn_blocking(move || permit()).await;
    let failed = || Error::new(Kind::Internal, OPERATION, "whether the prompt may be sent was not decided");
    asked.unwrap_or_else(|_| Err(failed())).map_err(CallError::withheld)
}

fn cancelled(cancel: &Cancel) -> Error {
    let unknown = || Error::new(Kind::Internal, OPERATION, "a call that was not cancelled ended as if it were");
    cancel.check().err().unwrap_or_else(unknown)
}

/// Passes pieces on until the end, or until nobody wants them.
async fn forwarded(
    first: Piece,
    pieces: PieceStream,
    (sender, cancel): (mpsc::Sender<Result<Piece>>, Cancel),
    held: Held,
    limits: CallLimits,
) {
    tokio::select! {
        biased;
        () = sender.closed() => {}
        () = cancel.cancelled() => sender.try_send(Err(cancelled(&cancel))).unwrap_or_default(),
        () = each(first, pieces, &sender, &held, limits) => {}
        () = sleep(limits.answer) => {
            let late = Error::new(Kind::Unavailable, OPERATION, "the answer took too long");
            // Whoever does not read learns of it by the end of the channel.
            sender.try_send(Err(late)).unwrap_or_default();
        }
    }
}

async fn each(
    first: Piece,
    mut pieces: PieceStream,
    sender: &mpsc::Sender<Result<Piece>>,
    held: &Held,
    limits: CallLimits,
) {
    let mut next = Ok(first);
    loop {
        let over = !matches!(next, Ok(Piece::Text(_) | Piece::Counted(_)));
        if next.is_err() {
            held.failed();
        }
        if sender.send(next.map_err(|failed: CallError| failed.error)).await.is_err() || over {
            return;
        }
        next = match timeout(limits.idle, pieces.next()).await {
            Ok(Some(piece)) => piece,
            Ok(None) => Err(CallError::unavailable("the answer was cut off")),
            Err(_) => Err(CallError::unavailable("the answer stopped in the middle")),
        };
    }
}

/// Pieces as they are received; to drop it tells the sender.
struct Received(mpsc::Receiver<Result<Piece>>);

impl Stream for Received {
    type Item = Result<Piece>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
