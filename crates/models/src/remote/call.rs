//! What does one call cost, how may it fail, and within what limits is it made?

use std::time::Duration;

use safepassage_error::{Error, Kind, Result};

use super::breaker::BreakerLimits;

const OPERATION: &str = "call model";

/// What a call takes of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Tokens that go in, and those that may come out; an estimate.
    pub tokens: u32,
}

/// Why a call failed, and what may be done about it.
#[derive(Debug)]
pub struct CallError {
    /// What the caller gets to see if this was the last attempt.
    pub error: Error,
    /// Whether the same call may succeed later. A throttled or unavailable provider is asked again, a refusal is not.
    pub may_retry: bool,
    /// Not before this time, by the provider's own word.
    pub retry_after: Option<Duration>,
    /// Nothing was sent, and so nothing learnt of the provider.
    pub withheld: bool,
}

impl CallError {
    /// The provider asks to be asked less.
    #[must_use]
    pub fn throttled(message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        Self { error: Error::new(Kind::Throttled, OPERATION, message), may_retry: true, retry_after, withheld: false }
    }

    /// No answer, an unusable one, or a fault of the provider.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            error: Error::new(Kind::Unavailable, OPERATION, message),
            may_retry: true,
            retry_after: None,
            withheld: false,
        }
    }

    /// The provider will not do it however often it is asked: `kind` says whether the input or the caller's rights are why.
    #[must_use]
    pub fn refused(kind: Kind, message: impl Into<String>) -> Self {
        Self { error: Error::new(kind, OPERATION, message), may_retry: false, retry_after: None, withheld: false }
    }

    /// It may not be sent: what `error` says is what the caller gets to see.
    #[must_use]
    pub fn withheld(error: Error) -> Self {
        Self { error, may_retry: false, retry_after: None, withheld: true }
    }

    /// With a technical cause.
    #[must_use]
    pub fn because(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.error = self.error.because(cause);
        self
    }
}

/// Within what limits a provider is called. Everything holds for one [`super::Caller`] and its clones together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallLimits {
    /// For one attempt; 30 seconds unless set.
    pub attempt: Duration,
    /// For a call with its waits and further attempts; two minutes unless set.
    pub deadline: Duration,
    /// The same for a question, since somebody waits; 10 seconds unless set.
    pub question_deadline: Duration,
    /// Between two pieces of an answer that comes in pieces, of which the first counts as the attempt; 30 seconds unless set.
    pub idle: Duration,
    /// For all of such an answer; ten minutes unless set.
    pub answer: Duration,
    /// Attempts of one call; 6 unless set.
    pub max_attempts: u32,
    /// The longest wait before the second attempt; each further wait may be twice as long. Half a second unless set. A
    /// wait is a random part of that ("full jitter"), or what the provider asks for.
    pub first_wait: Duration,
    /// No wait that we choose is longer; 20 seconds unless set.
    pub longest_wait: Duration,
    /// Requests a minute, attempts counted; no limit unless set.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, attempts counted; no limit unless set.
    pub tokens_per_minute: Option<u32>,
    /// Calls under way at once at most; 16 unless set. It begins with 4, grows with success and shrinks when throttled.
    pub max_concurrent: usize,
    /// When a provider that does not answer is left alone.
    pub breaker: BreakerLimits,
    /// Attempts after the first that each call of somebody who waits earns for all such calls together, ten at most kept for
    /// later: where many wait at once, a provider in trouble is not asked several times by each. No such limit unless set,
    /// nor for jobs.
    pub retries_per_call: Option<f64>,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(30),
            deadline: Duration::from_secs(120),
            question_deadline: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            answer: Duration::from_secs(600),
            max_attempts: 6,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            requests_per_minute: None,
            tokens_per_minute: None,
            max_concurrent: 16,
            breaker: BreakerLimits::default(),
            retries_per_call: None,
        }
    }
}

impl CallLimits {
    pub(super) fn check(&self) -> Result<()> {
        let none = [
            ("attempt", self.attempt.is_zero()),
            ("deadline", self.deadline.is_zero()),
            ("question_deadline", self.question_deadline.is_zero()),
            ("idle", self.idle.is_zero()),
            ("answer", self.answer.is_zero()),
            ("retries_per_call", self.retries_per_call.is_some_and(|share| !(share.is_finite() && share >= 0.0))),
            ("max_attempts", self.max_attempts == 0),
            ("requests_per_minute", self.requests_per_minute == Some(0)),
            ("tokens_per_minute", self.tokens_per_minute == Some(0)),
            ("max_concurrent", self.max_concurrent == 0),
            ("breaker.failures", self.breaker.failures == 0),
        ];
        match none.iter().find(|(_, zero)| *zero) {
            Some((name, _)) => {
                Err(Error::invalid("limit calls", format!("nothing could be called within such a `{name}`")))
            }
            None => Ok(()),
        }
    }
}
