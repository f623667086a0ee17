//! What Python gives as a model: a folder, a name in a catalogue, or a callable.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use safepassage::{EmbedWith, Embedder, EmbedderChoice, Purpose, builtin_tokenizer};

use crate::errors::{invalid, run};
use crate::models::called;

/// Tokens that a callable is given at once, by the built-in tokenizer.
const MAX_TOKENS: usize = 256;

/// Which model `embedder` is; `dim` alone stands for vectors that the caller brings.
pub fn choice(
    dim: Option<i64>,
    embedder: Option<&Bound<'_, PyAny>>,
    models: Option<PathBuf>,
) -> PyResult<EmbedderChoice> {
    // A dimension that cannot be is refused later, like zero.
    let dim = dim.map(|dim| usize::try_from(dim).unwrap_or(0));
    match (dim, embedder, models) {
        (_, Some(given), Some(models)) if dim.is_none() => Ok(EmbedderChoice::Catalogued(models, given.extract()?)),
        (_, None, Some(_)) => Err(invalid("create index", "`models` needs `embedder`, a name in it")),
        (Some(dim), Some(given), None) if given.is_callable() => Ok(EmbedderChoice::Given(callable(given, dim)?)),
        (None, Some(given), None) if given.is_callable() => {
            Err(invalid("create index", "a callable needs `dim`, how many numbers its vectors have"))
        }
        (Some(_), Some(_), _) => Err(invalid("create index", "give `dim` or `embedder`, not both")),
        (Some(dim), None, None) => Ok(EmbedderChoice::Vectors(dim)),
        (None, Some(given), None) => {
            let folder: PathBuf = given.extract()?;
            Ok(if folder.as_os_str() == "builtin" { EmbedderChoice::Builtin } else { EmbedderChoice::Folder(folder) })
        }
        (None, None, None) => Ok(EmbedderChoice::Builtin),
        (None, Some(_), Some(_)) => Err(invalid("create index", "`embedder` is no name of a catalogue")),
    }
}

/// A callable `(texts, purpose) -> vectors` of `dim` numbers each.
pub fn callable(given: &Bound<'_, PyAny>, dim: usize) -> PyResult<Arc<dyn Embedder>> {
    if !given.is_callable() {
        return Err(invalid("open index", "`embedder` is the callable that the index was made with"));
    }
    let name = given.getattr("__name__").and_then(|name| name.extract()).unwrap_or_else(|_| "callable".to_owned());
    let callable = given.clone().unbind();
    let embed = move |texts: &[&str], purpose: Purpose| {
        let purpose = if purpose == Purpose::Query { "query" } else { "document" };
        called("embed", |py| callable.bind(py).call1((texts.to_vec(), purpose))?.extract::<Vec<Vec<f32>>>())
    };
    run(given.py(), || {
        let embedder = EmbedWith::new(&name, dim, builtin_tokenizer(MAX_TOKENS)?, embed)?;
        Ok(Arc::new(embedder) as Arc<dyn Embedder>)
    })
}
