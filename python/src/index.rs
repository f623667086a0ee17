//! `Index.create` and `Index.open`: here is a folder, where is the index in it?

use std::path::PathBuf;

use pyo3::prelude::*;
use safepassage::{ChunkWay, Create, Engine, Fields, Labels};

use crate::embedder;
use crate::errors::{invalid, run};
use crate::fields;
use crate::identity::Identity;
use crate::session::Session;

/// An index in a folder, with its model. May be used from any thread; documents are staged by `add` and `delete` and
/// made a generation by `commit`.
#[pyclass(frozen, module = "safepassage")]
pub struct Index {
    pub(crate) engine: Engine,
    path: PathBuf,
}

#[pymethods]
impl Index {
    /// Makes a new index in the folder `path`.
    ///
    /// With `dim` the caller brings vectors of that many numbers; without, `embedder` makes them from texts: the path
    /// of a BERT-family model folder, with `models` a name in that catalogue of models elsewhere, a callable, or the
    /// built-in all-MiniLM-L6-v2. A callable `(texts, purpose) -> vectors` gets `"document"` or `"query"`, must be given to
    /// `open` too, and needs `dim`; it decides itself where texts go. `default_label` is the label of unlabelled
    /// rows; the lowest unless set. `chunker` says by what texts are cut (`"structure"`, `"fixed"`, `"sentences:3"`,
    /// `"hierarchical:512"`, `"semantic:95"`, `"none"`; the number may be left out), `chunk_tokens` and `overlap` into how
    /// many tokens. `metric` says what near means:
    /// `"cosine"`, `"inner_product"` or `"l2"` (the score is then the squared distance, negative); `precision` how exact
    /// vectors are kept: `"f32"` or `"f16"`. `language` is that of the documents, for search by words; `"none"` for
    /// several. `schema`, a dict of names and types (`"string"`, `"number"`, `"bool"`,
    /// `"list"`, `"date"`), declares which fields of the metadata filters can ask for; `set_fields` changes it.
    ///
    /// Raises `ConflictError` if there is an index already and `InvalidError` for settings that make no sense.
    #[staticmethod]
    #[pyo3(signature = (path, dim = None, default_label = None, *, embedder = None, models = None, chunker = None, chunk_tokens = None, overlap = None, metric = "cosine", precision = "f32", language = "english", schema = None))]
    #[expect(clippy::too_many_arguments, reason = "the settings of an index")]
    fn create(
        py: Python<'_>,
        path: PathBuf,
        dim: Option<i64>,
        default_label: Option<String>,
        embedder: Option<&Bound<'_, PyAny>>,
        models: Option<PathBuf>,
        chunker: Option<&str>,
        chunk_tokens: Option<usize>,
        overlap: Option<usize>,
        metric: &str,
        precision: &str,
        language: &str,
        schema: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let fields = schema.map_or_else(|| Ok(Fields::default()), fields::read)?;
        let metric = named("metric", metric, "cosine, inner_product or l2")?;
        let precision = named("precision", precision, "f32 or f16")?;
        if embedder.is_none() && dim.is_some() && (chunker.is_some() || chunk_tokens.is_some() || overlap.is_some()) {
            return Err(invalid("create index", "vectors that the caller brings are one chunk each"));
        }
        let choice = embedder::choice(dim, embedder, models)?;
        let engine = run(py, || {
            let labels = Labels::default();
            let labels = match default_label {
                Some(name) => labels.with_default(&name)?,
                None => labels,
            };
            let overlap_tokens = overlap;
            let chunker = chunker.map_or_else(|| Ok(ChunkWay::default()), str::parse)?;
            let (embedder, language) = (choice, language.parse()?);
            let create =
                Create { embedder, chunker, chunk_tokens, overlap_tokens, labels, metric, precision, language, fields };
            Engine::create(&path, create)
        })?;
        Ok(Self { engine, path })
    }

    /// Opens the index in the folder `path`.
    ///
    /// `embedder` is the callable the index was made with, if it was.
    ///
    /// Raises `NotFoundError` if there is none and `CorruptedError` if it is not what was written.
    #[staticmethod]
    #[pyo3(signature = (path, *, embedder = None))]
    fn open(py: Python<'_>, path: PathBuf, embedder: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let engine = run(py, || Engine::open(&path))?;
        let Some(callable) = embedder else { return Ok(Self { engine, path }) };
        let embedder = embedder::callable(callable, run(py, || engine.dim())?)?;
        Ok(Self { engine: run(py, || Engine::open_with(&path, embedder))?, path })
    }

    /// Opens the candidate of `re_embed` in the folder `path`, to be searched and measured; it cannot be written.
    ///
    /// `embedder` is the callable that `re_embed` was given, if it was.
    ///
    /// Raises `NotFoundError` if there is none.
    #[staticmethod]
    #[pyo3(signature = (path, *, embedder = None))]
    fn open_candidate(py: Python<'_>, path: PathBuf, embedder: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let engine = run(py, || Engine::open_candidate(&path))?;
        if let Some(callable) = embedder {
            engine.give_embedder(embedder::callable(callable, run(py, || engine.dim())?)?);
        }
        Ok(Self { engine, path })
    }

    /// The folder.
    #[getter]
    fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// How many numbers a vector has.
    #[getter]
    fn dim(&self, py: Python<'_>) -> PyResult<usize> {
        run(py, || self.engine.dim())
    }

    /// The index as `identity` sees it: there is no search without.
    ///
    /// Raises `DeniedError` if the identity has expired and `InvalidError` if its clearance is no label of this index.
    fn session(&self, py: Python<'_>, identity: &Bound<'_, Identity>) -> PyResult<Session> {
        let identity = identity.get().0.clone();
        run(py, || self.engine.session(identity)).map(Session)
    }

    fn __repr__(&self) -> String {
        format!("Index({:?})", self.path)
    }
}

/// The setting called `name`.
fn named<T: serde::de::DeserializeOwned>(setting: &str, name: &str, known: &str) -> PyResult<T> {
    serde_json::from_value(name.into())
        .map_err(|_| invalid("create index", format!("`{setting}` is {known}, not `{name}`")))
}
