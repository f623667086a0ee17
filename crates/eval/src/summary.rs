//! Here is what was asked: how good was it for everybody, for each persona, for each band of selectivity?

use std::collections::BTreeMap;

use serde::Serialize;

use crate::estimate::{Estimate, estimate, mean, percentile};
use crate::evaluate::{Asked, Evaluation, Viewer};

/// Bands of selectivity: above the bound before, up to this.
pub(crate) const BANDS: [(&str, f64); 5] =
    [("≤0.1%", 0.001), ("≤1%", 0.01), ("≤10%", 0.1), ("≤50%", 0.5), ("≤100%", 1.0)];

/// Milliseconds of a search, without the embedding of the question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50_ms: f64,
    /// 95 of 100 are not slower.
    pub p95_ms: f64,
    /// 99 of 100 are not slower.
    pub p99_ms: f64,
    /// The slowest first search of a persona, which works out what it may see; not among the others.
    pub first_ms: f64,
}

/// What came of many questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How often a question was asked.
    pub asked: usize,
    /// Of which had an answer that may be seen; the measures are of these.
    pub answerable: usize,
    /// The share that had none: nothing relevant may be seen, or nothing answers it at all.
    pub unanswerable: f64,
    /// The share whose best score was below the least one, if there is such a bound.
    pub below_least_score: Option<f64>,
    /// By name, such as `ndcg@10`.
    pub measures: BTreeMap<String, Estimate>,
    /// The share of searches with k passages or all that may be seen.
    pub k_fill: f64,
    /// The share of the truly nearest passages that were found.
    pub recall_of_search: Option<f64>,
    /// The share of answers that said that they are exact.
    pub exact: f64,
    /// Documents given, or listed, that must not be; counted once for each question and each list.
    pub leaks: usize,
    /// Relevant documents that may not be seen, over all questions: for operators.
    pub out_of_reach: usize,
    /// Relevant documents that are not in the index, over all questions.
    pub missing: usize,
    /// How long searches took.
    pub latency: Latency,
}

/// What came of one persona.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfPersona {
    /// Its name.
    pub persona: String,
    /// How many documents it may see.
    pub visible: usize,
    /// Of how many.
    pub live: usize,
    /// The share.
    pub selectivity: f64,
    /// What came of it.
    #[serde(flatten)]
    pub summary: Summary,
}

/// What came of the personas of one band.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfBand {
    /// Its name, such as `≤1%`.
    pub band: &'static str,
    /// Who is in it.
    pub personas: Vec<String>,
    /// Precision at eleven levels of recall (0, 0.1 … 1), as far as documents were ranked.
    pub precision_at_recall: Vec<f64>,
    /// What came of it.
    #[serde(flatten)]
    pub summary: Summary,
}

/// The band of a selectivity.
#[must_use]
pub fn band_of(selectivity: f64) -> &'static str {
    BANDS.iter().find(|(_, bound)| selectivity <= *bound).map_or("≤100%", |(name, _)| name)
}

impl Evaluation {
    /// Of everybody.
    #[must_use]
    pub fn all(&self) -> Summary {
        self.summary(|_| true)
    }

    /// Of each persona, in the order of the collection.
    #[must_use]
    pub fn personas(&self) -> Vec<OfPersona> {
        let of = |(p, viewer): (usize, &Viewer)| OfPersona {
            persona: viewer.persona.clone(),
            visible: viewer.visible,
            live: viewer.live,
            selectivity: viewer.selectivity(),
            summary: self.summary(|persona| persona == p),
        };
        self.viewers.iter().enumerate().map(of).collect()
    }

    /// Of each band that anybody is in, the narrowest first.
    #[must_use]
    pub fn bands(&self) -> Vec<OfBand> {
        let of = |(band, _): &(&'static str, f64)| {
            let within = |p: usize| band_of(self.viewers[p].selectivity()) == *band;
            let personas: Vec<String> =
                self.viewers.iter().enumerate().filter(|(p, _)| within(*p)).map(|(_, v)| v.persona.clone()).collect();
            let curves: Vec<[f64; 11]> =
                self.asked.iter().filter(|asked| within(asked.persona)).filter_map(|asked| asked.curve).collect();
            let level = |i: usize| mean(curves.iter().map(|curve| curve[i]));
            (!personas.is_empty()).then(|| OfBand {
                band,
                personas,
                precision_at_recall: (0..11).filter_map(level).collect(),
                summary: self.summary(within),
            })
        };
        BANDS.iter().filter_map(of).collect()
    }

    fn summary(&self, within: impl Fn(usize) -> bool) -> Summary {
        let asked: Vec<&Asked> = self.asked.iter().filter(|asked| within(asked.persona)).collect();
        let share = |of: &dyn Fn(&Asked) -> bool| {
            mean(asked.iter().map(|one| f64::from(u8::from(of(one))))).unwrap_or_default()
        };
        let answerable = asked.iter().filter(|one| !one.relevant.is_empty()).count();
        let below = |least: f32| share(&|one| one.best.is_none_or(|best| best < least));
        let listed = self.viewers.iter().enumerate().filter(|(p, _)| within(*p)).map(|(_, v)| v.listed_leaks.len());
        let names = self.run.measures().map(|(measure, k)| format!("{}@{k}", measure.name()));
        let measured = names.filter_map(|name| Some((name.clone(), self.measured(&asked, &name)?)));
        Summary {
            asked: asked.len(),
            answerable,
            unanswerable: share(&|one| one.relevant.is_empty()),
            below_least_score: self.run.least_score.map(below),
            measures: measured.collect(),
            k_fill: if asked.is_empty() { 1.0 } else { share(&|one| one.filled) },
            recall_of_search: mean(asked.iter().filter_map(|one| one.recall_of_search)),
            exact: share(&|one| one.exact),
            leaks: asked.iter().map(|one| one.leaks.len()).sum::<usize>() + listed.sum::<usize>(),
            out_of_reach: asked.iter().map(|one| one.out_of_reach).sum(),
            missing: asked.iter().map(|one| one.missing).sum(),
            latency: latency(&asked),
        }
    }

    fn measured(&self, asked: &[&Asked], name: &str) -> Option<Estimate> {
        let mut clusters: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for one in asked {
            if let Some(value) = one.measures.get(name) {
                clusters.entry(one.question).or_default().push(*value);
            }
        }
        estimate(&clusters.into_values().collect::<Vec<_>>(), self.run.seed)
    }
}

fn latency(asked: &[&Asked]) -> Latency {
    let ms = |first: bool| {
        let mut ms: Vec<f64> = asked.iter().filter(|one| one.first == first).map(|one| one.seconds * 1e3).collect();
        ms.sort_unstable_by(f64::total_cmp);
        ms
    };
    let (firsts, others) = (ms(true), ms(false));
    // Where everybody asks once there are only first searches.
    let usual = if others.is_empty() { &firsts } else { &others };
    let at = |p| percentile(usual, p).unwrap_or_default();
    let first_ms = firsts.last().copied().unwrap_or_default();
    Latency { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), first_ms }
}
