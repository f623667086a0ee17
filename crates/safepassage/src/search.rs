//! Here is a question in words: by which ways is it answered?

use std::sync::{Arc, Mutex, PoisonError};

use safepassage_access::Identity;
use safepassage_error::{Error, Kind, Result};
use safepassage_index::{Answer, Around, Filter, Fusion, Hit as IndexHit, Settings, Snapshot, VisibleRows, Words};
use safepassage_models::{Cleared, Purpose, Reranker};
use safepassage_usage::Operation;
use serde::{Deserialize, Serialize};

use crate::authorized::Asking;
use crate::decision::Question;
use crate::engine::Engine;
use crate::expand;
use crate::hits::{Results, VectorHits};
use crate::payer::{Called, Payer};
use crate::refine::Refine;
use crate::session::{DEFAULT_K, DEFAULT_RECALL, Session};
use crate::spans;

/// By what passages are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By meaning and by words, brought together.
    #[default]
    Hybrid,
    /// By meaning: how near the vectors of question and passage are.
    Vector,
    /// By words: BM25F, counted over what the asker may see.
    Lexical,
}

impl std::str::FromStr for Mode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "hybrid" => Ok(Self::Hybrid),
            "vector" => Ok(Self::Vector),
            "lexical" => Ok(Self::Lexical),
            _ => Err(Error::invalid("search", format!("the mode `{name}` is none of hybrid, vector, lexical"))),
        }
    }
}

/// Makes other questions of a question: rewrites it, takes it apart, or writes what an answer might say. What it makes is
/// asked as the same asker, so it can find nothing that they may not read. None is used unless it is given.
pub trait QueryTransform: Send + Sync {
    /// What to ask instead of `question`, itself among it if it is still wanted; 1 to 16.
    ///
    /// # Errors
    /// What it fails with; the search fails too.
    fn questions(&self, question: &str) -> Result<Vec<String>>;
}

impl<F: Fn(&str) -> Result<Vec<String>> + Send + Sync> QueryTransform for F {
    fn questions(&self, question: &str) -> Result<Vec<String>> {
        self(question)
    }
}

/// Content, and what of it the asker may see.
type Seen = (Arc<Snapshot>, Arc<VisibleRows>);

/// How often a question is embedded anew because the index has another model since.
pub(crate) const MOST_MODELS: usize = 3;
/// The most questions that a transform may make.
const MOST_QUESTIONS: usize = 16;

/// A search being put together; [`Search::run`] ends it.
#[derive(Clone)]
pub struct Search<'a> {
    session: &'a Session,
    text: &'a str,
    vector: Option<&'a [f32]>,
    mode: Mode,
    fusion: Fusion,
    k: usize,
    recall: f32,
    filters: Vec<Filter>,
    refine: Refine<'a>,
    around: Option<Around>,
    merged: bool,
    transform: Option<&'a dyn QueryTransform>,
    /// Vectors of questions, each with its model: a search that is made again for more asks no model twice.
    embedded: Arc<Mutex<Vec<Embedded>>>,
}

/// A model's stamp, a question, and its vector.
type Embedded = (serde_json::Value, String, Vec<f32>);

impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { k, recall, mode, fusion, refine, .. } = self;
        let mut shown = f.debug_struct("Search");
        shown.field("k", k).field("recall", recall).field("mode", mode).field("fusion", fusion).field("refine", refine);
        shown.finish_non_exhaustive()
    }
}

/// A question as the index takes it.
enum Asked {
    Near(Vec<f32>),
    Said(Words),
    Both(Words, Vec<f32>),
}

impl<'a> Search<'a> {
    pub(crate) fn new(session: &'a Session, text: &'a str) -> Self {
        let (mode, fusion) = (Mode::default(), Fusion::default());
        Self {
            session,
            text,
            vector: None,
            mode,
            fusion,
            k: DEFAULT_K,
            recall: DEFAULT_RECALL,
            filters: Vec::new(),
            refine: Refine::default(),
            around: None,
            merged: false,
            transform: None,
            embedded: Arc::default(),
        }
    }

    /// How many passages; 10 unless set.
    #[must_use]
    pub fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// The share of the truly nearest passages that is to be found; 0.95 unless set, 1 is exact. By words alone every
    /// answer is exact.
    #[must_use]
    pub fn recall(mut self, recall: f32) -> Self {
        self.recall = recall;
        self
    }

