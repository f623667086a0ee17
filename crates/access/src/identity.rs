//! Who asks?
//!
//! An [`Identity`] is made by somebody who has authenticated the asker, and it expires. Nothing in it is optional in
//! the sense of "no restriction": no user means anonymous, no groups means none, no clearance means the lowest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::document::Tenant;
use crate::groups::{self, GroupLimits, GroupResolver};
use crate::principal::{self, Principal};

/// How long an asserted identity holds unless said otherwise.
const DEFAULT_TTL_SECONDS: u64 = 900;

/// Who asks: tenant, user, groups, clearance, expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    tenant: Tenant,
    issuer: Option<Box<str>>,
    user: Option<Box<str>>,
    groups: BTreeSet<Box<str>>,
    /// Through which member a group was found, where a resolver found it: for explanations.
    found_through: BTreeMap<Principal, Principal>,
    groups_complete: bool,
    clearance: Option<String>,
    attributes: BTreeMap<String, Attribute>,
    expires_at: Timestamp,
    /// Of everything that a permission depends on but the expiry; made at issue.
    digest: IdentityDigest,
}

/// The value of an attribute of an identity or a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Attribute {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

/// The SHA-256 of everything in an identity that a permission can depend on; the expiry is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdentityDigest(pub [u8; 32]);

impl fmt::Display for IdentityDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Identity {
    /// Starts an identity of which the caller, having authenticated the asker, says that it is `user`.
    ///
    /// ```
    /// use safepassage_access::Identity;
    /// use safepassage_error::system::{Clock, Timestamp};
    ///
    /// let clock = Clock::fixed(Timestamp(0));
    /// let alice = Identity::asserted("alice").groups(["hr"]).issue(&clock)?;
    /// assert!(alice.check_expiry(clock.now()).is_ok());
    /// clock.advance_seconds(901);
    /// assert!(alice.check_expiry(clock.now()).is_err());
    /// # Ok::<(), safepassage_error::Error>(())
    /// ```
    #[must_use]
    pub fn asserted(user: &str) -> AssertedIdentity {
        AssertedIdentity::new(Some(user))
    }

    /// Starts the identity of somebody who has not signed in: sees only what `public` may see.
    #[must_use]
    pub fn anonymous() -> AssertedIdentity {
        AssertedIdentity::new(None)
    }

    /// The tenant it belongs to.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The user's id, or `None` for an anonymous identity.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The same asker with another clearance.
    pub(crate) fn with_clearance(&self, label: &str) -> Self {
        let mut other = Self { clearance: Some(label.to_owned()), ..self.clone() };
        other.digest = other.digested();
        other
    }

    /// Whether `groups` are all the groups of the user, transitive ones included.
    #[must_use]
    pub fn groups_complete(&self) -> bool {
        self.groups_complete
    }

    /// The highest label it may see, by name; `None` is the lowest.
    #[must_use]
    pub fn clearance(&self) -> Option<&str> {
        self.clearance.as_deref()
    }

    /// The ids of its groups, transitive ones included.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &str> {
        self.groups.iter().map(|group| &**group)
    }

    /// Who vouches for user and groups; `None` is the local issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What policies know of it.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, Attribute> {
        &self.attributes
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether it still holds at `now`.
    ///
    /// # Errors
    /// `Denied` from the moment of expiry on.
    pub fn check_expiry(&self, now: Timestamp) -> Result<()> {
        if now >= self.expires_at {
            return Err(Error::new(Kind::Denied, "check identity", "the identity has expired; sign in again"));
        }
        Ok(())
    }

    /// Every principal this identity is: `public`, and when somebody is signed in `everyone`, the user and the groups.
    #[must_use]
    pub fn principals(&self) -> BTreeSet<Principal> {
        let mut all = BTreeSet::from([Principal::Public]);
        if let Some(user) = &self.user {
            let named = |kind, id: &str| Principal::Named { issuer: self.issuer.clone(), kind, id: id.into() };
            all.insert(Principal::Everyone);
            all.insert(named(principal::Kind::User, user));
            all.extend(self.groups.iter().map(|group| named(principal::Kind::Group, group)));
        }
        all
    }

    /// The groups through which it is `principal`, from the user's own on, as far as a resolver found them.
    pub(crate) fn way_to(&self, principal: &Principal) -> Vec<&Principal> {
        let mut way = Vec::new();
        let mut at = self.found_through.get(principal);
        while let Some(member) = at.filter(|member| member.is_group() && way.len() < self.found_through.len()) {
            way.push(member);
            at = self.found_through.get(member);
        }
        way.reverse();
        way
    }

    /// The digest that caches are keyed by.
    #[must_use]
    pub fn digest(&self) -> IdentityDigest {
        self.digest
    }

    fn digested(&self) -> IdentityDigest {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(self.tenant.0.as_bytes());
        for text in [self.issuer.as_deref(), self.user.as_deref(), self.clearance.as_deref()] {
            part(&[u8::from(text.is_some())]);
            part(text.unwrap_or_default().as_bytes());
        }
        part(&[u8::from(self.groups_complete)]);
        part(&(self.groups.len() as u64).to_le_bytes());
        self.groups.iter().for_each(|group| part(group.as_bytes()));
        for (name, value) in &self.attributes {
            part(name.as_bytes());
            part(format!("{value:?}").as_bytes());
        }
        IdentityDigest(hash.finalize().into())
    }
}

