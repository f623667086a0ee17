//! One random world: what is done to it through the face, and what everybody must see after each step.
//!
//! Some steps end in a power cut: then what was acknowledged must be there, and of what was not either all of an epoch
//! or none of it, and either the generation before or the one after.

mod changes;
mod checks;

use std::sync::Arc;

use safepassage::system::{Clock, Timestamp};
use safepassage::{Create, EmbedderChoice, Engine, Identity, Session};
use safepassage_index::storage::{Fault, FaultyStorage, MemoryStorage, Storage};

use self::changes::Step;
use crate::askers::{principal, somebody};
use crate::{Key, Ledger, Numbers, Words};

const ASKERS: usize = 12;

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

    /// Every byte and every rule of the format.
    pub fn verify(&self) {
        self.engine.verify().unwrap_or_else(|e| panic!("seed {}: {e:?}", self.seed));
    }
}
