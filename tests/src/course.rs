//! One random world: what is done to it through the face, and what everybody must see after each step.
//!
//! Some steps end in a power cut: then what was acknowledged must be there, and of what was not either all of an epoch
//! or none of it, and either the generation before or the one after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use safepassage::system::{Clock, Timestamp};
use safepassage::{
    BatchDocument, Create, EmbedderChoice, Engine, Hook, Identity, Kind, Mode, Request, Result, Session, Tenant,
};
use safepassage_access::AccessEvent;
use safepassage_index::storage::{Fault, FaultyStorage, MemoryStorage, Storage};

use crate::askers::{acl, objects, principal, somebody, stated};
use crate::listener::{Listener, is_word, judged_as, passages};
use crate::{Added, Key, Ledger, Numbers, Words, World, cosine};

const TENANTS: [&str; 3] = ["", "", "acme"];
const DOCUMENTS: usize = 14;
const ASKERS: usize = 12;
const SEARCHES: usize = 3;
/// Scores are f32, and rows may lie in other orders.
const NEAR: f64 = 1e-5;

/// What was compared.
#[derive(Debug, Default, Clone, Copy)]
pub struct Compared {
    /// Of an identity about a document.
    pub decisions: u64,
    /// Of which it may be read.
    pub allowed: u64,
    /// Searches by vector.
    pub searches: u64,
    /// Hits of them.
    pub hits: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Prompts that left.
    pub prompts: u64,
    /// Passages in them.
    pub sent: u64,
}

/// One world.
pub struct Course {
    seed: u64,
    numbers: Numbers,
    memory: MemoryStorage,
    clock: Clock,
    engine: Engine,
    ledger: Ledger,
    askers: Vec<(Session, Identity)>,
    /// What was compared so far.
    pub compared: Compared,
}

/// What one step says, and puts.
#[derive(Clone, Default)]
struct Step {
    events: Vec<AccessEvent>,
    batch: Vec<Added>,
    deleted: Vec<Key>,
}

/// A change between the making of a prompt and its sending.
struct Meanwhile(Mutex<Option<(Engine, Step, Key)>>);

impl Hook for Meanwhile {
    fn before_request(&self, _: &mut Request) -> Result<()> {
        let change = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        change.map_or(Ok(()), |(engine, step, key)| Course::perform(&engine, &step, &key))
    }
}

fn opened(storage: Arc<dyn Storage>, clock: &Clock) -> Engine {
    Engine::open_storage(storage, Some(Words::model()), clock.clone()).expect("what was written opens")
}

