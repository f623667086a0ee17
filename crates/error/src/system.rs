//! What time is it, and which names are free?
//!
//! The one module that asks the machine. Everything else takes a [`Clock`] or an id as an argument, so that the same
//! input gives the same bytes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time plus `seconds`, saturating.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }
}

/// Tells the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Machine,
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::Machine)
    }

    /// A clock that stands at `start` until [`Clock::advance_seconds`] moves it; clones share it.
    #[must_use]
    pub fn fixed(start: Timestamp) -> Self {
        Self(Source::Set(Arc::new(AtomicU64::new(start.0))))
    }

    /// The time now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Machine => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            Source::Set(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock forward; the machine's clock does not move for us.
    pub fn advance_seconds(&self, seconds: u64) {
        if let Source::Set(at) = &self.0 {
            at.fetch_add(seconds.saturating_mul(1000), Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Machine => f.write_str("Clock(machine)"),
            Source::Set(at) => write!(f, "Clock({})", at.load(Ordering::SeqCst)),
        }
    }
}

/// A name for this process and moment, for temporary files and the writer's lease: unlike any other on this machine.
#[must_use]
pub fn unique_name(clock: &Clock) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}-{}", process(), clock.now().0, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Which process this is: another one after a fork.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that names the process")]
pub fn process() -> u32 {
    std::process::id()
}

/// Time spent, for progress bars and reports.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that measures a duration")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
