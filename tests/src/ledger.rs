//! What was done through the face, as the specification of permissions knows it; and which passages there are.
//!
//! The library's own plane is never asked: what callers do becomes events here, by loops of our own, and the
//! specification says who may read what after them.

use std::collections::{BTreeMap, BTreeSet};

use safepassage::system::Timestamp;
use safepassage::{Acl, Identity, Labels, Principal, Section, Tenant};
use safepassage_access::specification;
use safepassage_access::{AccessEvent, Binding, DocumentNumber, Input, LabelRank, ObjectStatement, Origin, Version};

use crate::Key;

/// What is between two passages.
const BETWEEN: &str = "\n\n";

/// The passages of one version of a document: the first of the document itself, each other of a narrower section.
pub type Content = Vec<String>;

/// A document as a caller adds it.
#[derive(Debug, Clone)]
pub struct Added {
    /// Which.
    pub key: Key,
    /// Its text.
    pub content: Content,
    /// Who may read.
    pub acl: Acl,
    /// Who of them may read each narrower section.
    pub sections: Vec<Acl>,
    /// The place of its label.
    pub label: u8,
    /// Ids of documents of its tenant.
    pub derived_from: Vec<String>,
}

impl Added {
    /// The whole text, and where its narrower sections are.
    #[must_use]
    pub fn text(&self) -> (String, Vec<Section>) {
        let (mut text, mut sections) = (self.content[0].clone(), Vec::new());
        for (passage, acl) in self.content[1..].iter().zip(&self.sections) {
            text.push_str(BETWEEN);
            let start = text.len();
            text.push_str(passage);
            sections.push(Section { span: (start, text.len()), acl: acl.clone() });
        }
        (text, sections)
    }
}

#[derive(Debug, Default)]
struct Document {
    number: Option<DocumentNumber>,
    contents: Vec<Content>,
    current: Option<Binding>,
    revoked: BTreeSet<Principal>,
}

/// An ACL object, as far as what may be done to it depends on it.
#[derive(Debug, Default)]
struct Object {
    stated: Option<Acl>,
    revoked: BTreeSet<Principal>,
}

/// Everything that was done.
#[derive(Debug)]
pub struct Ledger {
    said: specification::World,
    documents: BTreeMap<Key, Document>,
    objects: BTreeMap<Key, Object>,
    numbered: u32,
    live: BTreeMap<Key, usize>,
    generations: BTreeMap<u64, BTreeMap<Key, usize>>,
}

impl Default for Ledger {
    fn default() -> Self {
        let generations = BTreeMap::from([(1, BTreeMap::new())]);
        let mut said = specification::World::default();
        said.push(AccessEvent::Created { labels: Labels::default() });
        let (documents, objects, live) = Default::default();
        Self { said, documents, objects, numbered: 0, live, generations }
    }
}

fn version(content: usize) -> Version {
    Version(content as u128 + 1)
}

impl Ledger {
    /// Every document that permissions were ever stated of.
    #[must_use]
    pub fn known(&self) -> Vec<Key> {
        self.documents.iter().filter(|(_, document)| document.current.is_some()).map(|(key, _)| key.clone()).collect()
    }

    /// Whether a document is live.
    #[must_use]
    pub fn is_live(&self, key: &Key) -> bool {
        self.live.contains_key(key)
    }

    /// What the document ever said.
    #[must_use]
    pub fn contents(&self, key: &Key) -> &[Content] {
        self.documents.get(key).map_or(&[], |document| &document.contents)
    }

    /// Who lost the document.
    #[must_use]
    pub fn revoked(&self, key: &Key) -> Vec<Principal> {
        self.documents.get(key).into_iter().flat_map(|document| document.revoked.iter().cloned()).collect()
    }

    /// Who lost what is under the ACL object; `None` if nothing was ever stated of it.
    #[must_use]
    pub fn object_revoked(&self, name: &Key) -> Option<Vec<Principal>> {
        self.objects.get(name).map(|object| object.revoked.iter().cloned().collect())
    }

