//! Which segments are live in each generation?
//!
//! `manifest/000042.json` is immutable and published by put-if-absent, so a generation exists whole or not at all.
//! Manifests are small and never removed; the segments of old ones are, by a merge.

use safepassage_access::Tenant;
use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use crate::filter::Fields;
use crate::kernel;
use crate::lexical::Language;
use crate::seal;
use crate::storage::Storage;

const FOLDER: &str = "manifest";
const KIND: &str = "manifest";

/// What an index is: fixed when it is made, but for the declared fields, and for the model with its `dim` and `embedder`,
/// which a switch changes from one generation to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Numbers per vector, 1 to 65,536.
    pub dim: usize,
    /// The stamp of the model that makes the vectors, as JSON; `null` if the caller brings them.
    pub model: serde_json::Value,
    /// How that model is found again (`builtin`, a folder, `bedrock:…`); a hint, what counts is the stamp.
    pub embedder: Option<String>,
    /// How documents are cut, as JSON.
    pub chunker: serde_json::Value,
    /// What near means.
    #[serde(default)]
    pub metric: Metric,
    /// How exact vectors are kept.
    #[serde(default)]
    pub precision: Precision,
    /// The language of the passages, for words.
    #[serde(default, skip_serializing_if = "Language::is_default")]
    pub language: Language,
    /// Which fields of the metadata can be asked for. Unlike the rest it may change.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

impl Settings {
    /// Whether vectors of `other` may stand beside those of these settings.
    #[must_use]
    pub fn same_model(&self, other: &Self) -> bool {
        (self.dim, &self.model) == (other.dim, &other.model)
    }

    /// The model as a person calls it; `none` if the caller brings vectors.
    #[must_use]
    pub fn model_name(&self) -> &str {
        self.model["model"].as_str().unwrap_or("none")
    }

    /// Vectors that the caller brings, of `dim` numbers, near by cosine.
    #[must_use]
    pub fn vectors(dim: usize) -> Self {
        let nothing = serde_json::Value::Null;
        Self {
            dim,
            model: nothing.clone(),
            embedder: None,
            chunker: nothing,
            metric: Metric::default(),
            precision: Precision::default(),
            language: Language::default(),
            fields: Fields::default(),
        }
    }
}

/// What near means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The angle: vectors are scaled to unit norm, the score is their inner product, -1 to 1.
    #[default]
    Cosine,
    /// The score is the inner product of the vectors as they are.
    InnerProduct,
    /// The Euclidean distance: the score is its square, negative, so that higher is nearer.
    L2,
}

impl Metric {
    /// Whether `vector` is what is stored by this metric.
    pub(crate) fn is_prepared(self, vector: &[f32]) -> bool {
        match self {
            Self::Cosine => kernel::is_unit(vector),
            Self::InnerProduct | Self::L2 => kernel::dot(vector, vector).is_finite(),
        }
    }

    /// Makes `vector` what is stored or asked by this metric; `false` (and no change) if it cannot be.
    pub(crate) fn prepare(self, vector: &mut [f32]) -> bool {
        match self {
            Self::Cosine => kernel::normalise(vector),
            Self::InnerProduct | Self::L2 => kernel::dot(vector, vector).is_finite(),
        }
    }
}

/// How exact vectors are kept: they put the ranking by codes right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// As they come.
    #[default]
    F32,
    /// Half the space; numbers beyond 65,504 cannot be kept.
    F16,
}

impl Precision {
    /// Whether `value` can be kept at all.
    pub(crate) fn keeps(self, value: f32) -> bool {
        value.is_finite() && (self == Self::F32 || value.abs() <= 65_504.0)
    }

    /// How far off a kept number can be, as a part of it.
    pub(crate) fn rounding(self) -> f32 {
        match self {
            Self::F32 => 0.0,
            Self::F16 => 1.0 / 2048.0,
        }
    }

    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// One live segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// The folder below `segment/`.
    pub id: String,
    /// The one tenant of its records.
    pub tenant: Tenant,
    /// Documents in it, dead ones included.
    pub documents: u32,
    /// Rows in it, dead ones included.
    pub rows: u32,
    /// XXH3 of its header, which holds the checksums of everything else.
    pub digest: String,
    /// Documents deleted or replaced since it was written.
    pub tombstones: Option<Tombstones>,
}

