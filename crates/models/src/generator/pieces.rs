//! A model writes: what has it written since?
//!
//! Whatever the source is, the same holds: text, then one end, then nothing; a source that stops without an end was cut
//! off; no answer is longer than was asked for. Pieces can be waited for by a thread or awaited.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use futures_core::Stream;
use safepassage_error::{Error, Kind, Result};

use super::{Piece, Request};

const OPERATION: &str = "generate";

/// An answer as it is written. To drop it is to end the call.
pub struct Pieces {
    source: Source,
    /// Bytes that may still come.
    left: usize,
    over: bool,
}

enum Source {
    /// Whoever wants a piece makes it.
    Pulled(Box<dyn Iterator<Item = Result<Piece>> + Send>),
    /// Somebody else makes them meanwhile.
    Awaited(Pin<Box<dyn Stream<Item = Result<Piece>> + Send>>),
}

impl Pieces {
    /// Pieces of the answer to `request` that are made by whoever asks for the next one.
    pub fn pulled(request: &Request, pieces: impl Iterator<Item = Result<Piece>> + Send + 'static) -> Self {
        Self { source: Source::Pulled(Box::new(pieces)), left: request.most_bytes(), over: false }
    }

    /// Pieces of the answer to `request` that are waited for.
    pub fn awaited(request: &Request, pieces: impl Stream<Item = Result<Piece>> + Send + 'static) -> Self {
        Self { source: Source::Awaited(Box::pin(pieces)), left: request.most_bytes(), over: false }
    }

    /// What may be given out of what the source gave.
    fn checked(&mut self, next: Option<Result<Piece>>) -> Option<Result<Piece>> {
        let next = next.unwrap_or_else(|| Err(unavailable("the answer was cut off")));
        let checked = match next {
            Ok(Piece::Text(text)) if text.len() > self.left => Err(unavailable("the answer is longer than it may be")),
            other => other,
        };
        match &checked {
            Ok(Piece::Text(text)) => self.left -= text.len(),
            Ok(Piece::Counted(_)) => {}
            Ok(Piece::Finished(_)) | Err(_) => {
                self.over = true;
                // Ends the call of a source that would go on.
                self.source = Source::Pulled(Box::new(std::iter::empty()));
            }
        }
        Some(checked)
    }
}

impl Iterator for Pieces {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = match &mut self.source {
            Source::Pulled(pieces) => pieces.next(),
            Source::Awaited(pieces) => block_on(std::future::poll_fn(|context| pieces.as_mut().poll_next(context))),
        };
        self.checked(next)
    }
}

/// Pieces of a model that is a plain function are made within the poll: it may take as long as the function does.
impl Stream for Pieces {
    type Item = Result<Piece>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let next = match &mut self.source {
            Source::Pulled(pieces) => pieces.next(),
            Source::Awaited(pieces) => match pieces.as_mut().poll_next(context) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(self.checked(next))
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("left", &self.left).field("over", &self.over).finish_non_exhaustive()
    }
}

fn unavailable(message: &str) -> Error {
    Error::new(Kind::Unavailable, OPERATION, message)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What `future` gives; the calling thread waits.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{Finished, StopReason};

    fn end() -> Result<Piece> {
        Ok(Piece::Finished(Finished { reason: StopReason::End, usage: None }))
    }

    fn text(text: &str) -> Result<Piece> {
        Ok(Piece::Text(text.into()))
    }

    /// Every piece only at the second poll.
    struct Slow(Vec<Result<Piece>>, bool);

    impl Stream for Slow {
        type Item = Result<Piece>;

        fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.1 = !self.1;
            if self.1 {
                let waker = context.waker().clone();
                std::thread::spawn(move || waker.wake());
                return Poll::Pending;
            }
            Poll::Ready((!self.0.is_empty()).then(|| self.0.remove(0)))
        }
    }

    fn both(most_tokens: u32, make: impl Fn() -> Vec<Result<Piece>>) -> Vec<Result<Piece>> {
        let request = Request { most_tokens, ..Request::default() };
        let pulled: Vec<_> = Pieces::pulled(&request, make().into_iter()).collect();
        let waited: Vec<_> = Pieces::awaited(&request, Slow(make(), false)).collect();
        let mut pieces = Pieces::awaited(&request, Slow(make(), false));
        let mut awaited = Vec::new();
        while let Some(piece) = block_on(std::future::poll_fn(|context| Pin::new(&mut pieces).poll_next(context))) {
            awaited.push(piece);
        }
        let shown = format!("{pulled:?}");
        assert_eq!((&shown, &shown), (&format!("{waited:?}"), &format!("{awaited:?}")));
        pulled
    }

    #[test]
    fn text_then_one_end_then_nothing_however_it_is_waited_for() {
        let given = both(1, || vec![text("a"), text("b"), end(), text("never"), end()]);
        assert!(matches!(&given[..], [Ok(Piece::Text(_)), Ok(Piece::Text(_)), Ok(Piece::Finished(_))]), "{given:?}");
    }

    #[test]
    fn what_stops_without_an_end_was_cut_off_and_nothing_is_longer_than_asked_for() {
        let given = both(1, || vec![text("a")]);
        assert!(matches!(&given[1..], [Err(error)] if error.message().contains("cut off")), "{given:?}");
        let long = "x".repeat(40);
        let given = both(1, || vec![text(&long), text(&long), end()]);
        assert!(matches!(&given[1..], [Err(error)] if error.message().contains("longer")), "{given:?}");
        let given = both(1, || vec![Err(unavailable("down")), end()]);
        assert_eq!(given.len(), 1);
    }
}
