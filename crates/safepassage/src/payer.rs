//! A search calls a model: on whose account, and may it be paid for?
//!
//! The vector of a question and the scores of a reranker are calls like those that answer: where texts leave the process
//! for them they are reserved before and settled after, with the tokens that were read. What is computed here costs
//! nothing and is written down only where it belongs to an answer, so that a search by itself writes nothing.

use safepassage_access::Identity;
use safepassage_error::Result;
use safepassage_error::system::{Stopwatch, unique_name};
use safepassage_models::{Cleared, Price};
use safepassage_usage::{Amount, Call, Kept, Operation, Who};
use tracing::Span;

use crate::engine::Engine;
use crate::spans;

/// On whose account models are called, and for which answer.
pub(crate) struct Payer {
    engine: Engine,
    who: Who,
    /// The name of the answer; one of its own for a search that goes with none.
    answer: Option<String>,
}

/// A call of a model that a search makes.
pub(crate) struct Called<'a> {
    pub operation: Operation,
    pub model: &'a str,
    pub cleared: Option<&'a Cleared>,
    /// Tokens that are about to be read, or rather more.
    pub about: u64,
    pub span: &'a Span,
}

/// Tokens that were read, and whether that is an estimate.
pub(crate) type Tokens = (u64, bool);

/// Who `identity` is in the ledger.
pub(crate) fn who(identity: &Identity, feature: Option<&str>) -> Who {
    let user = identity.user().map(|user| match identity.issuer() {
        Some(issuer) => format!("{issuer}|{user}"),
        None => user.to_owned(),
    });
    Who { tenant: identity.tenant().0.clone(), user, feature: feature.map(str::to_owned) }
}

/// What became of a line that was to be kept. That it is lost is said once, without a word of what it was about.
pub(crate) fn is_kept(kept: &Kept) -> bool {
    if let Kept::Lost(error) = kept {
        tracing::warn!(target: spans::TARGET, error = %error, "a call is not in the usage ledger");
    }
    !matches!(kept, Kept::Lost(_))
}

impl Payer {
    /// For a search by itself.
    pub fn of_search(engine: &Engine, identity: &Identity) -> Self {
        Self { engine: engine.clone(), who: who(identity, None), answer: None }
    }

    /// For the answer `answer`.
    pub fn of_answer(engine: &Engine, who: Who, answer: &str) -> Self {
        Self { engine: engine.clone(), who, answer: Some(answer.to_owned()) }
    }

    /// What `work` gives, within the call's span; it says how many tokens were read.
    ///
    /// # Errors
    /// `Throttled` if a budget has no room for it, and then nothing was done; what `work` fails with; where there is a
    /// budget, what the ledger fails with.
    pub fn pays<T>(&self, called: &Called<'_>, work: impl FnOnce() -> Result<(T, Tokens)>) -> Result<T> {
        let worked = |work: Result<(T, Tokens)>| -> Result<T> {
            let (value, (tokens, _)) = work?;
            called.span.record("gen_ai.usage.input_tokens", tokens);
            Ok(value)
        };
        let ledger = self.engine.ledger().filter(|_| self.answer.is_some() || called.cleared.is_some());
        let Some(ledger) = ledger else { return spans::within(called.span, || worked(work())) };
        let price = called.cleared.and_then(Cleared::price);
        let cost = |tokens| price.map(|price| price.of(tokens));
        let answer = self.answer.clone().unwrap_or_else(|| unique_name(self.engine.clock()));
        let most = Amount { tokens: 0, cost: cost(called.about).unwrap_or(0.0) };
        let reservation = ledger.reserve(&answer, &self.who, most)?;
        let since = Stopwatch::start();
        let done = called.span.in_scope(work);
        let ms = since.seconds() * 1000.0;
        let (tokens_in, estimated) = done.as_ref().map_or((0, false), |(_, tokens)| *tokens);
        let call = Call {
            answer,
            operation: called.operation,
            who: self.who.clone(),
            model: called.model.to_owned(),
            outcome: done.as_ref().map_or_else(|error| error.kind().name(), |_| "ok").to_owned(),
            tokens_in,
            estimated,
            cost: cost(tokens_in),
            currency: price.map(|price: &Price| price.currency.clone()),
            first_ms: ms,
            all_ms: ms,
            ..Call::default()
        };
        let settled = ledger.settle(&reservation, call);
        let value = spans::within(called.span, || worked(done))?;
        is_kept(&settled?);
        Ok(value)
    }
}