    /// By what passages are found; by meaning and words unless set.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How meaning and words are brought together; by their scores, each for half, unless set.
    #[must_use]
    pub fn fusion(mut self, fusion: Fusion) -> Self {
        self.fusion = fusion;
        self
    }

    /// The vector of the question (dim numbers): the index's model is not asked for one.
    #[must_use]
    pub fn vector(mut self, vector: &'a [f32]) -> Self {
        self.vector = Some(vector);
        self
    }

    /// Only passages of documents that match `filter`; of two filters both hold. It narrows what is visible, and k hits
    /// are found among what is left; words are counted over all that is visible, so that a filter changes no score by words.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// `reranker` reads the best candidates with the question and puts them in its order; its scores are those of the hits.
    /// One elsewhere reads what its catalogue clears it for: passages with a higher label come last.
    #[must_use]
    pub fn rerank(mut self, reranker: &'a dyn Reranker) -> Self {
        self.refine.reranker = Some(reranker);
        self
    }

    /// How many candidates a reranker reads and variety is chosen from; three times k and at least 50 unless set.
    #[must_use]
    pub fn candidates(mut self, candidates: usize) -> Self {
        self.refine.candidates = Some(candidates);
        self
    }

    /// Spreads what is given (maximal marginal relevance): `relevance` from 1, the best as they are, to 0, as unlike each
    /// other as can be. Hits then are in the order in which they were chosen.
    #[must_use]
    pub fn diverse(mut self, relevance: f32) -> Self {
        self.refine.relevance = Some(relevance);
        self
    }

    /// Leaves out passages that say, white space apart, the same as a better one; k is filled with others.
    #[must_use]
    pub fn distinct(mut self) -> Self {
        self.refine.distinct = true;
        self
    }

    /// Gives each hit with what stands around it, as far as the asker may see it; gaps are marked by [`crate::GAP`]. Hits
    /// that meet are one.
    #[must_use]
    pub fn around(mut self, around: Around) -> Self {
        self.around = Some(around);
        self
    }

    /// Makes one hit of hits of a document that follow each other or overlap; there may be fewer than k then.
    #[must_use]
    pub fn merged(mut self) -> Self {
        self.merged = true;
        self
    }

    /// Asks what `transform` makes of the question, as the same asker: each passage counts by its best question.
    #[must_use]
    pub fn transform(mut self, transform: &'a dyn QueryTransform) -> Self {
        self.transform = Some(transform);
        self
    }

    /// Embeds the question and searches.
    ///
    /// # Errors
    /// As [`Session::search_vector`]; `Invalid` for an empty question, a fusion that makes no sense, a filter that does not
    /// fit the declared fields, or an index without a model if it would be needed.
    pub fn run(self) -> Result<Results> {
        self.find()?.results()
    }

    /// As [`Search::run`], without reading the passages yet.
    ///
    /// # Errors
    /// As [`Search::run`].
    pub fn find(self) -> Result<VectorHits> {
        let Session { engine, asker, .. } = self.session;
        let found = self.found(&Payer::of_search(engine, asker.identity()));
        engine.decided_search(asker.identity(), "search", Question::Text(self.text), &self.filters, self.k, found)
    }

    /// How many passages are wanted.
    pub(crate) fn wanted(&self) -> usize {
        self.k
    }

    /// What narrows it.
    pub(crate) fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// As [`Search::find`], before it is written down. What models read for it is on the account of `payer`.
    pub(crate) fn found(&self, payer: &Payer) -> Result<VectorHits> {
        let span = spans::retrieval(self.mode, self.k);
        spans::within(&span, || {
            let found = self.retrieved(payer)?;
            spans::retrieved(&span, &found);
            Ok(found)
        })
    }

