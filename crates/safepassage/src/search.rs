//! Here is a question in words: by which ways is it answered?

use safepassage_access::Identity;
use safepassage_error::{Error, Result};
use safepassage_index::{Answer, Filter, Fusion, Snapshot, VisibleRows, Words};
use safepassage_models::Purpose;
use serde::{Deserialize, Serialize};

use crate::decision::Question;
use crate::engine::Engine;
use crate::hits::{Results, VectorHits};
use crate::session::{DEFAULT_K, DEFAULT_RECALL, Session};

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

/// A search being put together; [`Search::run`] ends it.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    session: &'a Session,
    text: &'a str,
    vector: Option<&'a [f32]>,
    mode: Mode,
    fusion: Fusion,
    k: usize,
    recall: f32,
    filters: Vec<Filter>,
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
        Self { session, text, vector: None, mode, fusion, k: DEFAULT_K, recall: DEFAULT_RECALL, filters: Vec::new() }
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
        let found = self.found();
        engine.decided_search(asker.identity(), "search", Question::Text(self.text), &self.filters, self.k, found)
    }

    fn found(&self) -> Result<VectorHits> {
        let Session { engine, asker, guard } = self.session;
        let asked = self.asked()?;
        let (snapshot, visible) = self.session.seen(&self.filters)?;
        let answer = match guard {
            None => self.answer(&snapshot, &visible, &asked, self.k)?,
            Some(guard) => guard.search_one(asker.identity(), &snapshot, &visible, self.k, |rows, k| {
                self.answer(&snapshot, rows, &asked, k)
            })?,
        };
        VectorHits::new(engine, snapshot, answer, asker.identity().expires_at())
    }

    fn asked(&self) -> Result<Asked> {
        let Session { engine, asker, .. } = self.session;
        check_question(self.text)?;
        asker.identity().check_expiry(engine.clock().now())?;
        self.fusion.check()?;
        let words = || Words::read(self.text, engine.language()?);
        let vector = || match self.vector {
            Some(vector) => Ok(vector.to_vec()),
            None => engine.embed_question(self.text, asker.identity()),
        };
        Ok(match self.mode {
            Mode::Hybrid => Asked::Both(words()?, vector()?),
            Mode::Vector => Asked::Near(vector()?),
            Mode::Lexical => Asked::Said(words()?),
        })
    }

    fn answer(&self, snapshot: &Snapshot, rows: &VisibleRows, asked: &Asked, k: usize) -> Result<Answer> {
        match asked {
            Asked::Near(vector) => snapshot.search(rows, vector, k, self.recall),
            Asked::Said(words) => snapshot.search_words(rows, words, k),
            Asked::Both(words, vector) => snapshot.search_both(rows, words, vector, k, self.recall, self.fusion),
        }
    }
}

fn check_question(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid("search", "the question is empty"));
    }
    Ok(())
}

impl Engine {
    /// The vector of a question that `identity` asks.
    pub(crate) fn embed_question(&self, text: &str, identity: &Identity) -> Result<Vec<f32>> {
        check_question(text)?;
        identity.check_expiry(self.clock().now())?;
        Ok(self.embedder()?.embed(&[text], Purpose::Query)?.values)
    }
}
