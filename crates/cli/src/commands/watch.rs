//! `sync --watch`: what changes from now on?

use std::time::Duration;

use safepassage::system::Stopwatch;
use safepassage::{Engine, Error, Kind, Report, Result, Skipped, SyncOptions};

use super::sync::{once, shown};
use crate::output;
use crate::sync_args::Sync;

/// Seconds between two looks.
const USUAL_S: u64 = 30;

/// What was put aside in the last round, and why it ended early: said once, and again when it is something else.
type Said = (Vec<Skipped>, Option<String>);

/// One round after the other.
pub struct Rounds<'a> {
    pub engine: &'a Engine,
    pub arguments: &'a Sync,
    pub options: SyncOptions,
    said: Said,
    json: bool,
}

impl<'a> Rounds<'a> {
    pub fn new(engine: &'a Engine, arguments: &'a Sync, options: SyncOptions, json: bool) -> Self {
        Self { engine, arguments, options, said: Said::default(), json }
    }

    /// Brings the index up to date once, and says what happened if something did. Whether all of it is done.
    pub fn next(&mut self) -> Result<bool> {
        let watch = Stopwatch::start();
        match once(self.engine, self.arguments, &self.options) {
            Ok(report) => {
                // What it may cost is of all rounds together; what was refused is tried again once.
                self.options.max_cost = self.options.max_cost.map(|most| (most - report.cost.unwrap_or(0.0)).max(0.0));
                self.options.retry_refused = false;
                let now = (report.skipped.clone(), report.stopped.clone());
                if !is_quiet(&report) || now != self.said {
                    shown(&report, &watch, self.json)?;
                }
                self.said = now;
                Ok(report.stopped.is_none())
            }
            Err(error) => self.failed(error).map(|()| false),
        }
    }

    /// Says what failed, if the next round may find it mended: a file that is being written, a provider that is down.
    pub fn failed(&self, error: Error) -> Result<()> {
        if matches!(error.kind(), Kind::Corrupted | Kind::Internal | Kind::Denied) {
            return Err(error);
        }
        output::failed(&error, self.json);
        Ok(())
    }
}

/// Syncs every so many seconds.
pub fn follow(engine: &Engine, arguments: &Sync, options: SyncOptions, seconds: Option<u64>, json: bool) -> Result<()> {
    let mut rounds = Rounds::new(engine, arguments, options, json);
    loop {
        rounds.next()?;
        wait(Duration::from_secs(seconds.unwrap_or(USUAL_S).max(1)));
    }
}

fn is_quiet(report: &Report) -> bool {
    let Report { added, changed, permission_only, deleted, acl_objects, .. } = report;
    [added, changed, permission_only, deleted, acl_objects].into_iter().all(|count| *count == 0)
}

#[expect(clippy::disallowed_methods, reason = "whoever watches waits")]
pub fn wait(time: Duration) {
    std::thread::sleep(time);
}
