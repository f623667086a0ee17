//! What can happen to permissions?
//!
//! Each event is one entry of the append-only access log; a batch of them is one `acl_epoch`. Applying the same
//! events in the same order gives the same plane.

use std::collections::BTreeMap;

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::acl::{Acl, check_object_name};
use crate::document::{DocumentNumber, Tenant, Version};
use crate::identity::Attribute;
use crate::label::{LabelRank, Labels};
use crate::policy::PolicySource;
use crate::principal::Principal;

/// The most narrower sections of a document.
pub(crate) const MOST_SECTIONS: usize = WHOLE as usize - 1;

/// Stands for every section of a document at once.
pub(crate) const WHOLE: u16 = u16::MAX;

/// Content that another document's text was derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The document.
    pub number: DocumentNumber,
    /// Its content at that time.
    pub version: Version,
}

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
    /// What policies know of the document.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    /// What the narrower sections of the content permit, beside `acl`: rows of section `i`, counted from 1, need number
    /// `i - 1` of these too; rows of section 0 only `acl`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Acl>,
    /// What the content was derived from, such as what a summary sums up: whoever may not read all of it, every section of
    /// it included, may not read this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<Input>,
}

impl Binding {
    /// What the source states of `version`.
    #[must_use]
    pub fn by_source(version: Version, acl: Acl, label: LabelRank) -> Self {
        let (attributes, sections, derived_from) = (BTreeMap::new(), Vec::new(), Vec::new());
        let origin = Origin::Source;
        Self { version, source_acl: acl.clone(), acl, label, origin, attributes, sections, derived_from }
    }

    fn check(&self) -> Result<()> {
        if self.sections.len() > MOST_SECTIONS {
            return Err(Error::invalid("change permissions", "a document has more than 65,534 narrower sections"));
        }
        [&self.acl, &self.source_acl].into_iter().chain(&self.sections).try_for_each(Acl::check)
    }
}

/// What is stated about an ACL object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectStatement {
    /// In force; `None` for one that was removed: what is under it is denied by it.
    pub acl: Option<Acl>,
    /// What the source last said; nothing if none spoke of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_acl: Option<Acl>,
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
    /// An ACL object is stated, or removed.
    ObjectStated {
        /// Where it lives.
        tenant: Tenant,
        /// Its name within the tenant.
        name: Box<str>,
        /// What it says.
        statement: ObjectStatement,
    },
    /// A principal loses everything under an ACL object, whatever is said below or above it, until restored.
    ObjectRevoked {
        /// Where it lives.
        tenant: Tenant,
        /// Which object.
        name: Box<str>,
        /// Who loses it.
        principal: Principal,
    },
    /// The revocation of an ACL object is lifted.
    ObjectRestored {
        /// Where it lives.
        tenant: Tenant,
        /// Which object.
        name: Box<str>,
        /// Who may again pass.
        principal: Principal,
        /// Why; never empty.
        reason: String,
    },
    /// Permissions that were not confirmed for longer than this open nothing; `None`: however long ago.
    MaxAge {
        /// In milliseconds.
        max_age_ms: Option<u64>,
        /// Why; never empty.
        reason: String,
    },
    /// A person says that these are the newest permissions, though nobody confirmed them in time.
    Confirmed {
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// Why; never empty.
        reason: String,
    },
    /// Policies that must permit, beside the ACLs, from now on; `None` for none.
    Policies {
        /// Replaces those before.
        source: Option<PolicySource>,
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
            Self::Policies { reason, .. } | Self::MaxAge { reason, .. } | Self::Confirmed { reason, .. } => {
                if reason.trim().is_empty() {
                    return Err(Error::invalid("change permissions", "a reason is needed"));
                }
                Ok(())
            }
            Self::Bound { binding, .. } => binding.check(),
            Self::Revoked { principal, .. } | Self::Restored { principal, .. } => principal.check(),
            Self::ObjectStated { name, statement, .. } => {
                check_object_name(name)?;
                statement.acl.iter().chain(&statement.source_acl).try_for_each(Acl::check)
            }
            Self::ObjectRevoked { name, principal, .. } | Self::ObjectRestored { name, principal, .. } => {
                check_object_name(name).and_then(|()| principal.check())
            }
        }
    }
}
