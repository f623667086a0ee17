//! What can happen to permissions?
//!
//! Each event is one entry of the append-only access log; a batch of them is one `acl_epoch`. Applying the same
//! events in the same order gives the same plane.

use safepassage_error::Result;
use serde::{Deserialize, Serialize};

use crate::acl::Acl;
use crate::document::{DocumentNumber, Tenant, Version};
use crate::label::{LabelRank, Labels};
use crate::principal::Principal;

/// Who stated a document's ACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The source, through a sync.
    Source,
    /// A person, through `acl set`.
    Set,
}

/// The ACL and label that one version of a document is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The content it was stated for.
    pub version: Version,
    /// In force; the empty ACL permits nobody.
    pub acl: Acl,
    /// In force.
    pub label: LabelRank,
    /// What the source last said, so that a sync can tell whether the source changed its mind.
    pub source_acl: Acl,
    /// Who stated `acl`.
    pub origin: Origin,
}

/// One entry of the access log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum AccessEvent {
    /// The first event of every log: the labels of the index.
    Created {
        /// Lowest first.
        labels: Labels,
    },
    /// A document gets a number.
    Numbered {
        /// Where it lives.
        tenant: Tenant,
        /// Its id within the tenant.
        id: Box<str>,
        /// The next free number.
        number: DocumentNumber,
    },
    /// A version of a document is bound to an ACL and a label.
    Bound {
        /// Which document.
        number: DocumentNumber,
        /// To what.
        binding: Binding,
    },
    /// A principal loses a document, until restored.
    Revoked {
        /// Which document.
        number: DocumentNumber,
        /// Who loses it.
        principal: Principal,
    },
    /// A revocation is lifted.
    Restored {
        /// Which document.
        number: DocumentNumber,
        /// Who may again pass the ACL.
        principal: Principal,
        /// Why; never empty.
        reason: String,
    },
}

impl AccessEvent {
    /// Whether everybody it names is read back as who they are; else the log could not be opened any more.
    ///
    /// # Errors
    /// `Invalid`, as [`Principal::check`].
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Created { .. } | Self::Numbered { .. } => Ok(()),
            Self::Bound { binding, .. } => binding.acl.check().and_then(|()| binding.source_acl.check()),
            Self::Revoked { principal, .. } | Self::Restored { principal, .. } => principal.check(),
        }
    }
}
