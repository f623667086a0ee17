//! Everything that was done to an index, and who must see what after it.

use std::collections::{BTreeMap, BTreeSet};

use safepassage::{Acl, Principal};

/// A tenant and an id.
pub type Key = (String, String);

/// Names of the labels, lowest first.
const LABELS: [&str; 4] = ["public", "internal", "confidential", "restricted"];

/// An identity as its owner would write it down.
#[derive(Debug, Clone)]
pub struct Who {
    /// Its tenant.
    pub tenant: String,
    /// `None`: nobody has signed in.
    pub user: Option<String>,
    /// Ids of groups.
    pub groups: Vec<String>,
    /// Whether these are all.
    pub groups_complete: bool,
    /// Place of the highest label it may see.
    pub clearance: usize,
}

impl Who {
    fn is(&self, principal: &Principal) -> bool {
        let text = principal.to_string();
        if text == "public" {
            return true;
        }
        let Some(user) = &self.user else { return false };
        let named = self.groups.iter().any(|group| text == format!("group:{group}"));
        text == "everyone" || text == format!("user:{user}") || named
    }

    /// The name of its clearance.
    #[must_use]
    pub fn clearance_name(&self) -> &'static str {
        LABELS[self.clearance]
    }
}

/// One statement about a document.
#[derive(Debug, Clone)]
struct Said {
    content: usize,
    acl: Acl,
    label: usize,
    by_source: Acl,
    by_person: bool,
}

/// What was ever said about a document.
#[derive(Debug, Default)]
struct Document {
    contents: Vec<Vec<f32>>,
    said: Vec<Said>,
    revoked: BTreeSet<Principal>,
}

/// Everything that was done.
#[derive(Debug)]
pub struct World {
    documents: BTreeMap<Key, Document>,
    live: BTreeMap<Key, usize>,
    generations: BTreeMap<u64, BTreeMap<Key, usize>>,
}

impl Default for World {
    fn default() -> Self {
        let generations = BTreeMap::from([(1, BTreeMap::new())]);
        Self { documents: BTreeMap::new(), live: BTreeMap::new(), generations }
    }
}

impl World {
    /// The name of the label at `place`.
    #[must_use]
    pub fn label(place: usize) -> &'static str {
        LABELS[place]
    }

    /// Every document that was ever added.
    #[must_use]
    pub fn known(&self) -> Vec<Key> {
        self.documents.keys().cloned().collect()
    }

    /// The vectors a document ever had.
    #[must_use]
    pub fn contents(&self, key: &Key) -> &[Vec<f32>] {
        self.documents.get(key).map_or(&[], |document| &document.contents)
    }

    /// Who lost the document.
    #[must_use]
    pub fn revoked(&self, key: &Key) -> Vec<Principal> {
        self.documents[key].revoked.iter().cloned().collect()
    }

    /// The generations one could go back to, newest last.
    #[must_use]
    pub fn generations(&self) -> Vec<u64> {
        self.generations.keys().copied().collect()
    }

    /// A caller adds a document. What a person said stands unless the caller now says something else than before.
    pub fn add(&mut self, key: Key, vector: Vec<f32>, acl: Acl, label: usize) {
        let document = self.documents.entry(key.clone()).or_default();
        let at = document.contents.iter().position(|known| *known == vector);
        let content = at.unwrap_or_else(|| {
            document.contents.push(vector);
            document.contents.len() - 1
        });
        let mut said = Said { content, acl: acl.clone(), label, by_source: acl, by_person: false };
        if let Some(before) = document.said.last() {
            let again = before.by_source == said.by_source && before.label == said.label;
            if again && before.by_person {
                said = Said { content, ..before.clone() };
            }
        }
        document.say(said);
        self.live.insert(key, content);
    }

    /// A caller deletes a document.
    pub fn delete(&mut self, key: &Key) {
        self.live.remove(key);
    }

    /// A person replaces the ACL.
    pub fn set_acl(&mut self, key: &Key, acl: Acl) {
        let document = self.documents.get_mut(key).expect("known");
        let before = document.said.last().expect("something was said").clone();
        document.say(Said { acl, by_person: true, ..before });
    }

    /// A person takes the document from a principal.
    pub fn revoke(&mut self, key: &Key, principal: Principal) {
        self.documents.get_mut(key).expect("known").revoked.insert(principal);
    }

    /// A person lifts a revocation.
    pub fn restore(&mut self, key: &Key, principal: &Principal) {
        self.documents.get_mut(key).expect("known").revoked.remove(principal);
    }

    /// The content as it is now is generation `number`, and every one between.
    pub fn publish(&mut self, number: u64) {
        let newest = self.generations.keys().next_back().copied().unwrap_or(0);
        for generation in newest + 1..=number {
            self.generations.insert(generation, self.live.clone());
        }
    }

    /// The content is again that of `generation`; nothing else changes.
    pub fn roll_back(&mut self, generation: u64) {
        self.live = self.generations[&generation].clone();
    }

    /// The documents `who` must see, with their vectors, by id.
    #[must_use]
    pub fn visible(&self, who: &Who) -> BTreeMap<String, Vec<f32>> {
        let mut visible = BTreeMap::new();
        for ((tenant, id), content) in &self.live {
            let document = &self.documents[&(tenant.clone(), id.clone())];
            if *tenant == who.tenant && document.permits(*content, who) {
                visible.insert(id.clone(), document.contents[*content].clone());
            }
        }
        visible
    }
}

impl Document {
    /// A statement about the content last spoken of replaces the one before. Of three in a row that say the same of
    /// different contents the first is forgotten.
    fn say(&mut self, said: Said) {
        if self.said.last().is_some_and(|last| last.content == said.content) {
            self.said.pop();
        }
        self.said.push(said);
        let n = self.said.len();
        let alike = |a: &Said, b: &Said| a.acl == b.acl && a.label == b.label;
        if n > 2 && alike(&self.said[n - 3], &self.said[n - 1]) && alike(&self.said[n - 2], &self.said[n - 1]) {
            self.said.remove(n - 3);
        }
    }

    /// Whether everything said since `content` was last spoken of lets `who` pass.
    fn permits(&self, content: usize, who: &Who) -> bool {
        let from = self.said.iter().rposition(|said| said.content == content).unwrap_or(0);
        for said in &self.said[from..] {
            let denied: Vec<&Principal> = said.acl.deny.iter().chain(&self.revoked).collect();
            let unknown = !who.groups_complete && denied.iter().any(|p| p.to_string().contains("group:"));
            if said.label > who.clearance || unknown || denied.iter().any(|p| who.is(p)) {
                return false;
            }
            if !said.acl.allow.iter().any(|p| who.is(p)) {
                return false;
            }
        }
        true
    }
}

/// The cosine of two vectors, in f64.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
