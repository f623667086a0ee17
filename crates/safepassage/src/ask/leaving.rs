//! A prompt is about to leave for a model or a guardrail: may all of it still be sent?
//!
//! INVARIANT: every passage in it is visible to the asker, and its label one that everything is cleared for which the prompt
//! goes to, by the newest permissions at a time after which nothing but the sending itself happens. Whatever sends asks,
//! before each attempt; what does not ask has its answer thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use safepassage_error::{Error, Kind, Result};
use safepassage_models::{Cleared, Permit};

use crate::hits::VectorHits;
use crate::session::Session;

/// The last decision about one prompt, made anew whenever somebody asks.
pub(super) struct LastLook {
    permit: Permit,
    seen: Arc<Seen>,
}

/// What was decided.
#[derive(Default)]
struct Seen {
    /// Somebody asked.
    asked: AtomicBool,
    /// A passage may not be sent any more.
    stale: AtomicBool,
    epoch: AtomicU64,
}

impl LastLook {
    /// Of the passages at `places` of `found`, which go to everything that is `cleared`.
    pub fn new(session: &Session, found: &VectorHits, places: Vec<usize>, cleared: Vec<Cleared>) -> Self {
        let (session, found) = (session.clone(), found.clone());
        let seen = Arc::new(Seen::default());
        let own = Arc::clone(&seen);
        let permit: Permit = Arc::new(move || {
            own.asked.store(true, Ordering::SeqCst);
            let now = session.engine.clock().now();
            session.identity().check_expiry(now)?;
            for cleared in &cleared {
                cleared.check(now)?;
                session.engine.check_question(cleared)?;
            }
            let highest: Vec<&str> = cleared.iter().map(Cleared::highest_label).collect();
            let (still, epoch) = found.still(&session, &highest)?;
            if places.iter().any(|at| still.get(*at) != Some(&true)) {
                own.stale.store(true, Ordering::SeqCst);
                return Err(Error::new(Kind::Conflict, "ask", "a passage may not be sent any more"));
            }
            own.epoch.store(epoch, Ordering::SeqCst);
            Ok(())
        });
        Self { permit, seen }
    }

    /// What `send` gives, which sends to `name`; it must ask whether it may, unless it `stays` here.
    ///
    /// # Errors
    /// What `send` fails with; `Internal` if it did not ask.
    pub fn before<T>(&self, name: &str, stays: bool, send: impl FnOnce(&Permit) -> Result<T>) -> Result<T> {
        self.seen.asked.store(false, Ordering::SeqCst);
        let sent = send(&self.permit)?;
        if stays || self.seen.asked.load(Ordering::SeqCst) {
            return Ok(sent);
        }
        let message =
            format!("`{name}` does not ask whether what it is given may be sent: its answer is not given out");
        Err(Error::new(Kind::Internal, "ask", message))
    }

    /// Whether something of it may not be sent any more.
    pub fn is_stale(&self) -> bool {
        self.seen.stale.load(Ordering::SeqCst)
    }

    /// The epoch of the permissions by which it was decided last.
    pub fn epoch(&self) -> u64 {
        self.seen.epoch.load(Ordering::SeqCst)
    }
}
