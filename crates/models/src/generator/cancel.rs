//! Nobody wants the answer any more: how does a call learn of it that has not begun to answer?

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use safepassage_error::{Error, Kind, Result};

/// Ends calls from outside, from any thread. Clones are one.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Cancel {
    /// Ends every call that has it, now and later.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether calls are to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Returns when they are.
    pub async fn cancelled(&self) {
        std::future::poll_fn(|context| {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // Looked at within the lock: whoever cancels wakes those who were put there before.
            if self.is_cancelled() {
                return Poll::Ready(());
            }
            waiting.retain(|waker| !waker.will_wake(context.waker()));
            waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Whether a call may go on.
    ///
    /// # Errors
    /// `Unavailable` if it was cancelled.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(Kind::Unavailable, "generate", "the call was cancelled"));
        }
        Ok(())
    }
}

impl PartialEq for Cancel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::pieces::block_on;

    #[test]
    fn whoever_waits_learns_of_it_and_whoever_comes_later() {
        let cancel = Cancel::default();
        let waits: Vec<_> = (0..3)
            .map(|_| {
                let cancel = cancel.clone();
                std::thread::spawn(move || block_on(cancel.cancelled()))
            })
            .collect();
        assert!(cancel.check().is_ok());
        cancel.cancel();
        waits.into_iter().for_each(|wait| wait.join().unwrap());
        block_on(cancel.cancelled());
        assert!(cancel.is_cancelled() && cancel.check().is_err() && !Cancel::default().is_cancelled());
    }
}
