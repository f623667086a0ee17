//! The log held to its promises.

mod crash;
mod damage;
mod faulty;
mod lines;
mod processes;
mod retention;
mod settings;
mod together;

use std::sync::Arc;

use faulty::FaultyFolder;
use safepassage_audit::{AuditLog, AuditSettings, Entry, Line};
use safepassage_error::system::{Clock, Timestamp};

/// A search by `user` that was given `documents`.
fn search(user: &str, documents: &[&str]) -> Entry {
    let mut entry =
        Entry { user: Some(user.to_owned()), hits: Some(documents.len() as u64), ..Entry::new("search", "ok") };
    entry.give(documents.iter().copied());
    entry
}

fn clock() -> Clock {
    Clock::fixed(Timestamp(1_800_000_000_000))
}

/// The log in `folder`, opened anew.
fn open(folder: &FaultyFolder) -> AuditLog {
    AuditLog::new(Arc::new(folder.clone()), clock())
}

/// Every line of a log that is whole.
fn lines(log: &AuditLog) -> Vec<Line> {
    let mut lines = Vec::new();
    log.show(&safepassage_audit::Filter::default(), &mut |line| {
        lines.push(line.clone());
        Ok(())
    })
    .unwrap();
    lines
}

/// Changes the settings.
fn set(log: &AuditLog, change: impl FnOnce(&mut AuditSettings)) {
    let changed = log.change(Entry::new("audit_settings", "ok"), |standing, _| {
        change(&mut standing.settings);
        Ok(())
    });
    changed.unwrap();
}
