//! Here are new, changed and gone documents: make a generation of them.
//!
//! A commit writes segments and tombstones, each durable by itself, and then publishes one manifest. Until that last
//! step nothing of it can be seen; after it everything can. One [`Writer`] at a time changes content; one [`Merge`] at
//! a time may run beside it, in any process. Whoever finds that the other published first builds on that and tries
//! again, so neither waits for the other.

mod background;
mod candidate;
mod fields;
mod files;
mod merge;
mod switch;

use std::collections::BTreeMap;
use std::sync::Arc;

use safepassage_access::Tenant;
use safepassage_error::{Error, Kind, Result};

pub(crate) use self::background::Background;
pub use self::background::MergeState;
use self::files::Author;
pub use self::merge::Merge;
use crate::index::Index;
use crate::manifest::{Manifest, SegmentEntry, Settings};
use crate::segment::{Incoming, NewDocument};
use crate::snapshot::Snapshot;
use crate::storage::Lease;

/// The one writer of an index; dropping it without [`Writer::commit`] changes nothing.
#[derive(Debug)]
pub struct Writer<'a> {
    index: &'a Index,
    _lease: Box<dyn Lease>,
    base: Arc<Snapshot>,
    pending: BTreeMap<(Tenant, String), Option<Arc<NewDocument>>>,
}

impl Index {
    /// Becomes the one writer of content.
    ///
    /// # Errors
    /// `Conflict`, naming the holder, while somebody else is.
    pub fn writer(&self) -> Result<Writer<'_>> {
        let lease = self.lease(Author::Writer.role())?;
        files::prune(self.storage(), self.published(), Author::Writer)?;
        Ok(Writer { index: self, _lease: lease, base: self.snapshot()?, pending: BTreeMap::new() })
    }
}