    /// Whether the ACL object is stated now.
    #[must_use]
    pub fn is_stated(&self, name: &Key) -> bool {
        self.objects.get(name).is_some_and(|object| object.stated.is_some())
    }

    /// Whether `acl` may be stated of the object `name`: what is above it is stated, and it would not be above itself.
    #[must_use]
    pub fn fits(&self, name: &Key, acl: &Acl) -> bool {
        let Some(parent) = &acl.parent else { return true };
        let mut above = (name.0.clone(), parent.to_string());
        if !self.is_stated(&above) && above != *name {
            return false;
        }
        while above != *name {
            let stated = self.objects.get(&above).and_then(|object| object.stated.as_ref());
            match stated.and_then(|acl| acl.parent.as_ref()) {
                Some(parent) => above.1 = parent.to_string(),
                None => return true,
            }
        }
        false
    }

    /// What a commit of `batch` says about permissions. What a person stated stands unless the caller now says something
    /// else than before.
    ///
    /// # Panics
    /// If something is derived from what is not there.
    pub fn statements(&mut self, batch: &[Added]) -> Vec<AccessEvent> {
        let mut ordered: Vec<&Added> = batch.iter().collect();
        ordered.sort_by_key(|added| (!added.derived_from.is_empty(), added.key.clone()));
        let (mut events, mut next, mut stated) = (Vec::new(), self.numbered, BTreeMap::<Key, Input>::new());
        for added in ordered {
            let content = self.content(added);
            let document = &self.documents[&added.key];
            let said = document.current.as_ref();
            let number = document.number.unwrap_or_else(|| {
                let number = DocumentNumber(next);
                next += 1;
                let tenant = Tenant(added.key.0.clone());
                events.push(AccessEvent::Numbered { tenant, id: added.key.1.as_str().into(), number });
                number
            });
            let of = |id: &String| {
                let key = (added.key.0.clone(), id.clone());
                let known = || {
                    let input = &self.documents[&key];
                    Input { number: input.number.expect("numbered"), version: input.current.as_ref().unwrap().version }
                };
                stated.get(&key).copied().unwrap_or_else(known)
            };
            let newest: Vec<Input> = added.derived_from.iter().map(of).collect();
            let before = said.filter(|said| said.version == version(content)).map(|said| said.derived_from.clone());
            let same = |before: &Vec<Input>| before.iter().map(|i| i.number).eq(newest.iter().map(|i| i.number));
            let derived_from = before.filter(same).unwrap_or(newest);
            let fresh = Binding {
                sections: added.sections.clone(),
                derived_from,
                ..Binding::by_source(version(content), added.acl.clone(), LabelRank(added.label))
            };
            let again = said.is_some_and(|said| said.source_acl == added.acl && said.label == fresh.label);
            let mut binding = fresh.clone();
            if let Some(said) = said.filter(|said| again && said.origin == Origin::Set) {
                let Binding { version, sections, derived_from, .. } = fresh;
                binding = Binding { version, sections, derived_from, ..said.clone() };
            }
            let parts = |b: &Binding| (b.version, b.sections.clone(), b.derived_from.clone());
            if again && said.is_some_and(|said| parts(said) == parts(&binding)) {
                continue;
            }
            stated.insert(added.key.clone(), Input { number, version: binding.version });
            events.push(AccessEvent::Bound { number, binding });
        }
        events
    }

    /// The number of what `added` says among what its document ever said.
    fn content(&mut self, added: &Added) -> usize {
        let contents = &mut self.documents.entry(added.key.clone()).or_default().contents;
        contents.iter().position(|known| *known == added.content).unwrap_or_else(|| {
            contents.push(added.content.clone());
            contents.len() - 1
        })
    }

