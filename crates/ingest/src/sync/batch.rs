//! Documents that the caller brings, instead of a source: staged, then committed at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use safepassage_access::{DocumentNumber, Tenant};
use safepassage_error::{Error, Kind, Result};
use safepassage_index::storage::Scratch;
use safepassage_index::{Index, Settings, SharedVectors};
use safepassage_models::{Embedder, Purpose};
use serde::Serialize;

use super::acls::Acls;
use super::chunk_settings;
use super::permit::{PER_EPOCH, Statement, Statements, label_of_newest};
use super::plan::{IndexRules, Reader};
use super::staged::{BatchDocument, Rules, Staged};
use super::{derived, name};
use crate::chunk::Chunker;

/// Vectors that wait for the commit in memory; what comes on top waits in a file.
const HELD_BYTES: usize = 4 << 20;

type Key = (Tenant, String);

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Committed {
    /// The generation now current.
    pub generation: u64,
    /// Chunks longer than the model reads: it knows their beginning only.
    pub truncated: u64,
    /// The ids of their documents, the first hundred.
    pub truncated_documents: Vec<String>,
}

/// Documents to put and to delete at the next commit.
#[derive(Debug, Default)]
pub struct Batch {
    changes: BTreeMap<Key, Option<Staged>>,
    /// The distinct ACLs of what is staged.
    acls: Acls,
    /// Bytes of vectors that were staged in memory.
    held: usize,
    /// Where the others are.
    aside: Option<Arc<dyn Scratch>>,
}

impl Batch {
    /// Stages documents; one with the id of another replaces it.
    ///
    /// # Errors
    /// `Invalid`, and nothing of `documents` is staged, if an id is empty or stands twice, a label is unknown, a
    /// vector is not of the index's dimension or not finite, or a document has neither text nor vector, or only text
    /// and the index no model.
    pub fn add(&mut self, index: &Index, documents: Vec<BatchDocument>) -> Result<()> {
        let snapshot = index.snapshot()?;
        let settings = &snapshot.manifest().settings;
        let epoch = index.with_plane(|plane| Ok(plane.epoch()))?;
        self.check_inputs(index, &documents)?;
        let rules =
            Rules { index: IndexRules::of(index, &[], None)?, dim: settings.dim, has_model: !settings.model.is_null() };
        let mut seen = HashSet::new();
        for (n, document) in documents.iter().enumerate() {
            rules.check(document).map_err(|e| e.with("row", n))?;
            if !seen.insert((&document.tenant, &document.id)) {
                return Err(Error::invalid("add", format!("the id `{}` stands twice", document.id)).with("row", n));
            }
        }
        drop(seen);
        let made_for = Arc::new(settings.clone());
        let mut staged = Vec::with_capacity(documents.len());
        for mut document in documents {
            let acl = self.acls.keep(&document.acl.take().unwrap_or_default());
            let key = (document.tenant.clone(), document.id.clone());
            staged.push((key, Staged::new(&rules, document, acl, epoch, &made_for)?));
        }
        // Versions are of what was given; what is stored may be scaled.
        SharedVectors::prepare(vectors_of(&mut staged), settings.metric);
        self.set_aside(index, &mut staged);
        self.changes.extend(staged.into_iter().map(|(key, staged)| (key, Some(staged))));
        Ok(())
    }

    /// Whether everything that something was derived from is in the index, or staged before it.
    fn check_inputs(&self, index: &Index, documents: &[BatchDocument]) -> Result<()> {
        let mut before = HashSet::new();
        for (n, document) in documents.iter().enumerate() {
            for input in &document.derived_from {
                let key = (document.tenant.clone(), input.clone());
                let staged = before.contains(&key) || matches!(self.changes.get(&key), Some(Some(_)));
                if !staged && index.with_plane(|plane| Ok(plane.number(&key.0, input).is_none()))? {
                    let message = format!("`{}` is derived from `{input}`, which is not there yet", document.id);
                    return Err(Error::invalid("add", message).with("row", n));
                }
            }
            before.insert((document.tenant.clone(), document.id.clone()));
        }
        Ok(())
    }

