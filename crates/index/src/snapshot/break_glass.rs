//! An emergency: every live row of a tenant, whatever permissions say.

use safepassage_access::BrokenGlass;
use safepassage_error::Result;
use safepassage_error::system::Timestamp;

use super::{Snapshot, VisibleRows};
use crate::lexical::Statistics;

impl Snapshot {
    /// The rows that `broken` opens, without the dead. `epoch` is the one they are shown under.
    ///
    /// # Errors
    /// `Denied` if the time is over.
    pub fn unsealed(&self, broken: &BrokenGlass, epoch: u64, now: Timestamp) -> Result<VisibleRows> {
        broken.check_expiry(now)?;
        let mut parts = Vec::new();
        for (s, live) in self.segments.iter().enumerate() {
            let visible = live.segment.access.unsealed(broken, epoch, now)?.without(&live.dead_rows);
            if !visible.is_empty() {
                parts.push((s, visible));
            }
        }
        let statistics = Statistics::over(parts.clone());
        Ok(VisibleRows { generation: self.generation(), epoch, parts, statistics })
    }

    /// The ids of the documents that `broken` opens, in byte order; documents without chunks included.
    ///
    /// # Errors
    /// As [`Snapshot::unsealed`].
    pub fn unsealed_documents(&self, broken: &BrokenGlass, now: Timestamp) -> Result<Vec<String>> {
        broken.check_expiry(now)?;
        let mut ids = Vec::new();
        for live in &self.segments {
            let documents = live.segment.access.unsealed_documents(broken, now)? - &live.dead;
            ids.extend(documents.iter().map(|i| live.segment.documents.id(i as usize).to_owned()));
        }
        ids.sort_unstable();
        Ok(ids)
    }
}
