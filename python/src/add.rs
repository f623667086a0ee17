//! `index.add` and `index.delete`: here are documents, stage them for the next commit.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use safepassage::{Acl, BatchDocument, Section, SharedVectors};

use crate::arrays;
use crate::errors::{invalid, raise, run};
use crate::index::Index;
use crate::json;
use crate::rows::{self, column, optional};
use crate::twin::in_thread;

#[pymethods]
impl Index {
    /// Stages documents for the next `commit`; one with the id of another replaces it.
    ///
    /// `texts` are Markdown or plain text. `vectors` is n × dim float32, of numpy or Arrow, one row for each id; rows without vectors are
    /// cut and embedded, rows with one are one chunk each. `acls` are dicts `{"allow": [...], "deny": [...]}`, with `all_of`,
    /// `parent` and `inherit` or not; a document without is visible to nobody. `sections` are lists of parts of the text
    /// that fewer may read, `{"span": [start, end], "acl": {...}}` in bytes of its UTF-8. `derived_from` are lists
    /// of ids: whoever may not read all of these may not read the document, a summary for example. Vectors are copied once; beyond a few MB they wait for the commit in a file of
    /// no name in the folder of the index.
    ///
    /// Raises `InvalidError`, and nothing of this call is staged, for an id that is empty or stands twice, columns of
    /// different lengths, an unknown label or principal, or vectors of another shape, zero or not finite.
    #[pyo3(signature = (ids, texts = None, vectors = None, acls = None, labels = None, metadata = None, titles = None, *, sections = None, derived_from = None, tenant = None))]
    #[expect(clippy::too_many_arguments, reason = "the columns of a batch")]
    fn add(
        &self,
        py: Python<'_>,
        ids: &Bound<'_, PyAny>,
        texts: Option<&Bound<'_, PyAny>>,
        vectors: Option<&Bound<'_, PyAny>>,
        acls: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        titles: Option<&Bound<'_, PyAny>>,
        sections: Option<&Bound<'_, PyAny>>,
        derived_from: Option<&Bound<'_, PyAny>>,
        tenant: Option<String>,
    ) -> PyResult<()> {
        let ids = column("add", "ids", ids, rows::text)?;
        let n = ids.len();
        let mut texts = optional("add", "texts", texts, n, rows::text)?.into_iter();
        let mut acls = optional("add", "acls", acls, n, acl)?.into_iter();
        let mut labels = optional("add", "labels", labels, n, rows::text)?.into_iter();
        let mut metadata = optional("add", "metadata", metadata, n, json::object)?.into_iter();
        let mut titles = optional("add", "titles", titles, n, rows::text)?.into_iter();
        let mut sections = optional("add", "sections", sections, n, parts)?.into_iter();
        let mut derived_from = optional("add", "derived_from", derived_from, n, ids_of)?.into_iter();
        let mut vectors = vectors.map(|vectors| shared(vectors, n)).transpose()?.unwrap_or_default().into_iter();
        let tenant = rows::tenant(tenant);
        let document = |id| BatchDocument {
            tenant: tenant.clone(),
            id,
            text: texts.next().flatten(),
            vector: vectors.next(),
            acl: acls.next().flatten(),
            label: labels.next().flatten(),
            title: titles.next().flatten(),
            metadata: metadata.next().flatten(),
            sections: sections.next().flatten().unwrap_or_default(),
            derived_from: derived_from.next().flatten().unwrap_or_default(),
            ..BatchDocument::default()
        };
        let documents: Vec<BatchDocument> = ids.into_iter().map(document).collect();
        run(py, || self.engine.add(documents))
    }

    /// As `add`, awaited.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, ids, texts=None, vectors=None, acls=None, labels=None, metadata=None, titles=None, *, sections=None, derived_from=None, tenant=None)")]
    fn add_async<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "add", args, kwargs)
    }

    /// Stages deletions for the next `commit`. Returns how many of the ids are live or staged now.
    #[pyo3(signature = (ids, *, tenant = None))]
    fn delete(&self, py: Python<'_>, ids: &Bound<'_, PyAny>, tenant: Option<String>) -> PyResult<usize> {
        let ids = column("delete", "ids", ids, rows::text)?;
        let tenant = rows::tenant(tenant);
        run(py, || {
            let mut known = 0;
            for id in &ids {
                known += usize::from(self.engine.delete(&tenant, id)?);
            }
            Ok(known)
        })
    }
}

/// The rows of one matrix, sharing it.
fn shared(vectors: &Bound<'_, PyAny>, n: usize) -> PyResult<Vec<SharedVectors>> {
    let matrix = arrays::matrix("add", "vectors", vectors)?;
    if matrix.rows() != n {
        return Err(invalid("add", format!("`vectors` has {} rows for {n} ids", matrix.rows())));
    }
    let (block, dim) = (Arc::new(matrix.to_vec()), matrix.columns());
    let row = |i: usize| SharedVectors::part_of(&block, i * dim..(i + 1) * dim);
    (0..n).map(row).collect::<safepassage::Result<_>>().map_err(|error| raise(&error))
}

fn ids_of(value: &Bound<'_, PyAny>) -> Result<Vec<String>, String> {
    value.extract().map_err(|_| "a list of ids is needed".to_owned())
}

fn parts(value: &Bound<'_, PyAny>) -> Result<Vec<Section>, String> {
    let no_list = |_| "a list of sections is needed".to_owned();
    let one = |section: PyResult<Bound<'_, PyAny>>| {
        let object = json::object(&section.map_err(no_list)?)?;
        serde_json::from_value(object.into()).map_err(|e| e.to_string())
    };
    value.try_iter().map_err(no_list)?.map(one).collect()
}

fn acl(value: &Bound<'_, PyAny>) -> Result<Acl, String> {
    serde_json::from_value(json::object(value)?.into()).map_err(|e| e.to_string())
}
