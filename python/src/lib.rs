//! Here are Python objects: which call of the Rust face is meant, and what does Python get back?
//!
//! The module `safepassage._core`. A file is a verb or a class; [`errors`] alone maps errors, [`arrays`] and [`rows`]
//! read what callers bring, [`json`] turns dicts into values and back. Every call into Rust goes through
//! [`errors::run`], which releases the GIL. What is decided is decided in `safepassage`; here nothing is.

#![deny(unsafe_code)]

mod acl;
mod acl_object;
mod add;
mod add_rows;
mod answer;
mod arrays;
mod ask;
mod audit;
mod awaiting;
mod break_glass;
mod commit;
mod counts;
mod embedder;
mod errors;
mod evaluate;
mod fields;
mod filter;
mod generator;
mod guardrail;
mod hit;
mod hook;
mod identity;
mod import_acls;
mod index;
mod json;
mod models;
mod operate;
mod parser;
mod policy;
mod re_embed;
mod results;
mod rows;
mod search;
mod session;
mod spans;
mod stream;
mod sync;
mod table;
mod twin;
mod usage;
mod verifier;

/// What `safepassage/__init__.py` re-exports.
#[pyo3::pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::answer::{Answer, AnswerStream};
    #[pymodule_export]
    use crate::break_glass::BreakGlass;
    #[pymodule_export]
    use crate::evaluate::{evaluate, learn_fusion};
    #[pymodule_export]
    use crate::generator::Generator;
    #[pymodule_export]
    use crate::guardrail::Guardrail;
    #[pymodule_export]
    use crate::hit::Hit;
    #[pymodule_export]
    use crate::identity::Identity;
    #[pymodule_export]
    use crate::index::Index;
    #[pymodule_export]
    use crate::models::Reranker;
    #[pymodule_export]
    use crate::results::Results;
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::spans::{export_spans, flush_spans};
    #[pymodule_export]
    use crate::verifier::Verifier;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::parser::register(module)?;
        crate::errors::register(module)
    }
}