/// An identity being put together; [`AssertedIdentity::issue`] ends it.
#[derive(Debug, Clone)]
pub struct AssertedIdentity {
    identity: Identity,
    ttl_seconds: u64,
    expires_at: Option<Timestamp>,
}

impl AssertedIdentity {
    fn new(user: Option<&str>) -> Self {
        let identity = Identity {
            tenant: Tenant::default(),
            issuer: None,
            user: user.map(Into::into),
            groups: BTreeSet::new(),
            found_through: BTreeMap::new(),
            groups_complete: true,
            clearance: None,
            attributes: BTreeMap::new(),
            expires_at: Timestamp(0),
            digest: IdentityDigest([0; 32]),
        };
        Self { identity, ttl_seconds: DEFAULT_TTL_SECONDS, expires_at: None }
    }

    /// Sets the tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.identity.tenant = Tenant(tenant.into());
        self
    }

    /// Sets who vouches for the user and the groups.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.identity.issuer = Some(issuer.into());
        self
    }

    /// Adds groups by their ids (`hr`, not `group:hr`), transitive ones included.
    #[must_use]
    pub fn groups<'a>(mut self, groups: impl IntoIterator<Item = &'a str>) -> Self {
        self.identity.groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// Says whether the groups are all there are; if not, nothing that denies a group is visible.
    #[must_use]
    pub fn groups_complete(mut self, complete: bool) -> Self {
        self.identity.groups_complete = complete;
        self
    }

    /// Adds every group that the user and the groups so far are in, as `resolver` knows it; to be called last.
    ///
    /// An anonymous identity stays as it is. Groups that were not complete are so only if the resolver knows users.
    ///
    /// # Errors
    /// `Denied` for more or deeper groups than `limits`; `Invalid` for a resolver that gives an empty id; whatever the
    /// resolver fails with.
    pub fn resolve_groups(mut self, resolver: &dyn GroupResolver, limits: GroupLimits) -> Result<Self> {
        let identity = &mut self.identity;
        if let Some(user) = &identity.user {
            let groups = &identity.groups;
            let found = groups::closure(identity.issuer.as_deref(), user, groups, resolver, limits)?;
            let named = |id: &str| Principal::Named {
                issuer: identity.issuer.clone(),
                kind: principal::Kind::Group,
                id: id.into(),
            };
            let through = found.iter().filter_map(|(group, member)| Some((named(group), member.clone()?)));
            identity.found_through = through.collect();
            identity.groups = found.into_keys().collect();
            identity.groups_complete |= resolver.knows_users();
        }
        Ok(self)
    }

    /// Sets the highest label it may see.
    #[must_use]
    pub fn clearance(mut self, label: &str) -> Self {
        self.identity.clearance = Some(label.into());
        self
    }

    /// Sets an attribute, for policies.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: Attribute) -> Self {
        self.identity.attributes.insert(name.into(), value);
        self
    }

    /// Sets how long it holds from the moment of issue; 900 seconds unless said.
    #[must_use]
    pub fn ttl_seconds(mut self, seconds: u64) -> Self {
        self.ttl_seconds = seconds;
        self
    }

    /// Sets the moment it ends, instead of a duration.
    #[must_use]
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// The identity, holding from now on.
    ///
    /// # Errors
    /// `Invalid` for an empty user or group id or an issuer that cannot be written in a principal; `Denied` if it has
    /// expired already.
    pub fn issue(mut self, clock: &safepassage_error::system::Clock) -> Result<Identity> {
        let identity = &self.identity;
        if identity.user.as_deref() == Some("") || identity.groups.iter().any(|group| group.is_empty()) {
            return Err(Error::invalid("issue identity", "the id of a user or group is empty"));
        }
        if let Some(issuer) = &identity.issuer {
            principal::check_issuer(issuer)?;
        }
        let now = clock.now();
        self.identity.expires_at = self.expires_at.unwrap_or(now.plus_seconds(self.ttl_seconds));
        self.identity.check_expiry(now)?;
        self.identity.digest = self.identity.digested();
        Ok(self.identity)
    }
}

/// An identity as it is written in JSON; [`IdentityRecord::assert`] turns it into one.
///
/// Groups are ids, not principals. `groups_complete` counts as false when it is missing: closed by default.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRecord {
    /// The tenant; empty or missing for the only one.
    pub tenant: Option<String>,
    /// Who vouches for user and groups; missing for the local issuer.
    pub issuer: Option<String>,
    /// The user; missing for an anonymous identity.
    pub user: Option<String>,
    /// Ids of all groups, transitive ones included.
    pub groups: Vec<String>,
    /// Whether `groups` are all there are.
    #[serde(default)]
    pub groups_complete: bool,
    /// The highest label it may see.
    pub clearance: Option<String>,
    /// For policies.
    #[serde(default)]
    pub attributes: BTreeMap<String, Attribute>,
    /// RFC 3339, read by the surface that parses the file.
    pub expires_at: Option<String>,
}

impl IdentityRecord {
    /// The identity this record describes, before issue. `expires_at` is left to the caller, who can read dates.
    #[must_use]
    pub fn assert(&self) -> AssertedIdentity {
        let mut asserted = AssertedIdentity::new(self.user.as_deref())
            .tenant(self.tenant.as_deref().unwrap_or_default())
            .groups(self.groups.iter().map(String::as_str))
            .groups_complete(self.groups_complete);
        asserted.identity.issuer = self.issuer.as_deref().map(Into::into);
        asserted.identity.clearance.clone_from(&self.clearance);
        asserted.identity.attributes.clone_from(&self.attributes);
        asserted
    }
}
