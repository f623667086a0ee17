//! Here are two evaluations of the same questions: is one better, or was it chance?
//!
//! Pairs are (persona, question) that both could answer. What a question gives to all personas stays together: the unit of
//! both tests is the question. The p-value is of a paired randomisation test (Fisher; Smucker, Allan and Carterette 2007):
//! how often does the mean difference become as large when the two sides of each question are swapped by a coin?

use std::collections::BTreeMap;

use safepassage::{Error, Result};
use serde::Serialize;

use crate::chance::Chance;
use crate::collection::Collection;
use crate::estimate::{Estimate, estimate};
use crate::evaluate::{Evaluation, Run};
use crate::report::OfIndex;
use crate::summary::Summary;

/// How often the sides are swapped.
const ROUNDS: u32 = 10_000;
/// How many of the worst questions are named.
const WORST: usize = 10;
/// Differences below this are ties.
const TIE: f64 = 1e-9;

/// This evaluation beside another.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What it is compared with, for people.
    pub against: String,
    /// The other index.
    pub index: OfIndex,
    /// How the other was asked.
    pub run: Run,
    /// Of everybody there.
    pub all: Summary,
    /// (Persona, question) that both could answer.
    pub pairs: usize,
    /// That only one of the two could answer.
    pub unpaired: usize,
    /// By name, such as `ndcg@10`.
    pub measures: BTreeMap<String, Compared>,
}

/// One measure on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The mean here.
    pub here: f64,
    /// The mean there.
    pub there: f64,
    /// Here less there, with its interval.
    pub difference: Estimate,
    /// How often chance alone gives as large a difference.
    pub p: f64,
    /// Pairs that are better here.
    pub wins: usize,
    /// That are the same.
    pub ties: usize,
    /// That are worse here.
    pub losses: usize,
    /// The pairs that lost most, worst first.
    pub worst: Vec<Lost>,
}

/// A pair that is worse here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lost {
    /// Id of the question.
    pub question: String,
    /// Who asked.
    pub persona: String,
    /// The value here.
    pub here: f64,
    /// The value there.
    pub there: f64,
}

/// Compares `here` with `there`, both of `collection`.
///
/// # Errors
/// `Invalid` if they were not measured at the same k.
pub fn compare(
    collection: &Collection,
    here: &Evaluation,
    there: &Evaluation,
    against: String,
    index: OfIndex,
) -> Result<Comparison> {
    if here.run.k != there.run.k {
        return Err(Error::invalid("compare", "both must be measured at the same k"));
    }
    let key = |asked: &crate::Asked| (asked.persona, asked.question);
    let others: BTreeMap<_, _> = there.asked.iter().map(|asked| (key(asked), asked)).collect();
    let (mut pairs, mut unpaired) = (Vec::new(), 0);
    for asked in &here.asked {
        let Some(other) = others.get(&key(asked)) else { continue };
        match (asked.measures.is_empty(), other.measures.is_empty()) {
            (false, false) => pairs.push((asked, *other)),
            (true, true) => {}
            _ => unpaired += 1,
        }
    }
    let mut measures = BTreeMap::new();
    for (measure, k) in here.run.measures() {
        let name = format!("{}@{k}", measure.name());
        let values: Vec<(usize, usize, f64, f64)> = pairs
            .iter()
            .filter_map(|(a, b)| Some((a.persona, a.question, *a.measures.get(&name)?, *b.measures.get(&name)?)))
            .collect();
        let lost = |(persona, question, here_is, there_is): &(usize, usize, f64, f64)| Lost {
            question: collection.questions[*question].id.clone(),
            persona: here.viewers[*persona].persona.clone(),
            here: *here_is,
            there: *there_is,
        };
        if let Some(compared) = compared(&values, here.run.seed, lost) {
            measures.insert(name, compared);
        }
    }
    let (all, run) = (there.all(), there.run.clone());
    Ok(Comparison { against, index, run, all, pairs: pairs.len(), unpaired, measures })
}

