//! Here is a call: make it within all limits, again if that may help, and count what was made.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use safepassage_error::{Error, Kind, Result};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::breaker::{Breaker, Outcome};
use super::call::{CallError, CallLimits, Cost};
use super::concurrency::Concurrency;
use super::earned::Earned;
use super::rate::Rate;

const OPERATION: &str = "call model";

/// Calls a provider. Clones share all limits and counts.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: CallLimits,
    breaker: Breaker,
    concurrency: Concurrency,
    requests: Option<Rate>,
    tokens: Option<Rate>,
    cancelled: watch::Sender<bool>,
    calls: AtomicU64,
    attempts: AtomicU64,
    throttled: AtomicU64,
    earned: Earned,
}

/// Who wants a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// A job, which has time.
    Job,
    /// A job that has another provider to turn to.
    Turning,
    /// Somebody who waits.
    Waiting,
}

/// A place among the calls under way, kept while an answer comes in pieces; free when dropped.
#[derive(Debug)]
pub struct Held(Arc<Inner>);

impl Held {
    /// The provider stopped answering in the middle.
    pub fn failed(&self) {
        self.0.breaker.settle(Outcome::Failed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.concurrency.free();
    }
}

/// What was called so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Calls {
    /// Calls that were asked for.
    pub calls: u64,
    /// Requests that went to the provider for them; divided by `calls`, the amplification.
    pub attempts: u64,
    /// Attempts that the provider refused as too many.
    pub throttled: u64,
    /// How many may be under way at once now.
    pub concurrent: usize,
}

impl Caller {
    /// A caller within `limits`.
    ///
    /// # Errors
    /// `Invalid` for a limit under which nothing could be called.
    pub fn new(limits: CallLimits) -> Result<Self> {
        limits.check()?;
        let rate = |most: Option<u32>| most.and_then(NonZeroU32::new).map(Rate::per_minute);
        Ok(Self(Arc::new(Inner {
            breaker: Breaker::new(limits.breaker),
            concurrency: Concurrency::new(limits.max_concurrent),
            requests: rate(limits.requests_per_minute),
            tokens: rate(limits.tokens_per_minute),
            cancelled: watch::Sender::new(false),
            calls: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            earned: Earned::new(limits.retries_per_call),
            limits,
        })))
    }

    /// What holds for every call.
    #[must_use]
    pub fn limits(&self) -> &CallLimits {
        &self.0.limits
    }

