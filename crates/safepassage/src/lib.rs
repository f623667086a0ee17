//! A retrieval engine for retrieval-augmented generation that returns only the passages the asker may read.
//!
//! [`Engine`] is an index with its model; a [`Session`] is an engine seen by one [`Identity`]. There is no search
//! without a session, so there is none without an identity.
//!
//! ```
//! # #[cfg(feature = "builtin")] {
//! use safepassage::{Acl, BatchDocument, Create, Engine, Identity, Principal};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let engine = Engine::create(folder.path(), Create::default())?;
//! let document = |id: &str, text: &str, reader: Principal| BatchDocument {
//!     id: id.into(),
//!     text: Some(text.into()),
//!     acl: Some(Acl::new([reader], [])),
//!     ..BatchDocument::default()
//! };
//! engine.add(vec![
//!     document("memo", "Salaries rise by four percent in July.", Principal::group("hr")),
//!     document("handbook", "Pay is reviewed once a year.", Principal::Everyone),
//! ])?;
//! engine.commit()?;
//!
//! let alice = engine.session(Identity::asserted("alice").groups(["hr"]).issue(engine.clock())?)?;
//! let bob = engine.session(Identity::asserted("bob").issue(engine.clock())?)?;
//! assert_eq!(alice.search("how much more will we earn?").k(1).run()?.hits[0].document, "memo");
//! assert_eq!(bob.search("how much more will we earn?").k(1).run()?.hits[0].document, "handbook");
//! # }
//! # Ok::<(), safepassage::Error>(())
//! ```
//!
//! [`Session::ask`] puts the passages to a model, a [`Generator`], and gives its answer with citations.

#![forbid(unsafe_code)]

mod acl;
mod ask;
pub mod audit;
mod authorized;
#[cfg(feature = "aws")]
mod batch;
mod break_glass;
mod counts;
mod decision;
mod diff;
mod document;
mod engine;
mod expand;
mod fields;
mod freshness;
mod hits;
mod identity_file;
mod import;
mod judge;
mod model;
mod nearest;
mod objects;
#[cfg(feature = "otel")]
pub mod otel;
mod payer;
mod policies;
mod re_embed;
mod refine;
#[cfg(feature = "remote")]
mod remote;
mod search;
mod session;
mod spans;
pub mod usage;
mod vectors;

pub use acl::DocumentAcl;
pub use ask::{AboveLabel, Answer, AnswerStream, Ask, Citation, Hook, Redact, Suspect, Suspected};
pub use authorized::AuthorizerLimits;
pub use break_glass::BreakGlass;
pub use counts::{Count, CountValues};
pub use diff::{AclDiff, Change};
pub use document::DocumentSource;
pub use engine::{Create, Engine};
pub use expand::GAP;
pub use hits::{Hit, Results, VectorHits};
pub use identity_file::identity_from_json;
pub use import::AppliedImport;
pub use judge::{Judge, Readable};
pub use model::EmbedderChoice;
pub use nearest::Nearest;
pub use objects::AclObjectState;
pub use re_embed::Candidate;
pub use search::{Mode, QueryTransform, Search};
pub use session::{Session, Visible};
pub use vectors::{DrawnVector, GenerationVectors};

pub use safepassage_access::{
    Acl, AllOf, AssertedIdentity, Attribute, Authorizer, Explanation, GroupLimits, GroupResolver, Identity, Inherit,
    Labels, Listed, Principal, Reason, Tenant,
};
pub use safepassage_error::{Error, Kind, Result, system};
pub use safepassage_index::{
    Around, Difference, Fusion, Language, Manifest, MergeState, Metric, Plan, Precision, SharedVectors, Stats, Verified,
};
pub use safepassage_index::{
    Bucket, Counted, FacetValue, FacetValues, Facets, FieldStats, FieldType, Fields, Filter, Suggestion,
};
pub use safepassage_ingest::{
    AclObject, BatchDocument, ChunkSettings, ChunkWay, Committed, FileStore, FileStores, ImportFormat, ImportOptions,
    Imported, ParserProcess, Progress, ReEmbedOptions, ReEmbedReport, Report, Section, Silent, Skipped, SourceSpec,
    StoredContent, StoredFile, SyncOptions, import as import_acls, read_acl_objects,
};
pub use safepassage_models::{
    Cancel, Cleared, CrossEncoder, Direction, EmbedWith, Embedder, Embeddings, Finished, GenerateWith, Generator,
    Guardrail, Kept, Lost, Message, ModelStamp, Permit, Piece, Pieces, Price, Purpose, Refused, Request, RerankWith,
    Reranker, Role, StaticTokens, StopReason, Tokenizer, Transformer, Usage, Verdict, open_folder,
};
pub use safepassage_prompt::{
    Found as FoundIdentifier, Identifiers, QuestionLimits, Redacting, Redactor, SUSPECTED_FROM, Suspicion, Template,
    redacted, suspicion,
};

/// The model is somewhere else: which ones may be asked, and how?
#[cfg(feature = "remote")]
pub mod models {
    pub use safepassage_models::remote::*;
    pub use safepassage_models::{At, Catalogue, CataloguedModel, Limits, Task, Texts};

    pub use crate::remote::{open_generator, open_guardrail, open_local_generator, open_model, open_reranker};
}

#[cfg(feature = "builtin")]
pub use safepassage_models::builtin_tokenizer;

/// Here is a token: who asks?
#[cfg(feature = "jwt")]
pub mod jwt {
    pub use safepassage_identity::*;
}

/// Here is an account at Amazon: which vectors and documents does it give?
#[cfg(feature = "aws")]
pub mod aws {
    pub use safepassage_aws::*;
}

/// Rows in Arrow's memory format, as documents come in them.
pub mod arrow {
    pub use arrow_array::*;
    pub use arrow_schema::{ArrowError, DataType, Field, Schema};
}

/// Who decides beside the ACLs?
pub mod policy {
    pub use safepassage_access::{Policy, PolicyCompiler, PolicyOver, PolicySource, Resource};
    #[cfg(any(feature = "cedar", feature = "openfga", feature = "authzen"))]
    pub use safepassage_policy::*;
}

/// The README's Rust compiles.
#[cfg(all(doctest, feature = "builtin"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