impl Writer<'_> {
    /// The generation this writer builds on.
    #[must_use]
    pub fn base(&self) -> &Snapshot {
        &self.base
    }

    /// Puts or replaces a document at the next commit. Vectors are scaled to unit norm, in place if nobody shares them.
    ///
    /// # Errors
    /// `Invalid` if the vectors are not chunks × dim, or one is zero or not finite; the document is then left out.
    pub fn upsert(&mut self, tenant: &Tenant, document: impl Into<Arc<NewDocument>>) -> Result<()> {
        let mut document: Arc<NewDocument> = document.into();
        let Settings { dim, metric, precision, .. } = self.base.manifest().settings;
        if document.vectors.len() != document.chunks.len() * dim {
            let (got, want) = (document.vectors.len(), document.chunks.len());
            let message = format!("`{}` has {got} numbers for {want} chunks of {dim} dimensions", document.id);
            return Err(Error::invalid("upsert", message));
        }
        let prepared = document.vectors.numbers()?.chunks_exact(dim).all(|vector| metric.is_prepared(vector));
        if !prepared {
            let mut vectors = Arc::make_mut(&mut document).vectors.make_mut()?.chunks_exact_mut(dim);
            if let Some(bad) = vectors.position(|vector| !metric.prepare(vector)) {
                return Err(Error::invalid(
                    "upsert",
                    format!("vector {bad} of `{}` is zero or not finite", document.id),
                ));
            }
        }
        if !document.vectors.numbers()?.iter().all(|&value| precision.keeps(value)) {
            let message = format!("a number of `{}` is too large for f16", document.id);
            return Err(Error::invalid("upsert", message));
        }
        self.pending.insert((tenant.clone(), document.id.clone()), Some(document));
        Ok(())
    }

    /// Deletes a document at the next commit. Returns whether it is live.
    pub fn delete(&mut self, tenant: &Tenant, id: &str) -> bool {
        self.pending.insert((tenant.clone(), id.to_owned()), None);
        self.base.find(tenant, id).is_some()
    }

    /// How many documents wait for the commit.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Makes a generation of what is pending, and the newest snapshot the base for the next one. Without anything to
    /// change there is no new generation. Returns the generation it made, or the newest.
    ///
    /// # Errors
    /// `Invalid` if a document has no ACL in the access plane under its number; `Unavailable` if files cannot be
    /// written. What was pending stays pending.
    pub fn commit(&mut self) -> Result<u64> {
        self.refresh()?;
        let base = &self.base;
        self.pending.retain(|(tenant, id), document| document.is_some() || base.find(tenant, id).is_some());
        if self.pending.is_empty() {
            return Ok(self.base.generation());
        }
        self.check_permissions()?;
        let new = self.write_segments()?;
        let generation = loop {
            self.refresh()?;
            let mut next = self.index.next(&self.base, "commit")?;
            next.segments = self.survivors(next.generation)?;
            next.segments.extend(new.iter().cloned());
            match next.publish(self.index.storage()) {
                Ok(()) => break next.generation,
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        };
        self.base = self.index.snapshot()?;
        self.index.after_commit()?;
        self.pending.clear();
        Ok(generation)
    }

    /// Builds on the newest generation, if it is of the model that what is pending was made by.
    fn refresh(&mut self) -> Result<()> {
        let newest = self.index.snapshot()?;
        let [was, now] = [&self.base, &newest].map(|snapshot| &snapshot.manifest().settings);
        if !was.same_model(now) {
            let (was, now) = (was.model_name(), now.model_name());
            let message = format!("the index's model was changed from `{was}` to `{now}` meanwhile; begin again");
            return Err(Error::new(Kind::Conflict, "commit", message));
        }
        self.base = newest;
        Ok(())
    }

    /// Every document must have a number that is its own and an ACL, if only the empty one; else it could never be
    /// given one, or would be seen under another's.
    fn check_permissions(&self) -> Result<()> {
        self.index.with_plane(|plane| {
            for ((tenant, id), document) in &self.pending {
                let Some(document) = document else { continue };
                let known =
                    plane.number(tenant, id) == Some(document.number) && plane.document(document.number).is_some();
                if !known {
                    return Err(Error::invalid("commit", format!("`{id}` has no ACL in the access plane")));
                }
            }
            Ok(())
        })
    }

    /// What is put, as a segment for each tenant.
    fn write_segments(&self) -> Result<Vec<SegmentEntry>> {
        let mut by_tenant = BTreeMap::<&Tenant, Vec<Incoming<'_>>>::new();
        for ((tenant, _), document) in &self.pending {
            if let Some(document) = document {
                by_tenant.entry(tenant).or_default().push(Incoming::Here(document));
            }
        }
        let write =
            |(tenant, documents)| files::write_segment(self.index, Author::Writer, &self.base, tenant, documents, None);
        by_tenant.into_iter().map(write).collect()
    }

    /// The live segments without what is replaced or deleted now.
    fn survivors(&self, generation: u64) -> Result<Vec<SegmentEntry>> {
        let mut survivors = Vec::new();
        for live in self.base.segments() {
            let mut dead = live.dead.clone();
            let of_tenant = self.pending.keys().filter(|(tenant, _)| *tenant == live.segment.tenant);
            dead.extend(of_tenant.filter_map(|(_, id)| live.segment.documents.find(id)).map(|i| i as u32));
            let mut entry = live.entry.clone();
            if dead.len() == u64::from(entry.documents) {
                continue;
            }
            if dead.len() > live.dead.len() {
                entry.tombstones = Some(files::put_tombstones(self.index.storage(), &entry.id, generation, &dead)?);
            }
            survivors.push(entry);
        }
        Ok(survivors)
    }

    /// Makes a generation with the content of an earlier one, and forgets what is pending. Permissions stay as they are
    /// now.
    ///
    /// # Errors
    /// `NotFound` if there is no such generation or its segments are not kept any more; `Conflict` if somebody changed
    /// content meanwhile.
    pub fn rollback(&mut self, generation: u64) -> Result<u64> {
        let storage = self.index.storage();
        let gone = |what: &str| Error::new(Kind::NotFound, "roll back", format!("generation {generation} {what}"));
        if !Manifest::exists(storage, generation)? {
            return Err(gone("does not exist"));
        }
        let old = Manifest::read(storage, generation)?;
        self.base = self.index.snapshot()?;
        let made = loop {
            // A merge may be removing what no kept generation names, so that it can still be read is not enough.
            let kept = files::kept(storage, self.index.published())?;
            if old.segments.iter().any(|entry| !kept.contains(&entry.id)) {
                return Err(gone("is not kept any more"));
            }
            Snapshot::open(storage, old.clone(), Some(&self.base))?;
            let mut next = self.index.next(&self.base, "rollback")?;
            next.parent = old.generation;
            next.segments.clone_from(&old.segments);
            // Its model comes with its vectors; which fields can be asked for is of no generation.
            let fields = std::mem::take(&mut next.settings.fields);
            next.settings = Settings { fields, ..old.settings.clone() };
            match next.publish(storage) {
                Ok(()) => break next.generation,
                Err(error) if error.kind() == Kind::Conflict => self.take_in_merges(error)?,
                Err(error) => return Err(error),
            }
        };
        self.pending.clear();
        self.base = self.index.snapshot()?;
        self.index.after_commit()?;
        Ok(made)
    }

    /// Builds on the newest generation if only merges, which change no content, made those since the last.
    fn take_in_merges(&mut self, conflict: Error) -> Result<()> {
        let newest = self.index.snapshot()?;
        for generation in self.base.generation() + 1..=newest.generation() {
            if Manifest::read(self.index.storage(), generation)?.operation != merge::OPERATION {
                return Err(conflict.with("hint", "another writer published meanwhile; run again"));
            }
        }
        self.base = newest;
        Ok(())
    }
}
