//! Here is a function that answers: it is a model too.

use futures_core::Stream;
use safepassage_error::{Error, Result};

use super::pieces::block_on;
use super::{Generator, Permit, Piece, Pieces, Request, check};

type Answering = Box<dyn Fn(&Request) -> Result<Pieces> + Send + Sync>;

/// A function as a [`Generator`]. It runs in this process: it has no clearance, and where it sends the prompt is its own
/// business, and its writer's responsibility.
pub struct GenerateWith {
    name: String,
    window: usize,
    answer: Answering,
}

impl GenerateWith {
    /// `answer` under the name `name`, for prompts and answers of `window` tokens together: it gives the pieces of an answer.
    ///
    /// # Errors
    /// `Invalid` for no name or no window.
    pub fn new<I>(
        name: &str,
        window: usize,
        answer: impl Fn(&Request) -> Result<I> + Send + Sync + 'static,
    ) -> Result<Self>
    where
        I: Iterator<Item = Result<Piece>> + Send + 'static,
    {
        Self::with(name, window, Box::new(move |request| Ok(Pieces::pulled(request, answer(request)?))))
    }

    /// As [`GenerateWith::new`], for a function that is awaited, as are the pieces. Whoever wants the next piece polls: what
    /// needs a runtime must be spawned on it by `answer`.
    ///
    /// # Errors
    /// As [`GenerateWith::new`].
    pub fn awaited<F, S>(
        name: &str,
        window: usize,
        answer: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> Result<Self>
    where
        F: Future<Output = Result<S>>,
        S: Stream<Item = Result<Piece>> + Send + 'static,
    {
        let answer = move |request: &Request| Ok(Pieces::awaited(request, block_on(answer(request.clone()))?));
        Self::with(name, window, Box::new(answer))
    }

    fn with(name: &str, window: usize, answer: Answering) -> Result<Self> {
        if name.is_empty() || window == 0 {
            return Err(Error::invalid("set up model", "a function that answers needs a name and a window"));
        }
        Ok(Self { name: name.to_owned(), window, answer })
    }
}

impl Generator for GenerateWith {
    fn name(&self) -> &str {
        &self.name
    }

    fn window(&self) -> usize {
        self.window
    }

    fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces> {
        check(request)?;
        permit()?;
        (self.answer)(request)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use safepassage_error::Kind;

    use super::*;
    use crate::generator::{Finished, Message, Role, StopReason};

    fn request() -> Request {
        let messages = vec![Message { role: Role::User, text: "hello".into() }];
        Request { messages, most_tokens: 8, ..Request::default() }
    }

    fn answer(request: &Request) -> Vec<Result<Piece>> {
        let text = request.messages[0].text.to_uppercase();
        vec![Ok(Piece::Text(text)), Ok(Piece::Finished(Finished { reason: StopReason::End, usage: None }))]
    }

    #[test]
    fn plain_and_awaited_functions_answer_alike_and_nothing_before_the_permit() {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let plain = GenerateWith::new("plain", 100, move |request| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(answer(request).into_iter())
        });
        let awaited =
            GenerateWith::awaited(
                "awaited",
                100,
                |request| async move { Ok(futures_util::stream::iter(answer(&request))) },
            );
        for model in [plain.unwrap(), awaited.unwrap()] {
            let given: Vec<_> = model.generate(&request(), &(Arc::new(|| Ok(())) as Permit)).unwrap().collect();
            assert!(matches!(&given[0], Ok(Piece::Text(text)) if text == "HELLO"));
            assert_eq!(given.len(), 2);
        }
        let model =
            GenerateWith::new("never", 1, |_| -> Result<std::iter::Empty<_>> { panic!("it was asked") }).unwrap();
        let refused: Permit = Arc::new(|| Err(Error::new(Kind::Denied, "ask", "no")));
        assert_eq!(model.generate(&request(), &refused).unwrap_err().kind(), Kind::Denied);
        for nothing in [Request { most_tokens: 0, ..request() }, Request { messages: Vec::new(), ..request() }] {
            assert_eq!(model.generate(&nothing, &(Arc::new(|| Ok(())) as Permit)).unwrap_err().kind(), Kind::Invalid);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