/// Where the dead documents of a segment are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstones {
    /// The file below the segment's folder: a roaring bitmap of document ordinals.
    pub file: String,
    /// How many documents are dead.
    pub documents: u32,
    /// XXH3 of the file.
    pub digest: String,
}

/// One generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its number; the first is 1.
    pub generation: u64,
    /// The generation its content comes from: the one before, or the one rolled back to.
    pub parent: u64,
    /// When it was published, Unix milliseconds.
    pub created_ms: u64,
    /// The newest epoch when it was published; a log that ends earlier is an old copy and is refused.
    pub acl_epoch: u64,
    /// What made it: `create`, `commit`, `merge`, `rollback`, `fields` or `switch`.
    pub operation: String,
    /// What the index is.
    pub settings: Settings,
    /// The live segments.
    pub segments: Vec<SegmentEntry>,
}

fn path(generation: u64) -> String {
    format!("{FOLDER}/{generation:06}.json")
}

impl Manifest {
    /// The first generation, without segments.
    #[must_use]
    pub fn first(settings: Settings, acl_epoch: u64, now: Timestamp) -> Self {
        let operation = "create".to_owned();
        Self { generation: 1, parent: 0, created_ms: now.0, acl_epoch, operation, settings, segments: Vec::new() }
    }

    /// The generation after this one, with the same content until changed.
    #[must_use]
    pub fn next(&self, operation: &str, acl_epoch: u64, now: Timestamp) -> Self {
        Self {
            generation: self.generation + 1,
            parent: self.generation,
            created_ms: now.0,
            acl_epoch,
            operation: operation.to_owned(),
            ..self.clone()
        }
    }

    /// Makes this the newest generation.
    ///
    /// # Errors
    /// `Conflict` if somebody else published this number.
    pub fn publish(&self, storage: &dyn Storage) -> Result<()> {
        seal::put(storage, KIND, &path(self.generation), self)
    }

    /// Reads one generation.
    ///
    /// # Errors
    /// `NotFound`, `Corrupted`, or `Invalid` for one of a newer format.
    pub fn read(storage: &dyn Storage, generation: u64) -> Result<Self> {
        let manifest: Self = seal::get(storage, KIND, &path(generation))?;
        if manifest.generation != generation {
            return Err(
                Error::corrupted("read manifest", "it has another generation's name").with("generation", generation)
            );
        }
        Ok(manifest)
    }

    /// Takes one generation away, of a candidate that goes.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn remove(storage: &dyn Storage, generation: u64) -> Result<()> {
        storage.delete(&path(generation))
    }

    /// Whether there is a generation of this number.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn exists(storage: &dyn Storage, generation: u64) -> Result<bool> {
        storage.exists(&path(generation))
    }

    /// All generation numbers, ascending.
    ///
    /// # Errors
    /// `Corrupted` if something else lies in the folder.
    pub fn generations(storage: &dyn Storage) -> Result<Vec<u64>> {
        let number = |name: &String| {
            let n = name
                .strip_suffix(".json")
                .and_then(|n| n.parse().ok())
                .filter(|&n| path(n) == format!("{FOLDER}/{name}"));
            n.ok_or_else(|| {
                Error::corrupted("list generations", "not a manifest").with("path", format!("{FOLDER}/{name}"))
            })
        };
        let mut all = storage.list(FOLDER)?.iter().map(number).collect::<Result<Vec<u64>>>()?;
        all.sort_unstable();
        Ok(all)
    }

    /// The newest generation.
    ///
    /// # Errors
    /// `NotFound` if there is no index here.
    pub fn newest(storage: &dyn Storage) -> Result<Self> {
        let newest = Self::generations(storage)?.pop();
        let newest = newest.ok_or_else(|| {
            Error::new(Kind::NotFound, "open index", "there is no index here; create one, or run `safepassage sync`")
        })?;
        Self::read(storage, newest)
    }
}
