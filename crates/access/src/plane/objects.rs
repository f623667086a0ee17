//! Which ACL objects are there, what do they say, and in which order can they be asked?
//!
//! An object has its number from the first time anything names it. One that is only named, or was removed, denies. Documents
//! and objects point at numbers, so that what is under an object need not be touched when it changes or moves.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::acls::next_id;
use super::descent::Descent;
use super::rules::Rules;
use crate::document::Tenant;
use crate::event::Origin;

/// What is stated about an object, by numbers of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectRules {
    /// `None` for one that was removed.
    pub rule: Option<u32>,
    pub source_rule: Option<u32>,
    pub origin: Origin,
    /// The object above it; a copy of what the rule says.
    pub parent: Option<u32>,
}

/// One ACL object.
#[derive(Debug)]
pub(super) struct Object {
    pub tenant: Tenant,
    pub name: Arc<str>,
    pub stated: Option<ObjectRules>,
    /// Who lost everything under it, by number of the principal.
    pub revoked: BTreeSet<u32>,
    /// Lists that deny these; `None` for nobody.
    pub revoked_lists: Option<u32>,
}

impl Object {
    /// Whether it says anything.
    pub fn is_stated(&self) -> bool {
        self.stated.is_some_and(|stated| stated.rule.is_some())
    }

    /// The object above it.
    pub fn above(&self) -> Option<u32> {
        self.stated.and_then(|stated| stated.parent)
    }
}

/// All objects by number and by (tenant, name).
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: Vec<Object>,
    numbers: HashMap<Tenant, HashMap<Arc<str>, u32>>,
    descent: OnceLock<Descent>,
    changes: u64,
}

impl Objects {
    /// Grows whenever an object is added or may have changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub fn all(&self) -> &[Object] {
        &self.all
    }

    pub fn get(&self, id: u32) -> Option<&Object> {
        self.all.get(id as usize)
    }

    pub fn find(&self, tenant: &Tenant, name: &str) -> Option<u32> {
        self.numbers.get(tenant)?.get(name).copied()
    }

    /// The number of an object, which gets one if it has none.
    pub fn intern(&mut self, tenant: &Tenant, name: &str) -> u32 {
        if let Some(id) = self.find(tenant, name) {
            return id;
        }
        let (id, name) = (next_id(self.all.len()), Arc::<str>::from(name));
        self.numbers.entry(tenant.clone()).or_default().insert(Arc::clone(&name), id);
        let (tenant, revoked) = (tenant.clone(), BTreeSet::new());
        self.all.push(Object { tenant, name, stated: None, revoked, revoked_lists: None });
        self.descent = OnceLock::new();
        self.changes += 1;
        id
    }

    /// An object to be changed in any way.
    pub fn change(&mut self, id: u32) -> Option<&mut Object> {
        self.descent = OnceLock::new();
        self.changes += 1;
        self.all.get_mut(id as usize)
    }

    /// Changes an object. As long as it stays under the same one, that costs nothing where there are many others.
    pub fn alter(&mut self, id: u32, rules: &Rules, change: impl FnOnce(&mut Object)) {
        let Some(object) = self.all.get_mut(id as usize) else { return };
        let above = object.above();
        change(object);
        self.changes += 1;
        match self.descent.get_mut() {
            Some(descent) if object.above() == above => descent.restate(id, object, rules),
            _ => self.descent = OnceLock::new(),
        }
    }

    /// What is needed to ask all of them from the top down.
    pub fn descent(&self, rules: &Rules) -> &Descent {
        self.descent.get_or_init(|| Descent::new(&self.all, rules))
    }

    /// An object and those above it, nearest first; each once.
    pub fn upwards(&self, from: u32) -> Vec<u32> {
        let mut chain = Vec::new();
        let (mut next, mut seen) = (Some(from), BTreeSet::new());
        while let Some(id) = next.filter(|id| seen.insert(*id)) {
            chain.push(id);
            next = self.get(id).and_then(Object::above);
        }
        chain
    }
}
