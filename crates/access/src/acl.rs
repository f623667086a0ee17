//! Which principals does one ACL allow and deny?

use std::collections::BTreeSet;

use safepassage_error::Result;
use serde::{Deserialize, Serialize};

use crate::principal::Principal;

/// Principals under allow and deny. The empty ACL permits nobody.
///
/// JSON: `{"allow": ["group:hr"], "deny": ["user:bob"]}`; both keys may be left out, no others are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acl {
    /// Who may read.
    #[serde(default)]
    pub allow: BTreeSet<Principal>,
    /// Who may not, whatever else allows them.
    #[serde(default)]
    pub deny: BTreeSet<Principal>,
}

impl Acl {
    /// An ACL from lists of principals.
    #[must_use]
    pub fn new(allow: impl IntoIterator<Item = Principal>, deny: impl IntoIterator<Item = Principal>) -> Self {
        Self { allow: allow.into_iter().collect(), deny: deny.into_iter().collect() }
    }

    /// Whether every principal is read back as what it is.
    ///
    /// # Errors
    /// `Invalid`, as [`Principal::check`].
    pub fn check(&self) -> Result<()> {
        self.allow.iter().chain(&self.deny).try_for_each(Principal::check)
    }

    /// Whether some group is denied: an identity that does not know all its groups may not pass such an ACL.
    #[must_use]
    pub fn denies_a_group(&self) -> bool {
        self.deny.iter().any(Principal::is_group)
    }

    /// Whether nobody passes.
    #[must_use]
    pub fn permits_nobody(&self) -> bool {
        self.allow.is_empty() || self.deny.contains(&Principal::Public)
    }
}
