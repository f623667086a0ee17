//! So many a minute: when may the next ones go?

use std::num::NonZeroU32;
use std::time::Instant;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// A burst is at most this part of a minute's worth.
const BURST: u32 = 6;

/// Tokio's clock, which tests can stop.
#[derive(Debug, Clone, Default)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// A token bucket.
#[derive(Debug)]
pub(super) struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Instant>>,
    burst: u32,
}

impl Rate {
    pub fn per_minute(most: NonZeroU32) -> Self {
        let burst = NonZeroU32::new(most.get() / BURST).unwrap_or(NonZeroU32::MIN);
        let limiter = RateLimiter::direct_with_clock(Quota::per_minute(most).allow_burst(burst), TokioClock);
        Self { limiter, burst: burst.get() }
    }

    /// Waits until `count` may go, and takes them. More than fit at once go one burst after the other.
    pub async fn take(&self, count: u32) {
        let mut left = count;
        while let Some(now) = NonZeroU32::new(left.min(self.burst)) {
            match self.limiter.check_n(now) {
                Ok(Ok(())) => left -= now.get(),
                Ok(Err(not_until)) => tokio::time::sleep(not_until.wait_time_from(TokioClock.now())).await,
                // Never: no more than a burst is asked for.
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_rate_goes_however_it_is_asked() {
        for (most, counts) in [(600, vec![1; 1000]), (6_000, vec![700; 20]), (60_000, vec![45_000; 4])] {
            let rate = Rate::per_minute(NonZeroU32::new(most).unwrap());
            let start = tokio::time::Instant::now();
            let mut taken = 0;
            for count in counts {
                rate.take(count).await;
                taken += count;
                let allowed = f64::from(most / BURST) + f64::from(most) * start.elapsed().as_secs_f64() / 60.0;
                assert!(f64::from(taken) <= allowed + 1.0, "{taken} after {:?} at {most}", start.elapsed());
            }
            let least = f64::from(taken - most / BURST) * 60.0 / f64::from(most);
            assert!(start.elapsed().as_secs_f64() <= least + 1.0, "too slow: {:?} for {taken}", start.elapsed());
        }
    }
}
