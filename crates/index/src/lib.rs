//! Here are records and a question: how are they kept, and which visible ones are nearest?
//!
//! In go documents with vectors and permission events; out come generations, and hits for whoever holds
//! [`VisibleRows`]. Synchronous, no network. Parsing, embedding and prompts are left to the rooms above; who may see
//! what is decided in `access`.

// `unsafe` lives in `storage::local` (mapping files), `kernel` (SIMD) and `lexical::stored` (sharing bytes) and nowhere else.

mod access_log;
mod access_snapshot;
mod asker;
mod blocks;
mod code;
mod digest;
mod filter;
mod freshness;
mod graph;
mod history;
mod index;
mod kernel;
mod lexical;
mod manifest;
mod seal;
mod search;
mod segment;
mod snapshot;
mod source_memory;
pub mod storage;
mod verify;
mod write;

pub use asker::Asker;
pub use filter::{Bucket, Counted, FacetValue, FacetValues, Facets, FieldStats, FieldType, Fields, Filter, Suggestion};
pub use graph::{Builder, GraphSettings};
pub use history::{Difference, History};
pub use index::{Index, Stats};
pub use lexical::{Language, Words};
pub use manifest::{Manifest, Metric, Precision, SegmentEntry, Settings, Tombstones};
pub use search::{Fusion, Plan};
pub use segment::{ChunkRow, NewChunk, NewDocument, SharedVectors};
pub use snapshot::{Answer, Around, Behind, Hit, HitLabels, LiveDocument, Snapshot, VisibleRows};
pub use verify::Verified;
pub use write::{Merge, MergeState, Writer};
