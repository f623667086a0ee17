//! Documents that the caller brings, instead of a source: staged, then committed at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use safepassage_access::{Acl, DocumentNumber, LabelRank, Tenant, Version};
use safepassage_error::{Error, Result};
use safepassage_index::{Index, NewChunk, NewDocument, SharedVectors};
use safepassage_models::{Embedder, Purpose};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::content::cut;
use super::permit::Statements;
use super::{chunk_settings, plan};
use crate::chunk::Chunker;
use crate::source::Format;

/// What documents that no sync brought have as their source.
const CALLER: &str = "(caller)";

/// One document of a [`Batch`].
#[derive(Debug, Clone, Default)]
pub struct BatchDocument {
    /// Its tenant; the default one unless set.
    pub tenant: Tenant,
    /// Unique within the tenant.
    pub id: String,
    /// Markdown or plain text; with vectors it is one chunk, without it is cut and embedded.
    pub text: Option<String>,
    /// One vector of dim numbers, or `None` to embed the text.
    pub vector: Option<SharedVectors>,
    /// `None`: visible to nobody.
    pub acl: Option<Acl>,
    /// A label of the index; `None` for its default.
    pub label: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// For filters and display.
    pub metadata: Option<Map<String, Value>>,
}

/// Documents to put and to delete at the next commit.
#[derive(Debug, Default)]
pub struct Batch {
    changes: BTreeMap<(Tenant, String), Option<BatchDocument>>,
    /// The epoch at which a document was staged: whoever changed its permissions later is newer than what it says.
    staged_at: HashMap<(Tenant, String), u64>,
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
        let (dim, has_model) = (snapshot.manifest().settings.dim, !snapshot.manifest().settings.model.is_null());
        let (labels, epoch) = index.with_plane(|plane| Ok((plane.labels().clone(), plane.epoch())))?;
        let mut seen = HashSet::new();
        for (n, document) in documents.iter().enumerate() {
            let id = &document.id;
            let refused = |what: String| Err(Error::invalid("add", what).with("row", n));
            if id.is_empty() || id.chars().any(char::is_control) {
                return refused("an id is empty or has control characters".into());
            }
            if !seen.insert((&document.tenant, id)) {
                return refused(format!("the id `{id}` stands twice"));
            }
            document
                .label
                .as_deref()
                .map_or(Ok(labels.default_rank()), |name| labels.rank(name))
                .map_err(|e| e.with("row", n))?;
            match (&document.vector, &document.text) {
                (Some(vector), _) => {
                    let values = vector.as_slice();
                    if values.len() != dim {
                        return refused(format!("the vector has {} dimensions and the index {dim}", values.len()));
                    }
                    if !values.iter().all(|x| x.is_finite()) || values.iter().all(|x| *x == 0.0) {
                        return refused(format!("the vector of `{id}` is zero or not finite"));
                    }
                }
                (None, None) => return refused(format!("`{id}` has neither text nor vector")),
                (None, Some(_)) if !has_model => {
                    return refused(format!("`{id}` has no vector and the index no model that makes one"));
                }
                (None, Some(_)) => {}
            }
        }
        self.staged_at.extend(documents.iter().map(|d| ((d.tenant.clone(), d.id.clone()), epoch)));
        self.changes.extend(documents.into_iter().map(|d| ((d.tenant.clone(), d.id.clone()), Some(d))));
        Ok(())
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

