//! Here are new, changed and gone documents: make a generation of them.
//!
//! A commit writes segments and tombstones, each durable by itself, and then publishes one manifest. Until that last
//! step nothing of it can be seen; after it everything can.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use safepassage_access::Tenant;
use safepassage_error::{Error, Kind, Result};

use crate::index::Index;
use crate::kernel;
use crate::manifest::{Manifest, Metric, SegmentEntry, Settings, Tombstones};
use crate::segment::{self, NewDocument};
use crate::snapshot::Snapshot;
use crate::storage::Lease;

/// Generations whose segments are kept for rollback.
const KEPT_GENERATIONS: usize = 16;

/// The one writer of an index; dropping it without [`Writer::commit`] changes nothing.
#[derive(Debug)]
pub struct Writer<'a> {
    index: &'a Index,
    _lease: Box<dyn Lease>,
    base: Arc<Snapshot>,
    pending: BTreeMap<(Tenant, String), Option<NewDocument>>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(index: &'a Index, lease: Box<dyn Lease>, base: Arc<Snapshot>) -> Result<Self> {
        let writer = Self { index, _lease: lease, base, pending: BTreeMap::new() };
        writer.prune()?;
        Ok(writer)
    }

    /// The generation this writer builds on.
    #[must_use]
    pub fn base(&self) -> &Snapshot {
        &self.base
    }

    /// Puts or replaces a document at the next commit. Vectors are scaled to unit norm.
    ///
    /// # Errors
    /// `Invalid` if the vectors are not chunks × dim, or one is zero or not finite; the document is then left out.
    pub fn upsert(&mut self, tenant: &Tenant, mut document: NewDocument) -> Result<()> {
        let Settings { dim, metric, .. } = self.base.manifest().settings;
        let values = document.vectors.as_slice();
        if values.len() != document.chunks.len() * dim {
            let (got, want) = (values.len(), document.chunks.len());
            let message = format!("`{}` has {got} numbers for {want} chunks of {dim} dimensions", document.id);
            return Err(Error::invalid("upsert", message));
        }
        let ready = |vector: &[f32]| metric == Metric::Cosine && kernel::is_unit(vector);
        if !values.chunks_exact(dim).all(ready) {
            let mut scaled = values.to_vec();
            if let Some(bad) = scaled.chunks_exact_mut(dim).position(|vector| !metric.prepare(vector)) {
                return Err(Error::invalid(
                    "upsert",
                    format!("vector {bad} of `{}` is zero or not finite", document.id),
                ));
            }
            document.vectors = scaled.into();
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
    /// change there is no new generation. Returns the generation now current.
    ///
    /// # Errors
    /// `Invalid` if a document has no ACL in the access plane under its number; `Unavailable` if files cannot be
    /// written. What was pending stays pending.
    pub fn commit(&mut self) -> Result<u64> {
        let absent = |(tenant, id): &(Tenant, String)| self.base.find(tenant, id).is_none();
        let gone: Vec<_> =
            self.pending.iter().filter(|(key, d)| d.is_none() && absent(key)).map(|(k, _)| k.clone()).collect();
        gone.iter().for_each(|key| drop(self.pending.remove(key)));
        if self.pending.is_empty() {
            return Ok(self.base.generation());
        }
        let acl_epoch = self.check_permissions()?;
        let mut next = self.base.manifest().next("commit", acl_epoch, self.index.clock().now());
        next.segments = self.survivors(next.generation)?;
        let mut by_tenant = BTreeMap::<&Tenant, Vec<NewDocument>>::new();
        for ((tenant, _), document) in &self.pending {
            by_tenant.entry(tenant).or_default().extend(document.clone());
        }
        for (tenant, documents) in by_tenant.into_iter().filter(|(_, documents)| !documents.is_empty()) {
            next.segments.push(self.write_segment(next.generation, tenant, documents)?);
        }
        self.publish(&next)?;
        self.pending.clear();
        Ok(next.generation)
    }

    /// Every document must have a number that is its own and an ACL, if only the empty one; else it could never be
    /// given one, or would be seen under another's.
    fn check_permissions(&self) -> Result<u64> {
        self.index.with_plane(|plane| {
            for ((tenant, id), document) in &self.pending {
                let Some(document) = document else { continue };
                let known =
                    plane.number(tenant, id) == Some(document.number) && plane.document(document.number).is_some();
                if !known {
                    return Err(Error::invalid("commit", format!("`{id}` has no ACL in the access plane")));
                }
            }
            Ok(plane.epoch())
        })
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
                let mut bytes = Vec::with_capacity(dead.serialized_size());
                dead.serialize_into(&mut bytes)
                    .map_err(|e| Error::new(Kind::Internal, "write tombstones", "cannot be written").because(e))?;
                let file = self.free_name(&segment::folder(&entry.id), &format!("tombstones-{generation:06}"))?;
                let path = format!("{}/{file}", segment::folder(&entry.id));
                self.index.storage().put_if_absent(&path, &mut |out| out.write_all(&bytes))?;
                entry.tombstones =
                    Some(Tombstones { file, documents: dead.len() as u32, digest: segment::digest(&bytes) });
            }
            survivors.push(entry);
        }
        Ok(survivors)
    }

    /// `stem`, or the first of `stem-1`, `stem-2` … that no dead writer has used.
    fn free_name(&self, folder: &str, stem: &str) -> Result<String> {
        let taken = self.index.storage().list(folder)?;
        let free = |name: &String| !taken.contains(name);
        let mut names = std::iter::once(stem.to_owned()).chain((1..).map(|n| format!("{stem}-{n}")));
        names.find(free).ok_or_else(|| Error::new(Kind::Internal, "name file", "no name is free"))
    }

    fn write_segment(&self, generation: u64, tenant: &Tenant, documents: Vec<NewDocument>) -> Result<SegmentEntry> {
        let id = self.free_name("segment", &format!("{generation:06}"))?;
        let settings = &self.base.manifest().settings;
        segment::write(self.index.storage(), &id, tenant, documents, settings, self.index.graph_settings())
    }

    fn publish(&mut self, next: &Manifest) -> Result<()> {
        let published = next.publish(self.index.storage());
        published.map_err(|error| match error.kind() {
            Kind::Conflict => error.with("hint", "another writer published meanwhile; run again"),
            _ => error,
        })?;
        self.base = self.index.snapshot()?;
        self.index.after_commit()
    }

    /// Merges segments: all of a tenant's if `everything`, else those that the size-tiered policy names. Dead documents
    /// are dropped. Returns the generation now current.
    ///
    /// # Errors
    /// `Corrupted` if a segment cannot be read; `Unavailable` if files cannot be written.
    pub fn merge(&mut self, everything: bool) -> Result<u64> {
        let mut tenants = BTreeMap::<Tenant, Vec<usize>>::new();
        for (s, live) in self.base.segments().iter().enumerate() {
            tenants.entry(live.segment.tenant.clone()).or_default().push(s);
        }
        let groups: Vec<(Tenant, Vec<usize>)> = tenants
            .into_iter()
            .flat_map(|(tenant, segments)| {
                let groups = if everything { vec![segments] } else { due(&self.base, &segments) };
                groups.into_iter().map(move |group| (tenant.clone(), group))
            })
            .filter(|(_, group)| group.len() > 1 || group.iter().any(|&s| !self.base.segments()[s].dead.is_empty()))
            .collect();
        if groups.is_empty() {
            return Ok(self.base.generation());
        }
        let acl_epoch = self.index.with_plane(|plane| Ok(plane.epoch()))?;
        let mut next = self.base.manifest().next("merge", acl_epoch, self.index.clock().now());
        let merged: BTreeSet<&str> =
            groups.iter().flat_map(|(_, group)| group).map(|&s| self.base.segments()[s].segment.id.as_str()).collect();
        next.segments.retain(|entry| !merged.contains(entry.id.as_str()));
        for (tenant, group) in &groups {
            let mut documents = Vec::new();
            for &s in group {
                documents.extend(self.base.rewrite(s)?);
            }
            if !documents.is_empty() {
                next.segments.push(self.write_segment(next.generation, tenant, documents)?);
            }
        }
        self.publish(&next)?;
        self.prune()?;
        Ok(next.generation)
    }

    /// Makes a generation with the content of an earlier one. Permissions stay as they are now.
    ///
    /// # Errors
    /// `NotFound` if there is no such generation or its segments were removed.
    pub fn rollback(&mut self, generation: u64) -> Result<u64> {
        let storage = self.index.storage();
        let gone = |what: &str| Error::new(Kind::NotFound, "roll back", format!("generation {generation} {what}"));
        if !Manifest::exists(storage, generation)? {
            return Err(gone("does not exist"));
        }
        let old = Manifest::read(storage, generation)?;
        Snapshot::open(storage, old.clone(), Some(&self.base)).map_err(|error| match error.kind() {
            Kind::NotFound => gone("is not kept any more").because(error),
            _ => error,
        })?;
        let acl_epoch = self.index.with_plane(|plane| Ok(plane.epoch()))?;
        let mut next = self.base.manifest().next("rollback", acl_epoch, self.index.clock().now());
        next.parent = old.generation;
        next.segments = old.segments;
        self.pending.clear();
        self.publish(&next)?;
        Ok(next.generation)
    }

    /// Removes segments that none of the last generations names: those merged away, and those of writers that died.
    fn prune(&self) -> Result<()> {
        let storage = self.index.storage();
        let mut named = BTreeSet::new();
        for generation in Manifest::generations(storage)?.into_iter().rev().take(KEPT_GENERATIONS) {
            named.extend(Manifest::read(storage, generation)?.segments.into_iter().map(|entry| entry.id));
        }
        let mut unnamed = storage.list("segment")?.into_iter().filter(|id| !named.contains(id));
        unnamed.try_for_each(|id| storage.delete(&segment::folder(&id)))
    }
}

/// Which of a tenant's segments to merge: eight of one size class (classes of live rows are a factor of eight apart),
/// or by itself one that is half dead.
fn due(base: &Snapshot, segments: &[usize]) -> Vec<Vec<usize>> {
    let mut classes = BTreeMap::<u32, Vec<usize>>::new();
    for &s in segments {
        classes.entry((base.segments()[s].live_rows() / 1024).max(1).ilog2() / 3).or_default().push(s);
    }
    let half_dead = |s: &usize| {
        let live = &base.segments()[*s];
        live.dead.len() * 2 >= u64::from(live.entry.documents)
    };
    classes
        .into_values()
        .flat_map(|class| {
            if class.len() >= 8 { vec![class] } else { class.into_iter().filter(half_dead).map(|s| vec![s]).collect() }
        })
        .collect()
}
