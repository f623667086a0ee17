//! What does every document permit, at this epoch?
//!
//! In go [`AccessEvent`]s, one batch an epoch; out come answers about identities. Documents by number point at the rules
//! their versions are bound to; rules are interned and point at ACL objects, which point at those above them; inverted
//! maps lead from a principal to the lists that allow or deny it. So a change of an object touches that object alone.

mod acls;
mod check;
mod columns;
mod derived;
mod descent;
mod documents;
mod effective;
mod object;
mod objects;
mod policies;
mod rules;
mod same;
mod state;
mod stored;
mod stored_rules;
mod table;
mod verdict;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};

pub use columns::SharedBytes;
use documents::Documents;
pub(crate) use documents::{Permissions, RowPermission};
pub(crate) use effective::Effective;
pub use object::ObjectAccess;
use policies::Policies;
use state::Bound;
use table::AclTable;
pub(crate) use table::{Clearance, NOBODY, Passes};
pub(crate) use verdict::Verdict;

use crate::document::{DocumentNumber, Tenant, Version};
use crate::event::{AccessEvent, Binding, Input};
use crate::explain::{Explainer, Explanation};
use crate::identity::Identity;
use crate::label::{LabelRank, Labels};
use crate::principal::Principal;
use crate::remembered::Remembered;
use crate::visible::Permitted;

/// What remembered identities may cost; each takes a bit for every distinct ACL.
const REMEMBERED_BYTES: usize = 16 << 20;

/// The permissions of one index at one `acl_epoch`.
#[derive(Debug)]
pub struct AccessPlane {
    epoch: u64,
    labels: Arc<Labels>,
    documents: Documents,
    table: AclTable,
    policies: Policies,
    max_age_ms: Option<u64>,
    remembered: Mutex<Remembered<Permitted>>,
}

impl Default for AccessPlane {
    /// The plane at epoch 0, before anything was said.
    fn default() -> Self {
        Self {
            epoch: 0,
            labels: Arc::default(),
            documents: Documents::default(),
            table: AclTable::default(),
            policies: Policies::default(),
            max_age_ms: None,
            remembered: Mutex::new(Remembered::within(REMEMBERED_BYTES)),
        }
    }
}

/// What stands written about one document.
#[derive(Debug, Clone)]
pub struct DocumentAccess {
    /// Its number.
    pub number: DocumentNumber,
    /// ACLs by version, oldest first; never empty.
    pub bindings: Vec<Binding>,
    /// Principals that lost it until restored.
    pub revoked: BTreeSet<Principal>,
}

impl DocumentAccess {
    /// The newest binding.
    #[must_use]
    pub fn current(&self) -> &Binding {
        &self.bindings[self.bindings.len() - 1]
    }
}

impl AccessPlane {
    /// The epoch: how many batches of events were applied.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The labels of the index.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The labels of the index, to be kept beside an answer.
    #[must_use]
    pub fn shared_labels(&self) -> Arc<Labels> {
        Arc::clone(&self.labels)
    }

    /// For how long permissions that nobody confirmed open anything; `None`: for ever.
    #[must_use]
    pub fn max_age_ms(&self) -> Option<u64> {
        self.max_age_ms
    }

