//! When are segments merged, and by whom?
//!
//! After a commit one thread of this process merges what is due, until nothing is. Nobody waits for it unless they ask
//! to, and a failure is kept for operators: nothing is lost by a merge that did not happen.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use safepassage_error::{Kind, Result};
use serde::Serialize;

use crate::index::Index;

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
        match self.prepare_merge(true)? {
            Some(merge) => merge.publish(),
            None => Ok(self.snapshot()?.generation()),
        }
    }

    /// Starts merging what the size-tiered policy names, if it names anything and this process is not at it already.
    /// The thread ends when nothing is due, or after its current merge when the last `Arc` of the index is dropped.
    pub fn merge_in_background(self: &Arc<Self>) {
        let mut turn = self.background().turn();
        if turn.state.running {
            turn.again = true;
            return;
        }
        match self.merge_is_due() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                turn.state.error = Some(error.to_string());
                return;
            }
        }
        let index = Arc::downgrade(self);
        let work = move || while index.upgrade().is_some_and(|index| index.merge_what_is_due()) {};
        match std::thread::Builder::new().name("merge".to_owned()).spawn(work) {
            Ok(_) => turn.state.running = true,
            Err(error) => turn.state.error = Some(format!("no thread can be started: {error}")),
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
        let mut turn = self.background().turn();
        turn.state.error = None;
        match merged {
            Ok(Ok(true)) => return true,
            Ok(Ok(false)) if std::mem::take(&mut turn.again) => return true,
            Ok(Ok(false)) => {}
            // Another process merges, and looks what is due when it is done.
            Ok(Err(error)) if error.kind() == Kind::Conflict => {}
            Ok(Err(error)) => turn.state.error = Some(error.to_string()),
            Err(_) => turn.state.error = Some("the merge panicked".to_owned()),
        }
        turn.again = false;
        self.background().end(turn);
        false
    }
}
