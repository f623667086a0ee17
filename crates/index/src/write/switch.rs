//! Here is a candidate that has what the index has: it takes its place.

use std::collections::BTreeSet;

use safepassage_access::Tenant;
use safepassage_error::{Error, Kind, Result};

use super::Writer;
use super::files::Author;
use crate::index::Index;
use crate::manifest::Settings;
use crate::snapshot::{LiveDocument, Snapshot};

impl Writer<'_> {
    /// Makes a generation with the segments and the model of `candidate`, and forgets what is pending. Permissions stay
    /// as they are now; so do the fields that can be asked for. The documents `left_out` may be missing from it.
    ///
    /// # Errors
    /// `Invalid` if it is no candidate; `Conflict` if it has more or fewer documents than the newest generation, or
    /// others, or while somebody is still making it; `Unavailable` if it cannot be written.
    pub fn switch(&mut self, candidate: &Index, left_out: &BTreeSet<(Tenant, String)>) -> Result<u64> {
        if candidate.published().is_none() {
            return Err(Error::invalid("switch", "this is no candidate of the index"));
        }
        let _writer = candidate.lease(Author::Writer.role())?;
        let _merger = candidate.lease(Author::Merger.role())?;
        let staged = candidate.snapshot()?;
        self.base = self.index.snapshot()?;
        let generation = loop {
            check(&self.base, &staged, left_out)?;
            let mut next = self.index.next(&self.base, "switch")?;
            let fields = std::mem::take(&mut next.settings.fields);
            next.settings = Settings { fields, ..staged.manifest().settings.clone() };
            next.segments.clone_from(&staged.manifest().segments);
            match next.publish(self.index.storage()) {
                Ok(()) => break next.generation,
                Err(error) if error.kind() == Kind::Conflict => self.take_in_merges(error)?,
                Err(error) => return Err(error),
            }
        };
        self.pending.clear();
        self.base = self.index.snapshot()?;
        self.index.after_commit()?;
        Ok(generation)
    }
}

/// INVARIANT: what a switch publishes has the documents of the generation before, each with the same number, content and
/// source, so that every permission means the same rows as before; none comes back, and none is lost unnamed.
fn check(newest: &Snapshot, staged: &Snapshot, left_out: &BTreeSet<(Tenant, String)>) -> Result<()> {
    let behind = newest.behind(staged);
    // Left out is what is not there at all; of what is there with other content the old one would come back.
    let may_lack = |live: &&LiveDocument<'_>| {
        left_out.contains(&(live.tenant.clone(), live.id.to_owned())) && staged.find(live.tenant, live.id).is_none()
    };
    let missing = behind.missing.iter().filter(|live| !may_lack(live)).count();
    let gone = behind.gone.len();
    if missing + gone == 0 {
        return Ok(());
    }
    let message = format!("the candidate lacks {missing} documents and has {gone} that are gone; run `re-embed` again");
    Err(Error::new(Kind::Conflict, "switch", message))
}