    /// How many documents have ever had a number; the next number to give.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        self.documents.len()
    }

    /// How many distinct effective ACLs are in the table.
    #[must_use]
    pub fn distinct_acls(&self) -> usize {
        self.table.effectives.len()
    }

    /// Applies the batch that makes `epoch`.
    ///
    /// # Errors
    /// `Corrupted` if `epoch` is not the next one or an event does not fit what came before; the plane is then
    /// unusable and must be dropped.
    pub fn apply(&mut self, epoch: u64, events: &[AccessEvent]) -> Result<()> {
        if epoch != self.epoch + 1 {
            return Err(Error::corrupted("apply access log", "an epoch is missing").with("epoch", epoch));
        }
        self.remembered.get_mut().unwrap_or_else(PoisonError::into_inner).forget();
        for event in events {
            self.apply_one(event).map_err(|e| e.with("epoch", epoch))?;
        }
        self.epoch = epoch;
        Ok(())
    }

    fn apply_one(&mut self, event: &AccessEvent) -> Result<()> {
        let (documents, table, epoch) = (&mut self.documents, &mut self.table, self.epoch + 1);
        match event {
            AccessEvent::Created { labels } => {
                self.labels = Arc::new(labels.clone());
                Ok(())
            }
            AccessEvent::Numbered { tenant, id, number } => documents.add(tenant, id, *number),
            AccessEvent::Bound { number, binding } => {
                if !self.labels.contains(binding.label) {
                    return Err(Error::corrupted("apply access log", "a label is not one of the index"));
                }
                let tenant = documents.name(*number).map(|(tenant, _)| tenant.clone()).unwrap_or_default();
                documents.change(*number, epoch, table, |state, table| state.bind(Bound::new(binding, &tenant, table)))
            }
            AccessEvent::Revoked { number, principal } => {
                documents.change(*number, epoch, table, |state, table| state.revoke(table.principals.intern(principal)))
            }
            AccessEvent::Restored { number, principal, .. } => {
                documents
                    .change(*number, epoch, table, |state, table| state.restore(table.principals.intern(principal)))
            }
            AccessEvent::ObjectStated { tenant, name, statement } => {
                table.state_object(tenant, name, statement);
                Ok(())
            }
            AccessEvent::ObjectRevoked { tenant, name, principal } => {
                table.revoke_object(tenant, name, principal, true);
                Ok(())
            }
            AccessEvent::ObjectRestored { tenant, name, principal, .. } => {
                table.revoke_object(tenant, name, principal, false);
                Ok(())
            }
            AccessEvent::MaxAge { max_age_ms, .. } => {
                self.max_age_ms = *max_age_ms;
                Ok(())
            }
            AccessEvent::Confirmed { .. } => Ok(()),
            AccessEvent::Policies { source, .. } => {
                self.policies.set(source.clone());
                Ok(())
            }
        }
    }

    /// The number of a document.
    #[must_use]
    pub fn number(&self, tenant: &Tenant, id: &str) -> Option<DocumentNumber> {
        self.documents.number(tenant, id)
    }

    /// The id of a document within its tenant.
    #[must_use]
    pub fn id(&self, number: DocumentNumber) -> Option<&str> {
        self.documents.name(number).map(|(_, id)| id)
    }

    /// What stands written about a document; `None` if no ACL was ever stated.
    #[must_use]
    pub fn document(&self, number: DocumentNumber) -> Option<DocumentAccess> {
        let state = self.documents.state(number).filter(|state| state.newest().is_some())?;
        let (bindings, revoked) = (state.stated(&self.table), state.stated_revoked(&self.table));
        Some(DocumentAccess { number, bindings, revoked })
    }

    /// The label of `version` of a document: the highest that was stated from that version on, since a lower one that came
    /// with newer content is not meant for this; `None` if no ACL was ever stated.
    #[must_use]
    pub fn label_of(&self, number: DocumentNumber, version: Version) -> Option<LabelRank> {
        self.documents.label_of(number, version)
    }

    /// Which effective ACLs let `identity` pass. Remembered by (identity digest, epoch); cold it costs
    /// `O(principals + ACLs that name one of them + distinct effective ACLs)`.
    ///
    /// # Errors
    /// `Denied` if the identity has expired, or there are policies that cannot be asked or cannot judge it; `Invalid` if
    /// its clearance is not a label of this index.
    pub fn permitted(&self, identity: &Identity, now: Timestamp) -> Result<Permitted> {
        identity.check_expiry(now)?;
        let remembered = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered().get(&identity.digest(), self.epoch);
        if let Some(permitted) = known {
            return Ok(permitted);
        }
        let clearance = self.clearance(identity)?;
        let permissions = self.permissions();
        let needed = |input: Input| permissions.of_whole(identity.tenant(), input.number, input.version);
        let passes = self.table.passed_by(&identity.principals(), clearance, needed, |asked| {
            self.policies.judge(&self.table, identity, asked)
        })?;
        let permitted = Permitted::new(identity, self.epoch, passes);
        remembered().put(identity.digest(), self.epoch, permitted.clone());
        Ok(permitted)
    }

    /// The same asker as far as something may see that is cleared for `highest` and no more, such as a model; `None` if they
    /// see no more themselves. What a passage was derived from and every label that its version was ever bound to count.
    ///
    /// # Errors
    /// `Invalid` if `highest` or the identity's clearance is not a label of this index.
    pub fn up_to(&self, identity: &Identity, highest: &str) -> Result<Option<Identity>> {
        let (own, highest) = (self.clearance(identity)?.highest, self.labels.rank(highest)?);
        Ok((highest < own).then(|| identity.with_clearance(self.labels.name(highest))))
    }

    /// The highest label of `version` of a document and of all that it was derived from: what a model must be cleared for that
    /// reads it. `None` if nothing is stated of some of it.
    #[must_use]
    pub fn label_with_inputs(&self, number: DocumentNumber, version: Version) -> Option<LabelRank> {
        let (tenant, _) = self.documents.name(number)?;
        let permissions = self.permissions();
        let (mut highest, mut seen) = (self.label_of(number, version)?, BTreeSet::new());
        let mut open = vec![Input { number, version }];
        while let Some(input) = open.pop() {
            if !seen.insert(input) {
                continue;
            }
            let needed = permissions.of_whole(tenant, input.number, input.version)?;
            highest = highest.max(needed.label());
            open.extend(needed.bases().flat_map(|base| self.table.rules.inputs_of(base)));
        }
        Some(highest)
    }

    fn clearance(&self, identity: &Identity) -> Result<Clearance> {
        let highest = match identity.clearance() {
            Some(name) => self.labels.rank(name)?,
            None => LabelRank(0),
        };
        Ok(Clearance { highest, groups_complete: identity.groups_complete() })
    }

    /// Why `identity` may or may not read `version` of a document (the newest for `None`): for operators, not for the
    /// asker, because it tells that the document exists.
    ///
    /// # Errors
    /// As [`AccessPlane::permitted`], and `NotFound` for a document that never had a number in the identity's tenant.
    pub fn explain(
        &self,
        identity: &Identity,
        id: &str,
        version: Option<Version>,
        now: Timestamp,
    ) -> Result<Explanation> {
        identity.check_expiry(now)?;
        let clearance = self.clearance(identity)?;
        let number = self.number(identity.tenant(), id);
        let state = number
            .and_then(|n| self.documents.state(n))
            .ok_or_else(|| Error::new(Kind::NotFound, "explain", format!("no document `{id}` in this tenant")))?;
        let (bound, revoked) = (state.stated_for(version, &self.table), state.stated_revoked(&self.table));
        let permitted = self.permitted(identity, now)?;
        let effective = state.effective_of(version, 0, &self.table);
        let visible = effective.is_some_and(|effective| permitted.lets_pass(&effective));
        Ok(Explainer { plane: self, identity, permitted: &permitted, clearance, revoked: &revoked }
            .explain(&bound, version, visible))
    }

    /// Whether `identity` may read all of what something was derived from.
    pub(crate) fn may_read_whole(&self, permitted: &Permitted, identity: &Identity, input: Input) -> bool {
        let needed = self.permissions().of_whole(identity.tenant(), input.number, input.version);
        needed.is_some_and(|effective| permitted.lets_pass(&effective))
    }

    /// What rows of documents need, for looking up many.
    pub(crate) fn permissions(&self) -> Permissions<'_> {
        self.documents.permissions(&self.table)
    }

    /// Documents whose permission changed after `epoch`, newest last; may repeat, and may be all there are if the plane
    /// was opened from a later snapshot.
    pub fn changes_since(&self, epoch: u64) -> impl Iterator<Item = DocumentNumber> + '_ {
        self.documents.changed_since(epoch)
    }
}

