//! How old may permissions be before nobody sees anything?

use safepassage_audit::Entry;
use safepassage_error::Result;

use crate::decision::Subject;
use crate::engine::Engine;

impl Engine {
    /// States for how many seconds permissions that nobody confirmed open anything; `None`: for ever, as in a new index.
    /// Every change of permissions and every sync confirms them, as long as they were confirmed in time before. A copy of
    /// the folder that is put back later, or that nobody keeps up to date, opens nothing from then on. Returns the epoch.
    ///
    /// # Errors
    /// `Invalid` without a reason or for 0 seconds; `Unavailable` if it cannot be written, or if permissions are too old by
    /// what was stated before.
    pub fn set_max_acl_age(&self, seconds: Option<u64>, reason: &str) -> Result<u64> {
        let change = seconds.map_or_else(|| "for ever".to_owned(), |seconds| format!("{seconds} s"));
        let entry =
            Entry { change: Some(change), reason: Some(reason.to_owned()), ..Entry::new("acl_max_age", "begun") };
        self.noted_change(entry, Subject::Index, || {
            self.index().set_max_access_age(seconds.map(|seconds| seconds.saturating_mul(1000)), reason)
        })
    }

    /// For how many seconds permissions that nobody confirmed open anything.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn max_acl_age(&self) -> Result<Option<u64>> {
        self.index().with_plane(|plane| Ok(plane.max_age_ms().map(|age| age / 1000)))
    }

    /// A person says that the permissions in the folder are the newest there are, though nobody confirmed them in time; the
    /// access log keeps the reason. Returns the epoch.
    ///
    /// # Errors
    /// `Invalid` without a reason; `Unavailable` if it cannot be written.
    pub fn confirm_acls(&self, reason: &str) -> Result<u64> {
        let entry = Entry { reason: Some(reason.to_owned()), ..Entry::new("acl_confirm", "begun") };
        self.noted_change(entry, Subject::Index, || self.index().confirm_access(reason))
    }
}
