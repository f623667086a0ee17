//! Random worlds: whatever is done, everybody sees what the plain model says, and searches find the nearest of it.

use std::sync::Arc;

use safepassage::system::{Clock, Timestamp};
use safepassage::{Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Principal, Session, Tenant};
use safepassage_index::storage::{MemoryStorage, Storage};
use safepassage_tests::{Key, Numbers, Who, World, cosine};

const WORLDS: u64 = 240;
const STEPS: usize = 14;
const DIM: usize = 8;
const PRINCIPALS: [&str; 11] = [
    "public",
    "everyone",
    "user:u0",
    "user:u1",
    "user:u2",
    "group:g0",
    "group:g1",
    "group:g2",
    "group:g3",
    "idp|group:g0",
    "idp|user:u0",
];

fn principals(numbers: &mut Numbers, most: usize) -> Vec<Principal> {
    (0..numbers.below(most + 1)).map(|_| numbers.pick(&PRINCIPALS).parse().unwrap()).collect()
}

fn acl(numbers: &mut Numbers) -> Acl {
    let most = numbers.below(3);
    Acl::new(principals(numbers, 4), principals(numbers, most))
}

fn who(numbers: &mut Numbers) -> Who {
    let groups = (0..4).filter(|_| numbers.one_in(2)).map(|g| format!("g{g}")).collect();
    Who {
        tenant: numbers.pick(&["", "", "acme"]).to_owned(),
        user: (!numbers.one_in(6)).then(|| format!("u{}", numbers.below(3))),
        groups,
        groups_complete: !numbers.one_in(4),
        clearance: numbers.below(4),
    }
}

fn session(engine: &Engine, who: &Who) -> Session {
    let identity = who.user.as_deref().map_or_else(Identity::anonymous, Identity::asserted);
    let identity = identity
        .tenant(&who.tenant)
        .groups(who.groups.iter().map(String::as_str))
        .groups_complete(who.groups_complete)
        .clearance(who.clearance_name());
    engine.session(identity.issue(engine.clock()).unwrap()).unwrap()
}

struct Run {
    seed: u64,
    numbers: Numbers,
    storage: Arc<dyn Storage>,
    engine: Engine,
    world: World,
}

impl Run {
    fn new(seed: u64) -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
        let engine = Engine::create_in(Arc::clone(&storage), create, Clock::fixed(Timestamp(1))).unwrap();
        Self { seed, numbers: Numbers(seed), storage, engine, world: World::default() }
    }

    fn some_known(&mut self) -> Option<(Tenant, Key)> {
        let known = self.world.known();
        (!known.is_empty()).then(|| {
            let key = self.numbers.pick(&known);
            (Tenant(key.0.clone()), key)
        })
    }

    /// Adds some documents, old content and old ids among them, deletes some, and commits.
    fn change(&mut self) {
        let mut documents = Vec::new();
        let mut keys = std::collections::BTreeSet::new();
        for _ in 0..self.numbers.below(6) {
            let key: Key = (self.numbers.pick(&["", "", "acme"]).to_owned(), format!("d{}", self.numbers.below(12)));
            if !keys.insert(key.clone()) {
                continue;
            }
            let old = self.world.contents(&key).to_vec();
            let again = !old.is_empty() && self.numbers.one_in(3);
            let vector = if again { self.numbers.pick(&old) } else { self.numbers.vector(DIM) };
            let (acl, label) = (acl(&mut self.numbers), self.numbers.below(4));
            documents.push(BatchDocument {
                tenant: Tenant(key.0.clone()),
                id: key.1.clone(),
                vector: Some(vector.clone().into()),
                acl: Some(acl.clone()),
                label: Some(World::label(label).to_owned()),
                ..BatchDocument::default()
            });
            self.world.add(key, vector, acl, label);
        }
        self.engine.add(documents).unwrap();
        if self.numbers.one_in(2)
            && let Some((tenant, key)) = self.some_known()
            && !keys.contains(&key)
        {
            self.engine.delete(&tenant, &key.1).unwrap();
            self.world.delete(&key);
        }
        self.engine.commit().unwrap();
        // What is merged has the same content under a later number.
        assert_eq!(self.engine.wait_for_merges().error, None);
        self.world.publish(self.engine.stats().unwrap().generation);
    }

    fn step(&mut self) {
        let step = self.numbers.below(10);
        if step < 4 {
            return self.change();
        }
        let Some((tenant, key)) = self.some_known() else { return self.change() };
        match step {
            4 => {
                let acl = acl(&mut self.numbers);
                self.engine.set_acl(&tenant, &key.1, acl.clone()).unwrap();
                self.world.set_acl(&key, acl);
            }
            5 => {
                let principal: Principal = self.numbers.pick(&PRINCIPALS).parse().unwrap();
                self.engine.revoke(&tenant, &key.1, &principal).unwrap();
                self.world.revoke(&key, principal);
            }
            6 => {
                for principal in self.world.revoked(&key) {
                    self.engine.restore(&tenant, &key.1, &principal, "a test").unwrap();
                    self.world.restore(&key, &principal);
                }
            }
            7 => {
                let all = self.world.generations();
                let generation = self.numbers.pick(&all[all.len().saturating_sub(6)..]);
                let now = self.engine.rollback(generation).unwrap();
                self.world.roll_back(generation);
                self.world.publish(now);
            }
            8 => self.world.publish(self.engine.merge().unwrap()),
            _ => {
                let clock = self.engine.clock().clone();
                self.engine = Engine::open_storage(Arc::clone(&self.storage), None, clock).unwrap();
            }
        }
    }

    fn check(&mut self, step: usize) {
        for n in 0..4 {
            let who = who(&mut self.numbers);
            let place = format!("seed {} step {step} identity {n}: {who:?}", self.seed);
            let right = self.world.visible(&who);
            let session = session(&self.engine, &who);
            assert_eq!(session.visible().unwrap().documents, right.keys().cloned().collect::<Vec<_>>(), "{place}");
            let (query, k) = (self.numbers.vector(DIM), 1 + self.numbers.below(14));
            let found = session.search_vector(&query, k, Some(1.0)).unwrap();
            assert!(found.complete() && found.exact() && found.ids().len() == k.min(right.len()), "{place}");
            let mut nearest: Vec<f64> = right.values().map(|vector| cosine(vector, &query)).collect();
            nearest.sort_by(|a, b| b.total_cmp(a));
            for ((id, score), best) in found.ids().zip(found.scores()).zip(nearest) {
                let own = cosine(&right[id], &query);
                let off = (f64::from(score) - own).abs().max((f64::from(score) - best).abs());
                assert!(off < 1e-5, "{place}: `{id}` scores {score}, has {own}, the best left is {best}");
            }
            let hits = found.results().unwrap().hits;
            assert!(hits.iter().all(|hit| right.contains_key(&hit.document)), "{place}");
            for id in ["d0", "d5", "d11"] {
                assert_eq!(session.explain(id).unwrap().visible, right.contains_key(id), "{place}");
            }
        }
    }
}

#[test]
fn everybody_sees_what_the_plain_model_says() {
    for seed in 0..WORLDS {
        let mut run = Run::new(seed);
        for step in 0..STEPS {
            run.step();
            run.check(step);
        }
        run.engine.verify().unwrap();
    }
}
