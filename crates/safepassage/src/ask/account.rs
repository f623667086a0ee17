//! Here is a prompt that may be sent: is there a budget for it, and what did it cost?

use safepassage_error::Result;
use safepassage_error::system::Stopwatch;
use safepassage_models::{Cleared, Generator, Price, Request, Usage};
use safepassage_usage::{Amount, Call, Reservation, Who};

use super::Ask;
use super::answer::Answer;
use super::asked::Asked;
use crate::engine::Engine;

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
        let (engine, identity) = (ask.session.engine.clone(), ask.session.identity());
        let price = route.cleared().and_then(Cleared::price).cloned();
        let tokens_in: usize = request.messages.iter().map(|message| route.tokens(&message.text)).sum();
        let estimated_in = tokens_in as u64;
        let most_out = u64::from(request.most_tokens);
        let most = Amount {
            tokens: estimated_in + most_out,
            cost: price.as_ref().map_or(0.0, |price| price.of_call(estimated_in, most_out)),
        };
        let user = identity.user().map(|user| match identity.issuer() {
            Some(issuer) => format!("{issuer}|{user}"),
            None => user.to_owned(),
        });
        let who = Who { tenant: identity.tenant().0.clone(), user, feature: ask.feature.clone() };
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
        Ok(Self { engine, reservation, price, call, since: *asked.since(), estimated_in })
    }

    /// The first piece is there; after so many milliseconds.
    pub fn begun(&mut self) -> f64 {
        self.call.first_ms = self.since.seconds() * 1000.0 - self.call.search_ms;
        self.call.first_ms
    }

    /// Nothing was answered.
    pub fn failed(mut self, outcome: &str) -> Result<()> {
        self.settle(outcome, Some(Usage::default()), None)
    }

    /// It is over. Where the provider does not count, tokens are estimated, and in `answer` nothing is said of them.
    pub fn settle(&mut self, outcome: &str, usage: Option<Usage>, answer: Option<&mut Answer>) -> Result<()> {
        let out = answer.as_ref().map_or(0, |answer| (answer.text.len() as u64).div_ceil(BYTES_PER_TOKEN));
        let Usage { tokens_in, tokens_out, tokens_cached } =
            usage.unwrap_or(Usage { tokens_in: self.estimated_in, tokens_out: out, tokens_cached: 0 });
        let cost = self.price.as_ref().map(|price| price.of_call(tokens_in, tokens_out));
        if let (Some(answer), Some(_)) = (answer, usage) {
            answer.cost = cost;
        }
        let all_ms = self.since.seconds() * 1000.0;
        let (outcome, estimated) = (outcome.to_owned(), usage.is_none());
        let call = Call { outcome, tokens_in, tokens_out, tokens_cached, estimated, cost, all_ms, ..self.call.clone() };
        match (self.reservation.take(), self.engine.ledger()) {
            (Some(reservation), Some(ledger)) => ledger.settle(&reservation, call),
            _ => Ok(()),
        }
    }
}
