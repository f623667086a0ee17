//! Here is a folder or a file: bring the index up to date with it.
//!
//! `source → parse → chunk → diff → embed → commit`. In go a [`SourceSpec`] and an [`Embedder`]; out come a new
//! generation, new permissions and a [`Report`]. Permissions that somebody has elsewhere come in by [`import`]. Who may see what is decided in `access`; how records are kept, in
//! `index`.
//!
//! [`Embedder`]: safepassage_models::Embedder

#![forbid(unsafe_code)]

mod chunk;
mod import;
mod parse;
mod re_embed;
mod source;
mod sync;

pub use chunk::{ChunkSettings, ChunkWay, Chunker};
pub use import::{ImportFormat, ImportOptions, Imported, import};
pub use re_embed::{ReEmbedOptions, ReEmbedReport, re_embed, switch};
pub use source::{
    AclObject, FileStore, FileStores, Format, Section, SourceSpec, StoredContent, StoredFile, read_acl_objects, read_at,
};
pub use sync::{
    Batch, BatchDocument, Committed, Progress, Report, Silent, Skipped, SyncOptions, check_model, documents_of_rows,
    sync, sync_rows,
};

pub use parse::{Block, Parsed, ParserProcess, parse};