fn compared(
    values: &[(usize, usize, f64, f64)],
    seed: u64,
    lost: impl Fn(&(usize, usize, f64, f64)) -> Lost,
) -> Option<Compared> {
    let mut clusters: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (_, question, here, there) in values {
        clusters.entry(*question).or_default().push(here - there);
    }
    let clusters: Vec<Vec<f64>> = clusters.into_values().collect();
    let difference = estimate(&clusters, seed)?;
    let count = |better: &dyn Fn(f64) -> bool| values.iter().filter(|(_, _, a, b)| better(a - b)).count();
    let mut worse: Vec<_> = values.iter().filter(|(_, _, here, there)| here - there < -TIE).collect();
    worse.sort_by(|a, b| (a.2 - a.3).total_cmp(&(b.2 - b.3)).then_with(|| (a.0, a.1).cmp(&(b.0, b.1))));
    let n = values.len() as f64;
    Some(Compared {
        here: values.iter().map(|(_, _, here, _)| here).sum::<f64>() / n,
        there: values.iter().map(|(_, _, _, there)| there).sum::<f64>() / n,
        difference,
        p: randomised(&clusters.iter().map(|cluster| cluster.iter().sum()).collect::<Vec<_>>(), seed),
        wins: count(&|d| d > TIE),
        ties: count(&|d| d.abs() <= TIE),
        losses: count(&|d| d < -TIE),
        worst: worse.into_iter().take(WORST).map(lost).collect(),
    })
}

/// The share of swaps that make the sum as far from 0 as it is, the one that was seen among them.
fn randomised(differences: &[f64], seed: u64) -> f64 {
    let seen = differences.iter().sum::<f64>().abs();
    let mut chance = Chance::new(seed);
    let swapped =
        |chance: &mut Chance| differences.iter().map(|d| if chance.coin() { *d } else { -d }).sum::<f64>().abs();
    let as_far = (0..ROUNDS).filter(|_| swapped(&mut chance) >= seen - TIE).count();
    (as_far + 1) as f64 / f64::from(ROUNDS + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: [f64; 10] = [0.2, 0.6, 0.85, 0.5, 0.9, 0.35, 0.8, 0.6, 0.7, 0.75];
    const THERE: [f64; 10] = [0.1, 0.5, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4, 0.65, 0.55];

    fn values() -> Vec<(usize, usize, f64, f64)> {
        HERE.iter().zip(THERE).enumerate().map(|(q, (a, b))| (0, q, *a, b)).collect()
    }

    fn lost((persona, question, here, there): &(usize, usize, f64, f64)) -> Lost {
        Lost { question: question.to_string(), persona: persona.to_string(), here: *here, there: *there }
    }

    #[test]
    fn the_p_value_is_that_of_all_swaps() {
        // All 1,024 swaps, counted by another program: 0.01171875.
        let found = compared(&values(), 1, lost).unwrap();
        assert!((found.p - 0.011_718_75).abs() < 0.004, "{}", found.p);
        assert!((found.difference.mean - 0.115).abs() < 1e-12);
        assert!(found.difference.low > 0.0);
        assert_eq!((found.wins, found.ties, found.losses), (8, 1, 1));
        assert_eq!(found.worst, [Lost { question: "2".into(), persona: "0".into(), here: 0.85, there: 0.9 }]);
    }

    #[test]
    fn no_difference_is_no_finding() {
        let same: Vec<_> = values().into_iter().map(|(p, q, a, _)| (p, q, a, a)).collect();
        let found = compared(&same, 1, lost).unwrap();
        assert_eq!((found.p, found.difference.mean, found.ties, found.worst.len()), (1.0, 0.0, 10, 0));
        assert!(compared(&[], 1, lost).is_none());
    }

    #[test]
    fn one_question_asked_by_many_is_one_question() {
        // Forty personas with the same difference at one question: that is chance of one in two, not of one in 2⁴⁰.
        let many: Vec<_> = (0..40).map(|persona| (persona, 0, 0.9, 0.1)).collect();
        assert_eq!(compared(&many, 1, lost).unwrap().p, 1.0);
    }

    #[test]
    fn under_chance_alone_p_is_spread_evenly() {
        let mut chance = Chance::new(11);
        let mut number = || chance.below(1000) as f64 / 1000.0;
        let ps: Vec<f64> =
            (0..200).map(|_| randomised(&(0..20).map(|_| number() - number()).collect::<Vec<_>>(), 3)).collect();
        let below = |bound: f64| ps.iter().filter(|p| **p <= bound).count();
        assert!((2..=22).contains(&below(0.05)) && (75..=125).contains(&below(0.5)), "{} {}", below(0.05), below(0.5));
    }
}