impl AccessPlane {
    /// Everything the plane knows in columns, for a snapshot of the log; [`AccessPlane::from_columns`] uses them where
    /// they lie.
    ///
    /// # Errors
    /// `Invalid` if it is more than the columns can hold: 2^32 bytes of ids.
    pub fn to_columns(&self) -> Result<Vec<u8>> {
        stored::write(&self.labels, &self.table, &self.documents, self.policies.source(), self.max_age_ms)
    }

    /// The plane at `epoch`, from what [`AccessPlane::to_columns`] gave at that epoch. Takes in what is distinct and
    /// leaves what is said of each document where it lies.
    ///
    /// # Errors
    /// `Corrupted` if the columns do not fit together. That the bytes are what was written is the caller's to check.
    pub fn from_columns(epoch: u64, bytes: SharedBytes) -> Result<Self> {
        let (labels, table, stored, source, max_age_ms) = stored::read(bytes)?;
        let documents = Documents::stored(stored, epoch);
        let mut plane = Self { epoch, labels: Arc::new(labels), documents, table, max_age_ms, ..Self::default() };
        plane.policies.set(source);
        Ok(plane)
    }

    /// Everything the plane knows as one batch of events, as snapshots of format 1 have it.
    #[must_use]
    pub fn export(&self) -> Vec<AccessEvent> {
        let mut events = vec![AccessEvent::Created { labels: Labels::clone(&self.labels) }];
        events.extend(self.objects_as_events());
        let policies = self.policies.source().cloned();
        let max_age = self.max_age_ms.map(|age| (Some(age), "snapshot".to_owned()));
        events.extend(max_age.map(|(max_age_ms, reason)| AccessEvent::MaxAge { max_age_ms, reason }));
        events.extend(policies.map(|p| AccessEvent::Policies { source: Some(p), reason: "snapshot".into() }));
        for number in (0..self.documents.len()).map(DocumentNumber) {
            let Some(((tenant, id), state)) = self.documents.name(number).zip(self.documents.state(number)) else {
                continue;
            };
            events.push(AccessEvent::Numbered { tenant: tenant.clone(), id: id.into(), number });
            let bound = state.stated(&self.table).into_iter().map(|binding| AccessEvent::Bound { number, binding });
            events.extend(bound);
            let revoked = state.stated_revoked(&self.table).into_iter();
            events.extend(revoked.map(|principal| AccessEvent::Revoked { number, principal }));
        }
        events
    }

    /// A plane at `epoch`, from what [`AccessPlane::export`] gave at that epoch.
    ///
    /// # Errors
    /// `Corrupted` if the events do not fit together.
    pub fn restore(epoch: u64, events: &[AccessEvent]) -> Result<Self> {
        let mut plane = Self { epoch: epoch.saturating_sub(1), ..Self::default() };
        plane.apply(epoch, events)?;
        Ok(plane)
    }
}
