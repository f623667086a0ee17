//! How long ago was it last known that these are the newest permissions?
//!
//! An index may say that its permissions must not be older than some age. A *confirmation* is a small file under
//! `access/confirmed/` whose name is a moment and an epoch; whoever changes permissions or syncs leaves one, as long as
//! the one before is young enough. A copy of the folder that was put back later has only old ones: it opens nothing
//! until a person says, with a reason that the access log keeps, that nothing was lost.

use std::sync::{Mutex, PoisonError};

use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use crate::seal;
use crate::storage::Storage;

const FOLDER: &str = "access/confirmed";
const KIND: &str = "confirmed";
/// How many confirmations stay.
const KEPT: usize = 2;

/// At `at_ms` the permissions of `epoch` were the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    at_ms: u64,
    epoch: u64,
}

impl Confirmation {
    fn path(self) -> String {
        format!("{FOLDER}/{:015}-{:012}.json", self.at_ms, self.epoch)
    }

    /// Whether it is no older than `max_age_ms`, and not from a future in which no clock can be right.
    fn is_young(self, now: Timestamp, max_age_ms: u64) -> bool {
        self.at_ms.abs_diff(now.0) <= max_age_ms
    }
}

/// The newest confirmation seen so far.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<Option<Confirmation>>);

impl Freshness {
    fn known(&self) -> Option<Confirmation> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, confirmation: Confirmation) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (*known).max(Some(confirmation));
    }

    /// Whether permissions were confirmed within `max_age_ms`. Looks at the storage only when what is known is too old.
    pub fn is_fresh(&self, storage: &dyn Storage, now: Timestamp, max_age_ms: u64) -> Result<bool> {
        let young = |confirmation: Option<Confirmation>| confirmation.is_some_and(|c| c.is_young(now, max_age_ms));
        if young(self.known()) {
            return Ok(true);
        }
        if let Some(newest) = newest(storage)? {
            self.learn(newest);
        }
        Ok(young(self.known()))
    }

    /// # Errors
    /// `Unavailable` if permissions were not confirmed within `max_age_ms`; `Corrupted`.
    pub fn check(&self, storage: &dyn Storage, now: Timestamp, max_age_ms: u64) -> Result<()> {
        if self.is_fresh(storage, now, max_age_ms)? {
            return Ok(());
        }
        let last = match self.known() {
            None => "never".to_owned(),
            Some(confirmation) => format!("{} s ago", now.0.saturating_sub(confirmation.at_ms) / 1000),
        };
        let message = format!(
            "permissions were last confirmed {last} and may be {} s old: this may be an old copy; confirm them and say why",
            max_age_ms / 1000
        );
        Err(Error::new(Kind::Unavailable, "check permissions' age", message))
    }

    /// Writes that the permissions of `epoch` are the newest at `now`, unless that was written lately.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written.
    pub fn confirm(&self, storage: &dyn Storage, now: Timestamp, epoch: u64, max_age_ms: u64) -> Result<()> {
        if self.known().is_some_and(|known| known.epoch == epoch && known.is_young(now, max_age_ms / 4)) {
            return Ok(());
        }
        let confirmation = Confirmation { at_ms: now.0, epoch };
        match seal::put(storage, KIND, &confirmation.path(), &confirmation) {
            Err(error) if error.kind() == Kind::Conflict => {}
            other => other?,
        }
        self.learn(confirmation);
        let mut names = storage.list(FOLDER)?;
        names.truncate(names.len().saturating_sub(KEPT));
        // An old one that cannot be removed costs space and nothing else.
        names.iter().for_each(|name| drop(storage.delete(&format!("{FOLDER}/{name}"))));
        Ok(())
    }
}

/// The newest confirmation there is.
fn newest(storage: &dyn Storage) -> Result<Option<Confirmation>> {
    let Some(name) = storage.list(FOLDER)?.pop() else { return Ok(None) };
    let path = format!("{FOLDER}/{name}");
    match seal::get::<Confirmation>(storage, KIND, &path) {
        Ok(confirmation) if confirmation.path() == path => Ok(Some(confirmation)),
        Ok(_) => {
            Err(Error::corrupted("check permissions' age", "a confirmation has another's name").with("path", path))
        }
        // A newer one came and this one went.
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// # Errors
/// `Corrupted` if a confirmation is not what was written.
pub(crate) fn verify(storage: &dyn Storage) -> Result<()> {
    newest(storage).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStorage;

    #[test]
    fn confirmations_age_and_come_from_anybody() {
        let storage = MemoryStorage::default();
        let (writer, reader) = (Freshness::default(), Freshness::default());
        let check = |now, age| reader.check(&storage, Timestamp(now), age);
        assert_eq!(check(1_000, 100).unwrap_err().kind(), Kind::Unavailable);
        writer.confirm(&storage, Timestamp(1_000), 7, 100).unwrap();
        assert!(check(1_000, 100).is_ok() && check(1_100, 100).is_ok());
        assert!(check(1_101, 100).unwrap_err().message().contains("0 s ago"));
        // The same again is written only after a quarter of the age.
        writer.confirm(&storage, Timestamp(1_025), 7, 100).unwrap();
        assert_eq!(storage.list(FOLDER).unwrap().len(), 1);
        for at in [1_026, 1_052, 1_078] {
            writer.confirm(&storage, Timestamp(at), 7, 100).unwrap();
        }
        assert_eq!(storage.list(FOLDER).unwrap().len(), KEPT);
        assert!(check(1_178, 100).is_ok() && check(1_179, 100).is_err());
        // A clock that is far behind the confirmation is as wrong as one far before it.
        assert!(check(900, 100).is_err());
        verify(&storage).unwrap();
        let path = format!("{FOLDER}/{}", storage.list(FOLDER).unwrap().pop().unwrap());
        let mut damaged = storage.read(&path).unwrap().to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        storage.damage(&path, damaged.into());
        assert_eq!(verify(&storage).unwrap_err().kind(), Kind::Corrupted);
        assert_eq!(Freshness::default().check(&storage, Timestamp(1_100), 100).unwrap_err().kind(), Kind::Corrupted);
    }
}
