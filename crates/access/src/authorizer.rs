//! Who else decides, outside the index?
//!
//! A relationship engine or a policy decision point is asked on top of the ACLs: what it does not permit is not shown.
//! It is never asked about documents that the ACLs already withhold, and it cannot widen anything.

use std::fmt;

use safepassage_error::Result;

use crate::identity::Identity;

/// Decides about documents by their ids.
pub trait Authorizer: Send + Sync + fmt::Debug {
    /// The documents that `identity` may read, or `None` if it cannot say without being asked about each.
    ///
    /// # Errors
    /// Whatever kept it from knowing; the search then fails. Never a longer list instead.
    fn list(&self, identity: &Identity) -> Result<Option<Listed>>;

    /// Whether `identity` may read each of `documents` (at most [`Authorizer::max_batch`]), in order.
    ///
    /// # Errors
    /// As [`Authorizer::list`].
    fn check(&self, identity: &Identity, documents: &[&str]) -> Result<Vec<bool>>;

    /// The most documents it is asked about at once.
    fn max_batch(&self) -> usize;
}

/// Documents that an [`Authorizer`] names by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Their ids, in any order.
    pub documents: Vec<String>,
    /// Whether there are no others: an engine that stops at some number or after some time cannot say so.
    pub complete: bool,
}