impl Course {
    /// The world of `seed`, with nothing in it.
    ///
    /// # Panics
    /// As soon as anything is not as it must be, naming the seed; so do the others.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let (memory, clock) = (MemoryStorage::default(), Clock::fixed(Timestamp(1)));
        let create = Create { embedder: EmbedderChoice::Given(Words::model()), ..Create::default() };
        let engine = Engine::create_in(Arc::new(memory.clone()), create, clock.clone()).expect("an index");
        let (ledger, compared) = (Ledger::default(), Compared::default());
        let mut course =
            Self { seed, numbers: Numbers(seed), memory, clock, engine, ledger, askers: Vec::new(), compared };
        course.invite();
        course
    }

    /// Keeps everybody who asks, but for one, so that what is remembered of them is asked again.
    fn invite(&mut self) {
        if !self.askers.is_empty() {
            let leaves = self.numbers.below(self.askers.len());
            self.askers.remove(leaves);
        }
        while self.askers.len() < ASKERS {
            let (who, judged) = somebody(&mut self.numbers, &self.clock);
            self.askers.push((self.engine.session(who).expect("a session"), judged));
        }
    }

    fn reopen(&mut self) {
        self.engine = opened(Arc::new(self.memory.clone()), &self.clock);
        for (session, _) in &mut self.askers {
            let who = session.identity().clone();
            if who.check_expiry(self.clock.now()).is_ok() {
                *session = self.engine.session(who).expect("a session");
            }
        }
        let now = self.clock.now();
        self.askers.retain(|(_, judged)| judged.check_expiry(now).is_ok());
    }

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
    fn change(&mut self) -> Step {
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

    fn stage(engine: &Engine, step: &Step) -> Result<()> {
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
    fn perform(engine: &Engine, step: &Step, key: &Key) -> Result<()> {
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
    fn drawn(&mut self) -> (Step, Key) {
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

    fn generation(&self) -> u64 {
        self.engine.stats().expect("sizes").generation
    }

    /// Does all of `step`, now and then as another process would.
    fn whole(&mut self, step: Step, key: &Key) {
        let seed = self.seed;
        let other = self.numbers.one_in(4).then(|| opened(Arc::new(self.memory.clone()), &self.clock));
        let engine = other.as_ref().unwrap_or(&self.engine);
        Self::perform(engine, &step, key).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
        assert_eq!(engine.wait_for_merges().error, None);
        self.performed(step);
    }

    /// Takes notice of what was done.
    fn performed(&mut self, step: Step) {
        let puts = !step.batch.is_empty() || !step.deleted.is_empty();
        self.ledger.say(step.events);
        if puts {
            assert_eq!(self.engine.wait_for_merges().error, None);
            self.ledger.put(&step.batch, &step.deleted);
            self.ledger.publish(self.generation());
        }
    }

    /// The same, with a power cut at one of its writes, or without any if there are fewer.
    fn cut(&mut self, step: Step, key: &Key) {
        let epoch = self.engine.stats().expect("sizes").acl_epoch;
        let fault = self.numbers.pick(&[Fault::CutBefore, Fault::CutAfter]);
        let at = self.numbers.draw() % if step.batch.is_empty() { 2 } else { 12 };
        let faulty = Arc::new(FaultyStorage::new(self.memory.clone(), at, fault));
        let engine = opened(faulty, &self.clock);
        let done = Self::perform(&engine, &step, key);
        engine.wait_for_merges();
        drop(engine);
        self.memory = self.memory.durable_copy();
        self.reopen();
        let stats = self.engine.stats().expect("sizes");
        let epochs = usize::try_from(stats.acl_epoch - epoch).expect("few epochs");
        let puts = !step.batch.is_empty() || !step.deleted.is_empty();
        let seed = self.seed;
        if puts {
            assert!(done.is_err() || step.events.is_empty() || epochs == 1, "seed {seed}: an epoch is lost");
            assert!(done.is_err() || stats.generation > self.ledger.newest(), "seed {seed}: a generation is lost");
            self.ledger.say(if epochs > 0 { step.events } else { Vec::new() });
            if stats.generation > self.ledger.newest() {
                self.ledger.put(&step.batch, &step.deleted);
                self.ledger.publish(stats.generation);
            }
        } else {
            // One epoch an event, but for those that change nothing.
            let changes = step.events.len();
            assert!(done.is_err() || epochs <= changes, "seed {seed}: {epochs} epochs of {changes} events");
            let kept = if done.is_ok() { changes } else { epochs };
            self.ledger.say(step.events.into_iter().take(kept).collect());
        }
        self.compared.cuts += 1;
    }

    /// One step at random.
    pub fn step(&mut self) {
        match self.numbers.below(20) {
            0 => {
                let all: Vec<u64> = (1..=self.ledger.newest()).collect();
                let generation = self.numbers.pick(&all[all.len().saturating_sub(6)..]);
                let now = self.engine.rollback(generation).expect("a generation that is kept");
                self.ledger.roll_back(generation);
                self.ledger.publish(now);
            }
            1 => {
                let now = self.engine.merge().expect("a merge");
                self.ledger.publish(now);
            }
            2 => {
                // What was staged and not committed was never said.
                let step = self.change();
                Self::stage(&self.engine, &step).expect("staged");
                self.memory = self.memory.durable_copy();
                self.reopen();
            }
            3 => {
                self.clock.advance_seconds(self.numbers.draw() % 400);
            }
            4 | 5 => {
                let (step, key) = self.drawn();
                self.cut(step, &key);
            }
            _ => {
                let (step, key) = self.drawn();
                self.whole(step, &key);
            }
        }
        self.invite();
    }

    /// So many changes of permissions that the log writes a snapshot, which the next opening begins with.
    pub fn long_log(&mut self) {
        self.step();
        let Some(key) = self.ledger.known().first().cloned() else { return };
        for n in 0..260 {
            let event = match self.ledger.revoked(&key).first() {
                Some(principal) if n % 2 == 1 => self.ledger.restore(&key, principal.clone()),
                _ => self.ledger.revoke(&key, principal(&mut self.numbers)),
            };
            let step = Step { events: vec![event], ..Step::default() };
            self.whole(step, &key);
        }
        let step = self.change();
        self.whole(step, &Key::default());
        self.reopen();
    }

    /// Everybody sees what the specification says, and searches find the nearest of it.
    pub fn check(&mut self, step: usize) {
        let now = self.clock.now();
        for n in 0..self.askers.len() {
            let (session, judged) = &self.askers[n];
            let place = format!("seed {} step {step} asker {n}: {judged:?}", self.seed);
            if judged.check_expiry(now).is_err() {
                let kinds = [
                    session.visible().map(drop).unwrap_err().kind(),
                    session.search_vector(&[1.0; crate::words::DIM], 3, None).map(drop).unwrap_err().kind(),
                ];
                assert_eq!(kinds, [Kind::Denied; 2], "{place}");
                self.compared.decisions += self.ledger.judged(judged, now).count() as u64;
                continue;
            }
            let (mut right, mut open) = (Vec::new(), BTreeMap::<&str, Vec<(&str, Vec<f32>)>>::new());
            for (key, may, passages) in self.ledger.judged(judged, now) {
                self.compared.decisions += 1;
                self.compared.allowed += u64::from(may);
                if may {
                    right.push(key.1.as_str());
                }
                if !passages.is_empty() {
                    open.insert(&key.1, passages.into_iter().map(|text| (text, Words::vector(text))).collect());
                }
            }
            // Now the list and now the searches come first: each must look for what is new by itself.
            let listed = || assert_eq!(session.visible().expect("a list").documents, right, "{place}");
            let list_first = (n + step).is_multiple_of(2);
            if list_first {
                listed();
            }
            for search in 0..SEARCHES {
                let query = self.numbers.vector(crate::words::DIM);
                let k = 1 + self.numbers.below(14);
                let found = session.search_vector(&query, k, Some(1.0)).expect("hits");
                let mut nearest: Vec<f64> = open.values().flatten().map(|(_, v)| cosine(v, &query)).collect();
                nearest.sort_by(|a, b| b.total_cmp(a));
                assert!(found.complete() && found.exact(), "{place}");
                assert_eq!(found.ids().len(), k.min(nearest.len()), "{place}");
                for ((id, score), best) in found.ids().zip(found.scores()).zip(nearest) {
                    let score = f64::from(score);
                    let own = open.get(id).unwrap_or_else(|| panic!("{place}: `{id}` is forbidden"));
                    let its = own.iter().any(|(_, vector)| (cosine(vector, &query) - score).abs() < NEAR);
                    assert!(
                        its && (score - best).abs() < NEAR,
                        "{place}: `{id}` scores {score}, the best left is {best}"
                    );
                    self.compared.hits += 1;
                }
                self.compared.searches += 1;
                if search == 0 && n == step % ASKERS {
                    for hit in found.results().expect("passages").hits {
                        let texts = &open[hit.document.as_str()];
                        assert!(texts.iter().any(|(text, _)| *text == hit.text), "{place}: {hit:?}");
                    }
                }
            }
            if !list_first {
                listed();
            }
        }
    }

    /// Somebody asks a model, and permissions change between what is found and what is sent: every prompt that left is read
    /// by itself, and the specification says of each passage in it whether asker and model may have it.
    pub fn ask(&mut self) {
        let quiet = self.numbers.one_in(3);
        let (change, key) = if quiet { Default::default() } else { self.drawn() };
        let n = self.numbers.below(self.askers.len());
        let (session, judged) = self.askers[n].clone();
        let label = self.numbers.below(5);
        let model = Listener::new((label < 4).then(|| World::label(label)));
        let question = format!("w{} w{}", self.numbers.below(9), self.numbers.draw() % 100_000);
        let (k, mode) = (1 + self.numbers.below(8), self.numbers.pick(&[Mode::Lexical, Mode::Vector, Mode::Hybrid]));
        let meanwhile = Arc::new(Meanwhile(Mutex::new(Some((self.engine.clone(), change.clone(), key.clone())))));
        let hook = Arc::clone(&meanwhile);
        let asked = session.ask(&question).generator(&model).most_tokens(64).hook(hook);
        let answer = asked.search(|search| search.k(k).mode(mode)).run();
        match meanwhile.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // There was no prompt to be made.
            Some(_) => self.whole(change, &key),
            None => self.performed(change),
        }
        let (seed, now) = (self.seed, self.clock.now());
        let place = format!("seed {seed} asker {n}: {judged:?}");
        let prompts = model.heard();
        self.compared.prompts += prompts.len() as u64;
        if judged.check_expiry(now).is_err() {
            assert!(prompts.is_empty() && answer.is_err(), "{place}");
            return;
        }
        let model_sees = judged_as(&judged, (label < 4).then(|| World::label(label)), &self.clock);
        let seen_by = |who| -> BTreeSet<(&Key, &str)> {
            let judged = self.ledger.judged(who, now);
            judged.flat_map(|(key, _, passages)| passages.into_iter().map(move |text| (key, text))).collect()
        };
        let (open, cleared) = (seen_by(&judged), seen_by(&model_sees));
        let says = |of: &BTreeSet<(&Key, &str)>, passage: &str| of.iter().any(|(_, text)| *text == passage);
        for prompt in &prompts {
            for passage in passages(prompt) {
                assert!(says(&open, passage), "{place}: `{passage}` may not be read");
                assert!(says(&cleared, passage), "{place}: the model may not have `{passage}`");
                self.compared.sent += 1;
            }
            // Nothing of a document stands anywhere else in it.
            let words = |text: &str| text.split_whitespace().filter(|word| is_word(word)).count();
            let inside: usize = passages(prompt).map(words).sum();
            assert_eq!(words(prompt), inside + words(&question), "{place}: {prompt}");
        }
        if let Ok(answer) = answer {
            let sent: Vec<&str> = answer.passages.iter().map(|hit| hit.text.as_str()).collect();
            let heard = prompts.last().map(|prompt| passages(prompt).collect::<Vec<_>>()).unwrap_or_default();
            assert_eq!(sent, heard, "{place}");
            let both = open.intersection(&cleared).count();
            // Words alone need not be in every passage; and what was opened meanwhile need not be found.
            let all = mode != Mode::Lexical && quiet;
            assert!(!all || sent.len() == k.min(both), "{place}: {} of {k}, and {both} there are", sent.len());
        }
    }

    /// Every byte and every rule of the format.
    pub fn verify(&self) {
        self.engine.verify().unwrap_or_else(|e| panic!("seed {}: {e:?}", self.seed));
    }
}
