//! `session.search`, `search_vector` and `search_vectors`: here is a question, which passages answer it?

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use safepassage::Around;
use safepassage::Nearest;

use crate::arrays;
use crate::errors::{invalid, run};
use crate::filter;
use crate::models;
use crate::results::Results;
use crate::session::Session;
use crate::twin::in_thread;

const OPERATION: &str = "search";

#[pymethods]
impl Session {
    /// The `k` visible passages that answer `text` best, as `Results`.
    ///
    /// `mode` is by what they are found: `"vector"` by meaning, `"lexical"` by words, `"hybrid"` by both, brought together
    /// by `fusion` (`"scores:W"` with the weight of words, or `"ranks:K"`). `recall` is the share of the truly nearest
    /// passages that is to be found; 1 is exact. `vector` is that of the question, if the model is not to be asked.
    /// `filter`, a dict or a str of JSON in the filter language of Amazon Bedrock, says what documents must have in
    /// declared fields. `rerank` puts the best `candidates` in its order: a callable `(question, passages) -> scores`, or the
    /// folder of a cross-encoder. `diverse` spreads what is given, from 1 (the best as they are) to 0; `distinct` leaves out
    /// what says the same as a better one. `around`, `section` or `page` give each hit with so many passages before and
    /// after it, of the same heading for `section`, of the same page for `page`; `merged` makes one hit of hits that follow
    /// each other. `transform`, a callable `question -> questions`, says what to ask instead. Raises `InvalidError` for an empty question, for a filter that does not fit the declared fields, or
    /// for an index without a model if it would be needed.
    #[pyo3(signature = (text, k = 10, filter = None, mode = "hybrid", recall = 0.95, *, fusion = None, vector = None, rerank = None, candidates = None, diverse = None, distinct = false, around = None, section = None, page = None, merged = false, transform = None))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn search(
        &self,
        py: Python<'_>,
        text: String,
        k: i64,
        filter: Option<&Bound<'_, PyAny>>,
        mode: &str,
        recall: f32,
        fusion: Option<&str>,
        vector: Option<&Bound<'_, PyAny>>,
        rerank: Option<&Bound<'_, PyAny>>,
        candidates: Option<usize>,
        diverse: Option<f32>,
        distinct: bool,
        around: Option<u32>,
        section: Option<u32>,
        page: Option<u32>,
        merged: bool,
        transform: Option<Py<PyAny>>,
    ) -> PyResult<Results> {
        let reranker = rerank.map(models::reranker).transpose()?;
        let transform = transform.map(models::transform);
        let (k, filter) = (checked(k)?, filter::read(filter)?);
        let vector = vector.map(|vector| arrays::vector(OPERATION, "vector", vector)).transpose()?;
        let values = vector.as_deref();
        let found = run(py, || {
            let fusion = fusion.map(str::parse).transpose()?.unwrap_or_default();
            let mut search = self.0.search(&text).k(k).recall(recall).mode(mode.parse()?).fusion(fusion);
            if let Some(values) = values {
                search = search.vector(values);
            }
            if let Some(reranker) = &reranker {
                search = search.rerank(&**reranker);
            }
            if let Some(transform) = &transform {
                search = search.transform(transform);
            }
            if let Some(candidates) = candidates {
                search = search.candidates(candidates);
            }
            if let Some(relevance) = diverse {
                search = search.diverse(relevance);
            }
            if let Some(around) =
                around.map(Around::Neighbours).or(section.map(Around::Section)).or(page.map(Around::Page))
            {
                search = search.around(around);
            }
            let search = if distinct { search.distinct() } else { search };
            let search = if merged { search.merged() } else { search };
            filter.into_iter().fold(search, safepassage::Search::filter).find()
        })?;
        Results::read(py, found)
    }

    /// As `search`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, text, k=10, filter=None, mode='hybrid', recall=0.95, *, fusion=None, vector=None, rerank=None, candidates=None, diverse=None, distinct=False, around=None, section=None, page=None, merged=False, transform=None)")]
    fn search_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "search", args, kwargs)
    }

    /// The `k` visible passages nearest to `vector` (dim numbers), as `Results`; texts are read when asked for.
    ///
    /// `filter` is that of `search`. Raises `InvalidError` for another dimension or a vector that is zero or not finite.
    #[pyo3(signature = (vector, k = 10, filter = None, recall = 0.95))]
    fn search_vector(
        &self,
        py: Python<'_>,
        vector: &Bound<'_, PyAny>,
        k: i64,
        filter: Option<&Bound<'_, PyAny>>,
        recall: f32,
    ) -> PyResult<Results> {
        let (k, filter) = (checked(k)?, filter::read(filter)?);
        let vector = arrays::vector(OPERATION, "vector", vector)?;
        let values = &*vector;
        run(py, || filter.into_iter().fold(self.0.nearest(values).k(k).recall(recall), Nearest::filter).find())
            .map(Results::new)
    }

    /// As `search_vector`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, vector, k=10, filter=None, recall=0.95)")]
    fn search_vector_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "search_vector", args, kwargs)
    }

    /// As `search_vector` for many questions (q × dim) on all cores, as a list of `Results`; all see the same content
    /// and permissions.
    #[pyo3(signature = (vectors, k = 10, filter = None, recall = 0.95))]
    fn search_vectors(
        &self,
        py: Python<'_>,
        vectors: &Bound<'_, PyAny>,
        k: i64,
        filter: Option<&Bound<'_, PyAny>>,
        recall: f32,
    ) -> PyResult<Vec<Results>> {
        let (k, filter) = (checked(k)?, filter::read(filter)?);
        let matrix = arrays::matrix(OPERATION, "vectors", vectors)?;
        let (values, columns) = (&*matrix, matrix.columns());
        let found = run(py, || {
            let dim = self.0.engine().dim()?;
            if columns != dim {
                let message = format!("the queries have {columns} dimensions and the index {dim}");
                return Err(safepassage::Error::invalid(OPERATION, message));
            }
            filter.into_iter().fold(self.0.nearest(values).k(k).recall(recall), Nearest::filter).find_each()
        })?;
        Ok(found.into_iter().map(Results::new).collect())
    }

    /// As `search_vectors`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, vectors, k=10, filter=None, recall=0.95)")]
    fn search_vectors_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "search_vectors", args, kwargs)
    }
}

fn checked(k: i64) -> PyResult<usize> {
    match usize::try_from(k) {
        Ok(k) if k > 0 => Ok(k),
        _ => Err(invalid(OPERATION, format!("k must be at least 1, not {k}"))),
    }
}
