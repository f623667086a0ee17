//! Two worlds that differ only in what the asker may not read answer alike, to the bit.

use std::collections::BTreeSet;
use std::sync::Arc;

use safepassage::system::{Clock, Timestamp};
use safepassage::{Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Mode, Principal, Session};
use safepassage_index::storage::MemoryStorage;
use safepassage_tests::{Numbers, cosine};

const DIM: usize = 12;

/// Documents that eve may read, and others: hidden ones lie nearest to the query.
struct Twin {
    engine: Engine,
    open: Vec<Vec<f32>>,
}

fn document(id: String, vector: Vec<f32>, allow: Principal, deny: Option<Principal>) -> BatchDocument {
    let text = Some(format!("text of {id}"));
    let acl = Some(Acl::new([allow], deny));
    BatchDocument { id, vector: Some(vector.into()), text, acl, ..BatchDocument::default() }
}

/// `seed` makes what eve may read, `hidden` the rest; `commits` cuts it into segments.
fn twin(seed: u64, hidden: u64, query: &[f32], open: usize, most_hidden: usize, commits: usize) -> Twin {
    let (mut shown, mut numbers) = (Numbers(seed), Numbers(hidden));
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap();
    let open: Vec<Vec<f32>> = (0..open).map(|_| shown.vector(DIM)).collect();
    for part in 0..commits {
        let mut documents: Vec<BatchDocument> = (part..open.len())
            .step_by(commits)
            .map(|n| document(format!("m{n}"), open[n].clone(), Principal::Everyone, None))
            .collect();
        let half = most_hidden / 2;
        for n in 0..half + numbers.below(half + 1) {
            let near: Vec<f32> = query.iter().zip(numbers.vector(DIM)).map(|(q, x)| q + 0.1 * x).collect();
            let name = format!("{}{part}-{n}", numbers.pick(&["a", "m", "z"]));
            let denied = numbers.one_in(2).then(|| Principal::user("eve"));
            let allow = if denied.is_some() { Principal::Everyone } else { Principal::group("hr") };
            documents.push(document(name, near, allow, denied));
        }
        engine.add(documents).unwrap();
        engine.commit().unwrap();
    }
    Twin { engine, open }
}

impl Twin {
    fn eve(&self) -> Session {
        self.engine.session(Identity::asserted("eve").issue(self.engine.clock()).unwrap()).unwrap()
    }
}

#[test]
fn what_is_forbidden_leaves_no_trace_in_hits_and_scores() {
    for seed in 0..60 {
        let mut numbers = Numbers(1000 + seed);
        let query = numbers.vector(DIM);
        let (open, commits) = (1 + numbers.below(60), 1 + numbers.below(4));
        let a = twin(seed, 1, &query, open, 0, commits);
        let b = twin(seed, 2 + seed, &query, open, 80, commits);
        for k in [1, 3, 10, 200] {
            let [one, other] = [&a, &b].map(|twin| twin.eve().search_vector(&query, k, Some(1.0)).unwrap());
            let bits = |hits: &safepassage::VectorHits| -> Vec<(String, u32)> {
                hits.ids().map(str::to_owned).zip(hits.scores().map(f32::to_bits)).collect()
            };
            assert_eq!(bits(&one), bits(&other), "seed {seed} k {k}");
            assert!(one.complete() && other.complete() && one.exact() && other.exact(), "seed {seed} k {k}");
            let [one, other] = [one, other].map(|hits| hits.results().unwrap().hits);
            assert_eq!(one, other, "seed {seed} k {k}");
            assert_eq!(one.len(), k.min(open), "seed {seed} k {k}");
        }
        for mode in [Mode::Lexical, Mode::Hybrid] {
            let [one, other] = [&a, &b].map(|twin| {
                let eve = twin.eve();
                eve.search("text 3 of m7 hr").vector(&query).mode(mode).recall(1.0).k(9).run().unwrap()
            });
            assert_eq!(one.hits, other.hits, "seed {seed} {mode:?}");
            assert!(!one.hits.is_empty() && one.exact && other.exact, "seed {seed} {mode:?}");
        }
        assert_eq!(a.eve().visible().unwrap(), b.eve().visible().unwrap(), "seed {seed}");
        let merged = (b.engine.merge().unwrap(), b.eve().search_vector(&query, 10, Some(1.0)).unwrap()).1;
        let whole = a.eve().search_vector(&query, 10, Some(1.0)).unwrap();
        assert!(whole.scores().map(f32::to_bits).eq(merged.scores().map(f32::to_bits)), "seed {seed}, merged");
    }
}

#[test]
fn k_is_filled_beside_a_large_forbidden_topic() {
    let mut numbers = Numbers(7);
    let query = numbers.vector(DIM);
    let twin = twin(5, 6, &query, 14_500, 12_000, 1);
    assert!(twin.engine.stats().unwrap().graphs > 0, "no graph was built, so this tests nothing");
    let (mut right, mut all) = (0, 0);
    for _ in 0..40 {
        let near: Vec<f32> = query.iter().zip(numbers.vector(DIM)).map(|(q, x)| q + 0.3 * x).collect();
        let found = twin.eve().search_vector(&near, 10, Some(0.95)).unwrap();
        assert!(found.complete() && found.ids().len() == 10);
        assert!(found.ids().all(|id| id.starts_with('m') && !id.contains('-')));
        let mut nearest: Vec<(f64, usize)> =
            twin.open.iter().enumerate().map(|(n, vector)| (cosine(vector, &near), n)).collect();
        nearest.sort_by(|a, b| b.0.total_cmp(&a.0));
        let best: BTreeSet<String> = nearest[..10].iter().map(|(_, n)| format!("m{n}")).collect();
        right += found.ids().filter(|id| best.contains(*id)).count();
        all += 10;
    }
    assert!(right * 100 >= all * 93, "recall {right} of {all}");
}
