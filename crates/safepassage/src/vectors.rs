//! Which vectors does a generation have? For operators: no session reaches this, and nobody is asked who they are.
//!
//! What comes out says something about texts: keep it with whoever may read all of them.

use std::collections::BTreeMap;

use safepassage_access::Tenant;
use safepassage_error::Result;

use crate::engine::Engine;

/// Some vectors of one generation: for operators.
#[derive(Debug, Clone)]
pub struct GenerationVectors {
    /// Its number.
    pub generation: u64,
    /// Numbers per vector.
    pub dim: usize,
    /// The stamp of its model, `null` if the caller brings vectors.
    pub model: serde_json::Value,
    /// How many passages it has.
    pub chunks: u64,
    /// Every live document with the digest of its content.
    pub documents: BTreeMap<(Tenant, String), u128>,
    /// The vectors that were drawn.
    pub drawn: Vec<DrawnVector>,
}

/// The vector of one passage.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnVector {
    /// Id of its document.
    pub document: String,
    /// As it is kept: of length 1 where near means cosine.
    pub values: Vec<f32>,
}

impl Engine {
    /// The vectors of documents of a generation (the newest for `None`) until there are `most` of them, drawn by a digest of
    /// each id, so that two generations give the same documents where they have them: for operators.
    ///
    /// # Errors
    /// `NotFound` if the generation is not kept any more; `Corrupted`, `Unavailable`.
    pub fn vectors(&self, generation: Option<u64>, most: usize) -> Result<GenerationVectors> {
        let held;
        let newest;
        let snapshot = match generation {
            Some(generation) => {
                held = self.index().generation(generation)?;
                &held
            }
            None => {
                newest = self.index().snapshot()?;
                &*newest
            }
        };
        let mut documents: Vec<_> = snapshot.documents().collect();
        let versions = documents.iter().map(|d| ((d.tenant.clone(), d.id.to_owned()), d.version.0)).collect();
        let chunks = documents.iter().map(|document| u64::from(document.chunks)).sum();
        documents.sort_by_cached_key(|document| (digest(&document.tenant.0, document.id), document.id));
        let mut drawn = Vec::new();
        for document in documents {
            if drawn.len() >= most {
                break;
            }
            let vectors = snapshot.vectors(document)?;
            drawn.extend(vectors.into_iter().map(|values| DrawnVector { document: document.id.to_owned(), values }));
        }
        drawn.truncate(most);
        let settings = &snapshot.manifest().settings;
        let (dim, model) = (settings.dim, settings.model.clone());
        Ok(GenerationVectors { generation: snapshot.generation(), dim, model, chunks, documents: versions, drawn })
    }
}

/// FNV-1a, then mixed: for an order that has nothing to do with the ids.
fn digest(tenant: &str, id: &str) -> u64 {
    let bytes = tenant.bytes().chain([0]).chain(id.bytes());
    let mut z =
        bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}