    /// Makes a generation of what is staged and returns its number; without anything staged, the current one. After
    /// an error everything stays staged.
    ///
    /// # Errors
    /// `Invalid` if texts have to be embedded and there is no embedder, or it is of another model; `Conflict` while
    /// another writer is at work; `Unavailable` if files cannot be written.
    pub fn commit(&mut self, index: &Index, embedder: Option<&dyn Embedder>) -> Result<u64> {
        if self.changes.is_empty() {
            return Ok(index.snapshot()?.generation());
        }
        let mut writer = index.writer()?;
        let mut prepared = self.prepare(index, embedder)?;
        index.commit_access(&mut |plane| {
            let mut statements = Statements::new(plane);
            let mut newer = HashMap::<u64, HashSet<DocumentNumber>>::new();
            for (tenant, document, acl, label) in &prepared {
                let key = (tenant.clone(), document.id.clone());
                let staged_at = self.staged_at.get(&key).copied().unwrap_or(0);
                let newer = newer.entry(staged_at).or_insert_with(|| plane.changes_since(staged_at).collect());
                statements.state(tenant, &document.id, document.version, acl.clone(), *label, newer);
            }
            Ok(statements.events)
        })?;
        index.with_plane(|plane| {
            for (tenant, document, ..) in &mut prepared {
                if let Some(number) = plane.number(tenant, &document.id) {
                    document.number = number;
                }
            }
            Ok(())
        })?;
        for (tenant, document, ..) in prepared {
            writer.upsert(&tenant, document)?;
        }
        for (tenant, id) in self.changes.iter().filter(|(_, change)| change.is_none()).map(|(key, _)| key) {
            writer.delete(tenant, id);
        }
        let generation = writer.commit()?;
        self.changes.clear();
        self.staged_at.clear();
        Ok(generation)
    }

    fn prepare(
        &self,
        index: &Index,
        embedder: Option<&dyn Embedder>,
    ) -> Result<Vec<(Tenant, NewDocument, Acl, LabelRank)>> {
        let labels = index.with_plane(|plane| Ok(plane.labels().clone()))?;
        let mut prepared = Vec::with_capacity(self.changes.len());
        let mut to_embed: Vec<(usize, Vec<String>)> = Vec::new();
        for ((tenant, _), change) in &self.changes {
            let Some(document) = change else { continue };
            let version = version(document);
            let (mut title, chunks) = match (&document.vector, &document.text) {
                (None, Some(text)) => {
                    let embedder = embedder.ok_or_else(no_embedder)?;
                    let chunker = Chunker::new(embedder.tokenizer(), chunk_settings(index, embedder)?);
                    let (title, chunks, inputs) = cut(&chunker, text, Format::Markdown, document.title.clone())?;
                    to_embed.push((prepared.len(), inputs));
                    (title, chunks)
                }
                (_, text) => {
                    let text = text.clone().unwrap_or_default();
                    let span = (0, text.len() as u64);
                    let hash = version.0;
                    (None, vec![NewChunk { ordinal: 0, text, span, heading: String::new(), hash }])
                }
            };
            title = document.title.clone().or(title);
            let label = document.label.as_deref().map_or(Ok(labels.default_rank()), |name| labels.rank(name))?;
            let new = NewDocument {
                number: DocumentNumber(u32::MAX),
                version,
                id: document.id.clone(),
                source: CALLER.to_owned(),
                title,
                uri: None,
                metadata: document.metadata.clone().map(|metadata| Value::Object(metadata).to_string()),
                chunks,
                vectors: document.vector.clone().unwrap_or_default(),
            };
            prepared.push((tenant.clone(), new, document.acl.clone().unwrap_or_default(), label));
        }
        if let Some(embedder) = embedder {
            let texts: Vec<&str> = to_embed.iter().flat_map(|(_, inputs)| inputs).map(String::as_str).collect();
            let embeddings = embedder.embed(&texts, Purpose::Document)?;
            let mut rows = embeddings.rows();
            for (at, inputs) in &to_embed {
                prepared[*at].1.vectors =
                    rows.by_ref().take(inputs.len()).flatten().copied().collect::<Vec<f32>>().into();
            }
        }
        Ok(prepared)
    }
}

fn no_embedder() -> Error {
    Error::invalid("commit", "there are texts to embed and no embedder; give vectors, or open the index with its model")
}

fn version(document: &BatchDocument) -> Version {
    let mut hash = Sha256::new();
    let metadata = document.metadata.clone().map(|metadata| Value::Object(metadata).to_string());
    for part in [document.title.as_deref(), document.text.as_deref(), metadata.as_deref()] {
        hash.update([u8::from(part.is_some())]);
        hash.update((part.map_or(0, str::len) as u64).to_le_bytes());
        hash.update(part.unwrap_or_default());
    }
    if let Some(vector) = &document.vector {
        hash.update(vector.as_slice().iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
    }
    Version(plan::first_16(&hash.finalize()))
}
