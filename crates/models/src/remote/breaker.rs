//! The provider does not answer: is it asked at all?
//!
//! After so many failures in a row it is left alone for a while (open); then one call tries (half open), and its outcome
//! decides. A provider that throttles is alive: that is no failure.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When a provider is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Failures in a row; 10 unless set.
    pub failures: u32,
    /// How long nothing is asked then; 10 seconds unless set.
    pub open_for: Duration,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self { failures: 10, open_for: Duration::from_secs(10) }
    }
}

/// What became of an attempt, as the breaker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The provider is alive, whatever it said.
    Alive,
    /// It is not, or is of no use.
    Failed,
    /// Nobody knows: the attempt was given up from outside.
    Unknown,
}

#[derive(Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One call tries.
    HalfOpen,
}

#[derive(Debug)]
pub(super) struct Breaker {
    limits: BreakerLimits,
    state: Mutex<State>,
}

impl Breaker {
    pub fn new(limits: BreakerLimits) -> Self {
        Self { limits, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Lets an attempt through, or says when to come again.
    pub fn admit(&self) -> Result<Attempt<'_>, Duration> {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => {}
            State::Open { until } => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return Err(left);
                }
                *state = State::HalfOpen;
            }
            State::HalfOpen => return Err(self.limits.open_for.div_f64(4.0)),
        }
        Ok(Attempt { breaker: self, outcome: Outcome::Unknown })
    }

    /// Takes notice of what became of an attempt.
    pub fn settle(&self, outcome: Outcome) {
        let mut state = self.state();
        let open = State::Open { until: Instant::now() + self.limits.open_for };
        match (&mut *state, outcome) {
            (State::Closed { failures }, Outcome::Failed) => {
                *failures += 1;
                if *failures >= self.limits.failures {
                    *state = open;
                }
            }
            (State::Closed { failures }, Outcome::Alive) => *failures = 0,
            // One that began before it opened and comes back late with an answer: it is alive again.
            (State::HalfOpen | State::Open { .. }, Outcome::Alive) => *state = State::Closed { failures: 0 },
            (State::HalfOpen, Outcome::Failed) => *state = open,
            // The probe was given up: the next one tries at once.
            (State::HalfOpen, Outcome::Unknown) => *state = State::Open { until: Instant::now() },
            (State::Open { .. }, Outcome::Failed) | (_, Outcome::Unknown) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that was let through; settles when it ends, also if it is given up.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    breaker: &'a Breaker,
    outcome: Outcome,
}

impl Attempt<'_> {
    pub fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.breaker.settle(self.outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerLimits { failures: 3, open_for: Duration::from_secs(8) })
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_one_probe_decides() {
        let breaker = breaker();
        for outcome in [Outcome::Failed, Outcome::Failed, Outcome::Alive, Outcome::Failed, Outcome::Failed] {
            breaker.admit().unwrap().ended(outcome);
        }
        breaker.admit().unwrap().ended(Outcome::Failed);
        assert_eq!(breaker.admit().unwrap_err(), Duration::from_secs(8));
        tokio::time::advance(Duration::from_secs(8)).await;
        let probe = breaker.admit().unwrap();
        assert_eq!(breaker.admit().unwrap_err(), Duration::from_secs(2), "one at a time");
        probe.ended(Outcome::Failed);
        assert_eq!(breaker.admit().unwrap_err(), Duration::from_secs(8));
        tokio::time::advance(Duration::from_secs(9)).await;
        breaker.admit().unwrap().ended(Outcome::Alive);
        for _ in 0..2 {
            breaker.admit().unwrap().ended(Outcome::Failed);
        }
        breaker.admit().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.admit().unwrap().ended(Outcome::Failed);
        }
        tokio::time::advance(Duration::from_secs(8)).await;
        drop(breaker.admit().unwrap());
        breaker.admit().unwrap().ended(Outcome::Alive);
        let (one, two) = (breaker.admit(), breaker.admit());
        assert!(one.is_ok() && two.is_ok());
    }
}
