//! What is stated of documents and objects, once for all that are stated alike.
//!
//! A *rule* is an ACL's own lists with what it inherits, who lost the document, what policies know of it, and what its
//! narrower sections permit, and what it was derived from. A rule that is nothing but lists has their number; any other has a number here, with
//! [`COMPOSED`] set.

use std::collections::{BTreeMap, HashMap};

use super::acls::{COMPOSED, next_id};
use crate::acl::Inherit;
use crate::event::Input;
use crate::identity::Attribute;

/// Stands where there is none.
pub(super) const NONE: u32 = u32::MAX;

/// The attributes of a part of a document: policies are asked about the whole.
pub(super) const PART: u32 = u32::MAX - 1;

/// The number of having no attributes.
pub(super) const NO_ATTRIBUTES: u32 = 0;

/// A rule that is more than lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    /// The number of its own lists.
    pub lists: u32,
    /// The object it inherits from, or [`NONE`].
    pub parent: u32,
    pub inherit: Inherit,
    /// Lists that deny who lost the document, or [`NONE`].
    pub revoked: u32,
    /// The number of its attributes.
    pub attributes: u32,
    /// The number of a list of rules, or [`NONE`].
    pub sections: u32,
    /// The number of a list of inputs, or [`NONE`].
    pub inputs: u32,
}

impl Rule {
    pub const fn of(lists: u32) -> Self {
        let inherit = Inherit::DenyWins;
        Self { lists, parent: NONE, inherit, revoked: NONE, attributes: NO_ATTRIBUTES, sections: NONE, inputs: NONE }
    }
}

/// What policies tell documents apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Class {
    pub object: u32,
    pub attributes: u32,
}

/// What a document is to policies by.
pub(super) type Attributes = BTreeMap<String, Attribute>;

/// Things of which each is kept once, by number.
#[derive(Debug)]
pub(super) struct Distinct<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Distinct<T> {
    pub fn intern(&mut self, one: T) -> u32 {
        if let Some(&number) = self.numbers.get(&one) {
            return number;
        }
        let number = next_id(self.all.len());
        self.all.push(one.clone());
        self.numbers.insert(one, number);
        number
    }

    pub fn all(&self) -> &[T] {
        &self.all
    }

    pub fn get(&self, number: u32) -> Option<&T> {
        self.all.get(number as usize)
    }
}

/// The distinct rules that are more than lists.
#[derive(Debug)]
pub(super) struct Rules {
    composed: Distinct<Rule>,
    pub attributes: Distinct<Attributes>,
    pub sections: Distinct<Box<[u32]>>,
    pub inputs: Distinct<Box<[Input]>>,
}

impl Default for Rules {
    fn default() -> Self {
        let mut attributes = Distinct::default();
        attributes.intern(Attributes::new());
        Self { composed: Distinct::default(), attributes, sections: Distinct::default(), inputs: Distinct::default() }
    }
}

impl Rules {
    /// The number of a rule.
    pub fn intern(&mut self, rule: Rule) -> u32 {
        if rule == Rule::of(rule.lists) { rule.lists } else { self.composed.intern(rule) | COMPOSED }
    }

    /// The rule with this number; one that is not there is nobody's.
    pub fn get(&self, id: u32) -> Rule {
        match id & COMPOSED {
            0 => Rule::of(id),
            _ => self.composed.get(id & !COMPOSED).copied().unwrap_or(Rule::of(NONE)),
        }
    }

    /// Those that are more than lists, by number without [`COMPOSED`].
    pub fn composed(&self) -> &[Rule] {
        self.composed.all()
    }

    /// What the content under rule `id` was derived from.
    pub fn inputs_of(&self, id: u32) -> &[Input] {
        self.inputs.get(self.get(id).inputs).map_or(&[], |inputs| inputs)
    }

    /// The rules of the narrower sections of what is under rule `id`, in order.
    pub fn sections_of(&self, id: u32) -> &[u32] {
        self.sections.get(self.get(id).sections).map_or(&[], |rules| rules)
    }
}
