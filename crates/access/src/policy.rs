//! What do policies say beside the ACLs?
//!
//! Policies are text in the access log, in a language this crate does not know. A [`PolicyCompiler`] turns the text into
//! a [`Policy`]; ACLs and policy must both permit. An index with policies whose language nobody compiles opens nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use safepassage_error::Result;
use serde::{Deserialize, Serialize};

use crate::document::Tenant;
use crate::identity::{Attribute, Identity};

/// Policies as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySource {
    /// The language, such as `cedar`.
    pub language: String,
    /// The policies.
    pub policies: String,
    /// The schema they are checked against.
    pub schema: String,
    /// What the policies know besides the asker and the document, such as how groups nest; may be empty.
    #[serde(default)]
    pub entities: String,
    /// Which fields of a document's metadata they know, as attributes of the document.
    #[serde(default)]
    pub attributes: Vec<String>,
}

/// What a policy sees of documents that are alike to it.
#[derive(Debug, Clone)]
pub struct Resource<'a> {
    /// Where they live.
    pub tenant: &'a Tenant,
    /// Names of the ACL object they are under and of all above it, nearest first.
    pub objects: Vec<&'a str>,
    /// What was stated of them for policies.
    pub attributes: &'a BTreeMap<String, Attribute>,
}

/// Policies ready to decide.
pub trait Policy: Send + Sync + fmt::Debug {
    /// Which of `resources` they let `identity` read: one answer for each, in order.
    ///
    /// # Errors
    /// `Denied` for an identity they cannot judge, such as one whose groups are not all known.
    fn permits(&self, identity: &Identity, resources: &[Resource<'_>]) -> Result<Vec<bool>>;

    /// The same policies over resources that stay while many identities ask: what does not depend on who asks is found
    /// out once. `None` if that gains nothing.
    ///
    /// # Errors
    /// `Internal` if the resources cannot be kept.
    fn over(&self, resources: &[Resource<'_>]) -> Result<Option<Arc<dyn PolicyOver>>> {
        let _ = resources;
        Ok(None)
    }
}

/// Policies over resources that stay.
pub trait PolicyOver: Send + Sync + fmt::Debug {
    /// As [`Policy::permits`] for all of the resources, in their order.
    ///
    /// # Errors
    /// As [`Policy::permits`].
    fn permits(&self, identity: &Identity) -> Result<Vec<bool>>;
}

/// Makes policies ready to decide.
pub trait PolicyCompiler: Send + Sync + fmt::Debug {
    /// # Errors
    /// `Invalid` if the text is not of a language it knows, does not parse or does not fit its schema.
    fn compile(&self, source: &PolicySource) -> Result<Arc<dyn Policy>>;
}
