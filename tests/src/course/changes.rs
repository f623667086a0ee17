//! What may happen to a world next?

use safepassage::{BatchDocument, Engine, Kind, Result, Tenant};
use safepassage_access::AccessEvent;

use super::Course;
use crate::askers::{acl, objects, principal, stated};
use crate::{Added, Key, Ledger, World};

const TENANTS: [&str; 3] = ["", "", "acme"];
const DOCUMENTS: usize = 14;

/// What one step says, and puts.
#[derive(Clone, Default)]
pub(super) struct Step {
    pub events: Vec<AccessEvent>,
    pub batch: Vec<Added>,
    pub deleted: Vec<Key>,
}

impl Course {
    fn key(&mut self) -> Key {
        (self.numbers.pick(&TENANTS).to_owned(), format!("d{}", self.numbers.below(DOCUMENTS)))
    }

    fn added(&mut self, key: Key) -> Added {
        let parents = stated(&self.ledger, &key.0);
        let old = self.ledger.contents(&key).to_vec();
        let content = if !old.is_empty() && self.numbers.one_in(3) {
            self.numbers.pick(&old)
        } else {
            let passages = 1 + if self.numbers.one_in(3) { self.numbers.below(3) } else { 0 };
            (0..passages).map(|_| format!("w{} w{}", self.numbers.draw() % 100_000, self.numbers.below(9))).collect()
        };
        let known = self.ledger.known();
        let inputs: Vec<String> =
            known.iter().filter(|(t, id)| *t == key.0 && *id != key.1).map(|(_, id)| id.clone()).collect();
        let derived = !inputs.is_empty() && self.numbers.one_in(5);
        let derived_from = if derived { vec![self.numbers.pick(&inputs)] } else { Vec::new() };
        let sections = content[1..].iter().map(|_| acl(&mut self.numbers, &parents)).collect();
        let label = if self.numbers.one_in(3) { self.numbers.below(4) as u8 } else { 0 };
        Added { content, acl: acl(&mut self.numbers, &parents), sections, label, derived_from, key }
    }

    /// Some documents that are added, old content and old ids among them, and perhaps one that is deleted.
    pub(super) fn change(&mut self) -> Step {
        let (mut batch, mut keys) = (Vec::new(), Vec::new());
        for _ in 0..1 + self.numbers.below(6) {
            let key = self.key();
            if !keys.contains(&key) {
                batch.push(self.added(key.clone()));
                keys.push(key);
            }
        }
        let gone = self.key();
        let deleted = self.numbers.one_in(3) && self.ledger.is_live(&gone) && !keys.contains(&gone);
        let events = self.ledger.statements(&batch);
        Step { events, batch, deleted: if deleted { vec![gone] } else { Vec::new() } }
    }

    pub(super) fn stage(engine: &Engine, step: &Step) -> Result<()> {
        let document = |added: &Added| {
            let (text, sections) = added.text();
            BatchDocument {
                tenant: Tenant(added.key.0.clone()),
                id: added.key.1.clone(),
                text: Some(text),
                acl: Some(added.acl.clone()),
                label: Some(World::label(added.label.into()).to_owned()),
                sections,
                derived_from: added.derived_from.clone(),
                ..BatchDocument::default()
            }
        };
        engine.add(step.batch.iter().map(document).collect())?;
        step.deleted.iter().try_for_each(|key| engine.delete(&Tenant(key.0.clone()), &key.1).map(drop))
    }

    /// Does `step` through `engine`: a commit if it puts anything, else the one change of permissions that it says.
    pub(super) fn perform(engine: &Engine, step: &Step, key: &Key) -> Result<()> {
        if !step.batch.is_empty() || !step.deleted.is_empty() {
            Self::stage(engine, step)?;
            return engine.commit().map(drop);
        }
        let (tenant, name) = (&Tenant(key.0.clone()), key.1.as_str());
        for event in &step.events {
            match event {
                AccessEvent::Bound { binding, .. } => engine.set_acl(tenant, name, binding.acl.clone())?,
                AccessEvent::Revoked { principal, .. } => engine.revoke(tenant, name, principal)?,
                AccessEvent::Restored { principal, .. } => engine.restore(tenant, name, principal, "a test")?,
                AccessEvent::ObjectStated { statement, .. } => match &statement.acl {
                    Some(acl) => engine.set_acl_object(tenant, name, acl.clone())?,
                    None => engine.remove_acl_object(tenant, name)?,
                },
                AccessEvent::ObjectRevoked { principal, .. } => engine.revoke_acl_object(tenant, name, principal)?,
                AccessEvent::ObjectRestored { principal, .. } => {
                    engine.restore_acl_object(tenant, name, principal, "a test")?
                }
                _ => unreachable!("no step says that"),
            };
        }
        Ok(())
    }

    /// A change of permissions, or of content if there is nothing to change yet.
    pub(super) fn drawn(&mut self) -> (Step, Key) {
        let kind = self.numbers.below(12);
        let known = self.ledger.known();
        if kind < 4 || known.is_empty() {
            return (self.change(), Key::default());
        }
        let key = self.numbers.pick(&known);
        let object = (key.0.clone(), self.numbers.pick(&objects().collect::<Vec<_>>()));
        let tenant = || Tenant(object.0.clone());
        let name = || object.1.as_str().into();
        let named: Vec<String> = objects().collect();
        let one = |event| Step { events: vec![event], ..Step::default() };
        match kind {
            4 => {
                let acl = acl(&mut self.numbers, &named);
                let parent = acl.parent.as_ref().map(|parent| (key.0.clone(), parent.to_string()));
                if parent.is_some_and(|parent| !self.ledger.is_stated(&parent)) {
                    let error = self.engine.set_acl(&Tenant(key.0.clone()), &key.1, acl).expect_err("not stated");
                    assert_eq!(error.kind(), Kind::Invalid, "seed {}: {error}", self.seed);
                    return (Step::default(), key);
                }
                (one(self.ledger.set(&key, acl)), key)
            }
            5 => {
                let principal = principal(&mut self.numbers);
                (one(self.ledger.revoke(&key, principal)), key)
            }
            6 => {
                let lost = self.ledger.revoked(&key);
                let events = lost.into_iter().map(|principal| self.ledger.restore(&key, principal)).collect();
                (Step { events, ..Step::default() }, key)
            }
            7..=9 => {
                let parents: Vec<String> = if self.numbers.one_in(8) { named } else { stated(&self.ledger, &key.0) };
                let acl = acl(&mut self.numbers, &parents);
                if !self.ledger.fits(&object, &acl) {
                    let error = self.engine.set_acl_object(&tenant(), &object.1, acl).expect_err("above itself");
                    assert_eq!(error.kind(), Kind::Invalid, "seed {}: {error}", self.seed);
                    return (Step::default(), object);
                }
                (one(Ledger::state_object(&object, Some(acl))), object)
            }
            10 if self.ledger.is_stated(&object) && self.numbers.one_in(2) => {
                (one(Ledger::state_object(&object, None)), object)
            }
            _ => match self.ledger.object_revoked(&object) {
                Some(lost) if lost.is_empty() => {
                    let principal = principal(&mut self.numbers);
                    (one(AccessEvent::ObjectRevoked { tenant: tenant(), name: name(), principal }), object)
                }
                Some(lost) => {
                    let event = |principal| AccessEvent::ObjectRestored {
                        tenant: tenant(),
                        name: name(),
                        principal,
                        reason: "a test".into(),
                    };
                    (Step { events: lost.into_iter().map(event).collect(), ..Step::default() }, object)
                }
                None => (Step::default(), object),
            },
        }
    }
}
