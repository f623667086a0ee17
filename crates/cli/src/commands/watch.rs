//! `sync --watch`: what changes from now on?

use std::time::Duration;

use safepassage::system::Stopwatch;
use safepassage::{Engine, Kind, Report, Result, SyncOptions};

use super::sync::{once, shown};
use crate::output;
use crate::sync_args::Sync;

/// Syncs every so many seconds, and says what happened where something did.
pub fn follow(engine: &Engine, arguments: &Sync, mut options: SyncOptions, seconds: u64, json: bool) -> Result<()> {
    // What was put aside, and why a round ended early: said once, and again when it is something else.
    let mut said = Default::default();
    loop {
        let watch = Stopwatch::start();
        match once(engine, arguments, &options) {
            Ok(report) => {
                // What it may cost is of all rounds together; what was refused is tried again once.
                options.max_cost = options.max_cost.map(|most| (most - report.cost.unwrap_or(0.0)).max(0.0));
                options.retry_refused = false;
                let now = (report.skipped.clone(), report.stopped.clone());
                if !is_quiet(&report) || now != said {
                    shown(&report, &watch, json)?;
                }
                said = now;
            }
            Err(error) if matches!(error.kind(), Kind::Corrupted | Kind::Internal | Kind::Denied) => return Err(error),
            // A file that is being written, a provider that is down: the next round may find it mended.
            Err(error) => output::failed(&error, json),
        }
        wait(Duration::from_secs(seconds.max(1)));
    }
}

fn is_quiet(report: &Report) -> bool {
    let Report { added, changed, permission_only, deleted, acl_objects, .. } = report;
    [added, changed, permission_only, deleted, acl_objects].into_iter().all(|count| *count == 0)
}

#[expect(clippy::disallowed_methods, reason = "whoever watches waits")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
