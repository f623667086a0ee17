//! Which vectors, whose permissions, what is the right answer?
//!
//! In: how many rows. Out: unit vectors on a curved surface in clusters, as `workloads.py` makes them, questions of the
//! same making, and for each permission the exact ten best. Everything follows from the seed.

#![forbid(unsafe_code)]

use rayon::prelude::*;

/// How many numbers a vector has.
pub const DIM: usize = 384;
/// How many rows an answer has.
pub const K: usize = 10;

const LATENT: usize = 24;
const CLUSTERS: usize = 200;
const SEED: u64 = 20_261_121;

/// Numbers that look random: splitmix64, and from them normal ones.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1, never 0.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f32 {
        let (a, b) = (self.uniform(), self.uniform());
        ((-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()) as f32
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Rows and questions, each of unit length.
pub struct Workload {
    /// The rows.
    pub rows: Vec<Vec<f32>>,
    /// The questions.
    pub questions: Vec<Vec<f32>>,
}

/// What somebody may see.
pub struct Permission {
    /// As a person's group and for people.
    pub name: &'static str,
    /// Row by row.
    pub may: Vec<bool>,
    /// The exact best for each question, best first.
    pub best: Vec<Vec<usize>>,
}

impl Workload {
    /// `n` rows and `questions` questions.
    #[must_use]
    pub fn new(n: usize, questions: usize) -> Self {
        let mut draw = Draw(SEED);
        let projection: Vec<f32> = (0..LATENT * DIM).map(|_| draw.normal() / (LATENT as f32).sqrt()).collect();
        let centres: Vec<f32> = (0..CLUSTERS * LATENT).map(|_| draw.normal()).collect();
        let mut make =
            |count: usize| -> Vec<Vec<f32>> { (0..count).map(|_| vector(&mut draw, &projection, &centres)).collect() };
        Self { rows: make(n), questions: make(questions) }
    }

    /// Somebody who may see a random `share` of the rows.
    #[must_use]
    pub fn permission(&self, name: &'static str, share: f64) -> Permission {
        let mut draw = Draw(SEED ^ share.to_bits());
        let may: Vec<bool> = self.rows.iter().map(|_| draw.uniform() <= share).collect();
        let best = self.questions.par_iter().map(|question| self.exact(question, &may)).collect();
        Permission { name, may, best }
    }

    fn exact(&self, question: &[f32], may: &[bool]) -> Vec<usize> {
        let seen = (0..self.rows.len()).filter(|&row| may[row]);
        let mut scored: Vec<(f32, usize)> = seen.map(|row| (dot(question, &self.rows[row]), row)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(K).map(|(_, row)| row).collect()
    }
}

/// The sum of products.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (x, y) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
        for lane in 0..16 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum()
}

fn vector(draw: &mut Draw, projection: &[f32], centres: &[f32]) -> Vec<f32> {
    let cluster = draw.below(CLUSTERS) * LATENT;
    let place: Vec<f32> = (0..LATENT).map(|i| centres[cluster + i] + 0.6 * draw.normal()).collect();
    let mut out: Vec<f32> = (0..DIM)
        .map(|d| {
            let at: f32 = place.iter().enumerate().map(|(i, p)| p * projection[i * DIM + d]).sum();
            at.tanh() + 0.05 * draw.normal()
        })
        .collect();
    let length = dot(&out, &out).sqrt();
    out.iter_mut().for_each(|value| *value /= length);
    out
}
