//! What is written down, how surely, and for how long?
//!
//! Settings are part of the log itself: the last line that states them is what is in force, for every process and every
//! surface, and there is no switching that is not in the log.

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::secret::SecretDigest;

/// A file smaller than this would hold hardly a line.
const LEAST_ROTATE_BYTES: u64 = 4096;

/// When a line counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// It survives a power cut.
    #[default]
    Synced,
    /// It survives the end of the process; a power cut takes the last seconds, and the log says so until it is mended.
    Written,
}

/// How an index is audited. Permission changes, break glass and changes of these settings are written down always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditSettings {
    /// Whether every decision is written down.
    pub on: bool,
    /// Whether questions are written down as they were asked, and not their digest alone.
    pub texts: bool,
    /// When a line counts as written.
    pub durability: Durability,
    /// A file that has so many bytes is followed by a new one.
    pub rotate_bytes: u64,
    /// A file that was begun so many days ago is followed by a new one.
    pub rotate_days: u32,
    /// For so many days at least every line is kept.
    pub keep_days: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        let durability = Durability::default();
        Self { on: false, texts: false, durability, rotate_bytes: 64 << 20, rotate_days: 30, keep_days: 0 }
    }
}

impl AuditSettings {
    /// Whether they make sense.
    ///
    /// # Errors
    /// `Invalid`, naming the setting.
    pub fn check(&self) -> Result<()> {
        let invalid = |what: String| Err(Error::invalid("set up audit", what));
        if self.rotate_bytes < LEAST_ROTATE_BYTES {
            return invalid(format!("a file has at least {LEAST_ROTATE_BYTES} bytes, not {}", self.rotate_bytes));
        }
        if self.rotate_days == 0 {
            return invalid("a file lasts at least 1 day".into());
        }
        Ok(())
    }
}

/// What is in force: stated by the first line of every file and by every line that changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The name of this log, unlike that of any other.
    pub log: Digest,
    /// The SHA-256 of the salt of questions, which is kept beside the log and not in it.
    pub salt_sha256: Digest,
    /// How the index is audited.
    pub settings: AuditSettings,
    /// What a secret that breaks the glass must give; none does if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<SecretDigest>,
}
