//! Here is a prompt that may be sent: is there a budget for it, and what did it cost?

use safepassage_error::system::Stopwatch;
use safepassage_error::{Kind, Result};
use safepassage_models::{Cleared, Generator, Price, Request, Usage};
use safepassage_usage::{Amount, Call, Reservation};

use super::Ask;
use super::answer::Answer;
use super::asked::Asked;
use super::span::ChatSpan;
use crate::engine::Engine;
use crate::payer::is_kept;

/// Bytes of an answer that count as a token, where nobody says how many tokens it has.
const BYTES_PER_TOKEN: u64 = 3;

/// One call on somebody's account, from its reservation until it is settled.
pub(super) struct Account {
    engine: Engine,
    /// `None` once it is settled, or where there is no ledger.
    reservation: Option<Reservation>,
    price: Option<Price>,
    call: Call,
    since: Stopwatch,
    estimated_in: u64,
    span: ChatSpan,
}

impl Account {
    /// Reserves what `request` can cost at most if it is sent to `route`.
    pub fn open(
        ask: &Ask<'_>,
        asked: &Asked,
        route: &dyn Generator,
        request: &Request,
        template: &str,
        passages: usize,
    ) -> Result<Self> {
        let engine = ask.session.engine.clone();
        let price = route.cleared().and_then(Cleared::price).cloned();
        let tokens_in: usize = request.messages.iter().map(|message| route.tokens(&message.text)).sum();
        let estimated_in = tokens_in as u64;
        let most_out = u64::from(request.most_tokens);
        let most = Amount {
            tokens: estimated_in + most_out,
            cost: price.as_ref().map_or(0.0, |price| price.of_call(estimated_in, most_out)),
        };
        let who = ask.who();
        let reservation = engine.ledger().map(|ledger| ledger.reserve(asked.id(), &who, most)).transpose()?;
        let call = Call {
            answer: asked.id().to_owned(),
            who,
            model: route.name().to_owned(),
            template: template.to_owned(),
            passages: passages as u64,
            search_ms: asked.since().seconds() * 1000.0,
            currency: price.as_ref().map(|price| price.currency.clone()),
            ..Call::default()
        };
        let span = ChatSpan::new(ask, route);
        Ok(Self { engine, reservation, price, call, since: *asked.since(), estimated_in, span })
    }

    /// What whoever watches the program sees of it.
    pub fn span(&self) -> &ChatSpan {
        &self.span
    }

    /// The first piece is there.
    pub fn begun(&mut self) {
        self.call.first_ms = self.since.seconds() * 1000.0 - self.call.search_ms;
        self.span.begun(self.call.first_ms / 1000.0);
    }

    /// Nothing was answered; attempts may have cost what is `lost`.
    pub fn failed(mut self, outcome: &str, lost: Usage) -> Result<()> {
        self.settle(outcome, Some(lost), None)
    }

    /// It is over. Where the provider does not count, tokens are estimated, and in `answer` nothing is said of them. Whether
    /// it is in the ledger the answer says.
    pub fn settle(&mut self, outcome: &str, usage: Option<Usage>, answer: Option<&mut Answer>) -> Result<()> {
        let out = answer.as_ref().map_or(0, |answer| (answer.text.len() as u64).div_ceil(BYTES_PER_TOKEN));
        let reason = answer.as_ref().and_then(|answer| answer.stop);
        self.span.ended(outcome, reason, usage.filter(|usage| *usage != Usage::default()));
        let Usage { tokens_in, tokens_out, tokens_cached } =
            usage.unwrap_or(Usage { tokens_in: self.estimated_in, tokens_out: out, tokens_cached: 0 });
        let cost = self.price.as_ref().map(|price| price.of_call(tokens_in, tokens_out));
        let all_ms = self.since.seconds() * 1000.0;
        let (outcome, estimated) = (outcome.to_owned(), usage.is_none());
        let call = Call { outcome, tokens_in, tokens_out, tokens_cached, estimated, cost, all_ms, ..self.call.clone() };
        let recorded = match (self.reservation.take(), self.engine.ledger()) {
            (Some(reservation), Some(ledger)) => is_kept(&ledger.settle(&reservation, call)?),
            _ => true,
        };
        if let Some(answer) = answer {
            answer.recorded = recorded;
            answer.cost = cost.filter(|_| usage.is_some());
        }
        Ok(())
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.reservation.is_some() {
            // Whatever was called did not come back: nobody is there to be told that the ledger takes no line.
            drop(self.settle(Kind::Internal.name(), Some(Usage::default()), None));
        }
    }
}
