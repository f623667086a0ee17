//! How many calls may be under way at once?
//!
//! As many as the provider takes: it begins with a few, a whole round of successes adds one, and being throttled takes a
//! third away, once for all calls that were under way together (additive increase, multiplicative decrease).

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

const FIRST: usize = 4;
const SHRINK: f64 = 0.7;

#[derive(Debug)]
pub(super) struct Concurrency {
    most: usize,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: f64,
    under_way: usize,
    shrunk: Instant,
}

impl Concurrency {
    pub fn new(most: usize) -> Self {
        let state = State { limit: most.min(FIRST) as f64, under_way: 0, shrunk: Instant::now() };
        Self { most, state: Mutex::new(state), freed: Notify::new() }
    }

    /// Waits for a place.
    pub async fn place(&self) -> Place<'_> {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.state();
                if (state.under_way as f64) < state.limit.floor() {
                    state.under_way += 1;
                    return Place { of: self, since: Instant::now() };
                }
            }
            freed.await;
        }
    }

    /// Gives back a place that was kept.
    pub fn free(&self) {
        self.state().under_way -= 1;
        // All are woken: the limit may have grown by more than this one place.
        self.freed.notify_waiters();
        self.freed.notify_one();
    }

    /// How many may be under way now.
    pub fn limit(&self) -> usize {
        self.state().limit as usize
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the calls under way; free again when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    of: &'a Concurrency,
    since: Instant,
}

impl Place<'_> {
    pub fn succeeded(&self) {
        let mut state = self.of.state();
        state.limit = (state.limit + 1.0 / state.limit).min(self.of.most as f64);
    }

    /// Leaves the place taken: whoever keeps it frees it.
    pub fn kept(self) {
        std::mem::forget(self);
    }

    pub fn throttled(self) {
        let mut state = self.of.state();
        // Calls that began before it shrank tell nothing of how it is since.
        if self.since >= state.shrunk {
            state.limit = (state.limit * SHRINK).max(1.0);
            state.shrunk = Instant::now();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.of.free();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_grows_with_success_to_the_most_and_shrinks_once_for_a_round() {
        let places = Concurrency::new(8);
        assert_eq!(places.limit(), 4);
        for _ in 0..200 {
            places.place().await.succeeded();
        }
        assert_eq!(places.limit(), 8);
        let mut round = Vec::new();
        for _ in 0..8 {
            round.push(places.place().await);
        }
        assert!(tokio::time::timeout(Duration::from_secs(9), places.place()).await.is_err(), "a ninth got a place");
        tokio::time::advance(Duration::from_secs(1)).await;
        round.into_iter().for_each(Place::throttled);
        assert_eq!(places.limit(), 5);
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(1)).await;
            places.place().await.throttled();
        }
        assert_eq!(places.limit(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_given_up_is_free_and_wakes_who_waits() {
        let places = std::sync::Arc::new(Concurrency::new(1));
        let held = places.place().await;
        let waiting = {
            let places = std::sync::Arc::clone(&places);
            tokio::spawn(async move { drop(places.place().await) })
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap();
    }
}
