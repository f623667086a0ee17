//! Here are judgements: how much should words count beside meaning?
//!
//! Every weight on a grid is tried. A weight is as good as it and its neighbours are on average, so that a lucky one among
//! many is not taken. What it is worth is said by questions it was not chosen with: each half of the questions is measured
//! by the weight of the other half.

use std::collections::BTreeMap;

use safepassage::{Engine, Error, Fusion, Mode, Progress, Result};
use serde::Serialize;

use crate::collection::Collection;
use crate::evaluate::{Run, evaluate};
use crate::retriever::EngineRetriever;

/// How many steps there are from meaning alone to words alone.
const STEPS: u8 = 20;
/// Fewer judged questions than this say nothing about a weight.
const LEAST_QUESTIONS: usize = 20;

/// What judgements say about the fusion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Learnt {
    /// What to ask with: the best, or the default if that is no worse on questions the best was not chosen with.
    pub fusion: Fusion,
    /// The same as an argument of `--fusion`.
    pub argument: String,
    /// Which measure it was chosen by.
    pub measure: String,
    /// How many questions were judged.
    pub questions: usize,
    /// Each weight of words with what came of it.
    pub weights: Vec<Weighed>,
    /// What came of weights on questions they were not chosen with.
    pub held_out: f64,
    /// What came of the default.
    pub default: f64,
}

/// A weight of words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Weighed {
    /// From 0 to 1.
    pub words: f32,
    /// The measure over all questions.
    pub mean: f64,
}

/// Tries every weight on `collection`, by nDCG at the first k of `run`.
///
/// # Errors
/// As [`evaluate`]; `Invalid` with fewer than 20 judged questions, or if documents are given that must not be.
pub fn learn(engine: &Engine, collection: &Collection, run: &Run, progress: &dyn Progress) -> Result<Learnt> {
    run.check()?;
    let measure = format!("ndcg@{}", run.k[0]);
    let mut retriever = EngineRetriever::new(engine.clone());
    let mut tried = Vec::new();
    for step in 0..=STEPS {
        let fusion = Fusion::Scores { words: f32::from(step) / f32::from(STEPS) };
        let run = Run { mode: Mode::Hybrid, fusion, ..run.clone() };
        retriever = retriever.by(Mode::Hybrid, fusion);
        let evaluation = evaluate(&mut retriever, collection, &run, progress)?;
        if evaluation.asked.iter().any(|asked| !asked.leaks.is_empty()) {
            return Err(Error::invalid("learn fusion", "documents were given that must not be; evaluate first"));
        }
        // Of a question that several ask, the mean of what they get.
        let mut by_question: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for asked in &evaluation.asked {
            if let Some(value) = asked.measures.get(&measure) {
                by_question.entry(asked.question).or_default().push(*value);
            }
        }
        tried.push(by_question.into_values().map(|values| mean(&values)).collect::<Vec<f64>>());
    }
    chosen(&tried, measure)
}

/// The choice between weights, of each of which there is a value for every question.
fn chosen(tried: &[Vec<f64>], measure: String) -> Result<Learnt> {
    let questions = tried.iter().map(Vec::len).min().unwrap_or_default();
    if questions < LEAST_QUESTIONS {
        let message = format!("{questions} questions have answers that may be seen; {LEAST_QUESTIONS} are needed");
        return Err(Error::invalid("learn fusion", message));
    }
    let part = |half: usize, values: &[f64]| values.iter().skip(half).step_by(2).copied().collect::<Vec<f64>>();
    let means =
        |pick: &dyn Fn(&[f64]) -> Vec<f64>| tried.iter().map(|values| mean(&pick(values))).collect::<Vec<f64>>();
    let all = means(&|values| values.to_vec());
    let halves = [0, 1].map(|half| means(&|values| part(half, values)));
    let held_out = (halves[0][smooth_best(&halves[1])] + halves[1][smooth_best(&halves[0])]) / 2.0;
    let weight = |step: usize| step as f32 / f32::from(STEPS);
    let default = all[usize::from(STEPS) / 2];
    let best = Fusion::Scores { words: weight(smooth_best(&all)) };
    let fusion = if held_out > default { best } else { Fusion::default() };
    let weights = all.iter().enumerate().map(|(step, mean)| Weighed { words: weight(step), mean: *mean }).collect();
    Ok(Learnt { fusion, argument: fusion.to_string(), measure, questions, weights, held_out, default })
}

fn mean(values: &[f64]) -> f64 {
    crate::estimate::mean(values.iter().copied()).unwrap_or_default()
}

/// Where the mean of a value and its neighbours is highest.
fn smooth_best(means: &[f64]) -> usize {
    let smooth = |at: usize| mean(&means[at.saturating_sub(1)..(at + 2).min(means.len())]);
    (0..means.len()).max_by(|a, b| smooth(*a).total_cmp(&smooth(*b)).then(b.cmp(a))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each weight what `value` says of each of 40 questions.
    fn tried(value: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
        (0..=usize::from(STEPS)).map(|step| (0..40).map(|question| value(step, question)).collect()).collect()
    }

    #[test]
    fn the_best_weight_is_found_and_a_lucky_one_is_not() {
        let hill = |step: usize, _| 1.0 - (step as f64 - 4.0).abs() / 20.0;
        let learnt = chosen(&tried(hill), "ndcg@10".into()).unwrap();
        assert_eq!((learnt.argument.as_str(), learnt.questions), ("scores:0.2", 40));
        assert!(learnt.held_out > learnt.default && learnt.weights.len() == 21);
        let lucky = |step: usize, question| hill(step, question) + if step == 18 { 0.8 } else { 0.0 };
        assert_ne!(chosen(&tried(lucky), "ndcg@10".into()).unwrap().argument, "scores:0.9");
    }

    #[test]
    fn what_does_not_hold_on_other_questions_is_not_taken() {
        // Each half of the questions wants what is bad for the other.
        let split = |step: usize, question: usize| match (question % 2, step) {
            (0, 0..=2) | (1, 18..) => 1.0,
            (_, 9..=11) => 0.6,
            _ => 0.0,
        };
        let learnt = chosen(&tried(split), "ndcg@10".into()).unwrap();
        assert_eq!((learnt.fusion, learnt.held_out), (Fusion::default(), 0.0));
        assert!(chosen(&[vec![1.0; 19]], "ndcg@10".into()).unwrap_err().to_string().contains("19 questions"));
    }
}
