//! What did a source look like when it was last read? Kept with the index for whoever reads sources.
//!
//! It saves work and is nothing to be relied on: a damaged or missing memory is none. Each is a file of its own, written
//! once like all others, and the one before goes.

use safepassage_error::{Kind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::index::Index;
use crate::seal;

const KIND: &str = "source memory";

#[derive(Serialize)]
struct Kept<'a, T> {
    source: &'a str,
    memory: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    source: String,
    memory: T,
}

impl Index {
    /// What was last remembered of `source`, if it is whole.
    ///
    /// # Errors
    /// `Unavailable` if files cannot be read.
    pub fn remembered<T: DeserializeOwned>(&self, source: &str) -> Result<Option<T>> {
        let folder = folder(source);
        let Some(newest) = numbers(&self.storage().list(&folder)?).max() else { return Ok(None) };
        match seal::get::<Read<T>>(self.storage(), KIND, &file(&folder, newest)) {
            // Two names may share a folder.
            Ok(read) => Ok((read.source == source).then_some(read.memory)),
            Err(error) if matches!(error.kind(), Kind::Unavailable) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Remembers `memory` of `source`, instead of what was remembered before.
    ///
    /// # Errors
    /// `Unavailable` if files cannot be written.
    pub fn remember<T: Serialize>(&self, source: &str, memory: &T) -> Result<()> {
        let folder = folder(source);
        let before: Vec<u64> = numbers(&self.storage().list(&folder)?).collect();
        let next = before.iter().max().map_or(1, |newest| newest + 1);
        match seal::put(self.storage(), KIND, &file(&folder, next), &Kept { source, memory }) {
            // Somebody else has just read the same source.
            Err(error) if error.kind() == Kind::Conflict => return Ok(()),
            written => written?,
        }
        before.into_iter().try_for_each(|number| self.storage().delete(&file(&folder, number)))
    }
}

fn folder(source: &str) -> String {
    format!("source/{:016x}", XxHash3_64::oneshot(source.as_bytes()))
}

fn file(folder: &str, number: u64) -> String {
    format!("{folder}/{number:06}.json")
}

fn numbers(names: &[String]) -> impl Iterator<Item = u64> {
    names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use safepassage_access::Labels;
    use safepassage_error::system::{Clock, Timestamp};

    use super::*;
    use crate::manifest::Settings;
    use crate::storage::{MemoryStorage, Storage};

    #[test]
    fn the_last_memory_of_each_source_is_kept_and_a_damaged_one_is_none() {
        let storage = Arc::new(MemoryStorage::default());
        let clock = Clock::fixed(Timestamp(1));
        let shared: Arc<dyn Storage> = Arc::clone(&storage) as _;
        let index = Index::create(shared, Settings::vectors(2), &Labels::default(), clock).unwrap();
        assert_eq!(index.remembered::<Vec<u32>>("a").unwrap(), None);
        for n in 0..3_u32 {
            index.remember("a", &vec![n]).unwrap();
        }
        index.remember("b", &vec![7_u32]).unwrap();
        assert_eq!(index.remembered::<Vec<u32>>("a").unwrap(), Some(vec![2]));
        assert_eq!(index.remembered::<Vec<u32>>("b").unwrap(), Some(vec![7]));
        let names = storage.list(&folder("a")).unwrap();
        assert_eq!(names, ["000003.json"]);
        index.verify().unwrap();

        storage.put_if_absent(&file(&folder("a"), 4), &mut |out| out.write_all(b"{}")).unwrap();
        assert_eq!(index.remembered::<Vec<u32>>("a").unwrap(), None);
        index.remember("a", &vec![9_u32]).unwrap();
        assert_eq!(index.remembered::<Vec<u32>>("a").unwrap(), Some(vec![9]));
    }
}
