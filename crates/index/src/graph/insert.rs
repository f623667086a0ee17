//! Builds a graph by inserting row after row, on all threads of the pool; with one thread it is the same every time.
//!
//! Algorithms 1, 3 and 4 of arXiv 1603.09320, on codes. Each node's links are behind its own spin lock and carry their
//! scores, so that pruning a full node computes only what is between its neighbours. Readers take no lock: a list that
//! is being rewritten shows old or new links, and both are rows.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};

use super::GraphSettings;
use super::builder::{Links, NONE, Upper};
use super::pool::Pool;
use super::visited::Visited;
use crate::code::Between;
use crate::kernel::Left;

/// Rows that a thread takes at a time.
const BATCH: usize = 16;
const LOCKED: u32 = 1 << 31;
const NO_ROWS: u32 = 0;

/// One layer while it is built; node i of it is row `rows[i]`, on the lowest row i.
struct Layer {
    rows: Vec<u32>,
    width: usize,
    links: Vec<AtomicU32>,
    scores: Vec<AtomicI32>,
    /// How many links a node has, and its lock.
    counts: Vec<AtomicU32>,
}

impl Layer {
    fn new(nodes: usize, rows: Vec<u32>, width: usize) -> Self {
        let links = (0..nodes * width).map(|_| AtomicU32::new(NONE)).collect();
        let scores = (0..nodes * width).map(|_| AtomicI32::new(0)).collect();
        Self { rows, width, links, scores, counts: (0..nodes).map(|_| AtomicU32::new(0)).collect() }
    }

    #[inline]
    fn row(&self, node: u32) -> u32 {
        if self.rows.is_empty() { node } else { self.rows[node as usize] }
    }

    fn node(&self, row: u32) -> u32 {
        if self.rows.is_empty() { row } else { self.rows.partition_point(|&other| other < row) as u32 }
    }

    #[inline]
    fn near(&self, node: u32, out: &mut Vec<u32>) {
        let count = (self.counts[node as usize].load(Ordering::Acquire) & !LOCKED) as usize;
        let from = node as usize * self.width;
        out.clear();
        out.extend(self.links[from..from + count].iter().map(|link| link.load(Ordering::Relaxed)));
    }

    fn lock(&self, node: u32) -> usize {
        let count = &self.counts[node as usize];
        loop {
            let seen = count.load(Ordering::Relaxed) & !LOCKED;
            if count.compare_exchange_weak(seen, seen | LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return seen as usize;
            }
            std::hint::spin_loop();
        }
    }

    /// Writes the links of a locked node and unlocks it.
    fn write(&self, node: u32, links: &[(i32, u32)]) {
        let from = node as usize * self.width;
        for (i, &(score, other)) in links.iter().enumerate() {
            self.links[from + i].store(other, Ordering::Relaxed);
            self.scores[from + i].store(score, Ordering::Relaxed);
        }
        self.counts[node as usize].store(links.len() as u32, Ordering::Release);
    }

    fn read(&self, node: u32, count: usize, out: &mut Vec<(i32, u32)>) {
        let from = node as usize * self.width;
        out.clear();
        out.extend(
            (from..from + count)
                .map(|i| (self.scores[i].load(Ordering::Relaxed), self.links[i].load(Ordering::Relaxed))),
        );
    }
}

/// What one thread needs again and again.
struct Hands {
    pool: Pool,
    visited: Visited,
    links: Vec<u32>,
    near: Vec<u32>,
    rows: Vec<u32>,
    scores: Vec<i32>,
    left: Left,
    other: Left,
    candidates: Vec<(i32, u32)>,
    chosen: Vec<(i32, u32)>,
}

struct Build<'a> {
    between: Between<'a>,
    layers: Vec<Layer>,
    m: usize,
    ef: usize,
}

