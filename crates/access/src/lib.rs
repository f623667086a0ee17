//! Here is an identity: which rows may it see?
//!
//! In go [`AccessEvent`]s (who may read which document), an [`Identity`] and the document [`Column`] of a segment; out
//! comes a [`Visible`], the only key that opens a search. The crate does no I/O and holds no `unsafe`; writing the
//! events down is left to `index`, making identities from tokens to `identity`. [`specification`] says the same rules
//! as plain loops, and every test of permissions, here and above, is held against it.

#![forbid(unsafe_code)]

mod acl;
mod authorizer;
mod bits;
mod break_glass;
mod document;
mod event;
mod explain;
mod groups;
mod identity;
mod label;
mod plane;
mod policy;
mod principal;
mod remembered;
mod segment;
pub mod specification;
mod visible;

pub use acl::{Acl, AllOf, Inherit, WrittenAllOf, all_of};
pub use authorizer::{Authorizer, Listed};
pub use break_glass::{BrokenGlass, Witness};
pub use document::{Column, DocumentNumber, Tenant, Version};
pub use event::{AccessEvent, Binding, Input, ObjectStatement, Origin};
pub use explain::{Explanation, Reason};
pub use groups::{GroupLimits, GroupResolver};
pub use identity::{AssertedIdentity, Attribute, Identity, IdentityDigest, IdentityRecord};
pub use label::{LabelRank, Labels};
pub use plane::{AccessPlane, DocumentAccess, ObjectAccess, SharedBytes};
pub use policy::{Policy, PolicyCompiler, PolicyOver, PolicySource, Resource};
pub use principal::{Kind as PrincipalKind, Principal};
pub use segment::SegmentAccess;
pub use visible::{Permitted, Visible};
