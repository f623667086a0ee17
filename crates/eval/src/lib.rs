//! Here are questions with known answers: does retrieval find them, for everybody, and does it give anybody too much?
//!
//! In go a [`Collection`] (a BEIR folder, or a file of questions with the documents that answer them), personas and an
//! index; out comes a [`Report`]: quality per persona and band of selectivity, leaks by an independent judge, whether k
//! is filled, recall of the search against exact, latency. What an asker gets is decided below; here it is measured.

#![forbid(unsafe_code)]

mod assess;
pub mod canary;
mod chance;
mod collection;
mod compare;
pub mod drift;
mod estimate;
mod evaluate;
mod figures;
mod gate;
mod histogram;
mod html;
mod learn;
mod measure;
mod report;
mod retriever;
mod summary;
mod table;

pub use assess::{OtherSide, Wishes, assess};
pub use chance::Chance;
pub use collection::{Collection, Persona, Question, read_personas};
pub use compare::{Compared, Comparison, Lost, compare};
pub use estimate::{Estimate, estimate, mean, percentile};
pub use evaluate::{Asked, Evaluation, Run, Viewer, evaluate};
pub use figures::{drifted, measured};
pub use gate::{Bounds, Drop, Gate, Line, Verdict};
pub use histogram::Histogram;
pub use html::page;
pub use learn::{Learnt, Weighed, learn};
pub use measure::{Measure, precision_recall};
pub use report::{Distributions, Leak, OfCollection, OfIndex, OfQuestion, Report};
pub use retriever::{EngineRetriever, Found, Passage, Retriever, Standing, Wanted};
pub use summary::{Latency, OfBand, OfPersona, Summary, band_of};
pub use table::{drift_table, table};
