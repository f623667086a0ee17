//! Here are a generation and a candidate: what does the candidate lack?

use std::collections::HashMap;

use safepassage_access::{DocumentNumber, Tenant, Version};

use super::{LiveDocument, Snapshot};

/// What has to be done for a candidate to have the documents of a generation.
#[derive(Debug)]
pub struct Behind<'a> {
    /// Documents that it does not have, or with other content; in the order of their rows.
    pub missing: Vec<LiveDocument<'a>>,
    /// Documents that it has and the generation has not.
    pub gone: Vec<(Tenant, String)>,
}

impl Behind<'_> {
    /// Whether there is nothing to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.gone.is_empty()
    }
}

/// What a document is known by, but for its id.
fn content<'a>(live: &LiveDocument<'a>) -> (DocumentNumber, Version, &'a str, u32) {
    (live.number, live.version, live.source, live.chunks)
}

impl Snapshot {
    /// What `candidate` lacks of the documents of this generation: for the write path.
    #[must_use]
    pub fn behind(&self, candidate: &Self) -> Behind<'_> {
        let mut there: HashMap<_, _> =
            candidate.documents().map(|live| ((live.tenant, live.id), content(&live))).collect();
        let mut missing = Vec::new();
        for live in self.documents() {
            if there.remove(&(live.tenant, live.id)) != Some(content(&live)) {
                missing.push(live);
            }
        }
        // What is left has no document here under its id.
        let mut gone: Vec<_> = there.into_keys().map(|(tenant, id)| (tenant.clone(), id.to_owned())).collect();
        gone.sort_unstable();
        Behind { missing, gone }
    }
}
