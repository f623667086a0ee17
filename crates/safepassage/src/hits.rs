//! Here are rows that somebody was given: which passages are they?

use std::collections::BTreeSet;
use std::sync::Arc;

use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};
use safepassage_index::{Answer, Asker, ChunkRow, Hit as IndexHit, HitLabels, Plan, Snapshot};
use serde::Serialize;

use crate::engine::Engine;
use crate::expand::{self, Block};
use crate::session::Session;

/// A passage that the asker may read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// From 1.
    pub rank: usize,
    /// Higher is better. By vector the cosine of question and passage; by words BM25F; by both what the fusion gives.
    pub score: f32,
    /// Id of the document.
    pub document: String,
    /// Its place within the document, from 0.
    pub chunk: u32,
    /// Where it was asked for more around it: the places of all passages in `text`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<u32>,
    /// Of the document.
    pub title: Option<String>,
    /// Of the document.
    pub uri: Option<String>,
    /// The passage.
    pub text: String,
    /// Bytes of the source text, half open; where the text was taken out of a file, of what was taken out.
    pub span: (u64, u64),
    /// The page it begins on, from 1; `None` where the document has no pages.
    pub page: Option<u32>,
    /// Headings above it, outermost first, joined by ` > `.
    pub heading: String,
    /// Its label.
    pub label: String,
    /// Of the document; an object.
    pub metadata: serde_json::Value,
}

/// What a search gives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Results {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Whether there are as many hits as k or as visible passages.
    pub complete: bool,
    /// Whether no better passage can exist.
    pub exact: bool,
    /// For operators.
    pub plan: Plan,
    /// For operators.
    pub acl_epoch: u64,
    /// For operators.
    pub generation: u64,
}

/// Hits of a search: ids and scores at once, texts when asked for.
#[derive(Debug, Clone)]
pub struct VectorHits {
    engine: Engine,
    snapshot: Arc<Snapshot>,
    answer: Answer,
    labels: HitLabels,
    /// When whoever asked is nobody any more.
    ends: Timestamp,
    /// What stands around each hit, if that was asked for.
    expanded: Option<Vec<Block>>,
}

impl VectorHits {
    /// What `answer` gives, with the labels of its documents, to somebody whose identity ends at `ends`.
    pub(crate) fn new(engine: &Engine, snapshot: Arc<Snapshot>, answer: Answer, ends: Timestamp) -> Result<Self> {
        let labels = engine.index().with_known_plane(|plane| {
            if plane.epoch() < answer.acl_epoch {
                return Err(Error::corrupted("search", "the access log was found damaged meanwhile"));
            }
            Ok(snapshot.labels_of(plane, &answer.hits))
        })?;
        Ok(Self { engine: engine.clone(), snapshot, answer, labels, ends, expanded: None })
    }

