//! When are segments merged, and by whom?
//!
//! After a commit one thread of this process merges what is due, until nothing is. Nobody waits for it unless they ask
//! to, and a failure is kept for operators: nothing is lost by a merge that did not happen. A merge that keeps failing is
//! tried less and less often, however much is committed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use safepassage_error::system::Timestamp;
use safepassage_error::{Kind, Result};
use serde::Serialize;

use crate::index::Index;

/// So often a merge that failed is tried again when it is next asked for; after that it waits,
const TRIES_AT_ONCE: u32 = 2;
/// so long at first, twice as long after each further failure,
const FIRST_WAIT_SECONDS: u64 = 10;
/// and never longer than this.
const LONGEST_WAIT_SECONDS: u64 = 3_600;

/// Whether segments are being merged, for operators.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MergeState {
    /// Whether this process merges now.
    pub running: bool,
    /// Why the last merge in the background failed; none if it did not.
    pub error: Option<String>,
}

/// The one merge of this process.
#[derive(Debug, Default)]
pub(crate) struct Background {
    turn: Mutex<Turn>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Turn {
    state: MergeState,
    /// Something was committed since the running merge looked what is due.
    again: bool,
    /// Failures since the last merge that worked.
    failures: u32,
    /// Before this nothing is tried in the background.
    not_before: Option<Timestamp>,
}

impl Turn {
    fn failed(&mut self, error: String, now: Timestamp) {
        self.state.error = Some(error);
        self.failures = self.failures.saturating_add(1);
        let doublings = self.failures.checked_sub(TRIES_AT_ONCE + 1);
        let wait = |n: u32| FIRST_WAIT_SECONDS.saturating_mul(1 << n.min(32)).min(LONGEST_WAIT_SECONDS);
        self.not_before = doublings.map(|n| now.plus_seconds(wait(n)));
    }

    fn worked(&mut self) {
        (self.state.error, self.failures, self.not_before) = (None, 0, None);
    }
}

impl Background {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn when nobody merges.
    fn idle(&self) -> MutexGuard<'_, Turn> {
        let busy = |turn: &mut Turn| turn.state.running;
        self.ended.wait_while(self.turn(), busy).unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, mut turn: MutexGuard<'_, Turn>) {
        turn.state.running = false;
        drop(turn);
        self.ended.notify_all();
    }
}

/// Somebody merges and waits for it; ends when dropped.
struct Foreground<'a>(&'a Background);

impl Drop for Foreground<'_> {
    fn drop(&mut self) {
        self.0.end(self.0.turn());
    }
}

impl Index {
    /// Merges all segments of each tenant into one, here and now; waits for the merge in the background. Returns the
    /// generation now current.
    ///
    /// # Errors
    /// As [`Index::prepare_merge`].
    pub fn merge(&self) -> Result<u64> {
        let _foreground = {
            let mut turn = self.background().idle();
            turn.state.running = true;
            Foreground(self.background())
        };
        let generation = match self.prepare_merge(true)? {
            Some(merge) => merge.publish()?,
            None => self.snapshot()?.generation(),
        };
        self.background().turn().worked();
        Ok(generation)
    }

    /// Starts merging what the size-tiered policy names, if it names anything, this process is not at it already, and it
    /// has not just failed again and again.
    /// The thread ends when nothing is due, or after its current merge when the last `Arc` of the index is dropped.
    pub fn merge_in_background(self: &Arc<Self>) {
        let mut turn = self.background().turn();
        if turn.state.running {
            turn.again = true;
            return;
        }
        let now = self.clock().now();
        // A clock that was set back would make it wait for longer.
        let longest = now.plus_seconds(LONGEST_WAIT_SECONDS);
        if turn.not_before.is_some_and(|then| now < then && then <= longest) {
            return;
        }
        match self.merge_is_due() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return turn.failed(error.to_string(), now),
        }
        let index = Arc::downgrade(self);
        let work = move || while index.upgrade().is_some_and(|index| index.merge_what_is_due()) {};
        match std::thread::Builder::new().name("merge".to_owned()).spawn(work) {
            Ok(_) => turn.state.running = true,
            Err(error) => turn.failed(format!("no thread can be started: {error}"), now),
        }
    }

    /// Returns when no merge is running in this process, with how the last one ended.
    pub fn wait_for_merges(&self) -> MergeState {
        self.background().idle().state.clone()
    }

    /// Whether a merge is running in this process, and how the last one ended.
    #[must_use]
    pub fn merge_state(&self) -> MergeState {
        self.background().turn().state.clone()
    }

    /// One merge in the background; whether to look again.
    fn merge_what_is_due(&self) -> bool {
        let merged = catch_unwind(AssertUnwindSafe(|| match self.prepare_merge(false)? {
            Some(merge) => merge.publish().map(|_| true),
            None => Ok(false),
        }));
        let (mut turn, now) = (self.background().turn(), self.clock().now());
        match merged {
            Ok(Ok(more)) => {
                turn.worked();
                if more || std::mem::take(&mut turn.again) {
                    return true;
                }
            }
            // Another process merges, and looks what is due when it is done.
            Ok(Err(error)) if error.kind() == Kind::Conflict => turn.worked(),
            Ok(Err(error)) => turn.failed(error.to_string(), now),
            Err(_) => turn.failed("the merge panicked".to_owned(), now),
        }
        turn.again = false;
        self.background().end(turn);
        false
    }
}
