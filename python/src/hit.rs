//! `Hit`: one passage that the asker may read.

use pyo3::prelude::*;
use pyo3::types::PyAny;

use crate::json::value_to_python;

/// A passage that the asker may read.
#[pyclass(frozen, get_all, module = "safepassage")]
pub struct Hit {
    /// From 1.
    rank: usize,
    /// Cosine of question and passage; higher is better.
    score: f32,
    /// Id of the document.
    document: String,
    /// Its place within the document, from 0.
    chunk: u32,
    /// Of the document, or None.
    title: Option<String>,
    /// Of the document, or None.
    uri: Option<String>,
    /// The passage.
    text: String,
    /// Bytes of the source text, half open; where the text was taken out of a file, of what was taken out.
    span: (u64, u64),
    /// The page it begins on, from 1, or None.
    page: Option<u32>,
    /// Headings above it, outermost first, joined by ` > `.
    heading: String,
    /// Its label.
    label: String,
    /// Of the document; a dict.
    metadata: Py<PyAny>,
}

impl Hit {
    /// The columns of a table of hits, in order.
    pub const FIELDS: [&'static str; 12] =
        ["rank", "score", "document", "chunk", "title", "uri", "text", "span", "page", "heading", "label", "metadata"];

    pub fn new(py: Python<'_>, hit: safepassage::Hit) -> PyResult<Self> {
        let metadata = value_to_python(py, &hit.metadata)?.unbind();
        let safepassage::Hit { rank, score, document, chunk, title, uri, text, span, page, heading, label, .. } = hit;
        Ok(Self { rank, score, document, chunk, title, uri, text, span, page, heading, label, metadata })
    }
}

#[pymethods]
impl Hit {
    fn __repr__(&self) -> String {
        format!("Hit(rank={}, score={:.4}, document={:?}, chunk={})", self.rank, self.score, self.document, self.chunk)
    }
}