    /// Ids of the documents, best first.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.answer.hits.iter().map(|hit| self.snapshot.document_of(hit))
    }

    /// Scores, in the same order.
    pub fn scores(&self) -> impl ExactSizeIterator<Item = f32> {
        self.answer.hits.iter().map(|hit| hit.score)
    }

    /// The section of its document that each passage is of, 0 for what is not narrower than the document: for operators.
    pub fn sections(&self) -> impl ExactSizeIterator<Item = u16> {
        self.answer.hits.iter().map(|hit| self.snapshot.section_of(hit).unwrap_or(0))
    }

    /// Whether there are as many hits as k or as visible passages.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.answer.complete
    }

    /// Whether no better passage can exist.
    #[must_use]
    pub fn exact(&self) -> bool {
        self.answer.exact
    }

    /// The recall that was promised: 1 for an exact answer, else what was asked for.
    #[must_use]
    pub fn recall(&self) -> f32 {
        self.answer.recall
    }

    /// The epoch it was made under.
    #[must_use]
    pub fn acl_epoch(&self) -> u64 {
        self.answer.acl_epoch
    }

    /// How it was found: for operators.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.answer.plan
    }

    /// The generation it was found in: for operators.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.answer.generation
    }

    /// Reads the passages.
    ///
    /// # Errors
    /// `Denied` if whoever asked has expired meanwhile; `Corrupted`.
    pub fn results(&self) -> Result<Results> {
        if self.engine.clock().now() >= self.ends {
            return Err(Error::new(Kind::Denied, "read passages", "the identity has expired; sign in again"));
        }
        let hits = match &self.expanded {
            None => self.single()?,
            Some(blocks) => self.whole(blocks)?,
        };
        let Answer { complete, exact, plan, acl_epoch, generation, .. } = self.answer;
        Ok(Results { hits, complete, exact, plan, acl_epoch, generation })
    }

    /// Which of the hits `session` may be given now, and models too that are cleared for `highest`: by the newest
    /// permissions, whose epoch comes with them. What was changed or deleted since is given no more.
    ///
    /// # Errors
    /// `Denied` if whoever asked has expired meanwhile; `Invalid` if `highest` is no label of the index; as a search.
    pub(crate) fn still(&self, session: &Session, highest: &[&str]) -> Result<(Vec<bool>, u64)> {
        let (newest, epoch, mut still) = self.seen_by(session, &session.asker)?;
        still.iter_mut().zip(self.cleared(session, highest)?).for_each(|(still, cleared)| *still &= cleared);
        if newest.generation() != self.snapshot.generation() {
            let tenant = session.identity().tenant();
            let version = |of: &Snapshot, id: &str| of.find(tenant, id).map(|document| document.version);
            let same = |id: &str| version(&newest, id).is_some_and(|now| version(&self.snapshot, id) == Some(now));
            self.ids().zip(&mut still).for_each(|(id, still)| *still &= same(id));
        }
        if let Some(guard) = &session.guard {
            let asked = self.ids().zip(&still).filter(|(_, still)| **still).map(|(id, _)| id.to_owned());
            let documents: BTreeSet<String> = asked.collect();
            let permitted: BTreeSet<String> =
                guard.documents(session.identity(), documents.into_iter().collect())?.into_iter().collect();
            self.ids().zip(&mut still).for_each(|(id, still)| *still &= permitted.contains(id));
        }
        Ok((still, epoch))
    }

    /// Which of the hits models too may be given that are cleared for `highest`.
    ///
    /// # Errors
    /// As [`VectorHits::still`].
    pub(crate) fn cleared(&self, session: &Session, highest: &[&str]) -> Result<Vec<bool>> {
        let mut cleared = vec![true; self.ids().len()];
        for highest in highest {
            if let Some(narrowed) = session.narrowed_to(highest)? {
                let seen = self.seen_by(session, &narrowed)?.2;
                cleared.iter_mut().zip(seen).for_each(|(cleared, seen)| *cleared &= seen);
            }
        }
        Ok(cleared)
    }

    /// Which of the hits `asker` sees by the newest permissions, every passage around them included; with the newest
    /// content and the epoch.
    fn seen_by(&self, session: &Session, asker: &Asker) -> Result<(Arc<Snapshot>, u64, Vec<bool>)> {
        let (newest, rows) = session.rows_of(asker, &self.snapshot)?;
        let seen = |at: usize, hit: &IndexHit| match self.expanded.as_ref().and_then(|blocks| blocks.get(at)) {
            Some(block) => block.iter().flatten().all(|row| self.snapshot.sees(&rows, row)),
            None => self.snapshot.sees(&rows, hit),
        };
        let still = self.answer.hits.iter().enumerate().map(|(at, hit)| seen(at, hit)).collect();
        Ok((newest, rows.epoch(), still))
    }

    /// Each hit by itself.
    fn single(&self) -> Result<Vec<Hit>> {
        let passages = self.snapshot.passages(&self.answer.hits)?;
        let hits = passages.into_iter().zip(&self.answer.hits).zip(self.labels.names()).zip(1..);
        hits.map(|(((passage, hit), label), rank)| hit_of(rank, hit.score, passage, label)).collect()
    }

    /// Each hit as one text with what stands around it.
    fn whole(&self, blocks: &[Block]) -> Result<Vec<Hit>> {
        let mut hits = self.single()?;
        for (hit, block) in hits.iter_mut().zip(blocks) {
            let rows: Vec<_> = block.iter().flatten().copied().collect();
            let passages = self.snapshot.passages(&rows)?;
            let mut rest = passages.iter();
            let parts: Vec<_> = block.iter().map(|row| row.and_then(|_| rest.next())).collect();
            let joined = expand::join(&parts);
            (hit.text, hit.span, hit.chunks) = (joined.text, joined.span, joined.chunks);
            hit.page = passages.iter().find_map(|passage| passage.page);
        }
        Ok(hits)
    }

    /// The same, each hit as the block that belongs to it.
    pub(crate) fn expanded(self, blocks: Vec<Block>) -> Self {
        Self { expanded: Some(blocks), ..self }
    }

    /// The engine that was asked.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

fn hit_of(rank: usize, score: f32, passage: ChunkRow, label: &str) -> Result<Hit> {
    let metadata = passage.metadata.as_deref().map(serde_json::from_str);
    let metadata = metadata.unwrap_or(Ok(serde_json::Value::Object(serde_json::Map::new())));
    Ok(Hit {
        rank,
        score,
        document: passage.document,
        chunk: passage.chunk,
        chunks: Vec::new(),
        title: passage.title,
        uri: passage.uri,
        text: passage.text,
        span: passage.span,
        page: passage.page,
        heading: passage.heading,
        label: label.to_owned(),
        metadata: metadata.map_err(|e| Error::corrupted("read passages", "metadata is no JSON").because(e))?,
    })
}
