//! How secret is a row, and how high is somebody cleared?
//!
//! Labels are ordered names, lowest first. An unknown name is an error, never "lowest".

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The place of a label in the order of its index; 0 is the lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LabelRank(pub u8);

/// The ordered labels of one index and the label of rows that state none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    names: Vec<String>,
    default: LabelRank,
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            names: ["public", "internal", "confidential", "restricted"].map(String::from).to_vec(),
            default: LabelRank(0),
        }
    }
}

impl Labels {
    /// Labels from lowest to highest; unlabelled rows get `default`, or the lowest.
    ///
    /// # Errors
    /// `Invalid` for no names, more than 200, a repeated or empty name, or a `default` that is none of them.
    pub fn new(names: Vec<String>, default: Option<&str>) -> Result<Self> {
        let mut seen = std::collections::BTreeSet::new();
        if names.is_empty() || names.len() > 200 || names.iter().any(|n| n.is_empty() || !seen.insert(n)) {
            return Err(Error::invalid("set labels", "labels must be 1 to 200 distinct names, lowest first"));
        }
        let mut labels = Self { names, default: LabelRank(0) };
        if let Some(name) = default {
            labels.default = labels.rank(name)?;
        }
        Ok(labels)
    }

    /// The same labels with another default.
    ///
    /// # Errors
    /// `Invalid` for an unknown name.
    pub fn with_default(self, name: &str) -> Result<Self> {
        Self::new(self.names, Some(name))
    }

    /// The rank of `name`.
    ///
    /// # Errors
    /// `Invalid` for an unknown name, naming the known ones.
    pub fn rank(&self, name: &str) -> Result<LabelRank> {
        let at = self.names.iter().position(|n| n == name).ok_or_else(|| {
            Error::invalid("read label", format!("unknown label `{name}`; known: {}", self.names.join(" < ")))
        })?;
        Ok(LabelRank(u8::try_from(at).unwrap_or(u8::MAX)))
    }

    /// The name at `rank`; a rank beyond the last is shown as the highest.
    #[must_use]
    pub fn name(&self, rank: LabelRank) -> &str {
        self.names.get(usize::from(rank.0)).or(self.names.last()).map_or("", String::as_str)
    }

    /// The highest rank.
    #[must_use]
    pub fn highest(&self) -> LabelRank {
        LabelRank(u8::try_from(self.names.len().saturating_sub(1)).unwrap_or(u8::MAX))
    }

    /// The names, lowest first.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The label of rows that state none.
    #[must_use]
    pub fn default_rank(&self) -> LabelRank {
        self.default
    }

    /// Whether a stored rank belongs to these labels.
    #[must_use]
    pub fn contains(&self, rank: LabelRank) -> bool {
        usize::from(rank.0) < self.names.len()
    }
}