/// The layer that `row` reaches: a geometric distribution of base m, the same for the same seed.
fn level(row: u32, seed: u64, m: usize) -> usize {
    let hash = twox_hash::XxHash3_64::oneshot_with_seed(seed, &row.to_le_bytes());
    let uniform = ((hash >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
    (-uniform.ln() / (m as f64).ln()) as usize
}

/// The links between `rows` rows, by `between`.
pub(super) fn build(between: Between<'_>, rows: u32, settings: &GraphSettings) -> Links {
    let levels: Vec<u8> = (0..rows).map(|row| level(row, settings.seed, settings.m).min(15) as u8).collect();
    let first = (0..rows).max_by_key(|&row| (levels[row as usize], std::cmp::Reverse(row))).unwrap_or(NO_ROWS);
    let top = levels.get(first as usize).copied().unwrap_or(0);
    let mut layers = vec![Layer::new(rows as usize, Vec::new(), settings.m * 2)];
    for layer in 1..=top {
        let on: Vec<u32> = (0..rows).filter(|&row| levels[row as usize] >= layer).collect();
        layers.push(Layer::new(on.len(), on, settings.m));
    }
    let build = Build { between, layers, m: settings.m, ef: settings.ef_construction };
    let entry = build.layers[usize::from(top)].node(first);
    let next = AtomicUsize::new(0);
    rayon::broadcast(|_| {
        let mut hands = build.hands();
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            if from >= rows as usize {
                break;
            }
            for row in from as u32..(from + BATCH).min(rows as usize) as u32 {
                if row != first {
                    build.insert(row, usize::from(levels[row as usize]), entry, &mut hands);
                }
            }
        }
    });
    build.into_links(entry)
}

impl Build<'_> {
    fn hands(&self) -> Hands {
        Hands {
            pool: Pool::default(),
            visited: Visited::default(),
            links: Vec::new(),
            near: Vec::new(),
            rows: Vec::new(),
            scores: Vec::new(),
            left: self.between.left(),
            other: self.between.left(),
            candidates: Vec::new(),
            chosen: Vec::new(),
        }
    }

    fn insert(&self, row: u32, level: usize, entry: u32, hands: &mut Hands) {
        self.between.set(&mut hands.left, row);
        let mut node = entry;
        for depth in (0..self.layers.len()).rev() {
            let layer = &self.layers[depth];
            if depth > level {
                node = self.greedy(layer, row, node, hands);
            } else {
                self.around(layer, row, node, hands);
                let me = layer.node(row);
                node = hands.candidates.first().map_or(node, |&(_, best)| best);
                self.link(layer, me, hands);
            }
            if depth > 0 {
                node = self.layers[depth - 1].node(layer.row(node));
            }
        }
    }

    fn score(&self, layer: &Layer, of: u32, hands: &mut Hands) {
        hands.rows.clear();
        hands.rows.extend(hands.near.iter().map(|&node| layer.row(node)));
        self.between.scores(&hands.left, of, &hands.rows, &mut hands.scores);
    }

    fn greedy(&self, layer: &Layer, row: u32, from: u32, hands: &mut Hands) -> u32 {
        hands.near.clear();
        hands.near.push(from);
        self.score(layer, row, hands);
        let mut best = (hands.scores[0], from);
        loop {
            let before = best;
            layer.near(best.1, &mut hands.near);
            self.score(layer, row, hands);
            for (&score, &node) in hands.scores.iter().zip(&hands.near) {
                if score > best.0 {
                    best = (score, node);
                }
            }
            if best == before {
                return best.1;
            }
        }
    }

    /// Leaves the ef nodes nearest to `row` in `candidates`, best first.
    fn around(&self, layer: &Layer, row: u32, from: u32, hands: &mut Hands) {
        hands.pool.start(self.ef);
        hands.visited.start(layer.counts.len() as u32);
        hands.near.clear();
        hands.near.push(from);
        hands.visited.meet(from);
        hands.visited.meet(layer.node(row));
        loop {
            self.score(layer, row, hands);
            let bar = hands.pool.bar();
            for (&score, &node) in hands.scores.iter().zip(&hands.near) {
                if score >= bar {
                    hands.pool.push(score, node, true);
                }
            }
            let Some(next) = hands.pool.next() else { break };
            layer.near(next, &mut hands.links);
            hands.near.clear();
            hands.visited.meet_all(&hands.links, |_| true, &mut hands.near);
        }
        hands.candidates.clear();
        hands.candidates.extend(hands.pool.kept());
    }

    /// Of `candidates`, best first, those nearer to the node than to any chosen before, at most `most`, into `chosen`.
    fn choose(&self, layer: &Layer, most: usize, hands: &mut Hands) {
        hands.chosen.clear();
        hands.rows.clear();
        for &(score, node) in &hands.candidates {
            let row = layer.row(node);
            let mut apart = true;
            if !hands.rows.is_empty() {
                self.between.set(&mut hands.other, row);
                for some in hands.rows.chunks(8) {
                    self.between.scores(&hands.other, row, some, &mut hands.scores);
                    if hands.scores.iter().any(|&between| between > score) {
                        apart = false;
                        break;
                    }
                }
            }
            if apart {
                hands.chosen.push((score, node));
                hands.rows.push(row);
                if hands.chosen.len() == most {
                    break;
                }
            }
        }
    }

    /// Links `me` with the best of `candidates`, both ways.
    fn link(&self, layer: &Layer, me: u32, hands: &mut Hands) {
        self.choose(layer, self.m, hands);
        let mine = hands.chosen.clone();
        // Whoever found this node already has linked to it; those links stay, they are few.
        let count = layer.lock(me);
        layer.read(me, count, &mut hands.candidates);
        for &(score, node) in &mine {
            if hands.candidates.len() < layer.width && hands.candidates.iter().all(|&(_, known)| known != node) {
                hands.candidates.push((score, node));
            }
        }
        layer.write(me, &hands.candidates);
        for (score, node) in mine {
            let count = layer.lock(node);
            layer.read(node, count, &mut hands.candidates);
            if hands.candidates.iter().any(|&(_, known)| known == me) {
                layer.write(node, &hands.candidates);
                continue;
            }
            hands.candidates.push((score, me));
            if hands.candidates.len() <= layer.width {
                layer.write(node, &hands.candidates);
            } else {
                hands.candidates.sort_unstable_by_key(|&(score, node)| (std::cmp::Reverse(score), node));
                self.choose(layer, layer.width, hands);
                layer.write(node, &hands.chosen);
            }
        }
    }

    /// Where the links lie already, and layer by layer without the scores: what is held at once is the least.
    fn into_links(self, entry: u32) -> Links {
        let mut layers = self.layers.into_iter().map(|layer| {
            let mut links: Vec<u32> = layer.links.into_iter().map(AtomicU32::into_inner).collect();
            let nodes = links.chunks_exact_mut(layer.width).zip(layer.scores.chunks_exact(layer.width));
            let mut sorted = Vec::new();
            for ((links, scores), count) in nodes.zip(&layer.counts) {
                let count = count.load(Ordering::Relaxed) as usize;
                sorted.clear();
                sorted.extend(
                    scores[..count].iter().map(|score| score.load(Ordering::Relaxed)).zip(links.iter().copied()),
                );
                sorted.sort_unstable_by_key(|&(score, node)| (std::cmp::Reverse(score), node));
                links.fill(NONE);
                links.iter_mut().zip(&sorted).for_each(|(link, &(_, node))| *link = node);
            }
            (layer.width, layer.rows, links)
        });
        let (width, _, lowest) = layers.next().unwrap_or_default();
        let upper = layers.map(|(width, rows, links)| Upper { width, rows, links }).collect();
        Links { width, lowest, upper, entry }
    }
}
