//! A model is answering: what has it written since, and what was it, all in all?
//!
//! Each piece goes through the redactor and the hooks before anybody gets it. However it ends, also if nobody wants the
//! rest, a line of the audit log says how.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use safepassage_error::{Error, Kind, Result};
use safepassage_models::{Cancel, Direction, Finished, Guardrail, Permit, Piece, Pieces, StopReason, Usage, Verdict};
use safepassage_prompt::{Redacting, Redactor};

use super::Ask;
use super::account::Account;
use super::answer::Answer;
use super::asked::Asked;
use super::hook::Hook;
use super::sending::looked_at;

/// An answer as it is written: pieces of text, then [`AnswerStream::finish`]. To drop it ends the call.
pub struct AnswerStream {
    pieces: Option<Pieces>,
    redacting: Option<Redacting<Arc<dyn Redactor>>>,
    hooks: Vec<Arc<dyn Hook>>,
    guardrails: Vec<Arc<dyn Guardrail>>,
    /// What is not given out before guardrails have looked at all of it.
    withheld: String,
    /// What is to be given out before anything else.
    ready: Option<String>,
    account: Option<Account>,
    asked: Asked,
    answer: Answer,
    /// What the provider has counted so far.
    counted: Option<Usage>,
    cancel: Option<Cancel>,
    /// Why it broke off, for whoever asks for the answer.
    broken: Option<(Kind, String)>,
}

impl AnswerStream {
    pub(super) fn new(ask: &Ask<'_>, asked: Asked, answer: Answer, pieces: Pieces, account: Account) -> Self {
        let redacting = ask.redact.answer.then(|| Redacting::new(Arc::clone(&ask.redactor)));
        let (hooks, guardrails) = (ask.hooks.clone(), ask.guardrails.clone());
        let (withheld, ready) = (String::new(), None);
        Self {
            guardrails,
            withheld,
            ready,
            pieces: Some(pieces),
            redacting,
            hooks,
            account: Some(account),
            asked,
            answer,
            counted: None,
            cancel: ask.cancel.clone(),
            broken: None,
        }
    }

    /// One that is over before it began: there was nothing to send.
    pub(super) fn unsent(mut asked: Asked, answer: Answer) -> Result<Self> {
        asked.span().decided(&answer);
        asked.ended("ok", Some("nothing was sent".to_owned()))?;
        let (redacting, hooks, guardrails, withheld) = (None, Vec::new(), Vec::new(), String::new());
        let ready = Some(answer.text.clone()).filter(|text| !text.is_empty());
        Ok(Self {
            guardrails,
            withheld,
            ready,
            pieces: None,
            redacting,
            hooks,
            account: None,
            asked,
            answer,
            counted: None,
            cancel: None,
            broken: None,
        })
    }

    /// The answer as far as it is there; all of it once there are no more pieces. Its citations are found at the end.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Waits for the rest, and gives all of it.
    ///
    /// # Errors
    /// What the answer breaks off with.
    pub fn finish(mut self) -> Result<Answer> {
        for piece in self.by_ref() {
            piece?;
        }
        if let Some((kind, message)) = self.broken.take() {
            return Err(Error::new(kind, "ask", message));
        }
        Ok(self.answer.clone())
    }

    /// What is given out of what the model gave; nothing at all is possible, and then the next is wanted.
    fn taken(&mut self, next: Option<Result<Piece>>) -> Option<Result<String>> {
        if let Some(Err(error)) = self.cancel.as_ref().map(Cancel::check) {
            return Some(Err(self.broke(error)));
        }
        let text = match next {
            Some(Ok(Piece::Text(text))) => match &mut self.redacting {
                Some(redacting) => redacting.push(&text),
                None => text,
            },
            Some(Ok(Piece::Counted(usage))) => {
                *self.counted.get_or_insert_default() += usage;
                return None;
            }
            Some(Ok(Piece::Finished(finished))) => return self.ended(finished),
            Some(Err(error)) => return Some(Err(self.broke(error))),
            None => return Some(Err(self.broke(Error::new(Kind::Unavailable, "ask", "the answer was cut off")))),
        };
        if !self.guardrails.is_empty() {
            self.withheld.push_str(&text);
            return None;
        }
        (!text.is_empty()).then(|| self.given(text))
    }