    /// Makes an epoch of `events`.
    pub fn say(&mut self, events: Vec<AccessEvent>) {
        for event in events {
            match &event {
                AccessEvent::Numbered { tenant, id, number } => {
                    self.numbered += 1;
                    self.documents.entry((tenant.0.clone(), id.to_string())).or_default().number = Some(*number);
                }
                AccessEvent::Bound { number, binding } => {
                    self.numbered_as(*number).current = Some(binding.clone());
                }
                AccessEvent::Revoked { number, principal } => {
                    self.numbered_as(*number).revoked.insert(principal.clone());
                }
                AccessEvent::Restored { number, principal, .. } => {
                    self.numbered_as(*number).revoked.remove(principal);
                }
                AccessEvent::ObjectStated { tenant, name, statement } => {
                    self.object((tenant, name)).stated.clone_from(&statement.acl);
                }
                AccessEvent::ObjectRevoked { tenant, name, principal } => {
                    self.object((tenant, name)).revoked.insert(principal.clone());
                }
                AccessEvent::ObjectRestored { tenant, name, principal, .. } => {
                    self.object((tenant, name)).revoked.remove(principal);
                }
                _ => {}
            }
            self.said.push(event);
        }
    }

    fn numbered_as(&mut self, number: DocumentNumber) -> &mut Document {
        self.documents.values_mut().find(|document| document.number == Some(number)).expect("numbered")
    }

    fn object(&mut self, (tenant, name): (&Tenant, &str)) -> &mut Object {
        self.objects.entry((tenant.0.clone(), name.to_owned())).or_default()
    }

    /// A person replaces the ACL of a document.
    ///
    /// # Panics
    /// If nothing was ever stated of it; so do the others.
    #[must_use]
    pub fn set(&self, key: &Key, acl: Acl) -> AccessEvent {
        let document = &self.documents[key];
        let current = document.current.clone().expect("stated");
        let number = document.number.expect("numbered");
        AccessEvent::Bound { number, binding: Binding { acl, origin: Origin::Set, ..current } }
    }

    /// A person takes a document from a principal.
    #[must_use]
    pub fn revoke(&self, key: &Key, principal: Principal) -> AccessEvent {
        AccessEvent::Revoked { number: self.documents[key].number.expect("numbered"), principal }
    }

    /// A person lifts that.
    #[must_use]
    pub fn restore(&self, key: &Key, principal: Principal) -> AccessEvent {
        let number = self.documents[key].number.expect("numbered");
        AccessEvent::Restored { number, principal, reason: "a test".into() }
    }

    /// A person states an ACL object, or removes it.
    #[must_use]
    pub fn state_object(name: &Key, acl: Option<Acl>) -> AccessEvent {
        let statement = ObjectStatement { acl, source_acl: None, origin: Origin::Set };
        AccessEvent::ObjectStated { tenant: Tenant(name.0.clone()), name: name.1.as_str().into(), statement }
    }

    /// A caller puts and deletes documents.
    pub fn put(&mut self, batch: &[Added], deleted: &[Key]) {
        for added in batch {
            let content = self.content(added);
            self.live.insert(added.key.clone(), content);
        }
        self.live.retain(|key, _| !deleted.contains(key));
    }

    /// The content as it is now is generation `number`, and every one between.
    pub fn publish(&mut self, number: u64) {
        let newest = self.newest();
        for generation in newest + 1..=number {
            self.generations.insert(generation, self.live.clone());
        }
    }

    /// The newest generation.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.generations.keys().next_back().copied().unwrap_or(0)
    }

    /// The content is again that of `generation`.
    pub fn roll_back(&mut self, generation: u64) {
        self.live = self.generations[&generation].clone();
    }

    /// Every live document with whether `who` may at `now` read it outside its narrower sections, and the passages of it
    /// that they may read.
    pub fn judged<'a>(
        &'a self,
        who: &'a Identity,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'a Key, bool, Vec<&'a str>)> {
        self.live.iter().map(move |(key, &content)| {
            let tenant = Tenant(key.0.clone());
            let may = |section| self.said.may_read_section(who, &tenant, &key.1, version(content), section, now);
            let passages = self.documents[key].contents[content].iter().zip(0u16..);
            let open: Vec<&str> =
                passages.filter(|(_, section)| may(*section)).map(|(text, _)| text.as_str()).collect();
            (key, may(0), open)
        })
    }
}
