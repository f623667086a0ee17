//! `session.facets` and `count`: what is there, of what the asker may see?

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use safepassage::{Count, CountValues};

use crate::errors::{invalid, run};
use crate::filter;
use crate::json::to_python;
use crate::session::Session;
use crate::twin::in_thread;

#[pymethods]
impl Session {
    /// The values that documents have in the declared `field`, with the number of documents that have each, of those
    /// that the asker may see and that match `filter`: a dict with the `limit` most frequent `values`, or, for numbers and
    /// dates, `min`, `max` and at most `limit` `buckets`.
    ///
    /// Raises `InvalidError` if the field is not declared or the filter does not fit the declared fields.
    #[pyo3(signature = (field, filter = None, limit = 20))]
    fn facets<'py>(
        &self,
        py: Python<'py>,
        field: String,
        filter: Option<&Bound<'_, PyAny>>,
        limit: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let filter = filter::read(filter)?;
        let limit = usize::try_from(limit)
            .map_err(|_| invalid("count values", format!("the limit is 1 or more, not {limit}")))?;
        let counting = self.0.facets(&field).limit(limit);
        to_python(py, &run(py, || filter.into_iter().fold(counting, CountValues::filter).run())?)
    }

    /// As `facets`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, field, filter=None, limit=20)")]
    fn facets_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "facets", args, kwargs)
    }

    /// How many documents with passages, and how many passages, the asker may see of those that match `filter`:
    /// `{"documents", "passages"}`.
    #[pyo3(signature = (filter = None))]
    fn count<'py>(&self, py: Python<'py>, filter: Option<&Bound<'_, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let filter = filter::read(filter)?;
        to_python(py, &run(py, || filter.into_iter().fold(self.0.count(), Count::filter).run())?)
    }

    /// As `count`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, filter=None)")]
    fn count_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "count", args, kwargs)
    }
}