    /// What guardrails leave of the whole answer, and whether one of them said it.
    fn looked_at(&self, mut text: String) -> Result<(String, bool)> {
        let permit: Permit = Arc::new(|| Ok(()));
        for guardrail in &self.guardrails {
            let look = || looked_at(&**guardrail, &text, Direction::Out, &permit);
            match self.asked.span().within(look)? {
                Verdict::Pass => {}
                Verdict::Masked(masked) => text = masked,
                Verdict::Intervened(said) => return Ok((said, true)),
            }
        }
        Ok((text, false))
    }

    /// `text` as hooks leave it.
    fn given(&mut self, mut text: String) -> Result<String> {
        let seen = self.hooks.iter().try_for_each(|hook| hook.on_piece(&mut text));
        seen.map_err(|error| self.broke(error))?;
        self.answer.text.push_str(&text);
        Ok(text)
    }

    fn ended(&mut self, finished: Finished) -> Option<Result<String>> {
        self.pieces = None;
        // Where the end does not count, what came before it is not all there was.
        let before = self.counted.take();
        self.counted = finished.usage.map(|mut usage| {
            usage += before.unwrap_or_default();
            usage
        });
        let mut rest = std::mem::take(&mut self.withheld);
        rest.extend(self.redacting.as_mut().map(Redacting::finish));
        let (rest, intervened) = match self.looked_at(rest) {
            Ok(looked_at) => looked_at,
            Err(error) => return Some(Err(self.broke(error))),
        };
        let rest = (!rest.is_empty()).then(|| self.given(rest));
        if self.broken.is_some() {
            return rest;
        }
        for (kind, count) in self.redacting.iter().flat_map(Redacting::counts) {
            *self.answer.redacted.entry((*kind).to_owned()).or_default() += count;
        }
        let reason = if intervened { StopReason::Guardrail } else { finished.reason };
        (self.answer.stop, self.answer.usage) = (Some(reason), self.counted);
        self.answer.cite();
        let settled = self.settled("ok");
        let hooks = std::mem::take(&mut self.hooks);
        if let Err(error) = hooks.iter().try_for_each(|hook| hook.after_response(&mut self.answer)) {
            return Some(Err(self.broke(error)));
        }
        let mut change = format!("`{}`: {}", self.answer.model, reason.name());
        if let Some(usage) = self.counted {
            change.push_str(&format!(", {} tokens in, {} out", usage.tokens_in, usage.tokens_out));
        }
        match settled.and(self.asked.ended("ok", Some(change))) {
            Ok(()) => rest,
            Err(error) => {
                self.broken = Some((error.kind(), error.to_string()));
                Some(Err(error))
            }
        }
    }

    /// Writes down what it cost, once.
    fn settled(&mut self, outcome: &str) -> Result<()> {
        let (account, counted) = (self.account.take(), self.counted);
        account.map_or(Ok(()), |mut account| account.settle(outcome, counted, Some(&mut self.answer)))
    }

    /// It is over, and not well. Whoever gets the error gets all there is to say.
    fn broke(&mut self, error: Error) -> Error {
        self.pieces = None;
        self.broken = Some((error.kind(), error.to_string()));
        let cancelled = self.cancel.as_ref().is_some_and(Cancel::is_cancelled);
        let outcome = if cancelled { "cancelled" } else { error.kind().name() };
        let settled = self.settled(outcome);
        match settled.and(self.asked.ended(outcome, None)) {
            Ok(()) => error,
            Err(refused) => refused,
        }
    }
}

impl Iterator for AnswerStream {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(ready) = self.ready.take() {
            return Some(Ok(ready));
        }
        while let Some(pieces) = &mut self.pieces {
            let next = pieces.next();
            if let Some(given) = self.taken(next) {
                return Some(given);
            }
        }
        None
    }
}

impl Stream for AnswerStream {
    type Item = Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(ready) = self.ready.take() {
            return Poll::Ready(Some(Ok(ready)));
        }
        while let Some(pieces) = &mut self.pieces {
            let next = ready!(Pin::new(pieces).poll_next(context));
            if let Some(given) = self.taken(next) {
                return Poll::Ready(Some(given));
            }
        }
        Poll::Ready(None)
    }
}

impl Drop for AnswerStream {
    fn drop(&mut self) {
        if self.pieces.take().is_some() {
            // Nobody is left to be told that log or ledger take no line.
            drop(self.settled("cancelled"));
            drop(self.asked.ended("cancelled", None));
        }
    }
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = self.pieces.is_none();
        f.debug_struct("AnswerStream").field("id", &self.answer.id).field("over", &over).finish_non_exhaustive()
    }
}