    fn retrieved(&self, payer: &Payer) -> Result<VectorHits> {
        let Session { engine, asker, guard, .. } = self.session;
        check_question(self.text)?;
        asker.identity().check_expiry(engine.clock().now())?;
        self.fusion.check()?;
        self.refine.check()?;
        self.around.map_or(Ok(()), expand::check)?;
        let (asked, (snapshot, visible)) = self.asked_and_seen(payer)?;
        let mut asking = guard.as_ref().map(|guard| guard.asking(asker.identity()));
        let listed = asking.as_ref().map(|asking| asking.listed_rows(&snapshot, &visible)).transpose()?.flatten();
        let mut refined = |k| {
            self.refine.apply((self.session, payer), &snapshot, self.text, k, |k| match (&mut asking, &listed) {
                (Some(asking), None) => {
                    self.best(&snapshot, &asked, k, |asked| self.checked(asking, &snapshot, &visible, asked, k))
                }
                (_, rows) => {
                    let rows = rows.as_ref().unwrap_or(&visible);
                    self.best(&snapshot, &asked, k, |asked| self.answer(&snapshot, rows, asked, k))
                }
            })
        };
        let (mut answer, blocks) = match (self.around, expand::natural(&snapshot)?) {
            (None, Some(natural)) if !self.merged => {
                let (answer, blocks) = self.windows(&snapshot, &visible, natural, refined)?;
                (answer, Some(blocks))
            }
            (None, None) if !self.merged => (refined(self.k)?, None),
            (around, natural) => {
                let answer = refined(self.k)?;
                let blocks = expand::blocks(&snapshot, &visible, &answer.hits, around.or(natural))?;
                (answer, Some(blocks))
            }
        };
        let ends = asker.identity().expires_at();
        let Some(blocks) = blocks else { return VectorHits::new(engine, snapshot, answer, ends) };
        let (hits, blocks) = blocks.into_iter().unzip();
        answer.hits = hits;
        Ok(VectorHits::new(engine, snapshot, answer, ends)?.expanded(blocks))
    }

    /// The best k windows or parents: as many passages are found as they take, for several may be of one.
    fn windows(
        &self,
        snapshot: &Snapshot,
        visible: &VisibleRows,
        natural: Around,
        mut found: impl FnMut(usize) -> Result<Answer>,
    ) -> Result<(Answer, Vec<(IndexHit, expand::Block)>)> {
        let mut fetch = self.k.saturating_mul(2);
        loop {
            let mut answer = found(fetch)?;
            let all = answer.hits.len() < fetch;
            let windows = snapshot.windows(visible, &answer.hits, natural, self.k)?;
            if all || windows.len() == self.k {
                answer.complete = windows.len() == self.k || (all && answer.complete);
                return Ok((answer, windows));
            }
            fetch = fetch.saturating_mul(2);
        }
    }

    /// What is asked: the question, or what a transform made of it.
    fn questions(&self) -> Result<Vec<String>> {
        let Some(transform) = self.transform else { return Ok(vec![self.text.to_owned()]) };
        if self.vector.is_some() {
            return Err(Error::invalid("search", "a vector is of one question; it cannot be given with a transform"));
        }
        let questions = transform.questions(self.text)?;
        if questions.is_empty() || questions.len() > MOST_QUESTIONS {
            let message = format!("the transform made {} questions; 1 to {MOST_QUESTIONS} can be", questions.len());
            return Err(Error::invalid("search", message));
        }
        questions.iter().try_for_each(|question| check_question(question))?;
        Ok(questions)
    }

    /// What is asked, and what it is asked of: content of the model that the question was embedded by.
    fn asked_and_seen(&self, payer: &Payer) -> Result<(Vec<Asked>, Seen)> {
        let questions = self.questions()?;
        for _ in 0..MOST_MODELS {
            let before = self.session.engine.index().snapshot()?;
            let settings = &before.manifest().settings;
            let asked = questions.iter().map(|text| self.asked(text, settings, payer)).collect::<Result<Vec<_>>>()?;
            let seen = self.session.seen(&self.filters)?;
            if seen.0.manifest().settings.same_model(settings) {
                return Ok((asked, seen));
            }
        }
        Err(changes_too_fast())
    }

    fn asked(&self, text: &str, settings: &Settings, payer: &Payer) -> Result<Asked> {
        let Session { engine, asker, .. } = self.session;
        let words = || Words::read(text, settings.language);
        let vector = || match self.vector {
            Some(vector) => Ok(vector.to_vec()),
            None => self.embedded(text, settings, || engine.embed_question(text, asker.identity(), settings, payer)),
        };
        Ok(match self.mode {
            Mode::Hybrid => Asked::Both(words()?, vector()?),
            Mode::Vector => Asked::Near(vector()?),
            Mode::Lexical => Asked::Said(words()?),
        })
    }

    /// The vector of `text`, made by `embed` unless it is known.
    fn embedded(&self, text: &str, settings: &Settings, embed: impl FnOnce() -> Result<Vec<f32>>) -> Result<Vec<f32>> {
        let embedded = || self.embedded.lock().unwrap_or_else(PoisonError::into_inner);
        let known = embedded().iter().find(|(model, own, _)| *model == settings.model && own == text).cloned();
        if let Some((_, _, vector)) = known {
            return Ok(vector);
        }
        let vector = embed()?;
        embedded().push((settings.model.clone(), text.to_owned(), vector.clone()));
        Ok(vector)
    }

