//! Here is work that waits for the network: who does it, when whoever asks does not?
//!
//! A small runtime of our own. The work is handed to its threads and awaited over a channel, so that a caller may itself
//! stand on a thread of an async program.

use std::future::Future;
use std::sync::mpsc;

use safepassage_error::{Error, Kind, Result};

pub(crate) struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    pub fn new(threads: usize) -> Result<Self> {
        let built = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("safepassage-aws")
            .enable_all()
            .build()
            .map_err(|e| Error::new(Kind::Unavailable, "start threads", e.to_string()))?;
        Ok(Self(Some(built)))
    }

    /// Waits for `work`.
    pub fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let ended = || Error::new(Kind::Internal, "wait for the network", "the work ended without an answer");
        let (answer, answered) = mpsc::sync_channel(1);
        let runtime = self.0.as_ref().ok_or_else(ended)?;
        runtime.spawn(async move {
            // Whoever asked has gone: nobody needs the answer.
            drop(answer.send(work.await));
        });
        answered.recv().map_err(|_| ended())
    }
}

impl Drop for Runtime {
    /// A runtime may not be waited for on a thread of another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