    /// Moves the vectors of `staged` out of memory if there are many of them already. Where that cannot be they stay:
    /// it costs memory and nothing else.
    fn set_aside(&mut self, index: &Index, staged: &mut [(Key, Staged)]) {
        let bytes = vectors_of(staged).map(|vectors| vectors.len() * size_of::<f32>()).sum::<usize>();
        if self.held + bytes > HELD_BYTES {
            if self.aside.is_none() {
                self.aside = index.scratch().ok().flatten();
            }
            let moved = self.aside.as_ref().map(|file| SharedVectors::set_aside(vectors_of(staged), file));
            if moved.is_some_and(|moved| moved.is_ok()) {
                return;
            }
        }
        self.held += bytes;
    }

    /// Stages a deletion. Returns whether the document is live or staged now.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn delete(&mut self, index: &Index, tenant: &Tenant, id: &str) -> Result<bool> {
        let live = index.snapshot()?.find(tenant, id).is_some();
        let staged = self.changes.insert((tenant.clone(), id.to_owned()), None);
        Ok(live || matches!(staged, Some(Some(_))))
    }

    /// How many changes are staged.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing is staged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether there are texts to be embedded.
    #[must_use]
    pub fn has_texts(&self) -> bool {
        self.changes.values().flatten().any(|staged| staged.text.is_some())
    }

    /// Makes a generation of what is staged; without anything staged, it is the current one. After an error everything stays
    /// staged.
    ///
    /// # Errors
    /// `Invalid` if texts have to be embedded and there is no embedder, or it is of another model; `Denied` if a text's label
    /// or that of something it was derived from is above what the model is cleared for; `Conflict` while
    /// another writer is at work; `Unavailable` if files cannot be written.
    pub fn commit(&mut self, index: &Index, embedder: Option<&dyn Embedder>) -> Result<Committed> {
        if self.changes.is_empty() {
            return Ok(Committed { generation: index.snapshot()?.generation(), ..Committed::default() });
        }
        let mut writer = index.writer()?;
        self.check_model(&writer.base().manifest().settings)?;
        self.embed(index, embedder)?;
        self.permit(index)?;
        for ((tenant, id), change) in &self.changes {
            match change {
                Some(staged) => writer.upsert(tenant, Arc::clone(&staged.document))?,
                None => drop(writer.delete(tenant, id)),
            }
        }
        let mut committed = Committed { generation: writer.commit()?, ..Committed::default() };
        for ((_, id), staged) in self.staged().filter(|(_, staged)| staged.truncated > 0) {
            committed.truncated += staged.truncated;
            name(&mut committed.truncated_documents, id);
        }
        *self = Self::default();
        Ok(committed)
    }

    /// Whether vectors that were staged may stand beside those of the index still.
    fn check_model(&self, now: &Settings) -> Result<()> {
        for staged in self.changes.values().flatten().filter(|staged| staged.text.is_none()) {
            if !staged.made_for.same_model(now) {
                let (id, was, now) = (&staged.document.id, staged.made_for.model_name(), now.model_name());
                let message =
                    format!("`{id}` has vectors of the model `{was}`, and the index's is `{now}` by now; add it anew");
                return Err(Error::new(Kind::Conflict, "commit", message));
            }
        }
        Ok(())
    }

    fn staged(&mut self) -> impl Iterator<Item = (&Key, &mut Staged)> {
        self.changes.iter_mut().filter_map(|(key, change)| Some((key, change.as_mut()?)))
    }

    /// Cuts and embeds the texts that have no vectors; what was embedded stays so if a later step fails.
    fn embed(&mut self, index: &Index, embedder: Option<&dyn Embedder>) -> Result<()> {
        let made_for = Arc::new(index.snapshot()?.manifest().settings.clone());
        if !self.has_texts() {
            return Ok(());
        }
        let embedder = embedder.ok_or_else(no_embedder)?;
        let readers = self.readers(index, &IndexRules::of(index, &[], Some(embedder))?)?;
        let chunker = Chunker::of(embedder, chunk_settings(index, embedder)?)?;
        let waiting = self.staged().map(|(_, staged)| staged).filter(|staged| staged.text.is_some());
        let mut waiting: Vec<(&mut Staged, Reader)> = waiting.zip(readers).collect();
        let above = std::iter::successors(embedder.above(), |model| model.above()).collect::<Vec<_>>();
        let models = std::iter::once(embedder).chain(above.iter().map(|model| &**model));
        for (model, n) in models.zip(0..) {
            let mut its: Vec<&mut Staged> =
                waiting.iter_mut().filter(|(_, by)| *by == Reader(n)).map(|(staged, _)| &mut **staged).collect();
            if its.is_empty() {
                continue;
            }
            let inputs = its.iter_mut().map(|staged| staged.cut(&chunker)).collect::<Result<Vec<_>>>()?;
            let texts: Vec<&str> = inputs.iter().flatten().map(String::as_str).collect();
            let mut rows: Vec<Option<Vec<f32>>> = vec![None; texts.len()];
            let kept = model.embed_each(&texts, Purpose::Document, &mut |at, row| {
                rows[at] = Some(row.to_vec());
                Ok(())
            })?;
            let mut first = 0;
            for (staged, inputs) in its.into_iter().zip(&inputs) {
                let of = first..first + inputs.len();
                first = of.end;
                if let Some(refused) = kept.refused.iter().find(|refused| of.contains(&refused.text)) {
                    let message = format!("`{}`: the model refuses it: {}", staged.document.id, refused.reason);
                    return Err(Error::invalid("commit", message));
                }
                let vectors: Option<Vec<Vec<f32>>> = rows[of.clone()].iter_mut().map(Option::take).collect();
                let missing = || Error::new(Kind::Unavailable, "embed", "the model gave no vector for a text");
                staged.truncated = kept.truncated.iter().filter(|at| of.contains(*at)).count() as u64;
                staged.document_mut().vectors = vectors.ok_or_else(missing)?.concat().into();
                (staged.text, staged.made_for) = (None, Arc::clone(&made_for));
            }
        }
        Ok(())
    }

    /// Which model may read each text that waits, and what it was derived from.
    fn readers(&self, index: &Index, rules: &IndexRules) -> Result<Vec<Reader>> {
        index.with_plane(|plane| {
            let mut readers = Vec::new();
            for ((tenant, id), change) in &self.changes {
                let Some(staged) = change.as_ref().filter(|staged| staged.text.is_some()) else { continue };
                let known = |input: &str| match self.changes.get(&(tenant.clone(), input.to_owned())) {
                    Some(Some(input)) => (Some(input.label), &input.derived_from[..]),
                    // To be deleted, or in the index, where its label is that of all that it was derived from.
                    Some(None) => (None, &[][..]),
                    None => (label_of_newest(plane, tenant, input), &[][..]),
                };
                let reader = derived::reader(staged.label, &staged.derived_from, known, rules);
                readers.push(reader.map_err(|what| Error::new(Kind::Denied, "commit", format!("`{id}`: {what}")))?);
            }
            Ok(readers)
        })
    }

    /// Writes who may read what is staged, and learns the numbers of the documents.
    fn permit(&mut self, index: &Index) -> Result<()> {
        let Self { changes, acls, .. } = self;
        let mut staged: Vec<_> = changes.iter_mut().filter_map(|(key, change)| Some((key, change.as_mut()?))).collect();
        staged.sort_by_key(|(_, staged)| !staged.derived_from.is_empty());
        for part in staged.chunks_mut(PER_EPOCH) {
            index.commit_access(&mut |plane| {
                let mut statements = Statements::new(plane);
                let mut newer = HashMap::<u64, HashSet<DocumentNumber>>::new();
                for ((tenant, id), staged) in &*part {
                    let Staged { document, acl, label, attributes, sections, derived_from, staged_at, .. } = staged;
                    let newer = newer.entry(*staged_at).or_insert_with(|| plane.changes_since(*staged_at).collect());
                    let sections = sections.iter().map(|section| section.acl.clone()).collect();
                    let (acl, label, attributes) = (acls.stated(acl), *label, attributes.clone());
                    let derived_from = derived_from.clone();
                    let stated = Statement { acl, label, attributes, sections, derived_from };
                    statements.state(tenant, id, document.version, stated, newer);
                }
                Ok(statements.events)
            })?;
            index.with_plane(|plane| {
                for ((tenant, id), staged) in part {
                    if let Some(number) = plane.number(tenant, id) {
                        staged.document_mut().number = number;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn vectors_of(staged: &mut [(Key, Staged)]) -> impl Iterator<Item = &mut SharedVectors> {
    staged.iter_mut().map(|(_, staged)| &mut staged.document_mut().vectors)
}

fn no_embedder() -> Error {
    Error::invalid("commit", "there are texts to embed and no embedder; give vectors, or open the index with its model")
}
