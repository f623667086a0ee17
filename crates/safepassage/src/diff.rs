//! Which documents became visible or invisible to whom between two epochs?

use safepassage_access::{AssertedIdentity, Identity, Principal, PrincipalKind, Tenant};
use safepassage_error::Result;
use safepassage_index::{Difference, History};
use serde::Serialize;

use crate::engine::Engine;

/// What changed between two epochs, over the documents that are live now: for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AclDiff {
    /// The earlier epoch.
    pub from: u64,
    /// The later epoch.
    pub to: u64,
    /// Everybody for whom something changed.
    pub changes: Vec<Change>,
}

/// What changed for one principal, or one identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Who.
    pub principal: String,
    /// What they could not see and can, and the other way round.
    #[serde(flatten)]
    pub difference: Difference,
}

impl Engine {
    /// What became visible and invisible to `identity` from the epoch `from` to `to`, the newest for `None`.
    ///
    /// # Errors
    /// `NotFound` for an epoch that there was not; `Denied` if the identity has expired; `Corrupted`, `Unavailable`.
    pub fn diff_for(&self, identity: &Identity, from: u64, to: Option<u64>) -> Result<AclDiff> {
        let history = self.index().history(from, to)?;
        let difference = history.of(identity, self.clock().now())?;
        let principal = identity.user().map_or_else(|| "anonymous".to_owned(), |user| format!("user:{user}"));
        let changes = if difference.is_empty() { Vec::new() } else { vec![Change { principal, difference }] };
        let (from, to) = history.epochs();
        Ok(AclDiff { from, to, changes })
    }

    /// What became visible and invisible to every principal that an ACL ever named, each by itself and with the highest
    /// clearance: to somebody who is `user:alice` and nobody else, to somebody who is in `group:hr` and no other group, to
    /// anybody signed in, to anybody. Whoever is several of them may have gained more, by all-of groups, and lost more, by
    /// denies; [`Engine::diff_for`] says it exactly. One pass over the documents for each principal.
    ///
    /// # Errors
    /// `NotFound` for an epoch that there was not; `Corrupted`, `Unavailable`.
    pub fn diff(&self, tenant: &Tenant, from: u64, to: Option<u64>) -> Result<AclDiff> {
        self.changes(tenant, &self.index().history(from, to)?)
    }

    /// What `history` became to every principal by itself.
    pub(crate) fn changes(&self, tenant: &Tenant, history: &History) -> Result<AclDiff> {
        let mut principals = history.principals();
        principals.extend([Principal::Public, Principal::Everyone]);
        let nobody = (0..).map(|n| format!("somebody-{n}")).find(|id| !principals.contains(&Principal::user(id)));
        let mut changes = Vec::new();
        for principal in principals {
            let identity = alone(&principal, nobody.as_deref().unwrap_or_default()).tenant(&tenant.0);
            let identity = with_highest(identity, history).issue(self.clock())?;
            let difference = history.of(&identity, self.clock().now())?;
            if !difference.is_empty() {
                changes.push(Change { principal: principal.to_string(), difference });
            }
        }
        let (from, to) = history.epochs();
        Ok(AclDiff { from, to, changes })
    }
}

/// Somebody who is `principal` and as little else as can be.
fn alone(principal: &Principal, nobody: &str) -> AssertedIdentity {
    match principal {
        Principal::Public => Identity::anonymous(),
        Principal::Everyone => Identity::asserted(nobody),
        Principal::Named { issuer, kind, id } => {
            let identity = match kind {
                PrincipalKind::User => Identity::asserted(id),
                PrincipalKind::Group => Identity::asserted(nobody).groups([&**id]),
            };
            match issuer {
                Some(issuer) => identity.issuer(issuer),
                None => identity,
            }
        }
    }
}

fn with_highest(identity: AssertedIdentity, history: &History) -> AssertedIdentity {
    let labels = history.planes()[1].labels();
    identity.clearance(labels.name(labels.highest()))
}