    /// What was called so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Calls {
            calls: read(&self.0.calls),
            attempts: read(&self.0.attempts),
            throttled: read(&self.0.throttled),
            concurrent: self.0.concurrency.limit(),
        }
    }

    /// Ends every call that is under way and every later one, with `Unavailable`.
    pub fn cancel(&self) {
        self.0.cancelled.send_replace(true);
    }

    /// Gives what `operation` gives, asked as often as the limits allow. It is a job's call: it waits while the provider is
    /// left alone, as far as the deadline allows.
    ///
    /// # Errors
    /// What the last attempt failed with, with the number of attempts; `Unavailable` after the deadline, while the provider
    /// is left alone, or when cancelled.
    pub async fn call<T, F>(&self, cost: Cost, operation: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, CallError>>,
    {
        Ok(self.begin(self.0.limits.deadline, cost, Who::Job, operation).await?.0)
    }

    /// As [`Caller::call`], for a job that has another provider to turn to: while this one is left alone it fails at once.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn call_or_turn<T, F>(&self, cost: Cost, operation: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, CallError>>,
    {
        Ok(self.begin(self.0.limits.deadline, cost, Who::Turning, operation).await?.0)
    }

    /// As [`Caller::call`], within a time of its own, for somebody who waits: while the provider is left alone it fails at
    /// once, and attempts after the first are limited for all who wait together.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn call_within<T, F>(&self, within: Duration, cost: Cost, operation: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, CallError>>,
    {
        Ok(self.begin_within(within, cost, operation).await?.0)
    }

    /// As [`Caller::call_within`], for an answer of which what `operation` gives is the beginning: its place is kept.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn begin_within<T, F>(
        &self,
        within: Duration,
        cost: Cost,
        operation: impl FnMut() -> F,
    ) -> Result<(T, Held)>
    where
        F: Future<Output = std::result::Result<T, CallError>>,
    {
        self.begin(within, cost, Who::Waiting, operation).await
    }

    async fn begin<T, F>(
        &self,
        within: Duration,
        cost: Cost,
        who: Who,
        operation: impl FnMut() -> F,
    ) -> Result<(T, Held)>
    where
        F: Future<Output = std::result::Result<T, CallError>>,
    {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let mut cancelled = self.0.cancelled.subscribe();
        tokio::select! {
            biased;
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(unavailable("the job was cancelled")),
            outcome = self.tried(within, cost, who, operation) => outcome,
        }
    }

    async fn tried<T, F>(
        &self,
        within: Duration,
        cost: Cost,
        who: Who,
        mut operation: impl FnMut() -> F,
    ) -> Result<(T, Held)>
    where
        F: Future<Output = std::result::Result<T, CallError>>,
    {
        let limits = &self.0.limits;
        let deadline = Instant::now() + within;
        let waiting = who == Who::Waiting;
        if waiting {
            self.0.earned.begun();
        }
        let mut waits = ExponentialBuilder::new()
            .with_min_delay(limits.first_wait)
            .with_max_delay(limits.longest_wait)
            .without_max_times()
            .build();
        let mut attempts = 0;
        loop {
            let failed = match self.admitted(cost, deadline, &mut attempts, &mut operation).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if failed.withheld && who != Who::Job {
                return Err(failed.error.with("attempts", attempts));
            }
            let longest = waits.next().unwrap_or(limits.longest_wait);
            let wait = failed.retry_after.unwrap_or_default().max(longest.mul_f64(fastrand::f64()));
            let left = deadline.saturating_duration_since(Instant::now());
            if !failed.may_retry
                || attempts >= limits.max_attempts
                || wait >= left
                || (waiting && !self.0.earned.take())
            {
                return Err(failed.error.with("attempts", attempts));
            }
            sleep(wait).await;
        }
    }

    /// One attempt, if the provider is not left alone and there is room within all limits before the deadline.
    async fn admitted<T, F>(
        &self,
        cost: Cost,
        deadline: Instant,
        attempts: &mut u32,
        operation: &mut impl FnMut() -> F,
    ) -> std::result::Result<(T, Held), CallError>
    where
        F: Future<Output = std::result::Result<T, CallError>>,
    {
        let inner = &self.0;
        let room = async {
            let place = inner.concurrency.place().await;
            if let Some(requests) = &inner.requests {
                requests.take(1).await;
            }
            if let Some(tokens) = &inner.tokens {
                tokens.take(cost.tokens).await;
            }
            place
        };
        let place =
            tokio::time::timeout_at(deadline, room).await.map_err(|_| late("there was no room within the limits"))?;
        let attempt = inner.breaker.admit().map_err(|wait| CallError {
            retry_after: Some(wait),
            withheld: true,
            ..CallError::unavailable("the provider does not answer and is left alone for a while")
        })?;
        *attempts += 1;
        inner.attempts.fetch_add(1, Ordering::Relaxed);
        let within = inner.limits.attempt.min(deadline.saturating_duration_since(Instant::now()));
        let outcome = match timeout(within, operation()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::unavailable(format!("no answer within {} s", seconds(within)))),
        };
        match outcome {
            Ok(value) => {
                attempt.ended(Outcome::Alive);
                place.succeeded();
                place.kept();
                Ok((value, Held(Arc::clone(inner))))
            }
            Err(failed) if failed.error.kind() == Kind::Throttled => {
                inner.throttled.fetch_add(1, Ordering::Relaxed);
                attempt.ended(Outcome::Alive);
                place.throttled();
                Err(failed)
            }
            Err(failed) if failed.withheld => Err(failed),
            Err(failed) => {
                attempt.ended(if failed.may_retry { Outcome::Failed } else { Outcome::Alive });
                Err(failed)
            }
        }
    }
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn unavailable(message: impl Into<String>) -> Error {
    Error::new(Kind::Unavailable, OPERATION, message)
}

fn late(message: &str) -> CallError {
    CallError { may_retry: false, ..CallError::unavailable(message) }
}

#[cfg(test)]
mod tests;
