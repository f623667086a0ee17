//! Here is a document that the caller brings: can it be committed, and as what?

use std::collections::BTreeMap;
use std::sync::Arc;

use safepassage_access::{Acl, Attribute, DocumentNumber, LabelRank, Tenant, Version};
use safepassage_error::{Error, Result};
use safepassage_index::{NewChunk, NewDocument, Settings, SharedVectors};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::acls::KeptAcl;
use super::content::cut;
use super::plan::IndexRules;
use crate::chunk::Chunker;
use crate::parse::parse;
use crate::source::{Format, Section, first_16, metadata_text, section};

/// What documents that no sync brought have as their source.
const CALLER: &str = "(caller)";

/// One document of a [`super::Batch`].
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
    /// Where people find it.
    pub uri: Option<String>,
    /// For filters and display.
    pub metadata: Option<Map<String, Value>>,
    /// Parts of the text that fewer may read, ascending and without overlap; only for a text that is cut here.
    pub sections: Vec<Section>,
    /// Ids of the documents of the same tenant that it was derived from, as a summary is: whoever may not read all of them
    /// may not read it. They are in the index, or staged before it.
    pub derived_from: Vec<String>,
}

/// What documents of one index must be.
pub(super) struct Rules {
    pub index: IndexRules,
    pub dim: usize,
    pub has_model: bool,
}

impl Rules {
    fn rank(&self, label: Option<&str>) -> Result<LabelRank> {
        let labels = &self.index.labels;
        label.map_or(Ok(labels.default_rank()), |name| labels.rank(name))
    }

    /// Whether `document` can be staged.
    pub fn check(&self, document: &BatchDocument) -> Result<()> {
        let id = &document.id;
        let refused = |what: String| Err(Error::invalid("add", what));
        if id.is_empty() || id.chars().any(char::is_control) {
            return refused("an id is empty or has control characters".into());
        }
        self.rank(document.label.as_deref())?;
        document.acl.as_ref().map_or(Ok(()), Acl::check)?;
        let acls = document.acl.iter().chain(document.sections.iter().map(|section| &section.acl));
        if let Err(what) = self.index.check_parents(&document.tenant, acls) {
            return refused(format!("`{id}`: {what}"));
        }
        if document.derived_from.contains(id) {
            return refused(format!("`{id}` is derived from itself"));
        }
        section::check(&document.sections, document.text.as_deref().unwrap_or_default())?;
        if !document.sections.is_empty() && document.vector.is_some() {
            return refused(format!("`{id}` has sections and one vector for all of them; give a document for each"));
        }
        match (&document.vector, &document.text) {
            (Some(vector), _) => {
                let values = vector.numbers()?;
                if values.len() != self.dim {
                    return refused(format!("the vector has {} dimensions and the index {}", values.len(), self.dim));
                }
                if !values.iter().all(|x| x.is_finite()) || values.iter().all(|x| *x == 0.0) {
                    return refused(format!("the vector of `{id}` is zero or not finite"));
                }
                Ok(())
            }
            (None, None) => refused(format!("`{id}` has neither text nor vector")),
            (None, Some(_)) if !self.has_model => {
                refused(format!("`{id}` has no vector and the index no model that makes one"))
            }
            (None, Some(_)) => Ok(()),
        }
    }
}

/// A document that waits for the commit.
#[derive(Debug)]
pub(super) struct Staged {
    /// As it will be written, but for its number, and its chunks if there is a text to cut.
    pub document: Arc<NewDocument>,
    /// What is still to be cut and embedded.
    pub text: Option<String>,
    /// Of its chunks, how many are longer than the model reads.
    pub truncated: u64,
    pub acl: KeptAcl,
    pub label: LabelRank,
    pub attributes: BTreeMap<String, Attribute>,
    pub sections: Vec<Section>,
    pub derived_from: Vec<String>,
    /// What the index was when its vectors came.
    pub made_for: Arc<Settings>,
    /// The epoch at which it was staged: whoever changed its permissions later is newer than what it says.
    pub staged_at: u64,
}

impl Staged {
    /// A document that was checked by `rules`; `acl` is its ACL, kept once for all that have it.
    pub fn new(
        rules: &Rules,
        document: BatchDocument,
        acl: KeptAcl,
        staged_at: u64,
        made_for: &Arc<Settings>,
    ) -> Result<Self> {
        let label = rules.rank(document.label.as_deref())?;
        let attributes = rules.index.attributes(document.metadata.as_ref());
        let metadata = document.metadata.as_ref().map(metadata_text);
        let version = version(&document, metadata.as_deref())?;
        let (sections, derived_from) = (document.sections, document.derived_from);
        let mut text = document.text;
        let (mut chunks, vectors) = (Vec::new(), document.vector.unwrap_or_default());
        if !vectors.is_empty() {
            let text = text.take().unwrap_or_default();
            let span = (0, text.len() as u64);
            let (ordinal, heading, section, page, parent) = (0, String::new(), 0, None, None);
            chunks = vec![NewChunk { ordinal, text, span, heading, hash: version.0, section, page, parent }];
        }
        let (number, source) = (DocumentNumber(u32::MAX), CALLER.into());
        let (id, title, uri) = (document.id, document.title, document.uri);
        let document = Arc::new(NewDocument { number, version, id, source, title, uri, metadata, chunks, vectors });
        let made_for = Arc::clone(made_for);
        let truncated = 0;
        Ok(Self { document, text, truncated, acl, label, attributes, sections, derived_from, made_for, staged_at })
    }

    pub fn document_mut(&mut self) -> &mut NewDocument {
        Arc::make_mut(&mut self.document)
    }

    /// Cuts the text that has no vectors yet; returns what is to be embedded for each chunk.
    pub fn cut(&mut self, chunker: &Chunker<'_>) -> Result<Vec<String>> {
        let Some(text) = &self.text else { return Ok(Vec::new()) };
        let title = self.document.title.clone();
        let (title, chunks, inputs) =
            cut(&parse, chunker, text.as_bytes(), Format::Markdown, title, None, &self.sections)?;
        let document = self.document_mut();
        (document.title, document.chunks) = (title, chunks);
        Ok(inputs)
    }
}

/// A digest of all that is not permissions.
fn version(document: &BatchDocument, metadata: Option<&str>) -> Result<Version> {
    let mut hash = Sha256::new();
    let BatchDocument { title, text, uri, vector, sections, .. } = document;
    let parts = [title.as_deref(), text.as_deref(), metadata];
    // Without one the digest is what it was before there could be one.
    for part in parts.into_iter().chain(uri.as_deref().map(Some)) {
        hash.update([u8::from(part.is_some())]);
        hash.update((part.map_or(0, str::len) as u64).to_le_bytes());
        hash.update(part.unwrap_or_default());
    }
    if let Some(vector) = vector {
        hash.update(vector.numbers()?.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
    }
    for section in sections {
        hash.update((section.span.0 as u64).to_le_bytes());
        hash.update((section.span.1 as u64).to_le_bytes());
    }
    Ok(Version(first_16(&hash.finalize())))
}
