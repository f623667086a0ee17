//! Here are two generations, or two indexes: are their embeddings still of the same kind?
//!
//! For operators: it reads vectors past all permissions and says numbers only. Both sides are drawn alike; where a
//! document is in both, it is drawn in both.

mod hubs;
mod scores;
mod shift;

use std::collections::BTreeSet;

use safepassage::{Engine, Error, GenerationVectors, Kind, ModelStamp, Progress, Purpose, Result};
use serde::Serialize;

pub use hubs::{Hubs, hubs};
pub use scores::{ScoreShift, score_shift};
pub use shift::{Shift, shift};

use crate::collection::Question;

/// How two sides are compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftSettings {
    /// The most vectors of each side.
    pub drawn: usize,
    /// The most vectors of each side for the tests that compare all with all.
    pub compared: usize,
    /// How often the sides are mixed for a p-value.
    pub rounds: u32,
    /// A best score below this says that there is no answer.
    pub least_score: Option<f32>,
    /// Of drawing and mixing.
    pub seed: u64,
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self { drawn: 2000, compared: 300, rounds: 999, least_score: None, seed: 1 }
    }
}

/// What became of the embeddings.
#[derive(Debug, Clone, Serialize)]
pub struct Drift {
    /// How it was looked at.
    pub settings: DriftSettings,
    /// The earlier side.
    pub from: Side,
    /// The later side.
    pub to: Side,
    /// What changed among the documents.
    pub documents: Changed,
    /// How far the vectors moved; none if a side has no vectors.
    pub shift: Option<Shift>,
    /// What scores questions get; none without questions.
    pub scores: Option<ScoreShift>,
}

/// One side by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Its generation.
    pub generation: u64,
    /// How many documents it has.
    pub documents: usize,
    /// How many passages.
    pub chunks: u64,
    /// How many vectors were drawn.
    pub drawn: usize,
    /// Lengths of the vectors.
    pub norms: Norms,
    /// The share of drawn vectors that stand there already: copies of others.
    pub duplicates: f64,
    /// Passages that are among the nearest of too many others, or of none.
    pub hubs: Hubs,
}

/// Lengths of vectors: all 1 where near means cosine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Norms {
    /// The mean.
    pub mean: f64,
    /// The shortest.
    pub least: f64,
    /// The longest.
    pub most: f64,
    /// How many are further from the mean than four standard deviations and a thousandth of it.
    pub outliers: usize,
}

/// Documents between two sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// In the later side only.
    pub added: usize,
    /// In the earlier side only.
    pub deleted: usize,
    /// In both, with other content.
    pub changed: usize,
    /// In both, with the same content.
    pub unchanged: usize,
}

/// Compares `from` with `to`; each is an engine and one of its generations, the newest for `None`. Questions are embedded by
/// each side's own model.
///
/// # Errors
/// `NotFound` for a generation that is not kept; `Invalid` if the sides have vectors of different lengths, or questions are
/// given and a side has no model; `Corrupted`, `Unavailable`.
pub fn drift(
    from: (&Engine, Option<u64>),
    to: (&Engine, Option<u64>),
    questions: &[Question],
    settings: &DriftSettings,
    progress: &dyn Progress,
) -> Result<Drift> {
    progress.begin("reading", 2);
    let read = |(engine, generation): (&Engine, Option<u64>)| {
        let vectors = engine.vectors(generation, settings.drawn);
        progress.advance(1);
        vectors
    };
    let (before, after) = (read(from)?, read(to)?);
    progress.end();
    if before.dim != after.dim {
        let message = format!("one side has vectors of {} numbers and the other of {}", before.dim, after.dim);
        return Err(Error::invalid("compare embeddings", message));
    }
    progress.begin("comparing", 0);
    let scores = match questions {
        [] => None,
        _ => {
            let embed = |engine: &Engine, side: &GenerationVectors| -> Result<Vec<f32>> {
                let mut values = Vec::new();
                let embedder = engine.embedder()?;
                if json(embedder.stamp())? != side.model {
                    let message = format!("generation {} is of another model than the newest", side.generation);
                    return Err(Error::invalid("compare embeddings", message));
                }
                for texts in questions.chunks(32) {
                    let texts: Vec<&str> = texts.iter().map(|question| question.text.as_str()).collect();
                    values.extend(embedder.embed(&texts, Purpose::Query)?.values);
                }
                Ok(values)
            };
            let asked = [embed(from.0, &before)?, embed(to.0, &after)?];
            score_shift([&rows(&before), &rows(&after)], [&asked[0], &asked[1]], before.dim, settings)
        }
    };
    let drift = Drift {
        settings: settings.clone(),
        documents: changed(&before, &after),
        shift: shift(&rows(&before), &rows(&after), settings),
        from: side(&before, settings),
        to: side(&after, settings),
        scores,
    };
    progress.end();
    Ok(drift)
}

fn json(stamp: &ModelStamp) -> Result<serde_json::Value> {
    serde_json::to_value(stamp)
        .map_err(|e| Error::new(Kind::Internal, "compare embeddings", "the model's stamp is no JSON").because(e))
}

fn rows(vectors: &GenerationVectors) -> Vec<&[f32]> {
    vectors.drawn.iter().map(|drawn| drawn.values.as_slice()).collect()
}

fn changed(before: &GenerationVectors, after: &GenerationVectors) -> Changed {
    let mut found = Changed::default();
    for (id, version) in &before.documents {
        match after.documents.get(id) {
            None => found.deleted += 1,
            Some(now) if now == version => found.unchanged += 1,
            Some(_) => found.changed += 1,
        }
    }
    found.added = after.documents.len() - found.unchanged - found.changed;
    found
}

fn side(vectors: &GenerationVectors, settings: &DriftSettings) -> Side {
    let rows = rows(vectors);
    let mut seen = BTreeSet::new();
    let bits = |row: &[f32]| row.iter().map(|number| number.to_bits()).collect::<Vec<u32>>();
    let copies = rows.iter().filter(|row| !seen.insert(bits(row))).count();
    Side {
        generation: vectors.generation,
        documents: vectors.documents.len(),
        chunks: vectors.chunks,
        drawn: rows.len(),
        norms: norms(&rows),
        duplicates: if rows.is_empty() { 0.0 } else { copies as f64 / rows.len() as f64 },
        hubs: hubs(&rows, settings.compared.saturating_mul(4)),
    }
}

fn norms(rows: &[&[f32]]) -> Norms {
    let lengths: Vec<f64> = rows.iter().map(|row| dot(row, row).sqrt()).collect();
    let n = lengths.len().max(1) as f64;
    let mean = lengths.iter().sum::<f64>() / n;
    let deviation = (lengths.iter().map(|length| (length - mean).powi(2)).sum::<f64>() / n).sqrt();
    let bound = (4.0 * deviation).max(mean * 1e-3);
    let outlies = |length: &&f64| (**length - mean).abs() > bound || !length.is_finite();
    Norms {
        mean,
        least: lengths.iter().copied().reduce(f64::min).unwrap_or_default(),
        most: lengths.iter().copied().reduce(f64::max).unwrap_or_default(),
        outliers: lengths.iter().filter(outlies).count(),
    }
}

/// The inner product.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Eight sums side by side, so that it is done in lanes.
    let mut sums = [0.0f32; 8];
    let (parts_a, rest_a) = a.as_chunks::<8>();
    let (parts_b, rest_b) = b.as_chunks::<8>();
    for (x, y) in parts_a.iter().zip(parts_b) {
        sums.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum += x * y);
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    f64::from(sums.iter().sum::<f32>() + rest)
}

#[cfg(test)]
mod tests;
