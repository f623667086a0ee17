//! Who may read what by the plain rules? What evaluation holds answers against: for operators.
//!
//! A search goes through the plane: interned rules, inverted maps, bitmaps, what is remembered. A [`Judge`] takes what was
//! stated and asks the specification in `access`, plain loops that share nothing with it. Policies and authorizers are
//! not part of that: they can only close more, so what a judge says may not be read may not be read.

use std::collections::{BTreeMap, HashMap, HashSet};

use safepassage_access::specification::World;
use safepassage_access::{AccessEvent, Acl, DocumentNumber, Identity, Tenant, Version};
use safepassage_error::Result;
use safepassage_error::system::Clock;

use crate::engine::Engine;

/// What was stated about who may read, at one epoch, and the passages that are live in one generation: for operators.
#[derive(Debug)]
pub struct Judge {
    created: Vec<AccessEvent>,
    objects: HashMap<(Tenant, Box<str>), Vec<AccessEvent>>,
    documents: HashMap<DocumentNumber, Vec<AccessEvent>>,
    live: Vec<Live>,
    clock: Clock,
    acl_epoch: u64,
    generation: u64,
    policies: bool,
}

#[derive(Debug)]
struct Live {
    tenant: Tenant,
    id: String,
    number: DocumentNumber,
    version: Version,
    /// How many passages each section has.
    sections: BTreeMap<u16, u64>,
}

/// What somebody may read by the plain rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readable {
    /// By document: how many passages of each section that may be read.
    documents: BTreeMap<String, BTreeMap<u16, u64>>,
}

impl Readable {
    /// Whether a passage of `section` of `document` may be read.
    #[must_use]
    pub fn has(&self, document: &str, section: u16) -> bool {
        self.documents.get(document).is_some_and(|sections| sections.contains_key(&section))
    }

    /// Whether anything of `document` may be read.
    #[must_use]
    pub fn has_any_of(&self, document: &str) -> bool {
        self.documents.contains_key(document)
    }

    /// How many passages of `document` may be read.
    #[must_use]
    pub fn passages_of(&self, document: &str) -> u64 {
        self.documents.get(document).map_or(0, |sections| sections.values().sum())
    }

    /// The documents of which anything may be read, in byte order.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &str> {
        self.documents.keys().map(String::as_str)
    }
}

impl Engine {
    /// A judge of the newest generation at the newest epoch: for operators. It copies all that was stated.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn judge(&self) -> Result<Judge> {
        let snapshot = self.index().snapshot()?;
        let (acl_epoch, events) = self.index().with_plane(|plane| Ok((plane.epoch(), plane.export())))?;
        let live = snapshot.documents().map(|document| Live {
            tenant: document.tenant.clone(),
            id: document.id.to_owned(),
            number: document.number,
            version: document.version,
            sections: snapshot.sections(document),
        });
        let (clock, generation) = (self.clock().clone(), snapshot.generation());
        let mut judge = Judge {
            created: Vec::new(),
            objects: HashMap::new(),
            documents: HashMap::new(),
            live: live.collect(),
            clock,
            acl_epoch,
            generation,
            policies: false,
        };
        events.into_iter().for_each(|event| judge.take(event));
        Ok(judge)
    }
}

impl Judge {
    /// Puts an event where it is looked for.
    fn take(&mut self, event: AccessEvent) {
        match &event {
            AccessEvent::Numbered { number, .. }
            | AccessEvent::Bound { number, .. }
            | AccessEvent::Revoked { number, .. }
            | AccessEvent::Restored { number, .. } => self.documents.entry(*number).or_default().push(event),
            AccessEvent::ObjectStated { tenant, name, .. }
            | AccessEvent::ObjectRevoked { tenant, name, .. }
            | AccessEvent::ObjectRestored { tenant, name, .. } => {
                self.objects.entry((tenant.clone(), name.clone())).or_default().push(event);
            }
            AccessEvent::Created { .. } => self.created.push(event),
            AccessEvent::Policies { source, .. } => self.policies = source.is_some(),
            AccessEvent::Confirmed { .. } | AccessEvent::MaxAge { .. } => {}
        }
    }

    /// The epoch it judges by.
    #[must_use]
    pub fn acl_epoch(&self) -> u64 {
        self.acl_epoch
    }

    /// The generation whose documents it knows.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether `engine` has nothing newer.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn is_newest(&self, engine: &Engine) -> Result<bool> {
        let epoch = engine.index().with_plane(|plane| Ok(plane.epoch()))?;
        Ok(epoch == self.acl_epoch && engine.index().snapshot()?.generation() == self.generation)
    }

    /// Whether policies are in force, of which it knows nothing: then fewer documents may be visible than it says.
    #[must_use]
    pub fn has_policies(&self) -> bool {
        self.policies
    }

    /// The live documents of a tenant, whoever may read them, with their numbers of passages.
    pub fn live<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = (&'a str, u64)> {
        let documents = self.live.iter().filter(move |live| live.tenant == *tenant);
        documents.map(|live| (live.id.as_str(), live.sections.values().sum()))
    }

    /// What `identity` may read now, document by document: as many small worlds as there are documents.
    #[must_use]
    pub fn readable(&self, identity: &Identity) -> Readable {
        let now = self.clock.now();
        let mut readable = Readable::default();
        for live in self.live.iter().filter(|live| live.tenant == *identity.tenant()) {
            let world = self.world_of(&live.tenant, live.number);
            // One without passages is there to be listed, as what is said of all of it says.
            let none = BTreeMap::from([(0, 0)]);
            let sections = if live.sections.is_empty() { &none } else { &live.sections };
            let may = |section| world.may_read_section(identity, &live.tenant, &live.id, live.version, section, now);
            let open: BTreeMap<u16, u64> =
                sections.iter().filter(|(section, _)| may(**section)).map(|(section, n)| (*section, *n)).collect();
            if !open.is_empty() {
                readable.documents.insert(live.id.clone(), open);
            }
        }
        readable
    }

    /// Everything that decides about one document: what was said of it, of what it was derived from, and of the objects
    /// above all of that.
    fn world_of(&self, tenant: &Tenant, number: DocumentNumber) -> World {
        let mut world = World::default();
        self.created.iter().for_each(|event| world.push(event.clone()));
        let (mut numbers, mut names) = (vec![number], Vec::new());
        let (mut seen_numbers, mut seen_names) = (HashSet::new(), HashSet::new());
        while let Some(number) = numbers.pop() {
            if !seen_numbers.insert(number) {
                continue;
            }
            for event in self.documents.get(&number).into_iter().flatten() {
                if let AccessEvent::Bound { binding, .. } = event {
                    numbers.extend(binding.derived_from.iter().map(|input| input.number));
                    names.extend(std::iter::once(&binding.acl).chain(&binding.sections).filter_map(parent));
                }
                world.push(event.clone());
            }
        }
        while let Some(name) = names.pop() {
            if !seen_names.insert(name) {
                continue;
            }
            for event in self.objects.get(&(tenant.clone(), name.into())).into_iter().flatten() {
                if let AccessEvent::ObjectStated { statement, .. } = event {
                    names.extend(statement.acl.as_ref().and_then(parent));
                }
                world.push(event.clone());
            }
        }
        world
    }
}

fn parent(acl: &Acl) -> Option<&str> {
    acl.parent.as_deref()
}