    /// The answer to one question, or the best of the answers to several.
    fn best(
        &self,
        snapshot: &Snapshot,
        asked: &[Asked],
        k: usize,
        mut answer: impl FnMut(&Asked) -> Result<Answer>,
    ) -> Result<Answer> {
        let [first, others @ ..] = asked else { return Err(Error::invalid("search", "nothing is asked")) };
        let mut best = answer(first)?;
        if others.is_empty() {
            return Ok(best);
        }
        for other in others {
            let other = answer(other)?;
            best.complete &= other.complete;
            best.hits = snapshot.either(best.hits, other.hits);
            best.exact &= other.exact;
            best.plan = best.plan.max(other.plan);
        }
        best.hits = snapshot.best(best.hits, k);
        best.complete |= best.hits.len() == k;
        best.recall = if best.exact { 1.0 } else { self.recall };
        Ok(best)
    }

    /// The answer of an authorizer that is asked about each document. It is asked about both ways before they are brought
    /// together: scores are scaled among candidates, and what it refuses must be none.
    fn checked(
        &self,
        asking: &mut Asking<'_>,
        snapshot: &Snapshot,
        visible: &VisibleRows,
        asked: &Asked,
        k: usize,
    ) -> Result<Answer> {
        match asked {
            Asked::Both(words, vector) if k > 0 && !words.is_empty() => {
                let depth = Snapshot::fusion_depth(k);
                let near = asking
                    .search_one(snapshot, visible, depth, |rows, k| snapshot.search(rows, vector, k, self.recall))?;
                let said =
                    asking.search_one(snapshot, visible, depth, |rows, k| snapshot.search_words(rows, words, k))?;
                snapshot.fuse(&visible.uncounted(), (words, vector), (near, said), k, self.fusion)
            }
            _ => asking.search_one(snapshot, visible, k, |rows, k| self.answer(snapshot, rows, asked, k)),
        }
    }

    fn answer(&self, snapshot: &Snapshot, rows: &VisibleRows, asked: &Asked, k: usize) -> Result<Answer> {
        match asked {
            Asked::Near(vector) => snapshot.search(rows, vector, k, self.recall),
            Asked::Said(words) => snapshot.search_words(rows, words, k),
            Asked::Both(words, vector) => snapshot.search_both(rows, words, vector, k, self.recall, self.fusion),
        }
    }
}

pub(crate) fn changes_too_fast() -> Error {
    Error::new(Kind::Conflict, "search", "the index's model changed while the question was asked; ask again")
}

fn check_question(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid("search", "the question is empty"));
    }
    Ok(())
}

impl Engine {
    /// Whether questions may be sent to a model elsewhere. A question counts as a text without a label.
    pub(crate) fn check_question(&self, cleared: &Cleared) -> Result<()> {
        self.index().with_plane(|plane| {
            let labels = plane.labels();
            if labels.rank(cleared.highest_label())? >= labels.default_rank() {
                return Ok(());
            }
            let message =
                format!("the model `{}` is not cleared for texts without a label, as questions are", cleared.name());
            Err(Error::new(Kind::Denied, "search", message))
        })
    }

    /// The vector of a question that `identity` asks of content with `settings`, on the account of `payer`.
    pub(crate) fn embed_question(
        &self,
        text: &str,
        identity: &Identity,
        settings: &Settings,
        payer: &Payer,
    ) -> Result<Vec<f32>> {
        check_question(text)?;
        identity.check_expiry(self.clock().now())?;
        let embedder = self.embedder_of(settings)?;
        let (stamp, cleared) = (embedder.stamp(), embedder.cleared());
        cleared.map_or(Ok(()), |cleared| self.check_question(cleared))?;
        let span = spans::embeddings(stamp, cleared);
        let model = cleared.map_or(stamp.model.as_str(), Cleared::name);
        // No token is shorter than a byte, but for those that a model adds by itself.
        let about = text.len() as u64 + 2;
        let called = Called { operation: Operation::Embeddings, model, cleared, about, span: &span };
        payer.pays(&called, || {
            let embedded = embedder.embed(&[text], Purpose::Query)?;
            Ok((embedded.values, (embedded.tokens, false)))
        })
    }
}
