//! Whom is a question put to?
//!
//! The evaluation asks a [`Retriever`] and judges what it gives by a [`Standing`], which the retriever says apart from
//! any search. [`EngineRetriever`] asks an index; tests ask one that leaks.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use safepassage::system::Stopwatch;
use safepassage::{Engine, Error, Fusion, Judge, Kind, Mode, ModelStamp, Purpose, Readable, Reranker, Result, Session};

use crate::collection::{Persona, Question};

/// A passage as it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Its document.
    pub document: String,
    /// The section of the document, 0 for what is not narrower than it.
    pub section: u16,
    /// Higher is better.
    pub score: f32,
}

/// What a search gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Best first.
    pub passages: Vec<Passage>,
    /// Whether it says that no better passage can exist.
    pub exact: bool,
    /// How long the search took, without the embedding of the question.
    pub seconds: f64,
    /// The epoch and the generation it was made under.
    pub at: (u64, u64),
}

/// What stands in the index for one persona, at one epoch of one generation.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The live documents of the persona's tenant.
    pub live: BTreeSet<String>,
    /// What the index says the persona may see.
    pub visible: BTreeSet<String>,
    /// What the plain rules say it may read: the judge of leaks.
    pub readable: Readable,
    /// The epoch and the generation.
    pub at: (u64, u64),
}

/// How a search is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// How many passages.
    pub k: usize,
    /// The share of the truly nearest that is to be found; 1 is exact.
    pub recall: f32,
}

/// Whoever is asked.
pub trait Retriever {
    /// Gets ready for these questions, such as by embedding them.
    ///
    /// # Errors
    /// Whatever keeps it from being asked.
    fn prepare(&mut self, questions: &[&Question]) -> Result<()>;

    /// What stands there for `persona` now.
    ///
    /// # Errors
    /// Whatever keeps it from saying so.
    fn standing(&mut self, persona: &Persona) -> Result<Standing>;

    /// What `persona` is given.
    ///
    /// # Errors
    /// Whatever the search fails with.
    fn search(&mut self, persona: &Persona, question: &Question, wanted: Wanted) -> Result<Found>;
}

/// Seconds before its end at which an identity is issued anew.
const TOO_SHORT_SECONDS: u64 = 60;

/// How often permissions or content may change under one question.
pub(crate) const MOST_TRIES: usize = 5;

/// That nothing stood still for long enough to be judged.
pub(crate) fn too_fast() -> Error {
    let message = "permissions or content change faster than they are judged; evaluate when nobody writes";
    Error::new(Kind::Conflict, "evaluate", message)
}

/// Asks an index.
#[derive(Debug)]
pub struct EngineRetriever {
    engine: Engine,
    vectors: HashMap<String, Vec<f32>>,
    /// The model that questions were embedded by.
    stamp: Option<ModelStamp>,
    sessions: HashMap<String, Session>,
    judge: Option<Judge>,
    mode: Mode,
    reranker: Option<Arc<dyn Reranker>>,
    fusion: Fusion,
}

impl EngineRetriever {
    /// Asks the index of `engine`.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        let (mode, fusion) = (Mode::default(), Fusion::default());
        let (vectors, sessions) = (HashMap::new(), HashMap::new());
        Self { engine, vectors, stamp: None, sessions, judge: None, mode, fusion, reranker: None }
    }

    /// The same, which finds passages by `mode` and brings the two ways together by `fusion`.
    #[must_use]
    pub fn by(self, mode: Mode, fusion: Fusion) -> Self {
        Self { mode, fusion, ..self }
    }

    /// The same, which puts what it found in the order of `reranker`.
    #[must_use]
    pub fn reranked(self, reranker: Option<Arc<dyn Reranker>>) -> Self {
        Self { reranker, ..self }
    }

    /// The same, with vectors of questions by their texts, for an index without a model.
    #[must_use]
    pub fn with_vectors(mut self, vectors: impl IntoIterator<Item = (String, Vec<f32>)>) -> Self {
        self.vectors.extend(vectors);
        self
    }

    /// The index.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    fn session(&mut self, persona: &Persona) -> Result<Session> {
        let clock = self.engine.clock().clone();
        let lasting =
            |session: &&Session| session.identity().check_expiry(clock.now().plus_seconds(TOO_SHORT_SECONDS)).is_ok();
        if let Some(session) = self.sessions.get(&persona.id).filter(lasting) {
            return Ok(session.clone());
        }
        let session = self.engine.session(persona.identity(&clock)?)?;
        self.sessions.insert(persona.id.clone(), session.clone());
        Ok(session)
    }
}

impl Retriever for EngineRetriever {
    fn prepare(&mut self, questions: &[&Question]) -> Result<()> {
        if self.mode == Mode::Lexical {
            return Ok(());
        }
        if let Some(stamp) = &self.stamp {
            // Vectors of another model than the index has now are no questions to it.
            let now = self.engine.embedder()?;
            if now.stamp() != stamp {
                self.vectors.clear();
            }
        }
        let unknown: BTreeSet<&str> = questions.iter().map(|question| question.text.as_str()).collect();
        let unknown: Vec<&str> = unknown.into_iter().filter(|text| !self.vectors.contains_key(*text)).collect();
        for texts in unknown.chunks(32) {
            let embedder = self.engine.embedder()?;
            let embeddings = embedder.embed(texts, Purpose::Query)?;
            self.stamp = Some(embedder.stamp().clone());
            let vectors = embeddings.rows().map(<[f32]>::to_vec);
            self.vectors.extend(texts.iter().map(|text| (*text).to_owned()).zip(vectors));
        }
        Ok(())
    }

    fn standing(&mut self, persona: &Persona) -> Result<Standing> {
        let session = self.session(persona)?;
        for _ in 0..MOST_TRIES {
            let judge = match self.judge.take() {
                Some(judge) if judge.is_newest(&self.engine)? => judge,
                _ => self.engine.judge()?,
            };
            let visible = session.visible()?.documents.into_iter().collect();
            // Else what was listed may be of a later epoch than what it is held against.
            if judge.is_newest(&self.engine)? {
                let live = judge.live(session.identity().tenant()).map(|(id, _)| id.to_owned()).collect();
                let readable = judge.readable(session.identity());
                let at = (judge.acl_epoch(), judge.generation());
                self.judge = Some(judge);
                return Ok(Standing { live, visible, readable, at });
            }
        }
        Err(too_fast())
    }

    fn search(&mut self, persona: &Persona, question: &Question, wanted: Wanted) -> Result<Found> {
        self.prepare(&[question])?;
        let session = self.session(persona)?;
        let search = session.search(&question.text).mode(self.mode).fusion(self.fusion);
        let search = match self.vectors.get(&question.text) {
            Some(vector) => search.vector(vector),
            None => search,
        };
        let search = match &self.reranker {
            Some(reranker) => search.rerank(&**reranker),
            None => search,
        };
        let watch = Stopwatch::start();
        let hits = search.k(wanted.k).recall(wanted.recall).find()?;
        let seconds = watch.seconds();
        let passages = hits.ids().zip(hits.sections()).zip(hits.scores());
        let passage = |((document, section), score): ((&str, u16), f32)| Passage {
            document: document.to_owned(),
            section,
            score,
        };
        let passages = passages.map(passage).collect();
        Ok(Found { passages, exact: hits.exact(), seconds, at: (hits.acl_epoch(), hits.generation()) })
    }
}
