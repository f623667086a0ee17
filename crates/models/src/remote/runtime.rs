//! The library's calls return when they are done: who waits for the network meanwhile?
//!
//! One small runtime of our own. The calling thread waits on a channel, so that it may itself belong to another runtime.
//! Whoever watches the program hears nothing of what runs on it: libraries that talk to providers tell requests and answers
//! word for word at their finest level. What may be said of calls, the spans of whoever makes them say.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc;

use safepassage_error::{Error, Kind, Result};
use tokio::runtime::{Builder, Runtime};
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

const OPERATION: &str = "call model";

/// Runs `work` to its end and gives what it gives. The calling thread is blocked: in an asynchronous program, call from a
/// thread that may be.
///
/// # Errors
/// What `work` fails with; `Internal` if it panics, `Unavailable` if the system gives no threads.
pub fn wait_for<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let told = async move {
        // Nobody listens any more if the calling thread was unwound.
        sender.send(work.await).unwrap_or_default();
    };
    start(told)?;
    receiver.recv().unwrap_or_else(|_| Err(Error::new(Kind::Internal, OPERATION, "the call ended without an outcome")))
}

/// Waits for so long.
///
/// # Errors
/// `Unavailable` if the system gives no threads.
pub fn wait(time: std::time::Duration) -> Result<()> {
    wait_for(async move {
        tokio::time::sleep(time).await;
        Ok(())
    })
}

/// Lets `work` run by itself.
pub(super) fn start(work: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    runtime()?.spawn(work.with_subscriber(NoSubscriber::default()));
    Ok(())
}

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME
        .get_or_init(|| Builder::new_multi_thread().worker_threads(2).thread_name("safepassage").enable_all().build());
    made.as_ref().map_err(|e| Error::new(Kind::Unavailable, OPERATION, format!("no threads for the network: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_on_any_thread_and_a_panic_is_an_error() {
        assert_eq!(wait_for(async { Ok(7) }).unwrap(), 7);
        let within = Builder::new_current_thread().build().unwrap();
        assert_eq!(within.block_on(async { wait_for(async { Ok(8) }) }).unwrap(), 8);
        let panicked = wait_for::<()>(async { panic!("on purpose") });
        assert_eq!(panicked.unwrap_err().kind(), Kind::Internal);
    }
}
